"""SQLite files of ours: whole and of our version when they are opened, moved aside when they are damaged."""

from __future__ import annotations

import logging
import sqlite3
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from agent.core.errors import ConfigError, DeviceError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

log = logging.getLogger(__name__)

BUSY_S: Final = 5.0
"""How long a write waits for another process that holds the file."""

_CORRUPT_KEPT: Final = 3
"""Damaged files kept for a person to look at; a dying card must not fill itself with them."""

_DAMAGE: Final = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})


class DamagedError(Exception):
    """The file is not a database, or not a whole one."""


@dataclass(frozen=True, slots=True)
class Kind:
    """What a file holds."""

    name: str  # "an outbox"
    version: int  # its `user_version`; a higher one was written by a newer Spotter
    tables: str  # statements that make them, parted by `;`
    connect: Callable[[Path], sqlite3.Connection]


@contextmanager
def translated(path: Path, doing: str) -> Iterator[None]:
    """Turn what SQLite and the kernel raise into a DeviceError that names the file."""
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        raise DeviceError(f"{path}: {doing}: {error}") from error


def connect(path: Path, synchronous: str) -> sqlite3.Connection:
    """A connection to a file with a write-ahead log, for one thread at a time.

    Raises:
        DeviceError: the file system cannot keep such a log: a network one, mostly.
    """
    with ExitStack() as undo:
        db = sqlite3.connect(path, timeout=BUSY_S, isolation_level=None, check_same_thread=False)
        undo.callback(db.close)
        db.execute(f"PRAGMA synchronous={synchronous}")
        mode = db.execute("PRAGMA journal_mode=WAL").fetchone()[0]
        if mode != "wal":
            raise DeviceError(f"{path}: expected a file system that SQLite can keep a log on, found {mode!r}")
        undo.pop_all()
    return db


def open_database(path: Path, kind: Kind) -> sqlite3.Connection:
    """A connection to a file that is whole, of our version, and whose log is empty; made where it is missing.

    Raises:
        DamagedError: it is something else, or damaged.
        ConfigError: a newer Spotter wrote it.
        DeviceError: it cannot be created, read or written.
    """
    with translated(path, "open"), ExitStack() as undo:
        try:
            with closing(sqlite3.connect(path, timeout=BUSY_S)) as db:
                _check(db, path, kind)  # before the file is changed: it may be another program's
            db = kind.connect(path)
            undo.callback(db.close)
            _create(db, kind)
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        except sqlite3.DatabaseError as error:
            if is_damage(error):
                raise DamagedError(str(error)) from error
            raise
        undo.pop_all()
        return db


def open_or_begin(path: Path, kind: Kind) -> tuple[sqlite3.Connection, Path | None]:
    """The same, and a new file where this one is damaged; then also where that was moved to.

    Raises:
        ConfigError: a newer Spotter wrote it.
        DeviceError: it cannot be created, read, written or moved.
    """
    try:
        return open_database(path, kind), None
    except DamagedError as error:
        aside = move_aside(path)
        log.error("%s: %s; moved to %s, a new one begins", path, error, aside)
        with translated(path, "open"):
            return open_database(path, kind), aside


def is_damage(error: BaseException | None) -> bool:
    """Whether SQLite says by this error that the file is not whole."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in _DAMAGE  # the low byte is the primary code


def move_aside(path: Path) -> Path:
    """Rename a damaged file to `….corrupt-<n>`, its log with it, and forget the oldest such files.

    Raises:
        DeviceError: it cannot be renamed.
    """
    with translated(path, "move aside"):
        stem = f"{path.name}.corrupt-"
        tails = [p.name.removeprefix(stem) for p in path.parent.iterdir() if p.name.startswith(stem)]
        numbers = [int(tail) for tail in tails if tail.isdecimal()]
        number = max(numbers, default=0) + 1
        for old in sorted(numbers)[: max(0, len(numbers) + 1 - _CORRUPT_KEPT)]:
            for tail in ("", "-wal"):
                path.with_name(f"{stem}{old}{tail}").unlink(missing_ok=True)
        target = path.with_name(f"{stem}{number}")
        with suppress(FileNotFoundError):
            path.with_name(path.name + "-wal").rename(f"{target}-wal")
        path.with_name(path.name + "-shm").unlink(missing_ok=True)
        return path.rename(target)


def _check(db: sqlite3.Connection, path: Path, kind: Kind) -> None:
    version = db.execute("PRAGMA user_version").fetchone()[0]
    if version > kind.version:
        raise ConfigError(
            f"{path}: expected format {kind.version}, found {version}, which a newer Spotter wrote:"
            " install that one, or move the file away"
        )
    if version < kind.version and db.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()[0]:
        raise DamagedError(f"a database, but not {kind.name}")
    finding = db.execute("PRAGMA quick_check(1)").fetchone()[0]
    if finding != "ok":
        raise DamagedError(finding)


def _create(db: sqlite3.Connection, kind: Kind) -> None:
    if db.execute("PRAGMA user_version").fetchone()[0] == kind.version:
        return
    db.execute("BEGIN IMMEDIATE")
    if db.execute("PRAGMA user_version").fetchone()[0] != kind.version:  # no other process was quicker
        for statement in kind.tables.split(";"):
            db.execute(statement)
        db.execute(f"PRAGMA user_version={kind.version}")
    db.execute("COMMIT")
