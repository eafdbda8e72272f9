"""Whether a view of a product is worth learning beside those that were taken before."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

from agent.core.learned import SAME
from agent.core.looking import sharpness, side_px
from agent.core.tensors import visible
from agent.core.types import Region

if TYPE_CHECKING:
    from numpy.typing import NDArray

LEAST_PX: Final = 96
"""Models look at 96 to 300 pixels: what has fewer is blown up, and matches whatever else is blurred."""

LEAST_SHARPNESS: Final = 28.0
"""40 groceries in focus had 49 to 115, blurred by a σ of 2 px 28 to 61 (core/looking.py)."""


@dataclass(frozen=True, slots=True)
class View:
    """One view, and what is wrong with it."""

    side_px: int
    sharpness: float
    similarity: float | None  # to the most alike of the others; None: there is none
    fault: str  # "", "small", "blurred" or "alike"


def judge(image: NDArray[np.uint8], row: NDArray[np.float32], others: NDArray[np.float32]) -> View:
    """A picture of a product with its embedding `(D,)`, beside those of the others, `(N, D)` unit rows."""
    region = Region((0, 0, image.shape[1], image.shape[0]))
    side, sharp = side_px(image, region), sharpness(image, region)
    similarity = float((others @ row).max()) if len(others) else None
    if side < LEAST_PX:
        fault = "small"
    elif sharp < LEAST_SHARPNESS:
        fault = "blurred"
    else:
        fault = "alike" if similarity is not None and similarity >= SAME else ""
    return View(side, sharp, similarity, fault)


def cut_out(image: NDArray[np.uint8], region: Region) -> NDArray[np.uint8]:
    """What a picture shows of a region, a quad of it seen straight.

    Raises:
        ValueError: no pixel of it is in the picture.
    """
    x1, y1, x2, y2 = visible(region, image)
    if region.quad is None:
        return np.ascontiguousarray(image[y1:y2, x1:x2])
    a, b, c, d = (np.array(corner) for corner in region.quad)
    width = max(1, round(float(np.linalg.norm(b - a) + np.linalg.norm(c - d)) / 2))
    height = max(1, round(float(np.linalg.norm(d - a) + np.linalg.norm(c - b)) / 2))
    corners = np.array([(0, 0), (width, 0), (width, height), (0, height)], np.float32) - 0.5
    matrix = cv2.getPerspectiveTransform(np.array(region.quad, np.float32) - 0.5, corners)
    straight = cv2.warpPerspective(
        image, matrix, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    return np.asarray(straight, np.uint8)
