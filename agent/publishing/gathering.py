"""What a product folder holds, ready for an index: numbered products, pictures in order, rows and thumbnails.

Rows are raw embeddings. They lie in files without a name, so that memory grows with the number of pictures by
their paths only, about 150 bytes each.
"""

from __future__ import annotations

import hashlib
import os
from array import array
from dataclasses import dataclass, replace
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Self

import numpy as np

from agent.adapters.images import LIMITS, read_bytes
from agent.core.copies import BLUR_PX, JPEG_QUALITY, copy_of, is_copy
from agent.core.errors import DeviceError, InputError
from agent.publishing.embed import Picture
from agent.publishing.folder import Item, read_folder
from agent.publishing.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path
    from types import TracebackType

    from numpy.typing import NDArray

    from agent.adapters.products import ProductWriter
    from agent.publishing.cache import EmbeddingCache, Entry
    from agent.publishing.embed import Workforce

    Progress = Callable[[int, int], None]

_TOLD_EVERY = 64
"""Pictures found in the cache between two calls of `progress`."""


class Gathered:
    """The pictures of a folder by position: 0, 1, 2 … in the order of the folder, a product's together.

    Used by one thread, and closed at the end.
    """

    def __init__(self, folder: Path, dimension: int) -> None:
        """Rows of `dimension` numbers and thumbnails are kept in files of `folder` that have no name.

        Raises:
            DeviceError: the disk failed or is full.
        """
        self.products = array("Q")  # number of the product, by position
        self.paths: list[str] = []  # of the picture, by position
        self._folder = folder
        self.dimension = dimension
        self._starts = array("q")  # of the thumbnail, by position; -1 without a row
        self._sizes = array("L")
        self._end = 0
        try:
            self._rows = TemporaryFile(dir=folder, buffering=0)  # noqa: SIM115  see __exit__
            self._thumbnails = TemporaryFile(dir=folder, buffering=0)  # noqa: SIM115  see __exit__
        except OSError as error:
            raise self._failed(error) from None

    def __enter__(self) -> Self:
        """The files are open already."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Give the room on the disk back."""
        self._rows.close()
        self._thumbnails.close()

    def add(self, product: int, path: str) -> int:
        """Take up a picture; its position."""
        self.products.append(product)
        self.paths.append(path)
        self._starts.append(-1)
        self._sizes.append(0)
        return len(self.paths) - 1

    def put(self, position: int, row: NDArray[np.float32], thumbnail: bytes) -> None:
        """Keep what a picture became: its raw unit row `(D,)` and a JPEG.

        Raises:
            DeviceError: the disk failed or is full.
        """
        try:
            _write_at(self._rows.fileno(), row.astype(np.float32).tobytes(), 4 * self.dimension * position)
            _write_at(self._thumbnails.fileno(), thumbnail, self._end)
        except OSError as error:
            raise self._failed(error) from None
        self._starts[position], self._sizes[position] = self._end, len(thumbnail)
        self._end += len(thumbnail)

    def positions(self) -> NDArray[np.int64]:
        """The positions that have a row, `(R,)` ascending."""
        return np.flatnonzero(np.array(self._starts) >= 0)

    def pictures(self) -> NDArray[np.int64]:
        """The positions that have a row and are not those of copies, `(P,)` ascending."""
        positions = self.positions()
        own = (not is_copy(self.paths[position]) for position in positions.tolist())
        return positions[np.fromiter(own, np.bool_, len(positions))]

    def rows(self, positions: NDArray[np.int64]) -> NDArray[np.float32]:
        """The raw rows at positions, `(N, D)` float32 unit rows.

        Raises:
            DeviceError: the disk failed.
        """
        size = 4 * self.dimension
        rows = np.empty((len(positions), self.dimension), np.float32)
        try:
            for row, position in zip(rows, positions.tolist(), strict=True):
                os.preadv(self._rows.fileno(), [row.data], size * position)
        except OSError as error:
            raise self._failed(error) from None
        return rows

    def thumbnail(self, position: int) -> bytes:
        """The JPEG at a position that has a row.

        Raises:
            DeviceError: the disk failed.
        """
        try:
            return os.pread(self._thumbnails.fileno(), self._sizes[position], self._starts[position])
        except OSError as error:
            raise self._failed(error) from None

    def _failed(self, error: OSError) -> DeviceError:
        return DeviceError(f"{self._folder}: embeddings cannot be kept for the index: {error.strerror}")


