"""Arithmetic on many boxes at once: `(N, 4)` arrays of `x1 y1 x2 y2`, pixels, half open.

Every function takes N = 0, returns new arrays and writes to none of its arguments.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from agent.core.types import Box

    Boxes = NDArray[Any]


def area(boxes: Boxes) -> NDArray[np.float32]:
    """`(N,)` areas in px²; 0 for a box that is empty or inside out."""
    boxes = _checked(boxes)
    sides = np.maximum(boxes[:, 2:] - boxes[:, :2], 0)
    return np.asarray(sides[:, 0] * sides[:, 1], np.float32)


def clip(boxes: Boxes, width: int, height: int) -> Boxes:
    """`(N, 4)` boxes within a picture of `width` × `height` px; one outside it becomes empty (area 0)."""
    limits = np.array([width, height, width, height])
    return np.clip(_checked(boxes), 0, limits).astype(np.asarray(boxes).dtype)


def pad(boxes: Boxes, share: float) -> NDArray[np.float32]:
    """`(N, 4)` float32 boxes grown on every side by `share` of their width and height (negative: shrunk).

    `pad([[10, 10, 20, 30]], 0.1)` → `[[9, 8, 21, 32]]`
    """
    boxes = _checked(boxes).astype(np.float32)
    margin = (boxes[:, 2:] - boxes[:, :2]) * np.float32(share)
    return np.asarray(np.hstack([boxes[:, :2] - margin, boxes[:, 2:] + margin]), np.float32)


def iou(a: Boxes, b: Boxes) -> NDArray[np.float32]:
    """`(N, M)` intersection over union, in [0, 1]; 0 where both boxes are empty."""
    a, b = _checked(a).astype(np.float64), _checked(b).astype(np.float64)
    low = np.maximum(a[:, None, :2], b[None, :, :2])
    high = np.minimum(a[:, None, 2:], b[None, :, 2:])
    sides = np.maximum(high - low, 0)
    both = sides[..., 0] * sides[..., 1]
    either = area(a)[:, None].astype(np.float64) + area(b)[None, :] - both
    return np.asarray(np.divide(both, either, out=np.zeros_like(both), where=either > 0), np.float32)


def nms(boxes: Boxes, scores: NDArray[Any], overlap: float) -> NDArray[np.intp]:
    """Indices of the boxes to keep, best score first; equal scores keep their order.

    Args:
        boxes: `(N, 4)`.
        scores: `(N,)`, higher is better.
        overlap: a box is dropped when its IoU with a kept, better one is above this.
    """
    boxes, scores = _checked(boxes), np.asarray(scores)
    if scores.shape != boxes.shape[:1]:
        raise ValueError(f"scores: expected shape {boxes.shape[:1]}, found {scores.shape}")
    left = np.argsort(-scores, kind="stable")
    keep: list[int] = []
    while left.size:
        best, left = int(left[0]), left[1:]
        keep.append(best)
        if left.size:
            left = left[iou(boxes[best : best + 1], boxes[left])[0] <= overlap]
    return np.array(keep, np.intp)


def paired(a: Sequence[Box], b: Sequence[Box], least: float) -> dict[int, int]:
    """Number in `a` → number in `b`: the best overlap first, each box once, IoU at least `least`."""
    overlap = iou(np.array(a, np.float32), np.array(b, np.float32))
    return best_first(overlap, overlap >= least)


def best_first(rank: NDArray[np.float32], may: NDArray[np.bool_]) -> dict[int, int]:
    """Row → column, the best rank (0 or more) first, each once, of the pairs that `may` be."""
    partner: dict[int, int] = {}
    left = np.where(may, rank, -1)
    while left.size:
        row, column = np.unravel_index(int(left.argmax()), left.shape)
        if left[row, column] < 0:
            break
        partner[int(row)] = int(column)
        left[row, :] = -1
        left[:, column] = -1
    return partner


def spans(length: int, count: int, overlap: float) -> list[tuple[int, int]]:
    """`count` equal spans from 0 to `length`, each sharing `overlap` of its length with the next."""
    side = length / (count - overlap * (count - 1))
    exact = [n * side * (1 - overlap) for n in range(count)]
    starts = [round(start) for start in exact]
    # Rounding may put an end just before the start behind it, where both lie halfway between two pixels.
    behind = [*starts[1:], length]
    ends = [max(round(start + side), follows) for start, follows in zip(exact, behind, strict=True)]
    return [(start, min(length, end)) for start, end in zip(starts, ends, strict=True)]


def _checked(boxes: Boxes) -> Boxes:
    """The boxes as an array, `(0, 4)` for an empty list.

    Raises:
        ValueError: another shape.
    """
    array = np.asarray(boxes)
    if array.size == 0 and array.ndim == 1:
        return array.reshape(0, 4)
    if array.ndim != 2 or array.shape[1] != 4:
        raise ValueError(f"boxes: expected shape (N, 4), found {array.shape}")
    return array
