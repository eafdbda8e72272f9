"""SQLite files of a catalogue: written or changed under a temporary name, opened only as what was signed."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from threading import Lock
from typing import TYPE_CHECKING, Any

from agent.adapters.durable import open_verified, settle
from agent.core.errors import CatalogueError, DeviceError, quoted

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from agent.core.manifest import FileEntry

    Previous = tuple[Path, FileEntry]

FREE_SHARE = 4
"""One page of so many may be empty before a file is written anew: devices carry the empty ones along."""

_PRAGMAS = """
PRAGMA journal_mode = OFF;
PRAGMA synchronous = OFF;
PRAGMA secure_delete = ON;
"""
"""No journal: the file has no name before it is complete, and `settle` flushes it. What is removed becomes
zeros, which a patch does not have to carry."""


class Table:
    """One SQLite file that nobody writes to. Any thread may ask; one question at a time."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        """Use `open_table`."""
        self._path = path
        self._connection = connection
        self._lock = Lock()

    def ask(self, sql: str, values: tuple[Any, ...] = (), *, may_miss: bool = False) -> tuple[Any, ...]:
        """The first row; empty when there is none and that may be.

        Raises:
            CatalogueError: the file cannot be read, or there is no such row.
        """
        try:
            with self._lock:
                row: tuple[Any, ...] | None = self._connection.execute(sql, values).fetchone()
        except (sqlite3.Error, OverflowError) as error:
            raise CatalogueError(f"{self._path}: cannot be read: {quoted(str(error))}") from None
        if row is None and not may_miss:
            raise CatalogueError(f"{self._path}: expected a row for {quoted(values)}, found none: {sql}")
        return row or ()

    def column(self, sql: str) -> list[Any]:
        """The first value of every row. Raises as `all`."""
        return [row[0] for row in self.all(sql)]

    def all(self, sql: str, values: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        """All rows.

        Raises:
            CatalogueError: the file cannot be read.
        """
        try:
            with self._lock:
                return self._connection.execute(sql, values).fetchall()
        except sqlite3.Error as error:
            raise CatalogueError(f"{self._path}: cannot be read: {quoted(str(error))}") from None

    def close(self) -> None:
        """Give the file back; asking afterwards is a CatalogueError."""
        self._connection.close()


def open_table(path: Path, entry: FileEntry, expected: Mapping[str, int]) -> Table:
    """Open a file read-only after all its bytes were verified; `expected` is what statements must answer.

    Raises:
        CatalogueError: it is missing, damaged, or answers something else.
    """
    open_verified(path, entry).close()
    # immutable: no locks and no journal are looked for, so that a read-only file system will do
    address = f"{path.resolve().as_uri()}?mode=ro&immutable=1"
    try:
        connection = sqlite3.connect(address, uri=True, check_same_thread=False)
    except sqlite3.Error as error:
        raise CatalogueError(f"{path}: cannot be opened: {quoted(str(error))}") from None
    try:
        _check(connection, path, expected)
    except BaseException:
        connection.close()
        raise
    return Table(path, connection)


def _check(connection: sqlite3.Connection, path: Path, expected: Mapping[str, int]) -> None:
    for sql, value in expected.items():
        try:
            found = connection.execute(sql).fetchone()[0]
        except sqlite3.Error as error:
            raise CatalogueError(f"{path}: expected a table, found {quoted(str(error))}") from None
        if found != value:
            raise CatalogueError(f"{path}: {sql}: expected {value}, found {found}")


class TableWriter:
    """Writes one file, or a changed copy of the one before.

    The same statements on the same file give the same bytes within one version of SQLite, and a copy that
    nothing changed in stays what it was.
    """

    def __init__(self, folder: Path, stem: str, create: str, previous: Previous | None = None) -> None:
        """Start in `folder`, with `create` or from a copy; it has no lasting name before `save`.

        Raises:
            CatalogueError: the file before is missing or damaged.
            DeviceError: the disk failed or is full.
        """
        self._stem = stem
        self._temporary = folder / f".{stem}.partial"
        try:
            self._temporary.unlink(missing_ok=True)
            if previous is not None:
                with open_verified(*previous) as source, self._temporary.open("wb") as target:
                    shutil.copyfileobj(source, target, 1 << 20)
            self._connection = sqlite3.connect(self._temporary, isolation_level=None)
        except (sqlite3.Error, OSError) as error:
            raise self._failed(error) from None
        try:
            self._connection.executescript(_PRAGMAS if previous else _PRAGMAS + create)
            self._connection.execute("BEGIN")
        except sqlite3.Error as error:
            self._connection.close()
            raise self._failed(error) from None

    def rows(self, sql: str, values: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
        """What a question gives. Raises DeviceError."""
        try:
            yield from self._connection.execute(sql, values)
        except sqlite3.Error as error:
            raise self._failed(error) from None

    def change(self, sql: str, values: tuple[Any, ...]) -> None:
        """Run one statement.

        Raises:
            ValueError: a number or text is taken.
            DeviceError: the disk failed or is full.
        """
        try:
            with closing(self._connection.execute(sql, values)):
                pass
        except sqlite3.IntegrityError as error:
            raise ValueError(f"row {quoted(values)}: {error}") from None
        except sqlite3.Error as error:
            raise self._failed(error) from None

    def save(self, *, compact: bool = False) -> FileEntry:
        """Finish the file, complete or not at all, under a name that its content gives it.

        `compact` it, or where too much of it is empty, and it is written anew: that gives other bytes.

        Raises:
            DeviceError: the disk failed or is full.
        """
        finished = self._temporary
        try:
            self._connection.execute("COMMIT")
            free = self._connection.execute("PRAGMA freelist_count").fetchone()[0]
            pages = self._connection.execute("PRAGMA page_count").fetchone()[0]
            if compact or free * FREE_SHARE > pages:
                finished = self._temporary.with_name(f".{self._stem}.compact.partial")
                finished.unlink(missing_ok=True)
                self._connection.execute("VACUUM INTO ?", (str(finished),))
                self._temporary.unlink()
        except (sqlite3.Error, OSError) as error:
            raise self._failed(error) from None
        finally:
            self.close()
        return settle(finished, self._stem, ".db")

    def close(self) -> None:
        """Let go of the file; without `save` it stays unfinished."""
        self._connection.close()

    def _failed(self, error: Exception) -> DeviceError:
        return DeviceError(f"{self._temporary}: cannot be written: {quoted(str(error))}")
