"""Barcodes on what is followed, read frame by frame until each thing has its own.

Only regions of tracks that were seen in this frame are looked at, a few in each frame: those without a code
first, and among them whoever waited longest. A thing that was read is looked at some more times, because a
label may be several codes; one on which nothing is found again and again is looked at more and more rarely. A
picture in which nothing moves costs nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

import cv2
import numpy as np

from agent.core.codes import Read

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from agent.core.gs1 import Said
    from agent.core.types import Box, Frame, Quad, Track

LEAST_PX: Final = 48
"""Of the shorter side of a region: EAN-13 has 95 modules, of which a reader needs more than one pixel
each."""

MARGIN_PX: Final = 16
"""Around a region: bars need a light zone beside them, and motion's box is cut close."""

MORE_READS: Final = 3
"""After the first code was read: 97 of 100 labels of two codes were whole by then on the drawn dock."""

LARGER: Final = 1.5
LARGER_COSTS: Final = 2
"""Looks that an enlarged one counts for: it takes 8 ms in place of 3, of a part of 500 × 370 px."""

LARGE_PX: Final = 800
"""Of a longer side: codes in a larger part have modules enough, or are hopeless."""

EAGER: Final = 12
"""Looks without a code before a thing is looked at more rarely: a parcel that crosses a picture in three
seconds at 5 frames/s has 15."""


class Code(Protocol):
    """A barcode that was read: `adapters.barcodes.Barcode`."""

    @property
    def format(self) -> str:
        """As `core.gs1.said` names it: EAN13, Code128, …"""

    @property
    def text(self) -> str:
        """As it was read."""

    @property
    def said(self) -> Said:
        """By the rules of GS1."""

    @property
    def place(self) -> Quad:
        """Corners in pixels of the picture that was given."""


@dataclass(slots=True)
class _Tried:
    looks: int = 0
    after: int = 0  # looks since something was read
    last_at: float = float("-inf")
    texts: frozenset[str] = frozenset()


class Reader:
    """One camera's. Frames come in their order. A code is told with every look in which it is read, so that
    whoever counts them can tell a misreading.
    """

    def __init__(self, read: Callable[[NDArray[np.uint8]], Sequence[Code]], limit: int) -> None:
        """`read(picture)` gives the codes in it; `limit`: regions of one frame that are looked at."""
        self._read = read
        self._limit = limit
        self._tried: dict[str, _Tried] = {}  # track → how it was looked at
        self.looks = 0  # since it was made; the caller reads it

    def codes(self, frame: Frame, tracks: Sequence[Track]) -> tuple[Read, ...]:
        """Codes that were read in this frame, each with the track that it is on."""
        seen = [track for track in tracks if track.last_at == frame.at and not track.ended]
        live = {track.id for track in tracks}
        self._tried = {track: tried for track, tried in self._tried.items() if track in live}
        due = [track for track in seen if self._due(track, frame.at)]
        due.sort(key=self._urgency)
        found: list[Read] = []
        spent = 0
        for track in due:
            scale = self._scale(track)
            costs = 1 if scale == 1 else LARGER_COSTS
            if spent and spent + costs > self._limit:
                break
            spent += costs
            found += self._look(frame, track, seen, scale)
        return tuple(found)

    def _scale(self, track: Track) -> float:
        """Modules of two pixels can lie so that no line across them is read, frame after frame where a thing
        goes on evenly; the same part made larger is then read.
        """
        tried = self._tried.get(track.id)
        x1, y1, x2, y2 = track.region.box
        again = tried is not None and tried.looks % 2 == 1 and not tried.texts
        return LARGER if again and max(x2 - x1, y2 - y1) < LARGE_PX else 1.0

    def _due(self, track: Track, at: float) -> bool:
        x1, y1, x2, y2 = track.region.box
        if min(x2 - x1, y2 - y1) < LEAST_PX:
            return False
        tried = self._tried.get(track.id)
        if tried is None:
            return True
        if tried.texts:
            return tried.after < MORE_READS
        rest = 0.0 if tried.looks < EAGER else min(10.0, 0.5 * 2.0 ** min(6, (tried.looks - EAGER) // 4))
        return at - tried.last_at >= rest

    def _urgency(self, track: Track) -> tuple[bool, float]:
        tried = self._tried.get(track.id)
        return (tried is not None and bool(tried.texts), tried.last_at if tried else float("-inf"))

    def _look(self, frame: Frame, track: Track, seen: Sequence[Track], scale: float) -> list[Read]:
        x1, y1, x2, y2 = track.region.box
        left, top = max(0, x1 - MARGIN_PX), max(0, y1 - MARGIN_PX)
        part = frame.image[top : min(frame.height, y2 + MARGIN_PX), left : min(frame.width, x2 + MARGIN_PX)]
        tried = self._tried.setdefault(track.id, _Tried())
        tried.looks += 1
        tried.last_at = frame.at
        self.looks += 1
        if scale > 1:
            part = np.asarray(
                cv2.resize(part, None, fx=scale, fy=scale, interpolation=cv2.INTER_LINEAR), np.uint8
            )
        found = []
        for code in self._read(part):
            a, b, c, d = ((x / scale + left, y / scale + top) for x, y in code.place)
            place = (a, b, c, d)
            if _belongs(place, track, seen):
                tried.texts |= {code.text}
                found.append(Read(track.id, code.format, code.text, code.said, place))
        tried.after += bool(tried.texts)
        return found


def _belongs(place: Quad, track: Track, seen: Sequence[Track]) -> bool:
    """Whether a code is on this thing, and not on its neighbour, whose region it lies deeper in."""
    x = sum(corner[0] for corner in place) / 4
    y = sum(corner[1] for corner in place) / 4
    own = _depth(track.region.box, x, y)
    return all(_depth(other.region.box, x, y) <= own for other in seen if other.id != track.id)


def _depth(box: Box, x: float, y: float) -> float:
    """How far inside a point is, pixels to the nearest edge; below 0 outside."""
    return min(x - box[0], box[2] - x, y - box[1], box[3] - y)
