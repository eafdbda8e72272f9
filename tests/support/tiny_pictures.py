"""Small drawn pictures that differ by a number."""

from __future__ import annotations

import cv2
import numpy as np


def drawn_picture(number: int, width: int = 200, height: int = 160) -> np.ndarray:
    """`(height, width, 3)` uint8: soft blobs of colour, between 40 and 215, always the same for a number."""
    rng = np.random.default_rng(number)
    coarse = rng.integers(40, 216, (6, 6, 3), dtype=np.uint8)
    return cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR)
