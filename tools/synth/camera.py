"""What a camera makes of a drawn scene: the light that falls on it, and its noise."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tools.synth.drawing import Picture

NOISE_SIGMA = 2.0
"""Grey levels of camera noise: what an indoor camera shows at moderate gain."""

NOISE_FIELDS = 7
"""Noise is drawn this many times and shifted from frame to frame: drawing it anew costs 40 ms a frame."""


@lru_cache(maxsize=4)
def shop_light(width: int, height: int) -> NDArray[np.float32]:
    """Gain of the shop's light, `(H, W, 3)`: warm tubes above, darker at the edges. Do not write to it."""
    ys, xs = np.mgrid[0:height, 0:width].astype(np.float32)
    u, v = xs / width - 0.45, ys / height
    gain = (1.06 - 0.12 * v) * (1.0 - 0.28 * u**2)
    return np.asarray(gain[..., None] * np.array([0.97, 1.0, 1.015]), np.float32)


def lit_by_shop(picture: Picture) -> Picture:
    """The picture in the light of the shop."""
    return cv2.multiply(picture, shop_light(picture.shape[1], picture.shape[0]), dtype=cv2.CV_8U)


def noisy(picture: Picture, moment: int) -> Picture:
    """The picture with noise; the same moment gives the same noise."""
    fields = _noise(picture.shape)
    return cv2.add(picture, fields[moment % NOISE_FIELDS], dtype=cv2.CV_8U)


@lru_cache(maxsize=2)
def _noise(shape: tuple[int, ...]) -> list[NDArray[np.int16]]:
    rng = np.random.default_rng(53)
    return [np.rint(rng.normal(0, NOISE_SIGMA, shape)).astype(np.int16) for _ in range(NOISE_FIELDS)]
