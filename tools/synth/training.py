"""Pictures of thousands of products for training: studio pictures and what a camera sees, hundreds a second.

    pictures = TrainingPictures(products=3000, size=160)
    pictures.studio(product, number)     as a web shop has it
    pictures.scene(product, number)      on a shelf or held before a camera, in its light and with its faults

Both give `(size, size, 3)` uint8 BGR. `product`, from 0 to `products - 1`, is the label; any `number` from 0
is another picture of it. The same arguments give the same picture, in any order and in any process. Products
4k to 4k + 3 are near-identical flavours (flavours.py): a batch of them is a hard one.

A product is drawn once (2 to 3 ms) and kept (90 kB); each picture of it then costs 2 ms. Give each worker
process its own object, and go through the products in blocks where memory is short.

Demo, tests and figures use shops of seeds below `TRAINING_SEED`, training those from there upwards: no
product that is measured was ever seen in training.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import cv2
import numpy as np

from tools.synth import drawing as d
from tools.synth.flavours import flavour
from tools.synth.packages import draw_package
from tools.synth.scenes import Bay, empty_bay
from tools.synth.views import soft, studio_view

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tools.synth.drawing import Picture, Sprite

TRAINING_SEED = 1000

SPRITE_PX = 192
"""Height at which products are drawn and kept: what a picture of 160 to 224 px shows of them."""

KEPT = 2_000
"""Drawn products kept in memory, about 180 MB."""

GROUNDS = 12
"""Empty shelves drawn once, of which each picture shows another part."""

HELD_SHARE = 0.2
"""Pictures of a product held before the camera, turned any way up to 35°; the others stand on a shelf."""

NEIGHBOUR_SHARE = 0.75
"""Sides of a shelf picture where another product stands."""

NOISE_PX = 320
"""Side of the field of noise from which each picture takes a part: drawing it anew would double the cost."""

DETAIL_PX = (40, 160)
"""Height in pixels at which the camera sees the product, before the cut is enlarged to `size`."""


class TrainingPictures:
    """Not for two threads. `products` bounds which neighbours are shown, `kept` the memory."""

    def __init__(self, products: int, size: int = 160, seed: int = TRAINING_SEED, kept: int = KEPT) -> None:
        self.products = products
        self.size = size
        self.seed = seed
        self._sprite = lru_cache(maxsize=kept)(self._draw)
        self._grounds: list[Picture] = []
        self._noise = np.random.default_rng([seed, 53]).standard_normal((NOISE_PX, NOISE_PX, 3), np.float32)

    def studio(self, product: int, number: int) -> Picture:
        """Studio picture `number`; number 0 is straight and evenly lit."""
        return studio_view(flavour(product, self.seed), number, self.size)

    def scene(self, product: int, number: int) -> Picture:
        """Camera picture `number`: another place, other neighbours, another light, another focus."""
        rng = np.random.default_rng([self.seed, product, number, 97])
        low, high = DETAIL_PX
        detail = int(min(high, low * (high / low) ** rng.beta(1.6, 1.0)))  # more large ones than small ones
        side = max(24, round(detail * rng.uniform(1.02, 1.3)))
        held = rng.random() < HELD_SHARE
        picture = self._ground(rng, side, blurred=held)
        if held:
            self._hold(picture, product, detail, rng)
        else:
            self._stand(picture, product, detail, rng)
        picture = self._developed(picture, rng)
        how = cv2.INTER_AREA if side > self.size else cv2.INTER_LINEAR
        return cv2.resize(picture, (self.size, self.size), interpolation=how)

    def _draw(self, product: int) -> Sprite:
        return draw_package(flavour(product, self.seed), SPRITE_PX)

    def _ground(self, rng: np.random.Generator, side: int, *, blurred: bool) -> Picture:
        """A square part of an empty shelf, so that its board lies near the lower edge."""
        if not self._grounds:
            self._grounds = [
                empty_bay(Bay(rows=2, columns=3 + k % 3, width=900, height=420 + 30 * (k % 4), seed=k))
                for k in range(GROUNDS)
            ]
        ground = self._grounds[int(rng.integers(GROUNDS))]
        height, width = ground.shape[:2]
        floor = int(height * (0.015 + 0.97 / 2 * 0.86))  # of the upper board
        cut = int(floor * rng.uniform(0.7, 1.0))
        y2 = floor + int(cut * rng.uniform(0.02, 0.1))
        x1 = int(rng.integers(0, width - cut))
        part = ground[max(0, y2 - cut) : y2, x1 : x1 + cut]
        if blurred:
            part = cv2.GaussianBlur(part, (0, 0), 6)
        return cv2.resize(part, (side, side), interpolation=cv2.INTER_AREA).copy()

    def _stand(self, picture: Picture, product: int, tall: int, rng: np.random.Generator) -> None:
        """The product on the board, often between others, another one in the dark behind it."""
        side = picture.shape[0]
        sprite = self._sprite(product)
        wide = tall * sprite.shape[1] / sprite.shape[0]
        floor = side * rng.uniform(0.92, 1.04)
        left = (side - wide) / 2 + side * rng.uniform(-0.08, 0.08)
        for beside in (-1, 1):
            if rng.random() >= NEIGHBOUR_SHARE:
                continue
            neighbour = product if rng.random() < 0.35 else int(rng.integers(self.products))
            other = self._sprite(neighbour)
            height = float(tall) if neighbour == product else tall * rng.uniform(0.75, 1.1)
            width = height * other.shape[1] / other.shape[0]
            gap = wide * rng.uniform(0.01, 0.12)
            x = left - gap - width if beside < 0 else left + wide + gap
            _lay(picture, other, _corners(x, floor, width, height, rng))
        if rng.random() < 0.6:
            behind = _corners(left + wide * 0.08, floor - tall * 0.045, wide * 0.93, tall * 0.93, rng)
            _lay(picture, sprite, behind, gain=0.45)
        _lay(picture, sprite, _corners(left, floor, wide, tall, rng))

    def _hold(self, picture: Picture, product: int, tall: int, rng: np.random.Generator) -> None:
        """The product in the air, turned, with a thumb over its edge."""
        side = picture.shape[0]
        sprite = self._sprite(product)
        wide = tall * sprite.shape[1] / sprite.shape[0]
        corners = _corners((side - wide) / 2, (side + tall) / 2, wide, tall, rng)
        turn = cv2.getRotationMatrix2D((side / 2, side / 2), float(rng.uniform(-35, 35)), 1.0)
        _lay(picture, sprite, corners @ turn[:, :2].T.astype(np.float32) + turn[:, 2].astype(np.float32))
        skin = d.mix((120, 150, 205), (60, 85, 130), float(rng.random()))
        beside = (side - wide) / 2 if rng.random() < 0.5 else (side + wide) / 2
        center = (round(beside), round(side * rng.uniform(0.55, 0.85)))
        cv2.ellipse(picture, center, (round(wide * 0.2), round(tall * 0.07)), float(rng.uniform(-30, 30)),
                    0, 360, skin, -1, cv2.LINE_AA)  # fmt: skip

    def _developed(self, picture: Picture, rng: np.random.Generator) -> Picture:
        """As the camera delivers it: the light of the shop with its cast, focus, movement and noise."""
        side = picture.shape[0]
        out = soft(picture, float(side / 160 * rng.uniform(0.0, 1.4)))
        if rng.random() < 0.15:  # moved while the shutter was open
            length = max(2, round(side * rng.uniform(0.02, 0.05)))
            out = cv2.blur(out, (length, 1) if rng.random() < 0.7 else (1, length))
        cast = rng.uniform(0.93, 1.07, 3) * rng.uniform(0.6, 1.2)
        fall = np.linspace(1, rng.uniform(0.75, 1.1), side, dtype=np.float32)
        fall = fall[:, None, None] if rng.random() < 0.5 else fall[None, :, None]
        x, y = rng.integers(0, NOISE_PX - side, 2)
        noise = self._noise[y : y + side, x : x + side] * np.float32(rng.uniform(0.5, 7.0))
        lit = out * (fall * cast.astype(np.float32)) + noise
        return np.clip(lit + 0.5, 0, 255).astype(np.uint8)


def _corners(
    x: float, floor: float, width: float, height: float, rng: np.random.Generator
) -> NDArray[np.float32]:
    """The corners of an upright thing as seen, `(4, 2)` clockwise from the top left: a little turned."""
    yaw, lean, down = rng.uniform(-0.09, 0.09), rng.uniform(-0.02, 0.02), rng.uniform(0.0, 0.04)
    left, right = max(0.0, -yaw) * height, max(0.0, yaw) * height
    slide, top = lean * height, floor - height
    return np.array(
        [
            (x + slide - down * width / 2, top + left),
            (x + width + slide + down * width / 2, top + right),
            (x + width, floor - right / 2),
            (x, floor - left / 2),
        ],
        np.float32,
    )


def _lay(picture: Picture, sprite: Sprite, corners: NDArray[np.float32], gain: float = 1.0) -> None:
    """Put a sprite into the picture so that its corners come to lie there; a gain below 1 darkens it."""
    height, width = sprite.shape[:2]
    tall = float(corners[2:, 1].max() - corners[:2, 1].min())
    if tall < height / 2:  # halved first: a warp takes every second pixel alone
        sprite = cv2.resize(sprite, (max(1, width // 2), height // 2), interpolation=cv2.INTER_AREA)
        height, width = sprite.shape[:2]
    side = picture.shape[0]
    x1, y1 = np.clip(np.floor(corners.min(axis=0)), 0, side).astype(int)
    x2, y2 = np.clip(np.ceil(corners.max(axis=0)), 0, side).astype(int)
    if x2 <= x1 or y2 <= y1:
        return
    flat = np.array([(0, 0), (width, 0), (width, height), (0, height)], np.float32)
    there = cv2.getPerspectiveTransform(flat, corners - np.array([x1, y1], np.float32))
    seen = cv2.warpPerspective(sprite, there, (int(x2 - x1), int(y2 - y1)))
    alpha = seen[:, :, 3:].astype(np.float32) * np.float32(1 / 255)
    under = picture[y1:y2, x1:x2]
    under[:] = (under * (1 - alpha) + seen[:, :, :3] * (alpha * np.float32(gain)) + 0.5).astype(np.uint8)
