"""The index of reference vectors: the only file that knows usearch, its int8 codes and its distances.

Vectors are stored as int8, each scaled by its own largest element to ±127. Cosines do not see the scale, and
against usearch's own cast this keeps the nearest neighbour where it was: recall@1 0.96 to 1.00 of exact
float32, the lower among photos that are nearly the same. On 296 photos against 2,640 (1,024 numbers each) a
similarity differed from the exact one by 0.0005 on average and 0.003 at most.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from usearch.compiled import MetricKind, ScalarKind
from usearch.index import Index

from agent.adapters.durable import open_verified, settle
from agent.core.errors import CatalogueError, DeviceError, quoted

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from agent.core.manifest import FileEntry

EXACT_LIMIT = 2_000
"""References up to which comparing with all of them is as fast as the graph (256 numbers each: 1,000 in 30 µs
against 36, 5,000 in 127 against 57), and misses none."""

_CONNECTIVITY = 32
_EXPANSION_ADD = 128
"""At 100,000 references of 256 numbers: recall@1 0.99 of exact search at 330 µs a query, 110-230 µs of
building per vector."""

_TIE = 1e-6
"""Similarities that differ by less are equal: float32 rounds at 6e-8."""

_FOREIGN = (RuntimeError, ValueError, TypeError, OSError)


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
        found = self._index.search(_codes(queries), wanted, exact=self._count <= EXACT_LIMIT, threads=1)
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

    def recall(self, queries: NDArray[np.float32], k: int) -> float:
        """Share of the true `k` nearest that `search` finds, over all rows of `queries`, `(N, D)` float32.

        The true ones come from comparing with all: 3 ms a query at 100,000 references of 256 numbers.
        Ties at the end of the list count as found.

        Raises:
            ValueError: as `search`.
        """
        if self._count <= EXACT_LIMIT or len(queries) == 0:
            return 1.0
        _, similarities, _ = self.search(queries, k)
        found = self._index.search(_codes(queries), k, exact=True, threads=1)
        least = 1 - np.reshape(found.distances, (len(queries), -1))[:, -1:]
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
            _check_metadata(path, found or {}, dimension, count)
            index.view(verified)
        except _FOREIGN as error:
            raise CatalogueError(f"{path}: expected a usearch index, found {quoted(str(error))}") from None
    index.expansion_search = _expansion_search(count)  # some versions reset it when they open a file
    return VectorIndex(index, count)


def _check_metadata(path: Path, found: dict[str, Any], dimension: int, count: int) -> None:
    expected = {
        "kind_metric": MetricKind.Cos,
        "kind_scalar": ScalarKind.I8,
        "kind_key": ScalarKind.U64,
        "dimensions": dimension,
        "count_present": count,
        "count_deleted": 0,
    }
    for field, value in expected.items():
        if found.get(field) != value:
            raise CatalogueError(f"{path}: {field}: expected {value}, found {found.get(field)}")


def _expansion_search(count: int) -> int:
    """How widely to search the graph: 64 finds 0.99 at 10,000 references and only 0.87 at a million."""
    return 64 if count <= 10_000 else 128 if count <= 100_000 else 256


class IndexBuilder:
    """Collects vectors and writes the index file. One thread: the same calls give the same bytes."""

    def __init__(self, dimension: int) -> None:
        self._index: Any = Index(
            ndim=dimension,
            metric=MetricKind.Cos,
            dtype=ScalarKind.I8,
            connectivity=_CONNECTIVITY,
            expansion_add=_EXPANSION_ADD,
        )
        self._last = 0

    def __len__(self) -> int:
        """References."""
        return len(self._index)

    def add(self, keys: NDArray[np.uint64], vectors: NDArray[np.float32]) -> None:
        """Add references: keys `(N,)` above 0, ascending over all calls; vectors `(N, D)` float32 unit rows.

        Raises:
            ValueError: keys that do not ascend, or vectors that are not finite `(N, D)` rows.
        """
        if len(keys) == 0:
            return
        ascending = np.all(keys[1:] > keys[:-1]) and int(keys[0]) > self._last
        if not ascending:  # usearch would leave a batch with a key that it holds half inserted
            raise ValueError(f"keys: expected to ascend from {self._last}, found {quoted(keys[:8].tolist())}")
        if vectors.shape != (len(keys), self._index.ndim):
            raise ValueError(f"vectors: expected ({len(keys)}, {self._index.ndim}), found {vectors.shape}")
        self._index.add(keys, _codes(vectors), threads=1)
        self._last = int(keys[-1])

    def vectors(self, keys: NDArray[np.uint64]) -> NDArray[np.float32]:
        """The vectors of references as a search sees them: `(N, D)` float32 unit rows."""
        found = self._index.get(keys, dtype=ScalarKind.I8)  # one array, or of some versions a tuple of rows
        rows = np.asarray(found).astype(np.float32).reshape(len(keys), self._index.ndim)
        length = np.linalg.norm(rows, axis=1, keepdims=True)
        unit: NDArray[np.float32] = np.divide(rows, length, out=rows, where=length > 0)
        return unit

    def save(self, folder: Path) -> FileEntry:
        """Write the index into `folder`, complete or not at all, under a name that its content gives it.

        Raises:
            DeviceError: the disk failed or is full.
        """
        temporary = folder / ".index.partial"
        try:
            # Its own writing to a file loses bytes on a full disk and says nothing: so through memory.
            temporary.write_bytes(self._index.save())
        except _FOREIGN as error:
            raise DeviceError(f"{temporary}: cannot be written: {quoted(str(error))}") from None
        return settle(temporary, "index", ".usearch")


def _codes(vectors: NDArray[np.float32]) -> NDArray[np.int8]:
    """Each row scaled by its largest element to ±127: `[[0.5, -1]]` → `[[64, -127]]`.

    Raises:
        ValueError: a number is not finite.
    """
    largest = np.abs(vectors).max(axis=1, keepdims=True)
    if not np.isfinite(largest).all():
        raise ValueError(
            "vectors: expected finite numbers, found "
            f"others in row {int(np.argmin(np.isfinite(largest[:, 0])))}"
        )
    scale = np.divide(127, largest, out=np.zeros_like(largest), where=largest > 0)
    codes: NDArray[np.int8] = np.rint(vectors * scale).astype(np.int8)
    return codes
