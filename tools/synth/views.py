"""Studio pictures of a product, as a web shop has them: plain ground, soft shadow, small differences."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from tools.synth import drawing as d
from tools.synth.packages import draw_package

if TYPE_CHECKING:
    from tools.synth.designs import Design
    from tools.synth.drawing import Picture, Sprite

MAX_YAW = 0.10
"""How far a product is turned at most: its far edge loses this fraction of its height."""


def studio_view(design: Design, number: int, size: int = 320) -> Picture:
    """Studio picture `number` of a product, `(size, size, 3)` uint8 BGR.

    Number 0 is straight and evenly lit; the others differ in turn, light, distance and ground.
    """
    rng = np.random.default_rng([design.index, number, 23])
    plain = number == 0
    height = round(size * (0.94 if plain else rng.uniform(0.82, 0.96)))
    sprite = draw_package(design, height)
    if sprite.shape[1] > size * 0.96:
        sprite = d.resized(sprite, round(size * 0.96), round(height * size * 0.96 / sprite.shape[1]))
    if not plain:
        sprite = turned(sprite, float(rng.uniform(-MAX_YAW, MAX_YAW)))
        sprite = d.lit(sprite, np.full((1, 1), rng.uniform(0.82, 1.1), np.float32))
    shade = 250 if plain else int(rng.integers(205, 250))
    picture = d.canvas(size, size, (shade, shade, shade))
    x, y = (size - sprite.shape[1]) // 2, (size - sprite.shape[0]) // 2
    _shadow(picture, x, y + sprite.shape[0], sprite.shape[1])
    d.paste(picture, sprite, x, y)
    return picture if plain else soft(picture, float(rng.uniform(0.0, 0.9)))


def turned(sprite: Sprite, yaw: float) -> Sprite:
    """The sprite turned about its upright axis: positive yaw shrinks its right edge by that fraction."""
    height, width = sprite.shape[:2]
    near = abs(yaw) * height / 2
    left, right = (0.0, near) if yaw > 0 else (near, 0.0)
    before = np.array([(0, 0), (width, 0), (width, height), (0, height)], np.float32)
    after = np.array(
        [(0, left), (width, right), (width, height - right / 2), (0, height - left / 2)], np.float32
    )
    return cv2.warpPerspective(sprite, cv2.getPerspectiveTransform(before, after), (width, height))


def soft(picture: Picture, sigma_px: float) -> Picture:
    """A little out of focus; under 0.2 px the picture is returned as it is."""
    return picture if sigma_px < 0.2 else cv2.GaussianBlur(picture, (0, 0), sigma_px)


def _shadow(picture: Picture, x: int, floor: int, width: int) -> None:
    """A soft dark patch on the ground under a product that is `width` pixels wide."""
    size = picture.shape[0]
    mask = np.zeros(picture.shape[:2], np.float32)
    cv2.ellipse(
        mask,
        (x + width // 2, floor - size // 80),
        (round(width * 0.54), max(2, size // 45)),
        0,
        0,
        360,
        0.35,
        -1,
    )
    mask = cv2.GaussianBlur(mask, (0, 0), size / 60)
    picture[:] = np.rint(picture * (1.0 - mask[..., None])).astype(np.uint8)
