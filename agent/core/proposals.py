"""From what a detector says of the parts of a picture to regions: whatever it is, each thing once.

A detector looks at all of the picture, and at tiles of it where things are small. What it says is not
believed: numbers that are not finite, boxes outside their tile and counts that cannot be are left out. Which
class it took a thing for does not matter, but for those that are to be ignored.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite
from typing import TYPE_CHECKING, Any

import numpy as np

from agent.core.boxes import area, clip, nms, spans
from agent.core.settings import check_range, setting
from agent.core.types import Region

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from agent.core.types import Box

MAX_BOXES = 1_000
"""That a detector may give for one tile: merging takes the square of it."""

TOUCH = 0.02
"""A box that ends this near to the edge of its tile, as a share of the tile, was cut off by it."""

SAME_SPAN = 0.6
"""Two pieces on either side of a seam are one thing where their spans along the seam overlap this much."""

OUTWARDS = np.array([-1, -1, 1, 1], np.float32)
"""Which way a side, left top right bottom, makes a box larger."""

LARGEST_SHARE = 0.8
"""Of the picture: what covers more is the table or the shelf, not a thing on it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TileSettings:
    """Equal parts of the picture that are looked at one by one, beside all of it."""

    rows: int = setting("rows of tiles; the smaller things are, the more they need", 1)
    columns: int = setting("columns of tiles", 1)
    overlap: float = setting("share of a tile's side that it has in common with its neighbour", 0.2)

    def __post_init__(self) -> None:
        check_range("rows", self.rows, 1, 8)
        check_range("columns", self.columns, 1, 8)
        check_range("overlap", self.overlap, 0.0, 0.5)


@dataclass(frozen=True, slots=True, kw_only=True)
class DetectorSettings:
    """The model that proposes regions, and what of its answers counts."""

    file: str = setting("detector (.tflite); its description lies beside it with the ending .json")
    threads: int = setting("CPU threads for one inference", 1)
    score: float = setting("score from which a box counts, 0 to 1", 0.3)
    overlap: float = setting("overlap (intersection over union) above which the weaker box is dropped", 0.5)
    ignore: tuple[int, ...] = setting("classes that are never a product, such as 0, a person, of COCO", ())
    tiles: TileSettings = setting("parts of the picture that are looked at one by one", TileSettings())

    def __post_init__(self) -> None:
        check_range("threads", self.threads, 1, 64)
        check_range("score", self.score, 0.01, 1.0)
        check_range("overlap", self.overlap, 0.05, 0.95)
        if not self.file.endswith(".tflite") or "\0" in self.file:
            raise ValueError(f"file: expected a path that ends in .tflite, found {self.file!r}")


@dataclass(frozen=True, slots=True, eq=False)
class Boxes:
    """What was found in one tile."""

    boxes: NDArray[np.float32]  # (N, 4) px of the frame
    scores: NDArray[np.float32]  # (N,) in [0, 1]


def tiles(settings: TileSettings, zone: Box) -> tuple[Region, ...]:
    """All of the zone, then its tiles where there are more than one, from the top left."""
    x1, y1, x2, y2 = zone
    whole = Region(zone)
    if settings.rows * settings.columns == 1:
        return (whole,)
    across = spans(x2 - x1, settings.columns, settings.overlap)
    down = spans(y2 - y1, settings.rows, settings.overlap)
    parts = [
        Region((x1 + left, y1 + top, x1 + right, y1 + bottom))
        for top, bottom in down
        for left, right in across
        if left < right and top < bottom
    ]
    return (whole, *parts)


def believed(
    boxes: NDArray[Any],
    classes: NDArray[Any],
    scores: NDArray[Any],
    count: float,
    tile: Box,
    settings: DetectorSettings,
) -> Boxes:
    """What of a detector's answer about a tile can be: boxes of the frame, within the tile, in their order.

    Args:
        boxes: `(K, 4)`: top, left, bottom, right as shares of the tile's sides.
        classes: `(K,)`.
        scores: `(K,)`.
        count: how many of them count; the rest is whatever was there before.
        tile: the part of the frame that was looked at.
        settings: which scores and classes count.
    """
    known = int(min(max(count, 0), len(boxes))) if isfinite(count) else 0
    boxes, classes, scores = (np.asarray(each[:known], np.float64) for each in (boxes, classes, scores))
    kept = np.isfinite(boxes).all(axis=1) & (scores >= settings.score) & (scores <= 1)
    kept &= ~np.isin(classes, settings.ignore)
    x1, y1, x2, y2 = tile
    shares = np.clip(boxes[kept][:, [1, 0, 3, 2]], 0, 1)
    placed = shares * [x2 - x1, y2 - y1, x2 - x1, y2 - y1] + [x1, y1, x1, y1]
    full = (placed[:, 2:] > placed[:, :2]).all(axis=1)
    return Boxes(placed[full].astype(np.float32), scores[kept][full].astype(np.float32))


