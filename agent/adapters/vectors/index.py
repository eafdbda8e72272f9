"""The index of a catalogue as devices search it: mapped from its file and never written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from usearch.compiled import MetricKind, ScalarKind
from usearch.index import Index

from agent.adapters.durable import open_verified
from agent.adapters.vectors.codes import FOREIGN, codes_of
from agent.core.errors import CatalogueError, quoted

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from agent.core.manifest import FileEntry

EXACT_LIMIT = 2_000
"""References up to which comparing with all of them is as fast as the graph (256 numbers each: 1,000 in 30 µs
against 36, 5,000 in 127 against 57), and misses none."""

_TIE = 1e-6
"""Similarities that differ by less are equal: float32 rounds at 6e-8."""


class VectorIndex:
    """The references of one catalogue, mapped from its file and never written.

    Any thread may search; searches of one index wait for each other.
    """

    def __init__(self, index: Any, count: int) -> None:
        """Use `open_index`."""
        self._index = index
        self._count = count

    def __len__(self) -> int:
        """References."""
        return self._count

    @property
    def dimension(self) -> int:
        """Numbers in a vector."""
        return int(self._index.ndim)

    def search(
        self, queries: NDArray[np.float32], k: int
    ) -> tuple[NDArray[np.uint64], NDArray[np.float32], NDArray[np.int64]]:
        """The `k` nearest references of each row of `queries`, `(N, D)` float32.

        Returns keys `(N, k)` uint64 and similarities `(N, k)` float32 in [-1, 1], best first, and how many of
        each row count, `(N,)` int64; what lies beyond is key 0 and similarity -1.

        Raises:
            ValueError: the queries are not finite `(N, D)` float32, or `k` is below 1.
        """
        rows = len(queries)
        if queries.ndim != 2 or queries.shape[1] != self.dimension or queries.dtype != np.float32:
            raise ValueError(
                f"queries: expected (N, {self.dimension}) float32, found {queries.shape} {queries.dtype}"
            )
        if k < 1:
            raise ValueError(f"k: expected at least 1, found {k}")
        keys = np.zeros((rows, k), np.uint64)
        similarities = np.full((rows, k), -1, np.float32)
        counts = np.zeros(rows, np.int64)
        if rows == 0:
            return keys, similarities, counts
        wanted = min(k, self._count)
        found = self._index.search(codes_of(queries), wanted, exact=self._count <= EXACT_LIMIT, threads=1)
        if rows == 1:  # then usearch returns another type, without rows and without padding
            counts[0] = len(found.keys)
            keys[0, : counts[0]] = found.keys
            similarities[0, : counts[0]] = 1 - found.distances
        else:
            counts[:] = found.counts
            valid = np.arange(wanted) < counts[:, None]
            keys[:, :wanted] = np.where(valid, found.keys, 0)
            similarities[:, :wanted] = np.where(valid, 1 - found.distances, -1)
        np.clip(similarities, -1, 1, out=similarities)
        return keys, similarities, counts

    def recall(
        self, queries: NDArray[np.float32], k: int, rest: Callable[[], object] = lambda: None
    ) -> float:
        """Share of the true `k` nearest that `search` finds, over all rows of `queries`, `(N, D)` float32.

        The true ones come from comparing with all: 3 ms a query at 100,000 references of 256 numbers. What is
        as near as the last of them counts as found. `rest()` is called after each of these comparisons.

        Raises:
            ValueError: as `search`.
        """
        if self._count <= EXACT_LIMIT or len(queries) == 0:
            return 1.0
        _, similarities, _ = self.search(queries, k)
        least = np.empty((len(queries), 1), np.float32)
        for row, code in enumerate(codes_of(queries)):
            least[row] = 1 - self._index.search(code, k, exact=True, threads=1).distances[-1]
            rest()
        return float((similarities >= least - _TIE).mean())


def open_index(path: Path, entry: FileEntry, *, dimension: int, count: int) -> VectorIndex:
    """Map an index, after all its bytes were verified: a damaged graph crashes the process that searches it.

    The file may be replaced by another one while it is in use, but not written to.

    Raises:
        CatalogueError: it is missing, damaged, or not an int8 cosine index of `count` vectors of `dimension`.
    """
    index: Any = Index(
        ndim=dimension,
        metric=MetricKind.Cos,
        dtype=ScalarKind.I8,
        enable_key_lookups=False,  # nobody asks by key; the table would cost 16 bytes a reference
    )
    with open_verified(path, entry) as file:
        verified = f"/proc/self/fd/{file.fileno()}"  # this very file, whatever the path names by now
        try:
            found = Index.metadata(verified)
            check_metadata(path, found or {}, dimension, count)
            index.view(verified)
        except FOREIGN as error:
            raise CatalogueError(f"{path}: expected a usearch index, found {quoted(str(error))}") from None
    index.expansion_search = expansion_search(count)  # some versions reset it when they open a file
    return VectorIndex(index, count)


def check_metadata(path: Path, found: dict[str, Any], dimension: int, count: int) -> None:
    """Refuse what is not an int8 cosine index; entries that were removed may still take room in it.

    Raises:
        CatalogueError: it says something else of itself.
    """
    expected = {
        "kind_metric": MetricKind.Cos,
        "kind_scalar": ScalarKind.I8,
        "kind_key": ScalarKind.U64,
        "dimensions": dimension,
        "count_present": count,
    }
    for field, value in expected.items():
        if found.get(field) != value:
            raise CatalogueError(f"{path}: {field}: expected {value}, found {found.get(field)}")


def expansion_search(count: int) -> int:
    """How widely to search the graph: 64 finds 0.99 at 10,000 references and only 0.87 at a million."""
    return 64 if count <= 10_000 else 128 if count <= 100_000 else 256
