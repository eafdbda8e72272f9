"""Photos of a product taken at a shelf, as staff take them: cut out loosely, in the light that there is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tools.synth import drawing as d
from tools.synth.designs import design
from tools.synth.scenes import Bay, draw_bay, facings_of
from tools.synth.views import soft

if TYPE_CHECKING:
    from tools.synth.drawing import Picture
    from tools.synth.scenes import Looks

JITTER = 0.06
"""How far each side of the cut lies from the slot's own, as a share of the slot's side."""

NOISE_SIGMA = 3.0
"""Grey levels; a phone in a shop shows a little more than a camera that hangs still."""


def shelf_photo(
    product: int, number: int, seed: int = 0, looks: Looks = design, *, one: bool = False
) -> Picture:
    """Photo `number` of product `product` of the shop `seed`: `(H, W, 3)` uint8 BGR, some 150 to 300 px.

    Each photo is of another shelf: other slot sizes, other neighbours, another place of the camera.
    `looks`: as `draw_bay`. `one`: of a single facing, where several stand side by side in the slot.
    """
    rng = np.random.default_rng([seed, product, number, 61])
    width = int(rng.integers(620, 1100))
    bay = Bay(
        rows=2,
        columns=int(rng.integers(3, 5)),
        width=width,
        height=round(width * rng.uniform(0.42, 0.56)),
        seed=seed,
        skew=float(rng.uniform(-0.03, 0.03)),
    )
    slots = bay.slots
    shown: dict[str, int | None] = {slot: int(rng.integers(64)) for slot in slots}
    slot = slots[int(rng.integers(len(slots)))]
    shown[slot] = product
    photo = draw_bay(bay, shown, looks)
    x1, y1, x2, y2 = bay.box(slot)
    if one:
        x2 = x1 + (x2 - x1) // facings_of(bay, slot, product, looks)
    moves = rng.uniform(-JITTER, JITTER, 4) * (x2 - x1, y2 - y1, x2 - x1, y2 - y1)
    left, top, right, bottom = (round(value) for value in np.array([x1, y1, x2, y2]) + moves)
    photo = photo[max(0, top) : bottom, max(0, left) : right]
    photo = d.lit(photo, np.full((1, 1), rng.uniform(0.78, 1.1), np.float32))
    photo = soft(photo, float(rng.uniform(0.0, 1.0)))
    noise = rng.normal(0.0, NOISE_SIGMA, photo.shape)
    return np.clip(np.rint(photo + noise), 0, 255).astype(np.uint8)
