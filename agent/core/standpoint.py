"""Where a camera stands, compared with where it stood when its slots were drawn: the same, moved or lost.

Corners of the reference view (ORB) are looked for in the picture every few seconds, and at once when most of
the picture has changed. The movement that most of them share is what the camera did: products come and go,
people stand in the way, the light changes, and all of that moves no corner.

Measured on drawn bays of 1280 × 720: the place of a slot is found to 1.1 px after shifts of 2 to 120 px, with
a shopper over a quarter of the picture and with the light at a third; a look costs 17 ms.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

import cv2
import numpy as np

from agent.core.settings import check_range, setting

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from agent.core.types import Frame

WIDTH_PX: Final = 640
"""Corners are looked for in a picture that is this wide."""

CORNERS: Final = 500
LEAST_SHARED: Final = 20
"""Corners that must share one movement: by chance, between pictures of other places, 9 at most do."""

FREER: Final = 1.3
"""How many times as many corners must agree with a free homography as with a shift, a turn and a zoom."""

STILL_SHARE: Final = 0.0015
"""Of the width: movements up to this, 2 px of 1280, are not followed; the corners tremble as much."""

GLANCE: Final = (48, 27)
GLANCE_LEVELS: Final = 10.0
GLANCE_SHARE: Final = 0.3
"""When more than this share of a tiny picture has changed by so many levels since the frame before, the light
set aside, it is time for a look."""

SOON_S: Final = 1.0
"""Between two looks while it is unsure what happened."""

RENEW_SHARE: Final = 0.5
RENEW_S: Final = 3600.0
"""When fewer than this share of the reference's corners are found, because products have changed, they are
taken anew, once an hour at most: each time the place may be off by another half pixel."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewSettings:
    """When a camera counts as moved."""

    every_s: float = setting("seconds between two looks at where the camera stands; 0 switches them off", 2.0)
    follow_share: float = setting(
        "share of the picture's width by which the camera may move; slots follow it up to that, beyond it "
        "the device is degraded and every slot unknown",
        0.03,
    )

    def __post_init__(self) -> None:
        check_range("every_s", self.every_s, 0.0, 3600.0)
        check_range("follow_share", self.follow_share, 0.0, 0.5)


class View(StrEnum):
    """What is seen of the reference view."""

    SAME = "same"
    FOLLOWED = "followed"  # moved a little: slots are looked for where they are now
    UNSURE = "unsure"  # something happened, the next look decides
    MOVED = "moved"  # too far
    LOST = "lost"  # nothing of it is found


@dataclass(frozen=True, slots=True)
class Pose:
    """Where things of the reference view are now."""

    view: View
    matrix: tuple[float, ...] = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)
    """Homography from the reference view to this frame, row by row."""
    moved_px: float = 0.0  # farthest that a corner of the picture moved
    reason: str = ""  # of MOVED and LOST

    @property
    def usable(self) -> bool:
        """Whether slots are where the pose says."""
        return self.view in {View.SAME, View.FOLLOWED, View.UNSURE}

    def placed(self, points: Any) -> NDArray[np.float64]:
        """`(N, 2)` points of the reference view as they are in the frame."""
        shape = np.asarray(points, np.float64)
        if self.view is View.SAME:
            return shape
        return np.asarray(cv2.perspectiveTransform(shape[None], np.reshape(self.matrix, (3, 3)))[0])


SAME: Final = Pose(View.SAME)


