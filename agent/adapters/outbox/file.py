"""The outbox's SQLite file: its tables and its log; one connection writes, another one reads.

The log (`…-wal`) is flushed through a descriptor of our own. A process's POSIX locks on a file vanish when it
closes any descriptor of that file; SQLite locks the database and `…-shm` but not the log, so ours is safe to
close. SQLite removes the log only with its last connection, which closes after ours.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from agent.adapters import database
from agent.adapters.database import Kind, is_damage, open_database, translated
from agent.core.delivery import Stored
from agent.core.errors import DeviceError
from agent.core.losses import Cause, Loss
from agent.core.types import Message

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

_VERSION: Final = 2
"""`user_version` of the file. A higher one was written by a newer Spotter."""

_LOG_BYTES: Final = 4_000_000
"""About so much is written to the log before it is copied into the file: some hundred transactions."""

_TABLES: Final = """
    CREATE TABLE messages (
        seq INTEGER PRIMARY KEY, topic TEXT NOT NULL, payload BLOB NOT NULL, id TEXT NOT NULL,
        utc REAL NOT NULL, qos INTEGER NOT NULL, retain INTEGER NOT NULL, kept INTEGER NOT NULL,
        born_s REAL NOT NULL, bytes INTEGER NOT NULL, content_type TEXT NOT NULL, expiry_s INTEGER NOT NULL);
    CREATE INDEX by_topic ON messages (topic, seq);
    CREATE TABLE lost (
        topic TEXT NOT NULL, cause TEXT NOT NULL, count INTEGER NOT NULL, first_utc REAL, last_utc REAL);
    CREATE TABLE retained (topic TEXT NOT NULL UNIQUE, held INTEGER NOT NULL);
    CREATE TABLE meta (key TEXT PRIMARY KEY, value) WITHOUT ROWID;
    INSERT INTO meta VALUES ('dropped', 0), ('age_s', 0.0)
