"""How many slots of drawn shelves a model names right, with products that differ in one thing alone.

Each shop has lines of four flavours, each beside the three that look almost like it. References of a product
are three studio pictures and, of six other shelves, one facing each. `right` and `line` ask for the nearest
reference of a whole slot, `studio` of the studio pictures alone. `answered` is what a device answers first to
one picture of a slot cut into its facings, as a planogram has them, with a catalogue of the same pictures and
closer looks where the first leaves it undecided; `named` is how often it names a product at the default rate
of wrong names.
"""

from __future__ import annotations

import argparse
import tempfile
from collections import Counter
from contextlib import closing
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from agent.adapters.barcodes import read_barcodes
from agent.adapters.embedder import EmbedderSettings, load_embedder
from agent.adapters.images import encode_png
from agent.core.evidence import DecisionSettings, decide
from agent.core.looking import looks_at
from agent.core.second_look import SecondLookSettings
from agent.core.types import Region, Verdict
from agent.publishing.build import BuildSettings, build_catalogue
from agent.second_look import SecondLook
from agent.sight import open_folder
from tools.synth.flavours import LINE, flavour
from tools.synth.scenes import Bay, Box
from tools.synth.shelves import Slot, draw_shelf, stock
from tools.synth.views import studio_view

if TYPE_CHECKING:
    from agent.adapters.embedder import Embedder
    from tools.synth.designs import Design
    from tools.synth.drawing import Picture

STUDIO_VIEWS, SHELF_PHOTOS, ASKED = 3, 6, 2
"""Studio pictures and shelves that the references come from, and further shelves that are asked; per shop."""


SHARES = ("answered", "line", "named", "named_wrong", "right", "studio", "studio_line")
"""What is counted of the slots."""

SETTINGS = DecisionSettings(looks=1, window=16)
"""As many facings as a slot of these shelves has."""


def measure(argv: list[str]) -> dict[str, Any]:
    """Percent of slots whose nearest reference is of their product, or at least of its line."""
    parser = argparse.ArgumentParser(prog="python -m tools.bench slots", description=__doc__)
    parser.add_argument("--model", default="models/base.tflite", metavar="FILE")
    parser.add_argument("--shops", type=int, default=8, metavar="N", help="of 16 products (default: 8)")
    parser.add_argument(
        "--width", type=int, default=1280, metavar="PX", help="of the camera's picture, 16:9 (default: 1280)"
    )
    args = parser.parse_args(argv)
    eyes = load_embedder(EmbedderSettings(file=args.model))
    counted = sum((_shop(eyes, args.model, seed, args.width) for seed in range(args.shops)), Counter[str]())
    slots, facing_px = counted["slots"], counted["facing_px"]
    shares = {f"{name}_percent": round(100 * counted[name] / slots, 1) for name in SHARES}
    return {"model": args.model, "slots": slots, "facing_px": round(facing_px / slots), **shares}


