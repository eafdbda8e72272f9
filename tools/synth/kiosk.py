"""A hand that holds a product up to the camera of a kiosk."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from tools.synth import drawing as d
from tools.synth.camera import lit_by_shop, noisy
from tools.synth.packages import draw_package
from tools.synth.people import COATS, SKINS, draw_arm, draw_finger
from tools.synth.scenes import Bay, Box, draw_bay

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tools.synth.designs import Design
    from tools.synth.drawing import Picture


@dataclass(frozen=True, slots=True)
class Held:
    """One product in a hand. Lengths in pixels."""

    product: Design
    width: int
    height: int
    center: tuple[float, float]
    tall: float
    turn_deg: float  # clockwise
    from_right: bool  # which side the arm comes from
    skin: int
    coat: int
    seed: int

    @property
    def box(self) -> Box:
        """Where the product is seen, fingers included: the bounding box of its corners."""
        corners = self._corners()
        low, high = np.floor(corners.min(axis=0)), np.ceil(corners.max(axis=0))
        return (
            max(0, int(low[0])),
            max(0, int(low[1])),
            min(self.width, int(high[0])),
            min(self.height, int(high[1])),
        )

    def truth(self) -> dict[str, Any]:
        """The ground truth as plain data."""
        return {"product": self.product.index, "name": self.product.name, "box": list(self.box),
                "turn_deg": round(self.turn_deg, 1)}  # fmt: skip

    def _corners(self) -> NDArray[np.float64]:
        return self.place(np.array([(0, 0), (1, 0), (1, 1), (0, 1)], float))

    def place(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Points on the product, fractions of its width and height from its top left, in the picture."""
        angle = np.deg2rad(self.turn_deg)
        size = np.array([self.tall * self.product.aspect, self.tall])
        flat = (points - 0.5) * size
        turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
        return np.asarray(flat @ turn + np.array(self.center))


def hold(product: Design, seed: int = 0, width: int = 640, height: int = 480) -> Held:
    """A product held as people do: never quite straight, never quite in the middle."""
    rng = np.random.default_rng([seed, product.index, 113])
    tall = height * rng.uniform(0.5, 0.66) * (0.75 + 0.25 * product.tall)
    return Held(
        product=product,
        width=width,
        height=height,
        center=(width * rng.uniform(0.42, 0.58), height * rng.uniform(0.42, 0.5)),
        tall=min(tall, width * 0.6 / product.aspect),
        turn_deg=float(rng.uniform(-18, 18)),
        from_right=bool(rng.random() < 0.7),
        skin=int(rng.integers(len(SKINS))),
        coat=int(rng.integers(len(COATS))),
        seed=seed,
    )


def draw_held(held: Held, noise: int | None = None) -> Picture:
    """`(height, width, 3)` uint8 BGR: the shop out of focus, the arm, the product, the fingers round it.

    `noise`: of which frame; the number of the product where there is but one.
    """
    picture = shop_behind(held.width, held.height, held.seed).copy()
    side = 1.0 if held.from_right else 0.0
    grip = 0.62  # how far down the product it is held
    skin, width = SKINS[held.skin], held.tall * 0.115
    palm = held.place(np.array([[side * 0.86 + 0.07, grip + 0.1]]))[0]
    elbow = (held.width * (0.5 + (side - 0.5) * 1.3), held.height * 1.25)
    draw_arm(picture, (float(palm[0]), float(palm[1])), elbow, held.tall * 0.34, skin, COATS[held.coat])
    cv2.circle(picture, (round(palm[0]), round(palm[1])), round(held.tall * 0.19), skin, -1, cv2.LINE_AA)
    _lay_product(picture, held)
    reach = min(0.42, 0.26 * held.tall / (held.tall * held.product.aspect))
    away = 1.0 - 2.0 * side  # fingers reach over the front from the side of the arm
    for number in range(4):
        y = grip - 0.16 + number * 0.105
        length = reach * (0.86, 1.0, 0.95, 0.74)[number]
        root, tip = held.place(np.array([[side - away * 0.06, y], [side + away * length, y - 0.012]]))
        draw_finger(picture, (root[0], root[1]), (tip[0], tip[1]), width, skin)
    return noisy(lit_by_shop(picture), held.product.index if noise is None else noise)


def held_up(product: Design, seed: int = 0) -> Picture:
    """The part of such a picture in which the product is: `hold` says how it is held."""
    held = hold(product, seed)
    x1, y1, x2, y2 = held.box
    return draw_held(held)[y1:y2, x1:x2]


def _lay_product(picture: Picture, held: Held) -> None:
    sprite = draw_package(held.product, max(16, round(held.tall)))
    rows, columns = sprite.shape[:2]
    flat = np.array([(0, 0), (columns, 0), (columns, rows), (0, rows)], np.float32)
    there = held.place(np.array([(0, 0), (1, 0), (1, 1), (0, 1)], float)).astype(np.float32)
    size = (held.width, held.height)
    d.paste(picture, cv2.warpPerspective(sprite, cv2.getPerspectiveTransform(flat, there), size), 0, 0)


@lru_cache(maxsize=4)
def shop_behind(width: int, height: int, seed: int) -> Picture:
    """Shelves far behind, out of focus. Do not write to it."""
    bay = Bay(rows=3, columns=5, width=width, height=height, seed=seed)
    rng = np.random.default_rng([seed, 127])
    shelves = draw_bay(bay, {slot: int(rng.integers(60)) for slot in bay.slots})
    return cv2.GaussianBlur(cv2.convertScaleAbs(shelves, alpha=0.8, beta=14), (0, 0), width / 70)
