"""Small pictures of the references, for people: one SQLite file, read-only once it has its name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.adapters.tables import TableWriter, open_table
from agent.core.errors import CatalogueError, quoted

if TYPE_CHECKING:
    from pathlib import Path

    from agent.adapters.tables import Previous, Table
    from agent.core.manifest import FileEntry

THUMBNAILS_SCHEMA = 1  # kept in SQLite's user_version
_CREATE = f"""
PRAGMA page_size = 16384;
PRAGMA user_version = {THUMBNAILS_SCHEMA};
CREATE TABLE thumbnails (key INTEGER PRIMARY KEY, jpeg BLOB NOT NULL);
"""  # pictures of 2.5 KB: in pages of 4 KB each would leave the rest of its page empty


class Thumbnails:
    """The pictures of one catalogue. Any thread may ask."""

    def __init__(self, path: Path, table: Table) -> None:
        """Use `open_thumbnails`."""
        self._path = path
        self._table = table

    def of(self, key: int) -> bytes | None:
        """The JPEG of a reference, None where there is none.

        Raises:
            CatalogueError: the file cannot be read.
        """
        row = self._table.ask("SELECT jpeg FROM thumbnails WHERE key = ?", (key,), may_miss=True)
        if row and not isinstance(row[0], bytes):
            raise CatalogueError(f"{self._path}: {key}: expected a picture, found {quoted(row[0])}")
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
    return Thumbnails(path, open_table(path, entry, expected))


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

    def save(self, *, compact: bool = False) -> FileEntry:
        """Finish the file under a name of its content; see `TableWriter.save`. Raises as it does."""
        return self._file.save(compact=compact)

    def close(self) -> None:
        """Let go of the file; without `save` it stays unfinished."""
        self._file.close()
