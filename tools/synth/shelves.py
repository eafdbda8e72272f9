"""A shelf that was stocked and sold from: several facings of a product per slot, gaps, things out of place.

shelf = stock(Bay(rows=4, columns=4), [flavour(k) for k in range(16)], seed=1)
picture = draw_shelf(shelf)
shelf.truth()     what stands, lies and is missing where, as plain data
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from tools.synth import drawing as d
from tools.synth.camera import lit_by_shop, noisy
from tools.synth.packages import draw_package
from tools.synth.people import draw_shopper, full_width
from tools.synth.scenes import HEADROOM, Bay, Box, empty_bay, overlap, stand, through_camera
from tools.synth.views import turned

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tools.synth.designs import Design
    from tools.synth.drawing import Sprite

APART = 1.05
"""Width that a product takes of a slot, by its own: hands put things down with a little room between."""

SOLD_OUT, SOLD, MISPLACED, FALLEN = 0.1, 0.35, 0.1, 0.08
"""Shares of slots: nothing left; some facings gone; a stranger among them; one fallen over."""


class Slot(StrEnum):
    """The state of a slot, the worst thing that is to be seen in it."""

    STOCKED = "stocked"
    FEW = "few"
    FALLEN = "fallen"
    MISPLACED = "misplaced"
    GAP = "gap"


@dataclass(frozen=True, slots=True)
class Item:
    """One product in the front row of a slot; `flat` is where, before the camera's perspective."""

    slot: str
    product: Design
    flat: tuple[float, float, float, float]
    fallen: bool = False


@dataclass(frozen=True, slots=True)
class Shelf:
    """A bay, what belongs into its slots, and what is there."""

    bay: Bay
    plan: tuple[tuple[str, Design], ...]
    facings: tuple[tuple[str, int], ...]  # room there is for the product of the plan, per slot
    items: tuple[Item, ...]
    shopper: Box | None = None
    who: int = 0

    def state(self, slot: str) -> Slot:
        """What is to be said of a slot."""
        planned, room = dict(self.plan)[slot], dict(self.facings)[slot]
        there = [item for item in self.items if item.slot == slot]
        if not there:
            return Slot.GAP
        if any(item.product != planned for item in there):
            return Slot.MISPLACED
        if any(item.fallen for item in there):
            return Slot.FALLEN
        return Slot.STOCKED if len(there) == room else Slot.FEW

    def truth(self) -> dict[str, Any]:
        """The ground truth as plain data; boxes are those of the camera's picture, also behind a shopper."""
        counts = Counter(item.slot for item in self.items)
        room = dict(self.facings)
        return {
            "slots": [
                {
                    "name": slot,
                    "box": list(self.bay.box(slot)),
                    "planned": product.index,
                    "state": self.state(slot).value,
                    "facings": counts[slot],
                    "room": room[slot],
                    "hidden": self.shopper is not None and overlap(self.bay.box(slot), self.shopper),
                }
                for slot, product in self.plan
            ],
            "items": [
                {
                    "slot": item.slot,
                    "product": item.product.index,
                    "box": list(self.bay.seen(item.flat)),
                    "fallen": item.fallen,
                }
                for item in self.items
            ],
            "shopper": list(self.shopper) if self.shopper else None,
        }


def stock(bay: Bay, products: Sequence[Design], seed: int = 0, *, shopper: bool = False) -> Shelf:
    """A shelf with product number k in slot number k, some hours after it was filled.

    Raises:
        ValueError: there are fewer products than slots.
    """
    if len(products) < len(bay.slots):
        raise ValueError(f"products: expected at least {len(bay.slots)}, found {len(products)}")
    rng = np.random.default_rng([seed, bay.seed, 131])
    plan = tuple(zip(bay.slots, products, strict=False))
    facings, items = [], []
    for slot, product in plan:
        x1, _, x2, _ = bay.flat_box(slot)
        width, _ = _size(bay, slot, product)
        room = max(1, int((x2 - x1) / (width * APART)))
        facings.append((slot, room))
        items += _sold_from(bay, slot, product, room, products, rng)
    person = _passing(bay, rng) if shopper else None
    return Shelf(bay, plan, tuple(facings), tuple(items), person, int(rng.integers(8)))


