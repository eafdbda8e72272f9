"""Local features and a small picture of references, for closer looks: one SQLite file of the catalogue.

Only products that have a near rival are in it, with a few references each. What of a product is asked for is
kept in memory, up to `KEPT` products.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final

from agent.adapters.images import decode_image, encode_jpeg
from agent.adapters.tables import TableWriter, open_table
from agent.core.between import PICTURE_PX
from agent.core.errors import CatalogueError, InputError, quoted
from agent.core.local_features import pack, unpack
from agent.core.matching import VIEW_BITS
from agent.core.second_look import Weights
from agent.core.verifying import MEASURES, Reference

if TYPE_CHECKING:
    from pathlib import Path

    from agent.adapters.tables import Previous, Table
    from agent.core.manifest import FileEntry

PORTRAITS_SCHEMA: Final = 1  # kept in SQLite's user_version
QUALITY: Final = 60
"""Of the small pictures. Words of 6 pixels height are told apart; photos take 5.2 KB, at 70 0.4 more."""

KEPT: Final = 64
"""Products whose references stay in memory: 0.5 MB each with four."""

_POINTS_LIMIT: Final = 1 << 16
_CREATE: Final = f"""
PRAGMA page_size = 4096;
PRAGMA user_version = {PORTRAITS_SCHEMA};
CREATE TABLE portraits (key INTEGER PRIMARY KEY, source BLOB NOT NULL, points BLOB NOT NULL,
                        jpeg BLOB NOT NULL);
CREATE TABLE weights (measure TEXT PRIMARY KEY, weight REAL NOT NULL, pairs INTEGER NOT NULL) WITHOUT ROWID;
"""


class Portraits:
    """Those of one catalogue. Any thread may ask."""

    def __init__(self, path: Path, table: Table) -> None:
        """Use `open_portraits`."""
        self._path = path
        self._table = table
        self.weights = self._read_weights()
        self.of = lru_cache(KEPT)(self._read)
        """`of(product)`: its references, ascending by key, empty where it has none. Raises CatalogueError."""

    def has(self, product: int) -> bool:
        """Whether there is any reference of a product: told by the keys, no picture is decoded.

        Raises:
            CatalogueError: the file cannot be read.
        """
        sql = "SELECT key FROM portraits WHERE key >= ? AND key < ? LIMIT 1"
        return bool(self._table.all(sql, (product << VIEW_BITS, (product + 1) << VIEW_BITS)))

    def close(self) -> None:
        """Give the file back; asking afterwards is a CatalogueError."""
        self._table.close()

    def _read(self, product: int) -> tuple[Reference, ...]:
        sql = "SELECT key, points, jpeg FROM portraits WHERE key >= ? AND key < ? ORDER BY key"
        rows = self._table.all(sql, (product << VIEW_BITS, (product + 1) << VIEW_BITS))
        return tuple(self._made(*row) for row in rows)

    def _made(self, key: int, points: object, jpeg: object) -> Reference:
        if not isinstance(points, bytes) or not isinstance(jpeg, bytes) or len(points) > _POINTS_LIMIT:
            raise CatalogueError(f"{self._path}: {key}: expected points and a picture, found others")
        try:
            picture = decode_image(jpeg, "picture")
            features = unpack(points)
        except (InputError, ValueError) as error:
            raise CatalogueError(f"{self._path}: {key}: {error}") from None
        if picture.shape[:2] != (PICTURE_PX, PICTURE_PX):
            raise CatalogueError(
                f"{self._path}: {key}: expected {PICTURE_PX} px on each side, found {picture.shape[:2]}"
            )
        return Reference(key, features, picture)

    def _read_weights(self) -> Weights:
        rows = self._table.all("SELECT measure, weight, pairs FROM weights")
        found = {str(name): value for name, value, _ in rows}
        try:
            return Weights(tuple(float(found[name]) for name in MEASURES), int(rows[0][2]))
        except (KeyError, IndexError, TypeError, ValueError) as error:
            raise CatalogueError(
                f"{self._path}: expected a weight of each of {', '.join(MEASURES)}, "
                f"found {quoted(sorted(found))}: {error}"
            ) from None


def open_portraits(path: Path, entry: FileEntry) -> Portraits:
    """Open portraits read-only, after all their bytes were verified.

    Raises:
        CatalogueError: the file is missing, damaged, or is something else.
    """
    table = open_table(path, entry, {"PRAGMA user_version": PORTRAITS_SCHEMA})
    try:
        return Portraits(path, table)
    except BaseException:
        table.close()
        raise


class PortraitWriter:
    """Writes portraits, or changes a copy of those before; see `TableWriter`."""

    def __init__(self, folder: Path, previous: Previous | None = None) -> None:
        """Start in `folder`, empty or as before; it has no lasting name before `save`.

        Raises:
            CatalogueError: those before are missing or damaged.
            DeviceError: the disk failed or is full.
        """
        self._file = TableWriter(folder, "features", _CREATE, previous)

    def source_of(self, key: int) -> bytes | None:
        """What the portrait of a reference was made from, as `put` was told; None where there is none."""
        row = next(self._file.rows("SELECT source FROM portraits WHERE key = ?", (key,)), None)
        return row[0] if row else None

    def portrait(self, key: int) -> Reference | None:
        """As devices will see it; None where there is none."""
        row = next(self._file.rows("SELECT points, jpeg FROM portraits WHERE key = ?", (key,)), None)
        return Reference(key, unpack(row[0]), decode_image(row[1], str(key))) if row else None

    def keys(self) -> list[int]:
        """Those that are held, ascending."""
        return [key for (key,) in self._file.rows("SELECT key FROM portraits ORDER BY key")]

    def put(self, reference: Reference, source: bytes) -> None:
        """Make this the portrait of a reference; `source` tells later what it was made from.

        Raises DeviceError when the disk failed or is full.
        """
        self.remove(reference.key)
        self._file.change(
            "INSERT INTO portraits (key, source, points, jpeg) VALUES (?, ?, ?, ?)",
            (reference.key, source, pack(reference.features), encode_jpeg(reference.picture, QUALITY)),
        )

    def remove(self, key: int) -> None:
        """Take the portrait of a reference out. Raises DeviceError."""
        self._file.change("DELETE FROM portraits WHERE key = ?", (key,))

    @property
    def weighed(self) -> bool:
        """Whether it says what the measures are worth."""
        return next(self._file.rows("SELECT 1 FROM weights LIMIT 1", ()), None) is not None

    def put_weights(self, weights: Weights) -> None:
        """What the measures are worth. Raises DeviceError."""
        for name, value in zip(MEASURES, weights.values, strict=True):
            row = (name, value, weights.pairs)
            if next(self._file.rows("SELECT * FROM weights WHERE measure = ?", (name,)), None) != row:
                self._file.change("INSERT OR REPLACE INTO weights VALUES (?, ?, ?)", row)

    def save(self, *, compact: bool = False) -> FileEntry:
        """Finish the file under a name of its content; see `TableWriter.save`. Raises as it does."""
        return self._file.save(compact=compact)

    def close(self) -> None:
        """Let go of the file; without `save` it stays unfinished."""
        self._file.close()