@dataclass(slots=True)
class Standpoint:
    """Of one camera. `pose` is for one thread, and frames come in their order."""

    settings: ViewSettings
    reference: Corners | None = None  # of the reference view; None: the first frame is it
    _pose: Pose = SAME
    _frame: Frame | None = None
    _due_at: float = float("-inf")
    _renewed_at: float = float("-inf")
    _doubt: Pose | None = None  # what the look before said, where it was not believed yet
    _glance: NDArray[np.float32] | None = None
    _size: tuple[int, int] = field(default=(0, 0))

    def pose(self, frame: Frame) -> Pose:
        """Where the camera stands in this frame; asked twice for the same frame it answers the same."""
        if frame is self._frame:
            return self._pose
        self._frame = frame
        if self.settings.every_s == 0:
            return self._pose
        if self._shaken(frame) or frame.at >= self._due_at or (frame.width, frame.height) != self._size:
            self._look(frame)
        return self._pose

    def kept(self) -> dict[str, Any] | None:
        """The reference view as plain data; None while there is none."""
        return None if self.reference is None else self.reference.kept()

    def forget(self) -> None:
        """Take the next frame for the reference view: the slots are where they were drawn, in that."""
        self.reference = None
        self._pose, self._doubt, self._due_at = SAME, None, float("-inf")

    def _shaken(self, frame: Frame) -> bool:
        """Whether most of the picture has changed since the frame before, once a second at most."""
        tiny = cv2.resize(frame.image[::2, ::2], GLANCE, interpolation=cv2.INTER_AREA)
        now = cv2.cvtColor(tiny, cv2.COLOR_BGR2GRAY).astype(np.float32)
        before, self._glance = self._glance, now
        if before is None or frame.at < self._due_at - self.settings.every_s + SOON_S:
            return False
        gain = float(np.median((now + 1) / (before + 1)))
        return float(np.mean(np.abs(now - gain * before) > GLANCE_LEVELS)) > GLANCE_SHARE

    def _look(self, frame: Frame) -> None:
        self._due_at = frame.at + self.settings.every_s
        self._size = (frame.width, frame.height)
        seen = Corners.of(frame.image)
        if self.reference is None:
            if len(seen.points) >= 2 * LEAST_SHARED:  # not one taken in the dark
                self.reference, self._renewed_at = seen, frame.at
            return
        found = _compared(self.reference, seen, self._follow_px(frame))
        if found.view in {View.SAME, View.FOLLOWED}:
            self._believe(found, frame, seen)
        elif self._doubt is not None and self._doubt.view is found.view:
            if self._pose.view is not found.view or _apart(found, self._pose, frame) > self._follow_px(frame):
                self._pose = found  # told once, not with each look's own numbers
        elif self._pose.usable:
            self._doubt, self._pose = found, _unsure(self._pose)
            self._due_at = frame.at + min(SOON_S, self.settings.every_s)
        else:
            self._doubt = found
            self._due_at = frame.at + min(SOON_S, self.settings.every_s)

    def _follow_px(self, frame: Frame) -> float:
        return self.settings.follow_share * frame.width

    def _believe(self, found: Pose, frame: Frame, seen: Corners) -> None:
        self._doubt = None
        small = STILL_SHARE * frame.width
        if (
            not self._pose.usable
            or _apart(found, self._pose, frame) > small
            or self._pose.view is View.UNSURE
        ):
            self._pose = found if found.moved_px > small else SAME
        reference = self.reference
        worn = reference is not None and len(reference.points) * RENEW_SHARE > reference.shared
        if worn and frame.at - self._renewed_at >= RENEW_S:
            self._renewed_at = frame.at
            self.reference = seen.back(self._pose)


