"""Which detection goes on which track: by where things were, where they would be by now, and their looks.

A thing that moves would be found further on, and so would one that is hidden: it is compared in both places,
and between them, as it may have stood meanwhile. Those that were seen in the frame before choose first; what
is out of sight takes what they leave (Wojke et al. 2017, the matching cascade). What covers the places of two
things, an arm over both or two that touch, is neither: both go on unseen until they come apart.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from agent.core.boxes import best_first, iou

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from agent.core.types import Box, Detection, Track

SHARES: Final = (0.0, 0.5, 1.0)
"""Of the time since it was seen that a thing may have gone on."""

LOOKS_WORTH: Final = 0.5
"""Of the rank of a pair that its looks decide. Views of one drawn carton have similarities of 0.8 or more,
those of cartons with another print 0.2 to 0.5: that decides between two places that overlap alike."""

COVERED: Final = 0.75
"""Share of the place of a thing that something covers which hides it."""

ITSELF: Final = 0.7
"""Overlap (intersection over union) from which a detection is the thing itself, whatever else it covers."""


@dataclass(frozen=True, slots=True)
class Course:
    """A track, and how it moves."""

    track: Track
    speed: tuple[float, float] = (0.0, 0.0)  # pixels per second

    def places(self, at: float, width: int, height: int) -> NDArray[np.float32]:
        """`(len(SHARES), 4)` boxes where it may be: the last is where it would be had it gone on."""
        box = np.array(self.track.region.box, np.float32)
        late = at - self.track.last_at
        step = np.array([*self.speed, *self.speed], np.float32) * np.float32(late)
        moved = box + np.array(SHARES, np.float32)[:, None] * step
        low = np.minimum(box[:2], 0)
        high = np.maximum(box[2:], (width, height))
        limits = np.concatenate([low, low]), np.concatenate([high, high])
        return np.asarray(np.clip(moved, *limits), np.float32)


@dataclass(frozen=True, slots=True)
class Matches:
    """What `matched` found."""

    partner: dict[int, int]  # number of a detection → number of the course it continues
    covering: frozenset[int]  # detections that hide several things
    covered: frozenset[int]  # numbers of the courses that are hidden so


def speed_of(before: Box, now: Box, elapsed_s: float, width: int, height: int) -> tuple[float, float]:
    """Pixels per second of a box that was seen twice.

    Of two edges the one that moved less counts: the other one grew, by an arm that reaches in. An edge at the
    picture's own stays there, and says nothing.
    """
    if elapsed_s <= 0:
        return 0.0, 0.0
    return (
        _moved((before[0], before[2]), (now[0], now[2]), width) / elapsed_s,
        _moved((before[1], before[3]), (now[1], now[3]), height) / elapsed_s,
    )


def touches_edge(box: Box, width: int, height: int) -> bool:
    """Whether a box ends where the picture does: the thing may go on outside."""
    return box[0] <= 0 or box[1] <= 0 or box[2] >= width or box[3] >= height


def matched(
    firm: Sequence[Course],
    lost: Sequence[Course],
    detections: Sequence[Detection],
    least: float,
    at: float,
    size: tuple[int, int],
) -> Matches:
    """Pair detections with tracks.

    Args:
        firm: seen in the frame before, or hidden since then.
        lost: the others. They are numbered behind the firm ones.
        detections: of this frame, none with a name.
        least: overlap from which a box continues a track.
        at: s.
        size: width and height of the picture.
    """
    boxes = np.array([each.region.box for each in detections], np.float32)
    overlap, rank = _scores(firm, detections, boxes, at, size)
    partner = best_first(rank, overlap >= least)
    places = [course.places(at, *size)[-1] for course in firm]
    covering, covered = _hidden(partner, overlap, boxes, places)
    partner = {number: course for number, course in partner.items() if number not in covering}
    free = [n for n in range(len(detections)) if n not in partner and n not in covering]
    overlap, rank = _scores(lost, [detections[n] for n in free], boxes[free] if free else boxes[:0], at, size)
    later = best_first(rank, overlap >= least)
    partner |= {free[number]: len(firm) + course for number, course in later.items()}
    return Matches(partner, frozenset(covering), frozenset(covered))


def _scores(
    courses: Sequence[Course],
    detections: Sequence[Detection],
    boxes: NDArray[np.float32],
    at: float,
    size: tuple[int, int],
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """`(detections, courses)`: the best overlap with a place of it, and the same weighed by the looks."""
    shape = (len(detections), len(courses))
    if 0 in shape:
        return np.zeros(shape, np.float32), np.zeros(shape, np.float32)
    places = np.concatenate([course.places(at, *size) for course in courses])
    overlap = iou(boxes, places).reshape(len(detections), len(courses), len(SHARES)).max(axis=2)
    rank = overlap * (1 - LOOKS_WORTH * (1 - _alike(detections, courses)))
    return overlap, np.asarray(rank, np.float32)


def _alike(detections: Sequence[Detection], courses: Sequence[Course]) -> NDArray[np.float32]:
    """`(detections, courses)`, 0 to 1: similarity to what a track was; 1 where it is not known."""
    now = [each.look.embedding for each in detections]
    before = [_direction([look.embedding for look in each.track.looks]) for each in courses]
    alike = np.ones((len(now), len(before)), np.float32)
    rows = [n for n, each in enumerate(now) if each is not None]
    columns = [n for n, each in enumerate(before) if each is not None]
    if rows and columns:
        left = np.stack([_unit(each) for each in now if each is not None])
        right = np.stack([each for each in before if each is not None])
        alike[np.ix_(rows, columns)] = np.clip(left @ right.T, 0, 1)
    return alike


def _direction(looks: Sequence[NDArray[np.float32] | None]) -> NDArray[np.float32] | None:
    known = [look for look in looks if look is not None]
    return _unit(np.sum(known, axis=0)) if known else None


def _unit(vector: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(vector / max(float(np.linalg.norm(vector)), 1e-6), np.float32)


def _hidden(
    partner: dict[int, int],
    overlap: NDArray[np.float32],
    boxes: NDArray[np.float32],
    places: Sequence[NDArray[np.float32]],
) -> tuple[set[int], set[int]]:
    """Detections that cover the places of several things which are not seen otherwise, and these things."""
    covering: set[int] = set()
    covered: set[int] = set()
    for number, box in enumerate(boxes):
        own = partner.get(number)
        if own is not None and overlap[number, own] >= ITSELF:
            continue
        elsewhere = {course for other, course in partner.items() if other != number}
        below = [
            course
            for course, place in enumerate(places)
            if course not in elsewhere and course not in covered and _share_inside(place, box) >= COVERED
        ]
        if len(below) < 2 or (own is not None and own not in below):
            continue
        all_of_them = np.array([places[course] for course in below])
        hull = np.concatenate([all_of_them[:, :2].min(axis=0), all_of_them[:, 2:].max(axis=0)])
        if _share_inside(hull, box) >= COVERED:
            covering.add(number)
            covered.update(below)
    return covering, covered


def _share_inside(place: NDArray[np.float32], box: NDArray[np.float32]) -> float:
    """Of a place, 0 where nothing of it is in the picture any more."""
    sides = np.maximum(np.minimum(place[2:], box[2:]) - np.maximum(place[:2], box[:2]), 0)
    whole = np.maximum(place[2:] - place[:2], 0)
    return float(sides[0] * sides[1] / (whole[0] * whole[1])) if whole.all() else 0.0


def _moved(before: tuple[int, int], now: tuple[int, int], end: int) -> float:
    steps = [
        float(new - old)
        for old, new, edge in zip(before, now, (0, end), strict=True)
        if not (min(old, new) <= edge if edge == 0 else max(old, new) >= edge)
    ]
    return min(steps, key=abs) if steps else 0.0
