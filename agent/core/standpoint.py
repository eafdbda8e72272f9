"""Where a camera stands, compared with where it stood when its slots were drawn: the same, moved or lost.

Corners of the reference view (ORB) are looked for in the picture every few seconds, and at once when most of
the picture has changed. The movement that most of them share is what the camera did: people stand in the way,
the light changes, and that moves no corner. Corners of goods are left out, because a product that is taken
and put back a little aside has moved. Where there are few others, as before a bare wall, only a movement that
all goods share counts, and that they are not found says nothing.

Measured on drawn bays of 1280 × 720: the place of a slot is found to 1.1 px after shifts of 2 to 120 px, with
a shopper over a quarter of the picture and with the light at a third; a look costs 17 ms.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

import cv2
import numpy as np

from agent.core.corners import CORNERS, FURNITURE, LEAST_SHARED, SEEN, Corners, movement
from agent.core.settings import check_range, setting

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from agent.core.corners import Movement
    from agent.core.types import Frame

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
    moved_px: float = 0.0  # farthest that a corner of the picture is from where it may be
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
    goods: Any = None  # `(N, 4, 2)` where goods are in the reference view; None: nowhere
    accepted: Pose = SAME  # where the camera may stand: as the slots were drawn, or as somebody accepted
    _pose: Pose = SAME
    _frame: Frame | None = None
    _due_at: float = float("-inf")
    _renewed_at: float = float("-inf")
    _doubt: Pose | None = None  # what the look before said, where it was not believed yet
    _glance: NDArray[np.float32] | None = None
    _shared: int = 0  # corners of the reference that the latest look found
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
        """The reference view, and where the camera may stand, as plain data; None while there is none."""
        if self.reference is None:
            return None
        return {**self.reference.kept(), "accepted": list(self.accepted.matrix)}

    def recall(self, kept: Mapping[str, Any]) -> None:
        """Go on from what `kept` gave. ValueError, KeyError, TypeError: it is something else."""
        reference = Corners.from_kept(kept)
        matrix = tuple(float(number) for number in kept.get("accepted", SAME.matrix))
        if len(matrix) != len(SAME.matrix) or not np.isfinite(matrix).all():
            raise ValueError("accepted: expected a homography")
        self.reference = reference
        self.accepted = SAME if matrix == SAME.matrix else Pose(View.FOLLOWED, matrix)
        self._pose = self.accepted

    def accept(self) -> float:
        """The camera may stay where it was moved to: slots are where it shows them now.

        Returns how far that is from where it stood, px of the picture's farthest corner.

        Raises:
            ValueError: it stands where it stood, or nothing is found of what it showed before.
        """
        pose = self._pose
        if pose.view not in {View.MOVED, View.FOLLOWED} or pose is self.accepted:
            found = pose.reason or "one that stands where it stood"
            raise ValueError(f"expected a camera that was moved and still sees its shelf, found {found}")
        self.accepted = self._pose = Pose(View.FOLLOWED, pose.matrix)
        self._doubt = None
        return pose.moved_px

    def forget(self) -> None:
        """Take the next frame for the reference view: the slots are where they were drawn, in that."""
        self.reference = None
        self._pose = self.accepted = SAME
        self._doubt, self._due_at = None, float("-inf")

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
        if self.reference is None:
            taken = self._taken(frame.image)
            if len(taken.points) >= 2 * LEAST_SHARED:  # not one taken in the dark
                self.reference, self._renewed_at = taken, frame.at
            return
        seen = Corners.of(frame.image, SEEN)
        did = movement(self.reference, seen)
        self._shared = did.shared
        found = _compared(did, self.reference, self.accepted, seen, self._follow_px(frame))
        if found is None:
            return
        if found.view in {View.SAME, View.FOLLOWED}:
            self._believe(found, frame)
        elif self._doubt is not None and self._doubt.view is found.view:
            if self._pose.view is not found.view or _apart(found, self._pose, frame) > self._follow_px(frame):
                self._pose = found  # told once, not with each look's own numbers
        elif self._pose.usable:
            self._doubt, self._pose = found, _unsure(self._pose)
            self._due_at = frame.at + min(SOON_S, self.settings.every_s)
        else:
            self._doubt = found
            self._due_at = frame.at + min(SOON_S, self.settings.every_s)

    def _taken(self, image: NDArray[np.uint8]) -> Corners:
        """A reference: the corners beside the goods, or all where those are few."""
        if self.goods is not None:
            flat = self._pose.placed(np.reshape(self.goods, (-1, 2)))
            beside = Corners.of(image, CORNERS, flat.reshape(-1, 4, 2))
            if len(beside.points) >= FURNITURE:
                return beside
        every = Corners.of(image, CORNERS)
        every.of_goods = self.goods is not None
        return every

    def _follow_px(self, frame: Frame) -> float:
        return self.settings.follow_share * frame.width

    def _believe(self, found: Pose, frame: Frame) -> None:
        self._doubt = None
        small = STILL_SHARE * frame.width
        if (
            not self._pose.usable
            or _apart(found, self._pose, frame) > small
            or self._pose.view is View.UNSURE
        ):
            self._pose = found if found.moved_px > small else self.accepted
        reference = self.reference
        worn = reference is not None and len(reference.points) * RENEW_SHARE > self._shared
        if worn and frame.at - self._renewed_at >= RENEW_S:
            self._renewed_at = frame.at
            self.reference = self._taken(frame.image).back(np.reshape(self._pose.matrix, (3, 3)))


def _compared(
    found: Movement, reference: Corners, accepted: Pose, seen: Corners, follow_px: float
) -> Pose | None:
    """Where the camera stands; None: goods were moved about, which says nothing of the camera."""
    dark = len(seen.points) < 2 * LEAST_SHARED
    if not found.sure and not dark:
        return None
    if found.matrix is None or dark:
        what = "it is dark, covered or turned away" if dark else "it was moved, or something covers it"
        return Pose(
            View.LOST,
            reason=f"{found.shared} of {LEAST_SHARED} needed corners of the reference view are found: {what}",
        )
    low, high = reference.points.min(axis=0), reference.points.max(axis=0)
    edges = np.array([low, (high[0], low[1]), high, (low[0], high[1])], np.float64)
    there = cv2.perspectiveTransform(edges[None], found.matrix)[0]
    off = there - accepted.placed(edges)
    moved = float(np.hypot(*off.T).max())
    pose = Pose(View.FOLLOWED, tuple(float(n) for n in found.matrix.ravel()), moved)
    if moved <= follow_px:
        return pose
    middle = np.median(off, axis=0)
    return Pose(View.MOVED, pose.matrix, moved,
                f"the camera was moved: what it shows lies up to {moved:.0f} px from where it was "
                f"({middle[0]:+.0f} px across, {middle[1]:+.0f} px down)")  # fmt: skip


def _unsure(pose: Pose) -> Pose:
    return Pose(View.UNSURE, pose.matrix, pose.moved_px)


def _apart(one: Pose, other: Pose, frame: Frame) -> float:
    """How far the two place a corner of the picture from each other, px at most."""
    w, h = frame.width, frame.height
    edges = [(0, 0), (w, 0), (w, h), (0, h)]
    return float(np.hypot(*(one.placed(edges) - other.placed(edges)).T).max())
