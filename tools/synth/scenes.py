"""A shelf bay as a camera sees it: back wall, boards, rails with price labels, products in their slots."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import cv2
import numpy as np

from tools.synth import drawing as d
from tools.synth.designs import design
from tools.synth.packages import draw_package
from tools.synth.views import turned

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from tools.synth.designs import Design
    from tools.synth.drawing import Picture, Sprite

    Looks = Callable[[int, int], Design]

Box = tuple[int, int, int, int]

WALL = (178, 184, 188)
BOARD = (206, 210, 212)
RAIL = (236, 238, 238)
HEADROOM = 0.9
"""The tallest product fills this much of the height between two boards."""


@dataclass(frozen=True, slots=True)
class Bay:
    """A shelf and the camera before it. Slots are named a1, a2, … from the top left, row by row."""

    rows: int = 3
    columns: int = 5
    width: int = 1280
    height: int = 720
    seed: int = 0
    skew: float = 0.02  # how far off its axis the camera stands: shift of the corners by this fraction

    def __post_init__(self) -> None:
        if not (1 <= self.rows <= 26 and 1 <= self.columns <= 99):
            raise ValueError(f"bay: expected 1–26 rows and 1–99 columns, found {self.rows} × {self.columns}")

    @property
    def slots(self) -> tuple[str, ...]:
        """Names of the slots."""
        return tuple(
            f"{chr(97 + row)}{column + 1}" for row in range(self.rows) for column in range(self.columns)
        )

    def flat_box(self, slot: str) -> tuple[float, float, float, float]:
        """Where a slot lies on the shelf before the camera's perspective, in pixels."""
        row, column = ord(slot[0]) - 97, int(slot[1:]) - 1
        across, down = self.width * 0.96 / self.columns, self.height * 0.97 / self.rows
        x, y = self.width * 0.02 + column * across, self.height * 0.015 + row * down
        return x, y, x + across, y + down * 0.86  # the rest is the board and its rail

    def box(self, slot: str) -> Box:
        """Where the camera sees a slot: `x1 y1 x2 y2`, half open, the bounding box of its corners."""
        return self.seen(self.flat_box(slot))

    def seen(self, flat: tuple[float, float, float, float]) -> Box:
        """The camera's box of an upright rectangle on the flat shelf, cut at the edges of the picture."""
        x1, y1, x2, y2 = flat
        corners = np.array([[(x1, y1), (x2, y1), (x2, y2), (x1, y2)]], np.float32)
        there = cv2.perspectiveTransform(corners, self.perspective())[0]
        low, high = np.floor(there.min(axis=0)), np.ceil(there.max(axis=0))
        return (
            max(0, int(low[0])),
            max(0, int(low[1])),
            min(self.width, int(high[0])),
            min(self.height, int(high[1])),
        )

    def perspective(self) -> NDArray[np.float64]:
        """The homography from the flat shelf to the camera's picture."""
        w, h, k = self.width, self.height, self.skew
        before = np.array([(0, 0), (w, 0), (w, h), (0, h)], np.float32)
        after = np.array([(0, 0), (w, k * h), (w, h - k * h), (0, h)], np.float32)
        return np.asarray(cv2.getPerspectiveTransform(before, after))


def overlap(one: Box, other: Box) -> bool:
    """Whether two boxes have a pixel in common."""
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def draw_bay(bay: Bay, shown: Mapping[str, int | None], looks: Looks = design) -> Picture:
    """The bay with product number `shown[slot]` in each slot (None or absent: empty), before any light.

    `looks(number, seed)`: what a product is; `flavours.flavour` for a shop of lines.

    Returns `(height, width, 3)` uint8 BGR as the camera sees it.
    """
    shelf = empty_bay(bay).copy()
    for slot in bay.slots:
        product = shown.get(slot)
        if product is not None:
            _stock(shelf, bay, slot, product, looks)
    return through_camera(bay, shelf)


def through_camera(bay: Bay, shelf: Picture) -> Picture:
    """The flat shelf as the camera sees it from where it stands."""
    size = (bay.width, bay.height)
    return cv2.warpPerspective(shelf, bay.perspective(), size, borderMode=cv2.BORDER_REPLICATE)


