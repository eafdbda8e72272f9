"""Where parcels pass: a line or a zone, and on which side of it something is.

Positions are shares of the picture, so that one configuration fits every size of it. A parcel's middle has
to go past the line by a margin before it counts as behind it, so that one that stands on the line does not
count again and again.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from agent.core.inbound.settings import InboundSettings
    from agent.core.types import Box

MARGIN: Final = 0.015
"""Of the picture: a box that trembles on a parcel that stands still moves by a pixel of motion's small
picture, which is 1/160 of it."""

SLACK: Final = 0.05
"""Of the length of a line: who crosses so little beside its end meant it."""

EDGE: Final = 0.02
"""Of the picture: a box that comes so near to its edge goes on outside."""

Point = tuple[float, float]

_WAYS: Final = {"right": (1.0, 0.0), "left": (-1.0, 0.0), "down": (0.0, 1.0), "up": (0.0, -1.0)}


class Side(IntEnum):
    """Where something is, on its way in."""

    BEFORE = -1
    WITHIN = 0  # on the line, or in the zone
    BEHIND = 1


@dataclass(frozen=True, slots=True)
class Gate:
    """A line or a zone of one camera, and which way is in."""

    way: Point  # unit vector
    low: float  # along the way: behind this it is no longer before
    high: float  # … and behind this it is behind
    ends: tuple[Point, Point] | None = None  # of a line that is not straight across
    across: tuple[float, float] = (0.0, 1.0)  # beside this nothing passes

    @classmethod
    def of(cls, settings: InboundSettings) -> Gate:
        """As it is configured."""
        way = _WAYS[settings.towards]
        level = way[0] != 0  # parcels go to a side
        if settings.zone is not None:
            x1, y1, x2, y2 = settings.zone
            one, two = (x1, x2) if level else (y1, y2)
            low, high = sorted((one * (way[0] + way[1]), two * (way[0] + way[1])))
            return cls(way, low, high, across=(y1, y2) if level else (x1, x2))
        if settings.line is None:
            middle = 0.5 * (way[0] + way[1])
            return cls(way, middle - MARGIN, middle + MARGIN)
        x1, y1, x2, y2 = settings.line
        spread = sorted((y1, y2) if level else (x1, x2))
        slack = SLACK * (spread[1] - spread[0])
        return cls(way, -MARGIN, MARGIN, ((x1, y1), (x2, y2)), (spread[0] - slack, spread[1] + slack))

    def side(self, middle: Point) -> Side:
        """Where a middle is, `(x, y)` shares of the picture."""
        along = self.along(middle)
        if along < self.low:
            return Side.BEFORE
        return Side.BEHIND if along > self.high else Side.WITHIN

    def along(self, middle: Point) -> float:
        """How far on its way in: of a line the distance behind it."""
        if self.ends is None:
            return middle[0] * self.way[0] + middle[1] * self.way[1]
        (x1, y1), (x2, y2) = self.ends
        if self.way[0]:
            on = x1 + (x2 - x1) * (middle[1] - y1) / (y2 - y1)
            return (middle[0] - on) * self.way[0]
        on = y1 + (y2 - y1) * (middle[0] - x1) / (x2 - x1)
        return (middle[1] - on) * self.way[1]

    def beside(self, middle: Point) -> bool:
        """Whether it goes past without passing."""
        place = middle[1] if self.way[0] else middle[0]
        return not self.across[0] <= place <= self.across[1]

    def leaving(self, box: Box, width: int, height: int) -> bool:
        """Whether a box is at the edge of the picture that parcels leave by."""
        return _at_edge(box, self.way, width, height)

    def going_back(self, box: Box, width: int, height: int) -> bool:
        """Whether a box is at the edge that parcels come from."""
        return _at_edge(box, (-self.way[0], -self.way[1]), width, height)


def middle_of(box: Box, width: int, height: int) -> Point:
    """Of a box in pixels, as shares of the picture."""
    x1, y1, x2, y2 = box
    return (x1 + x2) / 2 / width, (y1 + y2) / 2 / height


def _at_edge(box: Box, way: Point, width: int, height: int) -> bool:
    x1, y1, x2, y2 = box
    if way[0] > 0:
        return x2 >= width * (1 - EDGE)
    if way[0] < 0:
        return x1 <= width * EDGE
    return y2 >= height * (1 - EDGE) if way[1] > 0 else y1 <= height * EDGE
