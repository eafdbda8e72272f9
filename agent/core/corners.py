"""Corners of a view: what is found again of it in other pictures, and the movement that most of it shares."""

from __future__ import annotations

from base64 import b64decode, b64encode
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import cv2
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

CORNERS: Final = 500
"""Of a reference view."""

WIDTH_PX: Final = 640
"""Corners are looked for in a picture that is this wide."""

SEEN: Final = 1500
"""Corners looked for in a picture: those of rails and labels are fainter than those of goods."""

FURNITURE: Final = 60
"""Corners beside the goods that are enough."""

SPREAD: Final = 0.5
"""Share of the picture's corners' extent over which corners of goods must share a movement."""

LEAST_SHARED: Final = 20
"""Corners that must share one movement: by chance, between pictures of other places, 9 at most do."""

ALIKE_PX: Final = 8.0
"""How far apart goods may move while they seem to move alike: a nudge turns the picture by a degree at
most."""

FREER: Final = 1.3
"""How many times as many corners must agree with a free homography as with a shift, a turn and a zoom."""


@dataclass(slots=True, eq=False)
class Corners:
    """Corners of a view: `points` `(N, 2)` float32 px of its picture, `marks` `(N, 32)` uint8."""

    points: NDArray[np.float32]
    marks: NDArray[np.uint8]
    of_goods: bool = False  # most of them

    @classmethod
    def of(cls, image: NDArray[np.uint8], most: int, beside: Any = None) -> Corners:
        """The `most` pronounced of a picture, none of them within the quads `beside`, `(N, 4, 2)`."""
        scale = min(1.0, WIDTH_PX / image.shape[1])
        grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
        if scale < 1:
            grey = cv2.resize(grey, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        low, high = np.percentile(grey[::4, ::4], (1, 99))
        factor = 255 / max(32.0, float(high - low))  # dim light has as many corners as bright light
        grey = cv2.convertScaleAbs(np.maximum(grey, int(low)), alpha=factor, beta=-factor * int(low))
        mask = None
        if beside is not None:
            mask = np.full(grey.shape, 255, np.uint8)
            for quad in beside:
                cv2.fillConvexPoly(mask, np.rint(quad * scale).astype(np.int32), 0)
        found, marks = cv2.ORB.create(most, fastThreshold=12).detectAndCompute(grey, mask)
        if not found:  # the marks are None then
            return cls(np.empty((0, 2), np.float32), np.empty((0, 32), np.uint8))
        points = np.array([point.pt for point in found], np.float32) / np.float32(scale)
        return cls(points, np.asarray(marks, np.uint8))

    @classmethod
    def from_kept(cls, kept: Mapping[str, Any]) -> Corners:
        """What `kept` gave. ValueError, KeyError, TypeError: it is something else."""
        points = np.frombuffer(b64decode(kept["points"]), "<f4").reshape(-1, 2).copy()
        marks = np.frombuffer(b64decode(kept["marks"]), np.uint8).reshape(-1, 32).copy()
        if len(points) != len(marks) or not np.isfinite(points).all():
            raise ValueError("corners: expected as many points as marks")
        return cls(points.astype(np.float32), marks, bool(kept["of_goods"]))

    def kept(self) -> dict[str, Any]:
        """As plain data."""
        return {
            "points": b64encode(self.points.astype("<f4").tobytes()).decode(),
            "marks": b64encode(self.marks.tobytes()).decode(),
            "of_goods": self.of_goods,
        }

    def back(self, matrix: NDArray[np.float64]) -> Corners:
        """The same corners where they were before the movement `matrix`."""
        if not len(self.points):
            return self
        inverse = np.linalg.inv(matrix)
        points = cv2.perspectiveTransform(self.points[None].astype(np.float64), inverse)[0]
        return Corners(points.astype(np.float32), self.marks, self.of_goods)


@dataclass(frozen=True, slots=True, eq=False)
class Movement:
    """What corners of a reference view did until they were seen again."""

    shared: int  # corners that did the same
    matrix: NDArray[np.float64] | None  # the homography that they did; None: there are too few to say
    sure: bool = True  # False: those are goods, which may have been moved about


def movement(reference: Corners, seen: Corners) -> Movement:
    """The movement that most corners of a reference share."""
    matches: Any = ()
    if len(seen.points) and len(reference.points):
        matches = cv2.BFMatcher(cv2.NORM_HAMMING, crossCheck=True).match(reference.marks, seen.marks)
    if len(matches) < LEAST_SHARED:
        return Movement(0, None, not reference.of_goods)
    before = reference.points[[match.queryIdx for match in matches]]
    now = seen.points[[match.trainIdx for match in matches]]
    matrix, inside = _shared(before, now)
    shared = int(inside.sum())
    if matrix is None or shared < LEAST_SHARED:
        return Movement(shared, None, not reference.of_goods)
    sure = not reference.of_goods or (
        _is_spread(before[inside], reference.points) and _is_shift(before[inside], now[inside])
    )
    return Movement(shared, matrix, sure)


def _shared(before: Any, now: Any) -> tuple[Any, Any]:
    """The homography that most pairs of points share, and `(N,)` which do.

    A camera that is nudged shifts, turns and zooms its picture a little. A homography with all its freedom
    is taken where many more points agree with it: through points that lie on two boards alone it goes astray
    between them, by 4 px after a shift of 5.
    """
    plain, inside = cv2.estimateAffinePartial2D(before, now, method=cv2.RANSAC, ransacReprojThreshold=3.0)
    if plain is None:
        return None, np.zeros(len(before), bool)
    near = inside.ravel() > 0
    free, within = cv2.findHomography(before, now, cv2.RANSAC, 3.0)
    if free is None or int(within.sum()) < FREER * int(near.sum()):
        return np.vstack([plain, [0.0, 0.0, 1.0]]), near
    return free, within.ravel() > 0


def _is_spread(points: Any, of: Any) -> bool:
    """Whether points lie all over the extent of others."""
    return bool((np.ptp(points, axis=0) >= SPREAD * np.ptp(of, axis=0)).all())


def _is_shift(before: Any, now: Any) -> bool:
    """Whether points all moved alike: goods that were put down here and there seem to turn or to grow."""
    return bool((np.ptp(now - before, axis=0) <= ALIKE_PX).all())
