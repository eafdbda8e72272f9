"""How many boxes on photographs of shelves are named right at first, before and after each ingredient.

The boxes are known, as slots are. The photographs are also shown as a camera far away takes them: shrunk
until a box has so many pixels across, a little out of focus, and as JPEG.

    plain            one reference picture for each product, as it is
    sizes            … with small copies, as `catalog build --small` makes them
    centred          from each side its mean is taken away: the pictures of a shop have something in common
    crops            the mean of two looks, at all of a region and at its middle
    best of crops    the nearer of those two looks, where references are looked at whole
    answered         what a device answers with a catalogue of the references and their small copies
    … closer looks   the same with closer looks where the first leaves it undecided
    … jittered       boxes that are off by up to a tenth of their sides, each side for itself

`states` is what the shelf application says of the same boxes as slots, see tools/bench/_shelf_photos.py.

An interval of 95 % counts boxes and not their jittered variants, which are not independent.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from agent.adapters.barcodes import read_barcodes
from agent.adapters.embedder import EmbedderSettings, load_embedder
from agent.adapters.images import read_image
from agent.core.evidence import ONE_LOOK, decide
from agent.core.looking import looks_at
from agent.core.regions import kept_centre, propose
from agent.core.scoring import wilson
from agent.core.second_look import SecondLookSettings
from agent.core.tensors import unit_rows
from agent.core.types import Region
from agent.publishing.build import BuildSettings, build_catalogue
from agent.publishing.worker import Worker
from agent.second_look import SecondLook
from agent.sight import open_folder
from tools.bench import _shelf_photos

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from agent.adapters.embedder import Embedder
    from agent.core.types import Box

    Notes = dict[str, list[dict[str, Any]]]
    Pixels = NDArray[np.uint8]
    Rows = NDArray[np.float32]

MIDDLE = 0.75
"""Share of each side of a region that the second look of `crops` is at."""

VARIANTS = 5
JITTER = 0.1


@dataclass(frozen=True, slots=True)
class Asked:
    """The boxes of all photographs: `whole` and `middle` `(N, D)`, and which reference each one shows."""

    whole: Rows
    middle: Rows
    truth: NDArray[np.int64]


def measure(argv: list[str]) -> dict[str, Any]:
    """Per width of a box the share named right by each ingredient, with its interval."""
    parser = argparse.ArgumentParser(prog="python -m tools.bench shelves", description=__doc__)
    parser.add_argument("folder", type=Path, help="references/, scenes/ and annotations.json")
    parser.add_argument("--model", required=True, help="embedding model (.tflite)")
    parser.add_argument("--widths", type=int, nargs="*", default=[0, 100, 70, 50, 40], help="0: as it is")
    parser.add_argument("--small", type=int, nargs="*", default=[100, 70, 50], help="of --small of a build")
    parser.add_argument("--draft", action="store_true", help="only what `planogram learn` drafts of them")
    parser.add_argument("--states-only", action="store_true", help="leave the ingredients out")
    args = parser.parse_args(argv)
    if args.draft:
        return {"draft": _shelf_photos.drafts(args.folder, args.model)}
    states = _shelf_photos.states(args.folder, args.model, args.widths, args.small)
    if args.states_only:
        return {"states": states}
    eyes = load_embedder(EmbedderSettings(file=args.model))
    notes = json.loads((args.folder / "annotations.json").read_text())
    references = sorted((args.folder / "references").iterdir())
    chunk = tuple(path.read_bytes() for path in references)
    seen = Worker(eyes, 1.0, tuple(args.small)).embed(chunk)
    middle = Worker(eyes, MIDDLE, tuple(args.small)).embed(chunk)
    numbers = {path.name: number for number, path in enumerate(references)}
    table = {}
    for width in args.widths:
        rows: dict[str, Any] = {}
        for name, jitter in (("", 0.0), (" jittered", JITTER)):
            asked = _asked(eyes, args.folder, notes, numbers, width, jitter)
            boxes = len(asked.truth) // (VARIANTS if jitter else 1)
            for ingredient, right in _right(asked, seen.vectors, seen.copies, middle.vectors, middle.copies):
                share = float(right.mean())
                low, high = wilson(round(share * boxes), boxes)
                rows[f"{ingredient}{name}"] = [round(100 * number, 1) for number in (share, low, high)]
        rows |= _answered(args, notes, width)
        table[str(width) if width else "as it is"] = rows
    return {
        "model": eyes.spec.name,
        "references": len(references),
        "right_low_high_percent": table,
        "states": states,
    }


def _answered(args: argparse.Namespace, notes: Notes, width: int) -> dict[str, list[float]]:
    """Share of the boxes whose first option is right, in percent with its interval; each box is one look."""
    right: dict[str, list[bool]] = {"answered": [], "answered, closer looks": []}
    embedder = EmbedderSettings(file=args.model)
    with tempfile.TemporaryDirectory() as held:
        for path in (args.folder / "references").iterdir():
            (Path(held) / "products" / path.name).mkdir(parents=True)
            (Path(held) / "products" / path.name / path.name).symlink_to(path.resolve())
        out = Path(held) / "catalogue"
        settings = BuildSettings(jobs=1, small=tuple(args.small))
        build_catalogue(Path(held) / "products", out, embedder, settings, created_utc=0.0)
        eyes, catalogue = open_folder(out, embedder)
        second = SecondLook(SecondLookSettings(budget_ms=60_000), read_barcodes)
        with closing(catalogue):
            for scene, things in notes.items():
                picture = read_image(args.folder / "scenes" / scene)
                for thing in things:
                    seen, box = _from_afar(picture, thing["box"], width)
                    rows = eyes.embed(seen, [Region(box)])
                    looks = looks_at(seen, [Region(box)], rows, catalogue.nearest(rows))
                    closer = second.improved(seen, [Region(box)], looks, catalogue)
                    for said, each in zip(right.values(), (looks, closer), strict=True):
                        (best, *_) = decide(each, catalogue.calibration, ONE_LOOK).options
                        said.append(catalogue.product(best.product).sku == thing["reference"])
    boxes = len(right["answered"])
    shares = {
        name: [round(100 * number, 1) for number in (sum(said) / boxes, *wilson(sum(said), boxes))]
        for name, said in right.items()
    }
    return {**shares, "closer looks of boxes": [second.tally.compared, boxes]}


def _right(
    asked: Asked, whole: Rows, copies: Rows, middle: Rows, middle_copies: Rows
) -> list[tuple[str, NDArray[np.bool_]]]:
    """Ingredient → which of the boxes are named right by it."""
    many, many_middle = _with_copies(whole, copies), _with_copies(middle, middle_copies)
    products, all_products = np.arange(len(whole)), np.tile(np.arange(len(whole)), 1 + copies.shape[1])
    both, many_both = unit_rows(whole + middle), unit_rows(many + many_middle)
    asked_both = unit_rows(asked.whole + asked.middle)

    def best(similar: Rows, names: NDArray[np.int64] = products) -> NDArray[np.bool_]:
        return np.asarray(names[similar.argmax(axis=1)] == asked.truth, np.bool_)

    either = np.maximum(asked.whole @ many.T, asked.middle @ many.T)
    return [
        ("plain", best(asked.whole @ whole.T)),
        ("sizes", best(asked.whole @ many.T, all_products)),
        ("centred", best(_centred(asked.whole) @ _centred(whole).T)),
        ("sizes, centred", best(_centred(asked.whole) @ _centred(many).T, all_products)),
        ("crops", best(asked_both @ both.T)),
        ("sizes, crops", best(asked_both @ many_both.T, all_products)),
        ("sizes, best of crops", best(either, all_products)),
    ]


def _with_copies(rows: Rows, copies: Rows) -> Rows:
    """`(N (1 + S), D)`: the pictures, then all first copies, …; a copy that was not worth it is zeros."""
    return np.concatenate([rows, *copies.transpose(1, 0, 2)])


def _centred(rows: Rows) -> Rows:
    return unit_rows(np.where(rows.any(axis=1, keepdims=True), rows - rows.mean(axis=0), rows))


def _asked(
    eyes: Embedder,
    folder: Path,
    notes: Notes,
    numbers: dict[str, int],
    width: int,
    jitter: float,
) -> Asked:
    dice = np.random.default_rng(0)
    whole, middle, truth = [], [], []
    for scene, things in notes.items():
        picture = read_image(folder / "scenes" / scene)
        for thing in things:
            seen, box = _from_afar(picture, thing["box"], width)
            for _ in range(VARIANTS if jitter else 1):
                region = Region(_moved(box, dice, jitter, (seen.shape[1], seen.shape[0])))
                rows = eyes.embed(seen, [region, _middle_of(region)])
                whole.append(rows[0])
                middle.append(rows[1])
                truth.append(numbers[thing["reference"]])
    return Asked(np.array(whole), np.array(middle), np.array(truth))


def _from_afar(picture: Pixels, box: list[int], width: int) -> tuple[Pixels, Box]:
    """The photograph in which this box is `width` pixels wide, and where the box is in it."""
    times = min(1.0, width / (box[2] - box[0])) if width else 1.0
    x1, y1, x2, y2 = (round(number * times) for number in box)
    return _shelf_photos.from_afar(picture, times), (x1, y1, x2, y2)


def _moved(box: Box, dice: np.random.Generator, jitter: float, size: tuple[int, int]) -> Box:
    sides = np.array([box[2] - box[0], box[3] - box[1]] * 2)
    moved = np.rint(np.array(box) + dice.uniform(-jitter, jitter, 4) * sides)
    x1, y1, x2, y2 = (int(number) for number in np.clip(moved, 0, size * 2))
    return x1, y1, x2, y2


def _middle_of(region: Region) -> Region:
    x1, y1, x2, y2 = region.box
    (inner,) = propose(kept_centre(MIDDLE), x2 - x1, y2 - y1)
    left, top, right, bottom = inner.box
    return Region((x1 + left, y1 + top, x1 + right, y1 + bottom))