def _shop(eyes: Embedder, model: str, seed: int, width: int) -> Counter[str]:
    bay = _bay(seed, width)
    products = [flavour(number, seed) for number in range(len(bay.slots))]
    studio = [(studio_view(each, number), each.index) for each in products for number in range(STUDIO_VIEWS)]
    shelves = [_stocked(seed, number, products, width) for number in range(SHELF_PHOTOS + ASKED)]
    seen, asked = shelves[:SHELF_PHOTOS], shelves[SHELF_PHOTOS:]
    gallery = np.concatenate(
        [eyes.embed(picture, [whole(picture)]) for picture, _ in studio]
        + [eyes.embed(picture, [slot.region for slot in slots]) for picture, slots in seen]
    )
    known = np.array([index for _, index in studio] + [slot.index for _, slots in seen for slot in slots])
    rows = np.concatenate([eyes.embed(picture, [slot.region for slot in slots]) for picture, slots in asked])
    truth = np.array([slot.index for _, slots in asked for slot in slots])
    nearest = known[(rows @ gallery.T).argmax(axis=1)]
    by_studio = known[(rows @ gallery[: len(studio)].T).argmax(axis=1)]
    facings = [(_cut(picture, slot.facings[0]), slot.index) for picture, slots in seen for slot in slots]
    return Counter(
        slots=len(truth),
        facing_px=sum(
            slot.facings[0].box[2] - slot.facings[0].box[0] for _, slots in asked for slot in slots
        ),
        right=int(np.sum(nearest == truth)),
        line=int(np.sum(nearest // LINE == truth // LINE)),
        studio=int(np.sum(by_studio == truth)),
        studio_line=int(np.sum(by_studio // LINE == truth // LINE)),
        **_answered(model, [*studio, *facings], asked),
    )


def _answered(
    model: str, references: list[tuple[Picture, int]], asked: list[tuple[Picture, list[_Stocked]]]
) -> Counter[str]:
    """Of slots: how often the first option is right, how often one is named, and how often wrongly."""
    embedder = EmbedderSettings(file=model)
    with tempfile.TemporaryDirectory() as held:
        for number, (picture, index) in enumerate(references):
            images = Path(held) / "products" / f"{index:04}"
            images.mkdir(parents=True, exist_ok=True)
            (images / f"{number:04}.png").write_bytes(encode_png(picture))
        out = Path(held) / "catalogue"
        build_catalogue(Path(held) / "products", out, embedder, BuildSettings(jobs=1), created_utc=0.0)
        eyes, catalogue = open_folder(out, embedder)
        second = SecondLook(SecondLookSettings(budget_ms=60_000), read_barcodes)
        counted: Counter[str] = Counter()
        with closing(catalogue):
            for picture, slots in asked:
                for slot in slots:
                    rows = eyes.embed(picture, slot.facings)
                    looks = looks_at(picture, slot.facings, rows, catalogue.nearest(rows))
                    looks = second.improved(picture, slot.facings, looks, catalogue)
                    decision = decide(looks, catalogue.calibration, SETTINGS)
                    best = decision.options[0].product if decision.options else -1
                    right = best >= 0 and catalogue.product(best).sku == f"{slot.index:04}"
                    counted["answered"] += right
                    counted["named"] += decision.verdict is Verdict.KNOWN
                    counted["named_wrong"] += decision.verdict is Verdict.KNOWN and not right
        return counted


@dataclass(frozen=True, slots=True)
class _Stocked:
    """A slot that holds its own product."""

    region: Region
    facings: list[Region]  # where something stands
    index: int


def whole(picture: Picture) -> Region:
    """All of a picture."""
    return Region((0, 0, picture.shape[1], picture.shape[0]))


def _cut(picture: Picture, region: Region) -> Picture:
    x1, y1, x2, y2 = region.box
    return picture[y1:y2, x1:x2]


def _bay(seed: int, width: int) -> Bay:
    return Bay(rows=4, columns=4, width=width, height=width * 9 // 16, seed=seed)


def _stocked(seed: int, number: int, products: list[Design], width: int) -> tuple[Picture, list[_Stocked]]:
    """A shelf, and its slots that hold their own product.

    Each shelf of a shop has another order of products and another place of the camera.
    """
    bay = _bay(100 * seed + number, width)
    order = np.random.default_rng([seed, number, 89]).permutation(len(products))
    shelf = stock(bay, [products[place] for place in order], number)
    room = dict(shelf.facings)
    told = [
        _Stocked(Region(bay.box(slot)), _facings(bay.box(slot), room[slot], standing), product.index)
        for slot, product in shelf.plan
        if shelf.state(slot) in {Slot.STOCKED, Slot.FEW}
        for standing in [[bay.seen(item.flat) for item in shelf.items if item.slot == slot]]
    ]
    return draw_shelf(shelf), [slot for slot in told if slot.facings]


def _facings(box: Box, room: int, standing: list[Box]) -> list[Region]:
    """The slot in equal parts, those of them in which something stands."""
    x1, y1, x2, y2 = box
    edges = [round(x1 + (x2 - x1) * part / room) for part in range(room + 1)]
    return [
        Region((left, y1, right, y2))
        for left, right in pairwise(edges)
        if any(min(right, x) - max(left, w) > (x - w) / 2 for w, _, x, _ in standing)
    ]
