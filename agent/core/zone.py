"""The part of a picture that regions are proposed in, and which of them are worth a look."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from agent.core.errors import InputError

if TYPE_CHECKING:
    from agent.core.types import Box, Region

Corners = tuple[float, float, float, float]
"""`x1 y1 x2 y2`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Zone:
    """Where and what, whatever proposes."""

    corners: Corners | None = None  # pixels, or shares of width and height; None is all of the picture
    shares: bool = False  # whether the corners are shares
    min_px: int = 1  # shortest side of a region, pixels of the frame
    limit: int = 16  # regions of one frame

    def box(self, width: int, height: int) -> Box:
        """The zone of a picture of this size, at least one pixel.

        Raises:
            InputError: it is not within the picture.
        """
        if self.corners is None:
            return 0, 0, width, height
        across, down = (width, height) if self.shares else (1, 1)
        x1, y1, x2, y2 = (
            round(number * times) for number, times in zip(self.corners, (across, down) * 2, strict=True)
        )
        x2, y2 = max(x2, x1 + 1), max(y2, y1 + 1)
        if min(x1, y1) < 0 or x2 > width or y2 > height:
            raise InputError(
                f"regions: zone: expected a box within {width} × {height} px, found {[x1, y1, x2, y2]}"
            )
        return x1, y1, x2, y2

    def worth(self, regions: list[Region]) -> tuple[Region, ...]:
        """Those that are large enough, as many as may be, in their order."""
        large = [region for region in regions if _shorter(region.box) >= self.min_px]
        return tuple(large[: self.limit])


def _shorter(box: Box) -> int:
    return min(box[2] - box[0], box[3] - box[1])