@dataclass(slots=True)
class _Told:
    """Counts pictures for `progress`."""

    total: int
    progress: Progress | None
    done: int = 0

    def count(self, pictures: int, every: int = 1) -> None:
        self.done += pictures
        if self.progress is not None and (self.done % every == 0 or self.done >= self.total):
            self.progress(self.done, self.total)


def gather(
    root: Path,
    into: Gathered,
    table: ProductWriter,
    force: Workforce,
    *,
    total: int,
    cache: EmbeddingCache | None = None,
    progress: Progress | None = None,
) -> list[Problem]:
    """Put the products of a folder into `table` and what their pictures become into `into`.

    A product that the table has keeps its number; a new one gets one above all that were ever given. Products
    that the folder no longer has are taken out. Each picture is taken up in small as well, see `Worker`.
    Pictures that the cache knows are not embedded. Problems of the folder itself are not reported again,
    those of the pictures are, in the order of the folder.

    Raises:
        InputError: the folder cannot be read.
        ModelError: the model's answer is no embedding.
        DeviceError: the disk failed or is full, an inference failed, or a process died.
    """
    told = _Told(total, progress)
    small = force.small
    refused: dict[int, Problem] = {}
    digests: dict[int, bytes] = {}  # of what is being embedded

    def missing() -> Iterator[Picture]:
        for item in numbered(read_folder(root, lambda _problem: None), table):
            for path in item.images:
                position = into.add(item.product.no, path)
                for px in small:
                    into.add(item.product.no, copy_of(path, px))
                try:
                    data = read_bytes(root / path, LIMITS.max_bytes)
                except InputError as error:
                    refused[position] = Problem(path, str(error).removeprefix(f"{root / path}: "))
                    told.count(1)
                    continue
                digest = hashlib.sha256(data).digest()
                known = _known(cache, digest, small)
                if known:
                    _put(into, position, known)
                    told.count(1, _TOLD_EVERY)
                    continue
                digests[position] = digest
                yield Picture(position, path, data)

    for chunk in force.embed(missing(), total):
        parts = (chunk.pictures, chunk.vectors, chunk.copies, chunk.thumbnails)
        for picture, row, copies, shown in zip(*parts, strict=True):
            entries = [(row, shown), *((copy, b"") for copy in copies)]
            _put(into, picture.key, entries)
            _keep(cache, digests[picture.key], small, entries)
        refused.update((picture.key, Problem(picture.path, reason)) for picture, reason in chunk.refused)
        for picture in (*chunk.pictures, *(picture for picture, _ in chunk.refused)):
            del digests[picture.key]
        told.count(len(chunk.pictures) + len(chunk.refused))
    return [refused[position] for position in sorted(refused)]


def _known(cache: EmbeddingCache | None, digest: bytes, small: tuple[int, ...]) -> list[Entry]:
    """What the cache has of a picture and all its copies; nothing where one of them is missing."""
    entries: list[Entry] = []
    for px in (0, *small):
        entry = cache.get(_digest(digest, px)) if cache is not None else None
        if entry is None:
            return []
        entries.append(entry)
    return entries


def _keep(
    cache: EmbeddingCache | None, digest: bytes, small: tuple[int, ...], entries: Sequence[Entry]
) -> None:
    """For the next build."""
    if cache is not None:
        for entry, px in zip(entries, (0, *small), strict=True):
            cache.put(_digest(digest, px), *entry)


def _digest(picture: bytes, px: int) -> bytes:
    """What the cache knows a copy by; 0 is the picture itself."""
    made = f"@{px}px, blur {BLUR_PX}, quality {JPEG_QUALITY}"
    return hashlib.sha256(picture + made.encode()).digest() if px else picture


def _put(into: Gathered, position: int, entries: Sequence[Entry]) -> None:
    """A picture and its copies, whose positions follow its own; a copy that was not worth it has no row."""
    for place, (row, shown) in enumerate(entries, position):
        if row.any():
            into.put(place, row, shown)


def numbered(items: Iterator[Item], table: ProductWriter) -> Iterator[Item]:
    """The items with their lasting numbers; the table becomes theirs."""
    gone = set(table.numbers())
    highest = table.highest
    for item in items:
        number = table.number_of(item.product.sku)
        if number is None:
            highest += 1
            number = highest
        gone.discard(number)
        product = replace(item.product, no=number)
        table.put(product)
        yield Item(product, item.images)
    for number in sorted(gone):
        table.remove(number)


def _write_at(descriptor: int, data: bytes, start: int) -> None:
    """All of it, as one call need not."""
    view = memoryview(data)
    while view:
        done = os.pwrite(descriptor, view, start)
        view, start = view[done:], start + done
