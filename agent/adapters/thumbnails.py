"""Pictures for people, small ones of references and larger ones of products: one read-only SQLite file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.adapters.tables import TableWriter, open_table
from agent.core.errors import CatalogueError, quoted

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from agent.adapters.tables import Previous, Table
    from agent.core.manifest import FileEntry

THUMBNAILS_SCHEMA = 1  # kept in SQLite's user_version
_CREATE = f"""
PRAGMA page_size = 16384;
PRAGMA user_version = {THUMBNAILS_SCHEMA};
CREATE TABLE thumbnails (key INTEGER PRIMARY KEY, jpeg BLOB NOT NULL);
"""  # pictures of 2.5 KB: in pages of 4 KB each would leave the rest of its page empty


_CARDS = "CREATE TABLE cards (product INTEGER PRIMARY KEY, source BLOB NOT NULL, jpeg BLOB NOT NULL)"
"""Beside them since they are made: an older Spotter does not look for it, and an older file has none."""

_HAS_CARDS = "SELECT count(*) FROM sqlite_master WHERE name = 'cards'"


class Thumbnails:
    """The pictures of one catalogue. Any thread may ask."""

    def __init__(self, path: Path, table: Table) -> None:
        """Use `open_thumbnails`."""
        self._path = path
        self._table = table
        self._has_cards = bool(table.ask(_HAS_CARDS)[0])

    def of(self, key: int) -> bytes | None:
        """The JPEG of a reference, None where there is none.

        Raises:
            CatalogueError: the file cannot be read.
        """
        return self._jpeg("SELECT jpeg FROM thumbnails WHERE key = ?", key)

    def card(self, product: int) -> bytes | None:
        """The larger JPEG of a product, None where there is none. Raises as `of`."""
        return self._jpeg("SELECT jpeg FROM cards WHERE product = ?", product) if self._has_cards else None

    def _jpeg(self, sql: str, number: int) -> bytes | None:
        row = self._table.ask(sql, (number,), may_miss=True)
        if row and not isinstance(row[0], bytes):
            raise CatalogueError(f"{self._path}: {number}: expected a picture, found {quoted(row[0])}")
        return row[0] if row else None

    def close(self) -> None:
        """Give the file back; asking afterwards is a CatalogueError."""
        self._table.close()


def open_thumbnails(path: Path, entry: FileEntry, *, references: int) -> Thumbnails:
    """Open thumbnails read-only, after all their bytes were verified.

    Raises:
        CatalogueError: the file is missing, damaged, or does not hold one for each reference.
    """
    expected = {
        "PRAGMA user_version": THUMBNAILS_SCHEMA,
        "SELECT count(*) FROM thumbnails": references,
    }
    table = open_table(path, entry, expected)
    try:
        return Thumbnails(path, table)
    except BaseException:
        table.close()
        raise


class ThumbnailWriter:
    """Writes the thumbnails, or changes a copy of those before; see `TableWriter`."""

    def __init__(self, folder: Path, previous: Previous | None = None) -> None:
        """Start in `folder`, empty or as before; it has no lasting name before `save`.

        Raises:
            CatalogueError: those before are missing or damaged.
            DeviceError: the disk failed or is full.
        """
        self._file = TableWriter(folder, "thumbnails", _CREATE, previous)

    def put(self, key: int, jpeg: bytes) -> None:
        """Make this the picture of a reference. Raises DeviceError when the disk failed or is full."""
        held = next(self._file.rows("SELECT jpeg FROM thumbnails WHERE key = ?", (key,)), None)
        if held is None:
            self._file.change("INSERT INTO thumbnails (key, jpeg) VALUES (?, ?)", (key, jpeg))
        elif held[0] != jpeg:
            self._file.change("UPDATE thumbnails SET jpeg = ? WHERE key = ?", (jpeg, key))

    def remove(self, key: int) -> None:
        """Take the picture of a reference out. Raises DeviceError."""
        self._file.change("DELETE FROM thumbnails WHERE key = ?", (key,))

    def card_source(self, product: int) -> bytes | None:
        """What the larger picture of a product was made from; None without one. Raises DeviceError."""
        if not next(self._file.rows(_HAS_CARDS))[0]:
            return None
        row = next(self._file.rows("SELECT source FROM cards WHERE product = ?", (product,)), None)
        return row[0] if row else None

    def put_card(self, product: int, source: bytes, jpeg: bytes) -> None:
        """Make this the larger picture of a product; `source` tells later what from. Raises DeviceError."""
        if not next(self._file.rows(_HAS_CARDS))[0]:
            self._file.change(_CARDS, ())
        self._file.change("INSERT OR REPLACE INTO cards VALUES (?, ?, ?)", (product, source, jpeg))

    def keep_cards(self, products: Collection[int]) -> None:
        """Leave the larger pictures of these products, and no others. Raises DeviceError."""
        if next(self._file.rows(_HAS_CARDS))[0]:
            held = [number for (number,) in self._file.rows("SELECT product FROM cards ORDER BY product")]
            for product in sorted(set(held) - set(products)):
                self._file.change("DELETE FROM cards WHERE product = ?", (product,))

    def save(self, *, compact: bool = False) -> FileEntry:
        """Finish the file under a name of its content; see `TableWriter.save`. Raises as it does."""
        return self._file.save(compact=compact)

    def close(self) -> None:
        """Let go of the file; without `save` it stays unfinished."""
        self._file.close()