def draw_shelf(shelf: Shelf) -> d.Picture:
    """`(height, width, 3)` uint8 BGR: what the camera takes, light and noise included."""
    bay = shelf.bay
    flat = empty_bay(bay).copy()
    for item in shelf.items:
        x1, y1, x2, y2 = item.flat
        sprite = _sprite(item, round(x2 - x1), round(y2 - y1), bay.seed)
        if item.fallen:
            d.paste(flat, sprite, round(x1), round(y2) - sprite.shape[0])
        else:
            stand(flat, sprite, round(x1), round(y2))
    picture = lit_by_shop(through_camera(bay, flat))
    if shelf.shopper is not None:
        draw_shopper(picture, shelf.shopper, full_width(bay.width), shelf.who)
    return noisy(picture, shelf.who)


def _sold_from(
    bay: Bay, slot: str, product: Design, room: int, others: Sequence[Design], rng: np.random.Generator
) -> list[Item]:
    """What is left in a slot; the fallen one lies where two have been sold."""
    x1, _, x2, floor = bay.flat_box(slot)
    width, height = _size(bay, slot, product)
    if rng.random() < SOLD_OUT:
        return []
    count = room - int(rng.integers(0, room)) if rng.random() < SOLD else room
    start = (x1 + x2 - width * APART * room) / 2
    items = [_at(slot, product, start + at * width * APART, floor, width, height) for at in range(count)]
    if rng.random() < MISPLACED:
        stranger = others[int(rng.integers(len(others)))]
        place = int(rng.integers(len(items)))
        if stranger != product:
            wide, tall = _size(bay, slot, stranger)
            left = min(items[place].flat[0], x2 - wide)
            beside = [item for item in items if item.flat[2] <= left or item.flat[0] >= left + wide]
            items = [*beside, _at(slot, stranger, left, floor, wide, tall)]
    elif rng.random() < FALLEN:
        left = items[-1].flat[0]
        length = min(height, x2 - left)  # it lies to the right, and ends with the slot
        kept = items[:-1] if length >= height * 0.8 else []
        left = left if kept or len(items) == 1 else x1
        thick = width * min(1.0, (x2 - left) / height)
        lying = (left, floor - thick, min(left + height, x2), floor)
        items = [*kept, Item(slot, product, lying, fallen=True)]
    return items


def _at(slot: str, product: Design, x: float, floor: float, width: float, height: float) -> Item:
    return Item(slot, product, (x, floor - height, x + width, floor))


def _size(bay: Bay, slot: str, product: Design) -> tuple[float, float]:
    """Width and height of a standing product on the flat shelf, in pixels."""
    x1, y1, x2, y2 = bay.flat_box(slot)
    height = min((y2 - y1) * HEADROOM * product.tall, (x2 - x1) * 0.9 / product.aspect)
    return height * product.aspect, height


def _passing(bay: Bay, rng: np.random.Generator) -> Box:
    """Where a shopper is who walks past."""
    full = full_width(bay.width)
    left = int(rng.integers(-full // 2, bay.width - full // 2))
    return max(0, left), round(bay.height * 0.08), min(bay.width, left + full), bay.height


def _sprite(item: Item, width: int, height: int, seed: int) -> Sprite:
    """The product at its size in the picture, put there by hand: turned by up to 4 %."""
    yaw = np.random.default_rng([seed, item.product.index, round(item.flat[0])]).uniform(-0.04, 0.04)
    long = width if item.fallen else height
    sprite = _drawn(item.product, max(16, long))
    if item.fallen:
        return cv2.rotate(sprite, cv2.ROTATE_90_CLOCKWISE)
    return turned(sprite, float(yaw))


@lru_cache(maxsize=256)
def _drawn(product: Design, height: int) -> Sprite:
    return draw_package(product, height)
