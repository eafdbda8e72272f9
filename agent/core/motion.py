"""What stands out from the background of a camera that does not move: things on a belt, in a hand.

The background is a small picture that follows what the camera shows. Where much stands out, each colour
channel of it is made as bright as the frame is in the middle of all pixels: light that goes on, clouds and a
camera that adapts change all pixels alike, a thing changes few. Where most of the picture differs and its
edges stay where they were, the light has changed in a way that one factor does not describe, and the
background begins anew; so it does after a cut. A place that a thing left differs from the background as well:
its outline is in the background and not in the frame, and it becomes background at once.

Time comes with the frame; the same frames give the same regions.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import exp
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from agent.core.boxes import pad
from agent.core.settings import check_range, setting
from agent.core.types import Region

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from agent.core.types import Box, Frame
    from agent.core.zone import Zone

    Small = NDArray[np.float32]
    """`(h, w, 3)` BGR, levels."""
    Mask = NDArray[np.uint8]
    """Of the small picture, `(h, w)`: 0, or 1 to 255 where something is the case."""

FOLLOW_S = 5.0
"""How fast the background follows what does not stand out: shadows of the day, not of a hand."""

DARK_SHARE = 0.05
"""Where less than this stands out, the light is not asked for: it changes all of a picture."""

FLOOD_SHARE = 0.6
SAME_EDGES = 0.6
"""Where more than this share stands out, the correlation of the edges of frame and background tells light
from a thing held in front of the camera. Over seven real scenes: light that falls off to one
side, with noise, 0.74 or more; packages over half to nine tenths of the picture 0.52 or less."""

GHOST_EDGES = 0.5
"""A place that was left has less than this of the edges along its outline that the background has there."""

MARGIN = 0.04
"""Of width and height that a region is grown by on each side: edges that blend with the background are cut
off."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MotionSettings:
    """When something stands out from the background."""

    contrast: float = setting("levels (0 to 255) by which a pixel must differ from the background", 22.0)
    absorb_s: float = setting("seconds after which what stands still becomes background", 60.0)
    # The picture is halved while it has twice `detail_px`: with 120 a thing of a twentieth of it still
    # covers 6 pixels across, and noise of σ = 8 levels made none of them stand out; 1.0 ms a frame of
    # 640 × 360, a quarter of one look. With 240 and `join_px` 1 the drawn dock's cartons, 20 to 60 px of
    # 1280 apart, are told apart in 124 of 128 pictures, with 120 and 2 in 50; 4.8 ms in place of 2.7.
    detail_px: int = setting(
        "pixels of the longer side of the small picture that is compared, at least: more tells things "
        "apart that are close together, and takes longer",
        120,
    )
    # A label, a reflection, a finger cut a thing apart.
    join_px: int = setting("pixels of the small picture that may lie between parts of one thing", 2)

    def __post_init__(self) -> None:
        check_range("contrast", self.contrast, 4.0, 200.0)
        check_range("absorb_s", self.absorb_s, 1.0, 86400.0)
        check_range("detail_px", self.detail_px, 60, 2000)
        check_range("join_px", self.join_px, 0, 50)


class Motion:
    """The background of one camera. `regions` is the only way in; frames come in their order."""

    def __init__(self, settings: MotionSettings, zone: Zone) -> None:
        self._settings = settings
        self._zone = zone
        self._size = (0, 0)  # of the frames so far
        self._at = 0.0
        self._background: Small = np.empty((0, 0, 3), np.float32)
        self._last: Small = self._background  # the frame before
        self._still_s: Small = np.empty((0, 0), np.float32)  # how long each pixel has stood out, unmoved

    def regions(self, frame: Frame) -> tuple[Region, ...]:
        """What stands out in this frame, the largest first; nothing in the first one.

        The score of a region is the share of its box that stands out.

        Raises:
            InputError: the zone is not within the picture.
        """
        x1, y1, x2, y2 = self._zone.box(frame.width, frame.height)
        small = shrunk(frame.image[y1:y2, x1:x2], self._settings.detail_px)
        elapsed = frame.at - self._at
        self._at = frame.at
        if (frame.width, frame.height) != self._size or frame.cut or elapsed < 0:
            self._size = (frame.width, frame.height)
            self._begin(small)
            return ()
        expected, apart = self._compared(small)
        if cv2.countNonZero(apart) > FLOOD_SHARE * apart.size and edges_agree(small, expected):
            self._begin(small)
            return ()
        things: list[Thing] = []
        left: list[Thing] = []
        for thing in things_in(apart, self._settings.join_px):
            (left if was_left(thing, small, expected) else things).append(thing)
        for thing in left:
            cv2.copyTo(small, thing.mask, self._background)
            apart[thing.mask > 0] = 0
        self._follow(small, apart, elapsed)
        scale = ((x2 - x1) / small.shape[1], (y2 - y1) / small.shape[0])
        found = [_region(thing, scale, (x1, y1, x2, y2)) for thing in things]
        return self._zone.worth(sorted(found, key=_area, reverse=True))

    def _compared(self, small: Small) -> tuple[Small, Mask]:
        """The background in the light that explains more of the frame, and what stands out from it."""
        contrast = self._settings.contrast
        apart = differ(small, self._background, contrast)
        if cv2.countNonZero(apart) <= DARK_SHARE * apart.size:
            return self._background, apart
        lit = lit_as(self._background, small)
        less = differ(small, lit, contrast)
        if cv2.countNonZero(less) >= cv2.countNonZero(apart):  # the middle of all pixels is one of a thing
            return self._background, apart
        return lit, less

    def _begin(self, small: Small) -> None:
        self._background = small.copy()
        self._last = small
        self._still_s = np.zeros(small.shape[:2], np.float32)

    def _follow(self, small: Small, apart: Mask, elapsed: float) -> None:
        """The background takes over what does not stand out, and what has stood out unmoved for long."""
        moved = differ(small, self._last, self._settings.contrast / 2)
        self._last = small
        self._still_s += np.float32(elapsed)
        self._still_s[(apart == 0) | (moved > 0)] = 0
        if self._still_s.max() >= self._settings.absorb_s:
            settled = (self._still_s >= self._settings.absorb_s).astype(np.uint8)
            cv2.copyTo(small, settled, self._background)
        share = 1 - exp(-elapsed / FOLLOW_S)
        cv2.accumulateWeighted(small, self._background, share, mask=cv2.bitwise_not(apart))