"""


class Row(NamedTuple):
    """A message that waits."""

    seq: int
    message: Message
    bytes: int
    born_s: float  # age of the outbox when it was put
    kept: bool  # whatever else is dropped


class Waiting(NamedTuple):
    """What is known of a message in the file without its contents."""

    seq: int
    topic: str
    bytes: int
    utc: float
    born_s: float


class File:
    """The open file. `change`, `flush` and `close` are for one thread at a time, `read` is for any."""

    def __init__(self, path: Path) -> None:
        """Open or create it; its log is empty then.

        Raises:
            DamagedError: it is something else, or damaged.
            ConfigError: a newer Spotter wrote it.
            DeviceError: it cannot be created, read or written.
        """
        self.path = path
        self.damaged = False
        """Whether it was found not to be whole since it was opened."""
        self._reading = threading.Lock()
        self._log_bytes = 0  # written to the log since it was last copied, roughly
        with ExitStack() as undo, translated(path, "open"):
            self._writer = open_database(path, _OUTBOX)
            undo.callback(self._writer.close)
            self._reader = _connect(path)
            undo.callback(self._reader.close)
            self._log = _open_log(path)
            undo.pop_all()

    def counts(self) -> dict[str, tuple[int, int]]:
        """Topic → waiting messages and their bytes. Raises DeviceError."""
        rows = self._query("SELECT topic, COUNT(*), SUM(bytes) FROM messages GROUP BY topic")
        return {topic: (count, size) for topic, count, size in rows}

    def last_seq(self) -> int:
        """Of the newest message; 0 for none. Raises DeviceError."""
        return int(self._query("SELECT COALESCE(MAX(seq), 0) FROM messages")[0][0])

    def meta(self) -> dict[str, Any]:
        """Numbers that outlive a run. Raises DeviceError."""
        return dict(self._query("SELECT key, value FROM meta"))

    def losses(self) -> list[Loss]:
        """What nobody was told of yet. Raises DeviceError."""
        rows = self._query("SELECT topic, cause, count, first_utc, last_utc FROM lost ORDER BY rowid")
        return [Loss(topic, Cause(cause), *more) for topic, cause, *more in rows]

    def retained(self) -> dict[str, bool]:
        """Topics that were retained → whether they still are; the latest change last. Raises DeviceError."""
        rows = self._query("SELECT topic, held FROM retained ORDER BY rowid")
        return {topic: bool(held) for topic, held in rows}

    def read(self, after: int, upto: int, limit: int, topic: str | None) -> list[tuple[Stored, int]]:
        """Messages behind seq `after` up to seq `upto`, in order, each with its bytes.

        Raises:
            DeviceError: the file cannot be read.
        """
        only = "" if topic is None else "AND topic = ?"
        rows = self._query(
            "SELECT seq, bytes, topic, payload, id, utc, qos, retain, content_type, expiry_s"  # noqa: S608
            f" FROM messages WHERE seq > ? AND seq <= ? {only} ORDER BY seq LIMIT ?",
            (after, upto, *(() if topic is None else (topic,)), limit),
        )
        return [(Stored(seq, _message_of(*columns)), size) for seq, size, *columns in rows]

    @contextmanager
    def change(self) -> Iterator[Change]:
        """One transaction; nothing of it is there when it fails. It survives the end of this process.

        Raises:
            DeviceError: the disk did not take it.
        """
        with self._noticed("put"), ExitStack() as undo:
            before = self._writer.total_changes
            self._writer.execute("BEGIN IMMEDIATE")
            undo.callback(_roll_back, self._writer)
            change = Change(self._writer)
            yield change
            self._writer.execute("COMMIT")
            undo.pop_all()
        self._log_bytes += change.bytes + 4096 * (self._writer.total_changes - before)

    def flush(self) -> None:
        """Make all changes survive a power cut.

        Raises:
            DeviceError: the disk did not take it.
        """
        with self._noticed("sync"):
            try:
                os.fdatasync(self._log)
            except OSError:
                # The kernel forgets what it could not write, and says so once. Copied into the file, all of
                # it is written again.
                self._log_bytes = _LOG_BYTES + 1
                raise
            if self._log_bytes > _LOG_BYTES:
                # PASSIVE waits for nobody: while another process reads, the log goes on growing.
                self._writer.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
                self._log_bytes = 0

    def close(self) -> None:
        """Let go of it."""
        os.close(self._log)
        with self._reading:
            self._reader.close()
        with suppress(sqlite3.Error):  # the last connection copies the log: it will do so next time
            self._writer.close()

    def _query(self, statement: str, values: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        with self._reading, self._noticed("read"):
            return self._reader.execute(statement, values).fetchall()

    @contextmanager
    def _noticed(self, doing: str) -> Iterator[None]:
        try:
            with translated(self.path, doing):
                yield
        except DeviceError as error:
            self.damaged = self.damaged or is_damage(error.__cause__)
            raise


class Change:
    """What is to be changed together."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self.bytes = 0
        """Contents that were added."""

    def insert(self, rows: Iterable[Row]) -> None:
        """Append messages."""
        self._db.executemany(
            "INSERT INTO messages VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                (
                    seq,
                    m.topic,
                    m.payload,
                    m.id,
                    m.utc,
                    m.qos,
                    m.retain,
                    kept,
                    born_s,
                    size,
                    m.content_type,
                    m.expiry_s,
                )
                for seq, m, size, born_s, kept in rows
            ],
        )
        self.bytes += sum(row.bytes for row in rows)

    def delete(self, seqs: Iterable[int]) -> None:
        """Delete messages; unknown ones are ignored."""
        self._db.executemany("DELETE FROM messages WHERE seq BETWEEN ? AND ?", _runs(sorted(seqs)))

    def oldest(self) -> Iterator[Waiting]:
        """Messages that may be dropped, the oldest first."""
        rows = self._db.execute(
            "SELECT seq, topic, bytes, utc, born_s FROM messages WHERE kept = 0 ORDER BY seq"
        )
        return (Waiting(*row) for row in rows)

    def book(self, losses: Iterable[Loss]) -> None:
        """What nobody was told of yet, in place of what stood there."""
        self._db.execute("DELETE FROM lost")
        rows = [(loss.topic, loss.cause, loss.count, loss.first_utc, loss.last_utc) for loss in losses]
        self._db.executemany("INSERT INTO lost VALUES (?, ?, ?, ?, ?)", rows)

    def retain(self, topics: Mapping[str, bool | None]) -> None:
        """Topics that are retained now, that are no longer, and (None) that need not be remembered."""
        self._db.executemany("DELETE FROM retained WHERE topic = ?", [(topic,) for topic in topics])
        rows = [(topic, held) for topic, held in topics.items() if held is not None]
        self._db.executemany("INSERT INTO retained VALUES (?, ?)", rows)

    def set(self, key: str, value: float) -> None:
        """A number that outlives this run."""
        self._db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))


def _message_of(
    topic: str,
    payload: bytes,
    identity: str,
    utc: float,
    qos: int,
    retain: int,
    content_type: str,
    expiry_s: int,
) -> Message:
    return Message(
        topic, payload, identity, utc, qos, bool(retain), content_type=content_type, expiry_s=expiry_s
    )


def _connect(path: Path) -> sqlite3.Connection:
    """A connection that flushes only when it copies the log into the file, and never does that by itself."""
    db = database.connect(path, "NORMAL")
    db.execute("PRAGMA wal_autocheckpoint=0")
    return db


_OUTBOX: Final = Kind("an outbox", _VERSION, _TABLES, _connect)


def _open_log(path: Path) -> int:
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


def _runs(numbers: Iterable[int]) -> list[tuple[int, int]]:
    """Of ascending numbers, those that follow each other as first and last: 1 2 3 7 → (1, 3) (7, 7)."""
    found: list[tuple[int, int]] = []
    for number in numbers:
        first = found.pop()[0] if found and found[-1][1] == number - 1 else number
        found.append((first, number))
    return found


def _roll_back(db: sqlite3.Connection) -> None:
    with suppress(sqlite3.Error):  # SQLite may have done it by itself
        db.execute("ROLLBACK")
