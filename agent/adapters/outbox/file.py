"""The outbox's SQLite file: its tables, its log, and how they are changed in transactions."""

from __future__ import annotations

import os
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Final

from agent.adapters import database
from agent.adapters.database import Kind, open_database
from agent.core.types import Delivery, Message

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence
    from pathlib import Path

VERSION: Final = 1
"""`user_version` of the file. A higher one was written by a newer Spotter."""

_TABLES: Final = """
    CREATE TABLE messages (
        seq INTEGER PRIMARY KEY, topic TEXT NOT NULL, payload BLOB NOT NULL, id TEXT NOT NULL,
        utc REAL NOT NULL, qos INTEGER NOT NULL, retain INTEGER NOT NULL, state INTEGER NOT NULL,
        born_s REAL NOT NULL, bytes INTEGER NOT NULL);
    CREATE INDEX by_topic ON messages (topic, seq);
    CREATE TABLE meta (key TEXT PRIMARY KEY, value) WITHOUT ROWID;
    INSERT INTO meta VALUES ('dropped', 0), ('age_s', 0.0), ('restarts', 0)
"""


def open_file(path: Path) -> sqlite3.Connection:
    """A connection to a file that is whole, of our version, and whose log is empty; see `open_database`."""
    return open_database(path, OUTBOX)


def connect(path: Path) -> sqlite3.Connection:
    """A connection that flushes only when it copies the log into the file, and never does that by itself."""
    db = database.connect(path, "NORMAL")
    db.execute("PRAGMA wal_autocheckpoint=0")
    return db


OUTBOX: Final = Kind("an outbox", VERSION, _TABLES, connect)


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