def merged(parts: Sequence[tuple[Region, Boxes]], zone: Box, overlap: float) -> list[Region]:
    """Each thing once, best score first; of two that overlap more than `overlap` the better one.

    `parts` are the tiles of `zone` and what was found in them. Pieces of a thing that a seam cut in two are
    put together; a piece of a thing that another tile shows whole is dropped.
    """
    boxes = np.concatenate([np.empty((0, 4), np.float32), *(found.boxes for _, found in parts)])
    scores = np.concatenate([np.empty(0, np.float32), *(found.scores for _, found in parts)])
    cut = np.concatenate(
        [np.empty((0, 4), np.bool_), *(_cut(found.boxes, tile.box, zone) for tile, found in parts)]
    )
    whole = ~cut.any(axis=1)
    pieces, strength = _joined(boxes[~whole], scores[~whole], cut[~whole])
    loose = ~_inside(pieces, boxes[whole])
    boxes = clip(np.concatenate([boxes[whole], pieces[loose]]), zone[2], zone[3])
    scores = np.concatenate([scores[whole], strength[loose]])
    largest = LARGEST_SHARE * (zone[2] - zone[0]) * (zone[3] - zone[1])
    fit = area(boxes) <= largest
    boxes, scores = boxes[fit], scores[fit]
    best = nms(boxes, scores, overlap)
    return [
        Region(_whole_pixels(box), score=float(score))
        for box, score in zip(boxes[best].tolist(), scores[best], strict=True)
    ]


def _cut(boxes: NDArray[np.float32], tile: Box, zone: Box) -> NDArray[np.bool_]:
    """`(N, 4)`: which sides of each box, left top right bottom, lie on an edge of the tile within the
    zone.
    """
    edges, outer = np.array(tile), np.array(zone)
    slack = TOUCH * np.array([tile[2] - tile[0], tile[3] - tile[1]] * 2)
    return np.asarray((np.abs(boxes - edges) <= slack) & (edges != outer), np.bool_)


def _joined(
    boxes: NDArray[np.float32], scores: NDArray[np.float32], cut: NDArray[np.bool_]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Pieces on both sides of a seam as one box with the better score; the others as they are."""
    boxes, scores, cut = boxes.copy(), scores.copy(), cut.copy()
    left = list(range(len(boxes)))
    done: list[int] = []
    while left:
        one = left.pop(0)
        other = next((each for each in left if _one_thing(boxes, cut, one, each)), None)
        if other is None:
            done.append(one)
            continue
        left.remove(other)
        outer = boxes[one] * OUTWARDS >= boxes[other] * OUTWARDS
        boxes[one] = np.where(outer, boxes[one], boxes[other])
        cut[one] = np.where(outer, cut[one], cut[other])
        scores[one] = max(scores[one], scores[other])
        rest = ~_inside(boxes[left], boxes[[one]])  # a corner cuts a thing in four
        left = [one, *(each for each, kept in zip(left, rest.tolist(), strict=True) if kept)]
    return boxes[done], scores[done]


def _facing(cut: NDArray[np.bool_], one: int, other: int) -> NDArray[np.bool_]:
    """`(4,)`: the cut sides of `one` whose opposite is cut on `other`."""
    return np.asarray(cut[one] & cut[other][[2, 3, 0, 1]], np.bool_)


def _one_thing(boxes: NDArray[np.float32], cut: NDArray[np.bool_], one: int, other: int) -> bool:
    a, b = boxes[one], boxes[other]
    if not (np.minimum(a[2:], b[2:]) >= np.maximum(a[:2], b[:2])).all():
        return False  # they do not even touch
    for axis in (0, 1):
        if not _facing(cut, one, other)[[axis, axis + 2]].any():
            continue
        along = 1 - axis
        both = min(a[along + 2], b[along + 2]) - max(a[along], b[along])
        either = max(a[along + 2], b[along + 2]) - min(a[along], b[along])
        if both >= SAME_SPAN * either:
            return True
    return False


def _inside(pieces: NDArray[np.float32], whole: NDArray[np.float32]) -> NDArray[np.bool_]:
    """`(N,)`: whether most of a piece lies in a box that no seam cut."""
    if not (len(pieces) and len(whole)):
        return np.zeros(len(pieces), np.bool_)
    low = np.maximum(pieces[:, None, :2], whole[None, :, :2])
    high = np.minimum(pieces[:, None, 2:], whole[None, :, 2:])
    both = np.maximum(high - low, 0).prod(axis=2)
    return np.asarray((both >= SAME_SPAN * area(pieces)[:, None]).any(axis=1), np.bool_)


def _whole_pixels(box: list[float]) -> Box:
    x1, y1, x2, y2 = (round(number) for number in box)
    return x1, y1, max(x2, x1 + 1), max(y2, y1 + 1)
