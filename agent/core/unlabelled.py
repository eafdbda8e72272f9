"""A picture without its barcodes: a label says nothing of how a product looks, and may cover half of it.

What is painted over them is the colour between their bars, so that a label looks like an empty one. Of 62
drawn cartons on a belt, how near the own product and the nearest other came, an earlier base, references
without codes (5, 25, 50 % of the cartons come less near; 5 % of the others come nearer):

    as they are                       .58 .76 .85    .58
    painted over, between the bars    .81 .87 .90    .63
    … the mean of all of the region   .80 .87 .90    .63
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from agent.core.types import Quad

WIDER: Final = 1.1
TALLER: Final = 1.5
"""Of a place along its bars and across them: readers say where they read, and bars are somewhat longer."""

_BETWEEN: Final = 90.0
"""Percentile of the levels under a code: that of its light parts, not of a reflection."""


def without_codes(image: NDArray[np.uint8], places: Sequence[Quad]) -> NDArray[np.uint8]:
    """A copy of a picture `(H, W, 3)` with these places painted over; corners in order, pixels of it."""
    cleared = image.copy()
    for place in places:
        mask = np.zeros(image.shape[:2], np.uint8)
        cv2.fillConvexPoly(mask, np.rint(_grown(place)).astype(np.int32), 255)
        inside = mask > 0
        if inside.any():
            cleared[inside] = np.percentile(image[inside], _BETWEEN, axis=0).astype(np.uint8)
    return cleared


def _grown(place: Quad) -> NDArray[np.float64]:
    """The corners, moved away from the middle."""
    corners = np.array(place, np.float64)
    middle = corners.mean(axis=0)
    along = (corners[1] - corners[0] + corners[2] - corners[3]) / 4
    across = (corners[3] - corners[0] + corners[2] - corners[1]) / 4
    signs = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)], np.float64)
    return np.asarray(middle + signs @ np.stack([WIDER * along, TALLER * across]))
