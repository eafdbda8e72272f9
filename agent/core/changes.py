"""Whether a region looks as it did before, so that it need not be looked at again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from agent.core.settings import check_range, setting
from agent.core.tensors import visible

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from agent.core.types import Region

CELLS = 16
"""Cells across and down a signature."""

SAMPLES = 64
"""Pixels looked at across and down: 4 × 4 a cell, which divides the noise of a sensor by 4."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeSettings:
    """When a region counts as unchanged."""

    tolerance: float = setting(
        "levels (0 to 255) that a cell of a region may differ by; -1 looks always", 12.0
    )
    refresh_s: float = setting("seconds after which an unchanged region is looked at again", 10.0)

    def __post_init__(self) -> None:
        check_range("tolerance", self.tolerance, -1.0, 255.0)
        check_range("refresh_s", self.refresh_s, 0.0, 86400.0)


def signature(image: NDArray[np.uint8], region: Region) -> NDArray[np.uint8]:
    """`(16, 16, 3)` uint8: the mean colour of each cell of the region's box, from at most 64 × 64 pixels.

    Raises:
        ValueError: no pixel of the region is in the picture.
    """
    x1, y1, x2, y2 = visible(region, image)
    down, across = max(1, (y2 - y1) // SAMPLES), max(1, (x2 - x1) // SAMPLES)
    sample = image[y1:y2:down, x1:x2:across]
    return np.asarray(cv2.resize(sample, (CELLS, CELLS), interpolation=cv2.INTER_AREA), np.uint8)


def changed(previous: NDArray[np.uint8], current: NDArray[np.uint8], tolerance: float) -> bool:
    """Whether any cell differs by more than `tolerance` levels in any channel."""
    return bool(cv2.norm(previous, current, cv2.NORM_INF) > tolerance)