@dataclass(slots=True, eq=False)
class Corners:
    """Corners of a view: `points` `(N, 2)` float32 px of its picture, `marks` `(N, 32)` uint8."""

    points: NDArray[np.float32]
    marks: NDArray[np.uint8]
    shared: int = 0  # of them, found in the latest picture

    @classmethod
    def of(cls, image: NDArray[np.uint8]) -> Corners:
        """Those of a picture."""
        scale = min(1.0, WIDTH_PX / image.shape[1])
        grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
        if scale < 1:
            grey = cv2.resize(grey, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        low, high = np.percentile(grey[::4, ::4], (1, 99))
        factor = 255 / max(32.0, float(high - low))  # dim light has as many corners as bright light
        grey = cv2.convertScaleAbs(np.maximum(grey, int(low)), alpha=factor, beta=-factor * int(low))
        found, marks = cv2.ORB.create(CORNERS, fastThreshold=12).detectAndCompute(grey, None)
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
        return cls(points.astype(np.float32), marks)

    def kept(self) -> dict[str, Any]:
        """As plain data."""
        return {
            "points": b64encode(self.points.astype("<f4").tobytes()).decode(),
            "marks": b64encode(self.marks.tobytes()).decode(),
        }

    def back(self, pose: Pose) -> Corners:
        """The same corners where they would be in the reference view."""
        if pose.view is View.SAME or not len(self.points):
            return self
        inverse = np.linalg.inv(np.reshape(pose.matrix, (3, 3)))
        points = cv2.perspectiveTransform(self.points[None].astype(np.float64), inverse)[0]
        return Corners(points.astype(np.float32), self.marks)


def _compared(reference: Corners, seen: Corners, follow_px: float) -> Pose:
    matches: Any = ()
    if len(seen.points) and len(reference.points):
        matches = cv2.BFMatcher(cv2.NORM_HAMMING, crossCheck=True).match(reference.marks, seen.marks)
    matrix, shared = None, 0
    if len(matches) >= LEAST_SHARED:
        before = reference.points[[match.queryIdx for match in matches]]
        now = seen.points[[match.trainIdx for match in matches]]
        matrix, shared = _movement(before, now)
    reference.shared = shared
    if matrix is None or shared < LEAST_SHARED:
        dark = len(seen.points) < 2 * LEAST_SHARED
        what = "it is dark, covered or turned away" if dark else "it was moved, or something covers it"
        return Pose(View.LOST, reason=f"of the reference view {shared} corners are seen, {LEAST_SHARED} are "
                    f"needed: {what}")  # fmt: skip
    low, high = reference.points.min(axis=0), reference.points.max(axis=0)
    edges = np.array([low, (high[0], low[1]), high, (low[0], high[1])], np.float64)
    there = cv2.perspectiveTransform(edges[None], matrix)[0]
    moved = float(np.hypot(*(there - edges).T).max())
    pose = Pose(View.FOLLOWED, tuple(float(n) for n in matrix.ravel()), moved)
    if moved <= follow_px:
        return pose
    middle = np.median(there - edges, axis=0)
    return Pose(View.MOVED, pose.matrix, moved,
                f"the camera was moved: what it shows lies up to {moved:.0f} px from where it was "
                f"({middle[0]:+.0f} px across, {middle[1]:+.0f} px down)")  # fmt: skip


def _movement(before: Any, now: Any) -> tuple[Any, int]:
    """The homography that most pairs of points share, and how many do.

    A camera that is nudged shifts, turns and zooms its picture a little. A homography with all its freedom
    is taken where many more points agree with it: through points that lie on two boards alone it goes astray
    between them, by 4 px after a shift of 5.
    """
    plain, inside = cv2.estimateAffinePartial2D(before, now, method=cv2.RANSAC, ransacReprojThreshold=3.0)
    if plain is None:
        return None, 0
    plain = np.vstack([plain, [0.0, 0.0, 1.0]])
    shared = int(inside.sum())
    free, within = cv2.findHomography(before, now, cv2.RANSAC, 3.0)
    if free is None or int(within.sum()) < FREER * shared:
        return plain, shared
    return free, int(within.sum())


def _unsure(pose: Pose) -> Pose:
    return Pose(View.UNSURE, pose.matrix, pose.moved_px)


def _apart(one: Pose, other: Pose, frame: Frame) -> float:
    """How far the two place a corner of the picture from each other, px at most."""
    w, h = frame.width, frame.height
    edges = [(0, 0), (w, 0), (w, h), (0, h)]
    return float(np.hypot(*(one.placed(edges) - other.placed(edges)).T).max())