@dataclass(frozen=True, slots=True, eq=False)
class Thing:
    """Pixels of the small picture that stand out and hang together."""

    mask: Mask
    box: Box  # in pixels of it


def shrunk(image: NDArray[np.uint8], longest: int) -> Small:
    """Halved, which OpenCV does fast, while it is at least twice too large, then averaged over what is
    left.
    """
    while max(image.shape[:2]) >= 2 * longest and min(image.shape[:2]) >= 2:
        half = image.shape[1] // 2, image.shape[0] // 2
        even = image[: 2 * half[1], : 2 * half[0]]
        image = np.asarray(cv2.resize(even, half, interpolation=cv2.INTER_AREA), np.uint8)
    return image.astype(np.float32)


def lit_as(background: Small, small: Small) -> Small:
    """The background in the light of the frame: each channel is made brighter by the middle of all ratios."""
    return np.asarray(background * gain_of(small, background), np.float32)


def gain_of(small: Small, background: Small) -> NDArray[np.float32]:
    """`(3,)`: the middle of all ratios of the frame to the background, channel by channel."""
    every = (slice(None, None, 4), slice(None, None, 4))  # a sixteenth of the pixels has nearly that median
    ratios = (small[every] + 1) / (background[every] + 1)
    return np.asarray(np.median(ratios.reshape(-1, 3), axis=0), np.float32)


def differ(a: Small, b: Small, levels: float) -> Mask:
    """255 where any channel differs by more."""
    blue, green, red = cv2.split(cv2.absdiff(a, b))
    apart = cv2.max(cv2.max(blue, green), red) > levels
    return np.where(apart, np.uint8(255), np.uint8(0))


def _edges(picture: Small) -> Small:
    """`(h, w)`: how steep brightness is at each pixel."""
    grey = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)
    return np.asarray(cv2.magnitude(cv2.Sobel(grey, cv2.CV_32F, 1, 0), cv2.Sobel(grey, cv2.CV_32F, 0, 1)))


def edges_agree(small: Small, background: Small) -> bool:
    """Whether the two have the same outlines, so that only the light differs."""
    here, there = _edges(small).ravel(), _edges(background).ravel()
    if here.std() == 0 or there.std() == 0:
        return False
    return bool(np.corrcoef(here, there)[0, 1] > SAME_EDGES)


def things_in(apart: Mask, join: int) -> list[Thing]:
    """What hangs together among pixels that stand out, single ones left out."""
    cross = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
    firm = cv2.morphologyEx(apart, cv2.MORPH_OPEN, cross)
    near = cv2.dilate(firm, np.ones((2 * join + 1, 2 * join + 1), np.uint8))
    count, labels, stats, _ = cv2.connectedComponentsWithStats(near)
    found = []
    for label in range(1, count):
        x, y, width, height = (int(number) for number in stats[label, :4])
        here = (slice(y, y + height), slice(x, x + width))
        mask = np.zeros_like(apart)
        mask[here] = firm[here] * (labels[here] == label)
        left, top, across, down = cv2.boundingRect(mask)
        found.append(Thing(mask, (left, top, left + across, top + down)))
    return found


def was_left(thing: Thing, small: Small, background: Small) -> bool:
    """Whether the outline of a thing is one of the background, which the frame has no longer."""
    x1, y1, x2, y2 = thing.box
    around = (slice(max(0, y1 - 2), y2 + 2), slice(max(0, x1 - 2), x2 + 2))
    mask, ring = thing.mask[around], np.ones((3, 3), np.uint8)
    outline = cv2.subtract(cv2.dilate(mask, ring), cv2.erode(mask, ring))
    here = cv2.mean(_edges(small[around]), outline)[0]
    return here < GHOST_EDGES * cv2.mean(_edges(background[around]), outline)[0]


def _region(thing: Thing, scale: tuple[float, float], zone: Box) -> Region:
    x1, y1, x2, y2 = thing.box
    share = cv2.countNonZero(thing.mask[y1:y2, x1:x2]) / ((x2 - x1) * (y2 - y1))
    box: Any = np.array([[x1 * scale[0], y1 * scale[1], x2 * scale[0], y2 * scale[1]]])
    left, top, right, bottom = (round(float(n)) for n in pad(box, MARGIN)[0])
    width, height = zone[2] - zone[0], zone[3] - zone[1]
    return Region(
        (
            zone[0] + max(0, left),
            zone[1] + max(0, top),
            zone[0] + min(width, max(right, left + 1)),
            zone[1] + min(height, max(bottom, top + 1)),
        ),
        score=share,
    )


def _area(region: Region) -> int:
    x1, y1, x2, y2 = region.box
    return (x2 - x1) * (y2 - y1)
