"""How many slots of drawn shelves a model names right, with products that differ in one thing alone.

Each shop has lines of four flavours, each beside the three that look almost like it. References of a product
are three studio pictures and six slots of other shelves; "studio" asks those three alone.
"""

from __future__ import annotations

import argparse
from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np

from agent.adapters.embedder import EmbedderSettings, load_embedder
from agent.core.types import Region
from tools.synth.flavours import LINE, flavour
from tools.synth.scenes import Bay
from tools.synth.shelves import Slot, draw_shelf, stock
from tools.synth.views import studio_view

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from agent.adapters.embedder import Embedder
    from tools.synth.designs import Design

STUDIO_VIEWS, SHELF_PHOTOS, ASKED = 3, 6, 2
"""Studio pictures and shelves that the references come from, and further shelves that are asked; per shop."""


def measure(argv: list[str]) -> dict[str, Any]:
    """Percent of slots whose nearest reference is of their product, or at least of its line."""
    parser = argparse.ArgumentParser(prog="python -m tools.bench slots", description=__doc__)
    parser.add_argument("--model", default="models/base.tflite", metavar="FILE")
    parser.add_argument("--shops", type=int, default=8, metavar="N", help="of 16 products (default: 8)")
    args = parser.parse_args(argv)
    eyes = load_embedder(EmbedderSettings(file=args.model))
    counted = sum((_shop(eyes, seed) for seed in range(args.shops)), Counter[str]())
    slots = counted.pop("slots")
    shares = {f"{name}_percent": round(100 * right / slots, 1) for name, right in sorted(counted.items())}
    return {"model": args.model, "slots": slots, **shares}


def _shop(eyes: Embedder, seed: int) -> Counter[str]:
    bay = Bay(rows=4, columns=4, seed=seed)
    products = [flavour(number, seed) for number in range(len(bay.slots))]
    studio, names = [], []
    for product in products:
        for number in range(STUDIO_VIEWS):
            picture = studio_view(product, number)
            whole = Region((0, 0, picture.shape[1], picture.shape[0]))
            studio.append(eyes.embed(picture, [whole]))
            names.append(product.index)
    shelves = [_stocked(eyes, seed, number, products) for number in range(SHELF_PHOTOS + ASKED)]
    gallery = np.concatenate([*studio, *(rows for rows, _ in shelves[:SHELF_PHOTOS])])
    known = np.concatenate([np.array(names), *(found for _, found in shelves[:SHELF_PHOTOS])])
    asked = np.concatenate([rows for rows, _ in shelves[SHELF_PHOTOS:]])
    truth = np.concatenate([found for _, found in shelves[SHELF_PHOTOS:]])
    nearest = known[(asked @ gallery.T).argmax(axis=1)]
    by_studio = known[(asked @ gallery[: len(names)].T).argmax(axis=1)]
    return Counter(
        slots=len(truth),
        right=int(np.sum(nearest == truth)),
        line=int(np.sum(nearest // LINE == truth // LINE)),
        studio=int(np.sum(by_studio == truth)),
        studio_line=int(np.sum(by_studio // LINE == truth // LINE)),
    )


def _stocked(
    eyes: Embedder, seed: int, number: int, products: list[Design]
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Embeddings `(N, D)` of one shelf's slots that hold their own product, and which that is.

    Each shelf of a shop has another order of products and another place of the camera.
    """
    bay = Bay(rows=4, columns=4, seed=100 * seed + number)
    order = np.random.default_rng([seed, number, 89]).permutation(len(products))
    shelf = stock(bay, [products[place] for place in order], number)
    picture = draw_shelf(shelf)
    told = [
        (slot, product.index) for slot, product in shelf.plan if shelf.state(slot) in {Slot.STOCKED, Slot.FEW}
    ]
    rows = eyes.embed(picture, [Region(bay.box(slot)) for slot, _ in told])
    return rows, np.array([index for _, index in told])
