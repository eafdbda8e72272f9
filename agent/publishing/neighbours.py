"""What lies nearest to every reference of a catalogue: exact, all against all, in blocks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from agent.core.checkup import Neighbours
from agent.core.matching import VIEW_BITS

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from agent.adapters.vectors import IndexBuilder

    Progress = Callable[[int, int], None]

_QUERIES, _COLUMNS = 1_024, 8_192
"""Compared at once: 32 MB of similarities. 100,000 references of 256 numbers are 1,274 such blocks, some two
minutes of one core."""

_SAMPLE = 20_000  # pairs that say what two strangers have in common


def find_neighbours(
    index: IndexBuilder, keys: NDArray[np.uint64], progress: Progress | None = None
) -> Neighbours:
    """For the references `keys`, ascending, among each other; `progress(done, total)` counts them.

    Takes 4 bytes per number in the index.
    """
    rows = index.vectors(keys)
    products = keys >> np.uint64(VIEW_BITS)
    firsts = np.searchsorted(products, products, side="left")
    ends = np.searchsorted(products, products, side="right")
    found = Neighbours(
        keys=keys,
        own=np.full(len(keys), -1, np.float32),
        own_key=np.zeros(len(keys), np.uint64),
        other=np.full(len(keys), -1, np.float32),
        other_key=np.zeros(len(keys), np.uint64),
        background=_background(products, rows),
    )
    for start in range(0, len(keys), _QUERIES):
        stop = min(start + _QUERIES, len(keys))
        for left in range(0, len(keys), _COLUMNS):
            similarities = rows[start:stop] @ rows[left : left + _COLUMNS].T
            _own(found, similarities, start, left, firsts, ends)
            _keep_best(found.other[start:stop], found.other_key[start:stop], similarities, keys[left:])
        if progress is not None:
            progress(stop, len(keys))
    return found


def _own(
    found: Neighbours,
    similarities: NDArray[np.float32],
    start: int,
    left: int,
    firsts: NDArray[np.int64],
    ends: NDArray[np.int64],
) -> None:
    """Note the nearest of the same product, and take them all out of a block that begins at (start, left)."""
    stop, right = start + similarities.shape[0], left + similarities.shape[1]
    place = start
    while place < stop:
        end = min(int(ends[place]), stop)
        first, last = max(int(firsts[place]), left), min(int(ends[place]), right)
        if first < last:
            part = similarities[place - start : end - start, first - left : last - left]
            itself = np.arange(max(place, first), min(end, last))
            part[itself - place, itself - first] = -2
            _keep_best(found.own[place:end], found.own_key[place:end], part, found.keys[first:])
            part[:] = -2
        place = end


def _keep_best(
    best: NDArray[np.float32],
    best_key: NDArray[np.uint64],
    similarities: NDArray[np.float32],
    keys: NDArray[np.uint64],
) -> None:
    """Where a column is nearer than what is held, it takes its place; what was taken out (-2) never does."""
    column = similarities.argmax(axis=1)
    nearest = similarities[np.arange(len(column)), column]
    better = nearest > best
    best[better], best_key[better] = nearest[better], keys[column[better]]


def _background(products: NDArray[np.uint64], rows: NDArray[np.float32]) -> float:
    """The median similarity of two pictures of different products; 0 where there is one product only."""
    a, b = np.random.default_rng(0).integers(0, len(rows), (2, _SAMPLE))
    strangers = products[a] != products[b]
    if not strangers.any():
        return 0.0
    return float(np.median(np.einsum("nd,nd->n", rows[a[strangers]], rows[b[strangers]])))
