"""The outbox's SQLite file: opened, checked, moved aside when damaged, changed in transactions."""

from __future__ import annotations

import os
import sqlite3
from contextlib import ExitStack, closing, contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final

from agent.core.errors import ConfigError, DeviceError
from agent.core.types import Delivery, Message

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

VERSION: Final = 1
"""`user_version` of the file. A higher one was written by a newer Spotter."""

_BUSY_S: Final = 5.0
"""How long a write waits for another process that holds the file. Our own threads never meet there."""

_CORRUPT_KEPT: Final = 3
"""Damaged files kept for a person to look at; a dying card must not fill itself with them."""

_DAMAGE: Final = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})

_TABLES: Final = """
    CREATE TABLE messages (
        seq INTEGER PRIMARY KEY, topic TEXT NOT NULL, payload BLOB NOT NULL, id TEXT NOT NULL,
        utc REAL NOT NULL, qos INTEGER NOT NULL, retain INTEGER NOT NULL, state INTEGER NOT NULL,
        born_s REAL NOT NULL, bytes INTEGER NOT NULL);
    CREATE INDEX by_topic ON messages (topic, seq);
    CREATE TABLE meta (key TEXT PRIMARY KEY, value) WITHOUT ROWID;
    INSERT INTO meta VALUES ('dropped', 0), ('age_s', 0.0), ('restarts', 0)
"""


class DamagedError(Exception):
    """The file is not a database, or not a whole one."""


@contextmanager
def translated(path: Path, doing: str) -> Iterator[None]:
    """Turn what SQLite and the kernel raise into a DeviceError that names the file."""
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        raise DeviceError(f"{path}: {doing}: {error}") from error


def open_file(path: Path) -> sqlite3.Connection:
    """A connection to a file that is whole, of our version, and whose log is empty.

    Raises:
        DamagedError: it is not an outbox, or a damaged one.
        ConfigError: a newer Spotter wrote it.
        DeviceError: it cannot be created, read or written.
    """
    with translated(path, "open"), ExitStack() as undo:
        try:
            with closing(sqlite3.connect(path, timeout=_BUSY_S)) as db:
                _check(db, path)  # before the file is changed: it may be another program's
            db = connect(path)
            undo.callback(db.close)
            if db.execute("PRAGMA user_version").fetchone()[0] != VERSION:
                _create(db)
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        except sqlite3.DatabaseError as error:
            if getattr(error, "sqlite_errorcode", 0) & 0xFF in _DAMAGE:  # the low byte is the primary code
                raise DamagedError(str(error)) from error
            raise
        undo.pop_all()
        return db


def connect(path: Path) -> sqlite3.Connection:
    """A connection that flushes only when it copies the log into the file, and never does that by itself."""
    with ExitStack() as undo:
        db = sqlite3.connect(path, timeout=_BUSY_S, isolation_level=None, check_same_thread=False)
        undo.callback(db.close)
        db.execute("PRAGMA synchronous=NORMAL")
        db.execute("PRAGMA wal_autocheckpoint=0")
        mode = db.execute("PRAGMA journal_mode=WAL").fetchone()[0]
        if mode != "wal":  # a network file system, mostly
            raise DeviceError(f"{path}: expected a file system that SQLite can keep a log on, found {mode!r}")
        undo.pop_all()
    return db


def _check(db: sqlite3.Connection, path: Path) -> None:
    version = db.execute("PRAGMA user_version").fetchone()[0]
    if version > VERSION:
        raise ConfigError(
            f"{path}: expected format {VERSION}, found {version}, which a newer Spotter wrote:"
            " install that one, or move the file away"
        )
    if version < VERSION and db.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()[0]:
        raise DamagedError("a database, but not an outbox")
    finding = db.execute("PRAGMA quick_check(1)").fetchone()[0]
    if finding != "ok":
        raise DamagedError(finding)


def _create(db: sqlite3.Connection) -> None:
    db.execute("BEGIN IMMEDIATE")
    for statement in _TABLES.split(";"):
        db.execute(statement)
    db.execute(f"PRAGMA user_version={VERSION}")
    db.execute("COMMIT")


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


def open_log(path: Path) -> int:
    """A descriptor of the write-ahead log; its name in the directory is made durable."""
    with ExitStack() as undo:
        descriptor = os.open(f"{path}-wal", os.O_RDONLY | os.O_CLOEXEC)
        undo.callback(os.close, descriptor)
        os.fsync(descriptor)
        directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
        undo.pop_all()
    return descriptor


class Change:
    """One write transaction, and what it changes in the counts that are kept in memory."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self.db = db
        self.topics: dict[str, int] = {}
        self.bytes = 0
        self.dropped = 0
        self.written = 0  # bytes of the log, roughly: a page for each row, and its contents

    def insert(self, seq: int, message: Message, size: int, born_s: float) -> None:
        """Append a message; a state replaces the one of its topic."""
        state = message.delivery is Delivery.STATE
        if state:
            self.delete("topic = ? AND state = 1", (message.topic,))
        m = message
        values = (seq, m.topic, m.payload, m.id, m.utc, m.qos, m.retain, state, born_s, size)
        self.db.execute("INSERT INTO messages VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", values)
        self._count(message.topic, 1, size)
        self.written += size

    def delete(self, where: str, values: Sequence[Any]) -> int:
        """Delete rows; how many there were."""
        rows = self.db.execute(
            f"DELETE FROM messages WHERE {where} RETURNING topic, bytes",  # noqa: S608
            values,
        ).fetchall()
        for topic, size in rows:
            self._count(topic, -1, -size)
        return len(rows)

    def drop_facts(self, where: str, values: Sequence[Any]) -> int:
        """Delete rows and count them as lost."""
        count = self.delete(where, values)
        self.dropped += count
        return count

    def set(self, key: str, value: float) -> None:
        """Store a value in `meta`."""
        self.db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))

    def _count(self, topic: str, rows: int, size: int) -> None:
        self.topics[topic] = self.topics.get(topic, 0) + rows
        self.bytes += size
        self.written += 4096


def message_of(row: Sequence[Any]) -> Message:
    """A row of `topic, payload, id, utc, qos, retain, state`."""
    topic, payload, identity, utc, qos, retain, state = row
    delivery = Delivery.STATE if state else Delivery.FACT
    return Message(topic, payload, identity, utc, qos=qos, retain=bool(retain), delivery=delivery)