@lru_cache(maxsize=4)
def empty_bay(bay: Bay) -> Picture:
    """Wall, boards and rails without products and without perspective. Do not write to it."""
    picture = d.canvas(bay.width, bay.height, WALL)
    for y in range(6, bay.height, 12):  # the wall is perforated steel
        for x in range(6 + (y // 12 % 2) * 6, bay.width, 12):
            cv2.circle(picture, (x, y), 2, (150, 156, 160), -1, cv2.LINE_AA)
    for row in range(bay.rows):
        _board(picture, bay, row)
    for column in range(1, bay.columns, 2):  # uprights behind the goods
        x = round(bay.width * (0.02 + 0.96 * column / bay.columns))
        cv2.line(picture, (x, 0), (x, bay.height), d.mix(WALL, (0, 0, 0), 0.18), 2)
    for slot in bay.slots:
        _price_label(picture, bay, slot)
    return picture


def _board(picture: Picture, bay: Bay, row: int) -> None:
    """One board: the shade under the board above, its own surface, its front rail."""
    _, top, _, floor = bay.flat_box(f"{chr(97 + row)}1")
    depth = (floor - top) * 0.45
    for step in range(round(depth)):
        y = round(top) + step
        picture[y] = np.rint(picture[y] * (0.55 + 0.45 * step / depth)).astype(np.uint8)
    surface = round(bay.height * 0.97 / bay.rows * 0.045)
    bottom = round(top + bay.height * 0.97 / bay.rows)
    y = round(floor)
    cv2.rectangle(picture, (0, y - surface), (bay.width, y), d.mix(BOARD, (0, 0, 0), 0.12), -1)
    cv2.rectangle(picture, (0, y), (bay.width, bottom), RAIL, -1)
    cv2.line(picture, (0, y), (bay.width, y), (250, 250, 250), 2)
    cv2.line(picture, (0, bottom - 1), (bay.width, bottom - 1), d.mix(RAIL, (0, 0, 0), 0.5), 2)


def _price_label(picture: Picture, bay: Bay, slot: str) -> None:
    """A paper label on the rail: price, a line of text, a small barcode."""
    rng = np.random.default_rng([bay.seed, *slot.encode()])
    x1, _, x2, y = bay.flat_box(slot)
    tall = bay.height * 0.97 / bay.rows * 0.14
    label_h, label_w = max(8, round(tall * 0.8)), round((x2 - x1) * 0.34)
    label = d.canvas(label_w * 3, label_h * 3, (90, 225, 250) if rng.random() < 0.2 else (250, 252, 252))
    d.text(label, f"{rng.integers(0, 9)}.{rng.integers(1, 10)}9", (0.42, 0.1, 0.96, 0.75), (30, 30, 30))
    d.rectangle(label, 0.05, 0.14, 0.36, 0.24, (90, 90, 90))
    for bar in range(12):
        if rng.random() < 0.6:
            d.rectangle(label, 0.05 + bar * 0.026, 0.36, 0.066 + bar * 0.026, 0.82, (40, 40, 40))
    label = d.resized(label, label_w, label_h)
    d.paste(picture, d.with_alpha(label, np.full(label.shape[:2], 255, np.uint8)),
            round((x1 + x2 - label_w) / 2), round(y + tall * 0.1))  # fmt: skip


def _stock(shelf: Picture, bay: Bay, slot: str, product: int, looks: Looks) -> None:
    """One product in its slot; two side by side where they fit."""
    x1, _, x2, y2 = bay.flat_box(slot)
    sprite = _in_slot(bay, slot, product, looks)
    width = sprite.shape[1]
    facings = facings_of(bay, slot, product, looks)
    for facing in range(facings):
        left = (x1 + x2 - width * facings * 1.04) / 2 + facing * width * 1.04
        stand(shelf, sprite, round(left), round(y2))


def facings_of(bay: Bay, slot: str, product: int, looks: Looks = design) -> int:
    """How many of a product `draw_bay` puts side by side into a slot."""
    x1, _, x2, _ = bay.flat_box(slot)
    return 2 if _in_slot(bay, slot, product, looks).shape[1] * 2.1 < x2 - x1 else 1


def _in_slot(bay: Bay, slot: str, product: int, looks: Looks) -> Sprite:
    x1, y1, x2, y2 = bay.flat_box(slot)
    return _sprite(product, bay.seed, round((y2 - y1) * HEADROOM), round((x2 - x1) * 0.8), slot, looks)


def stand(shelf: Picture, sprite: Sprite, x: int, floor: int) -> None:
    """A product on the board with its left edge at `x`, another one in the dark behind it, and its shadow."""
    height, width = sprite.shape[:2]
    y = floor - height
    back = d.resized(sprite, round(width * 0.93), round(height * 0.93))
    back = d.lit(back, np.full((1, 1), 0.45, np.float32))
    d.paste(shelf, back, x + round(width * 0.08), round(floor - height * 0.045 - back.shape[0]))
    foot = shelf[floor - 3 : floor, max(0, x - 2) : x + width + 2]
    foot[:] = np.rint(foot * 0.6).astype(np.uint8)
    d.paste(shelf, sprite, x, y)


@lru_cache(maxsize=256)
def _sprite(product: int, seed: int, tallest: int, widest: int, slot: str, look: Looks) -> Sprite:
    """A product at the size it has on this shelf, put there by hand: turned by up to 4 %."""
    rng = np.random.default_rng([seed, product, *slot.encode()])
    made = look(product, seed)
    height = min(tallest * made.tall, widest / made.aspect)
    sprite = draw_package(made, max(16, round(height)))
    return turned(sprite, float(rng.uniform(-0.04, 0.04)))
