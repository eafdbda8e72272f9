"""First in, first out, on disk: one SQLite file in front of the broker.

Two connections, so that the thread that recognises does not wait for a disk to flush:

    recognise ──put──▶ front: one transaction, no flush. At return the rows are in the kernel's page cache:
                       they survive kill -9.
    publish ──sync───▶ flushes the write-ahead log. From then on the rows survive a power cut, and only
                       then does `pending` hand them out: what was sent is on disk.
            ──delivered, age, checkpoints──▶ back: its own connection.

Writers take one lock in turn. None holds it over a flush, but for one: when the log begins again at its
start, once every `_LOG_BYTES`, SQLite flushes its new header. The publish side sees to it that this falls to
itself; a `put` that comes in these milliseconds waits for it.

The log (`…-wal`) is flushed through a descriptor of our own. A process's POSIX locks on a file vanish when it
closes any descriptor of that file; SQLite locks the database and `…-shm` but not the log, so ours is safe to
close. SQLite removes the log only with its last connection, which closes after ours.
"""

from __future__ import annotations

import logging
import os
import sqlite3
import threading
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from agent.adapters.database import DamagedError, move_aside, translated
from agent.adapters.outbox.file import Change, connect, message_of, open_file, open_log
from agent.adapters.outbox.settings import OutboxSettings
from agent.core.delivery import Stored

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from agent.core.types import Message

log = logging.getLogger(__name__)

_LOG_BYTES: Final = 4_000_000
"""About so much is written to the log before it is copied into the file: some hundred facts."""

_LOG_LIMIT_BYTES: Final = 16_000_000
"""When `put` is so busy that the log outruns the copying, it waits for one copy at this size."""

_CHUNK: Final = 500
"""Rows deleted in one transaction: a few milliseconds for which a `put` may have to wait."""


class Outbox:
    """The queue. `put` is for the recognise thread, the rest for the publish thread; all are thread-safe."""

    def __init__(self, path: str | os.PathLike[str], settings: OutboxSettings | None = None) -> None:
        """Open or create the file. A damaged one is moved aside (see `moved_aside`) and a new one begun.

        Raises:
            ConfigError: a newer Spotter wrote this file.
            DeviceError: it cannot be created, read or written.
        """
        self.path = Path(path)
        self.settings = settings or OutboxSettings()
        self.sync_every_s = self.settings.sync_s
        self.moved_aside: Path | None = None
        self._writing = threading.Lock()  # one write transaction at a time, and the counts below
        self._draining = threading.Lock()  # the back connection; taken before `_writing`
        self._syncing = threading.Lock()  # taken before `_draining`
        self._log_written = 0
        try:
            self._front = open_file(self.path)
        except DamagedError as error:
            self.moved_aside = move_aside(self.path)
            log.warning("%s: %s; moved to %s, a new one begins", self.path, error, self.moved_aside)
            self._front = open_file(self.path)
        with translated(self.path, "open"), ExitStack() as undo:
            undo.callback(self._front.close)
            self._back = connect(self.path)
            undo.callback(self._back.close)
            self._load()
            self._restart_log()
            self._log_fd = open_log(self.path)
            undo.pop_all()

    def _load(self) -> None:
        rows = self._front.execute(
            "SELECT topic, COUNT(*), SUM(bytes) FROM messages GROUP BY topic"
        ).fetchall()
        self._topics: dict[str, int] = {topic: count for topic, count, _ in rows}
        self._bytes = sum(int(size) for _, _, size in rows)
        self._dropped = int(self._meta("dropped"))
        self._age_s = float(self._meta("age_s"))
        self._last = int(self._front.execute("SELECT COALESCE(MAX(seq), 0) FROM messages").fetchone()[0])
        self._durable = self._last  # `open_file` emptied the log into the file, `open_log` flushes it

    def put(self, messages: Sequence[Message]) -> None:
        """Store messages in order. At return they survive the end of this process, kill -9 included.

        A state replaces the waiting state of its topic.

        Raises:
            ValueError: one of them is larger than `max_message_bytes`; none is stored.
            DeviceError: the disk is full or gone, or another process held the file for 5 s; none is stored.
        """
        sizes = [len(message.topic.encode()) + len(message.payload) for message in messages]
        for message, size in zip(messages, sizes, strict=True):
            if size > self.settings.max_message_bytes:
                limit = self.settings.max_message_bytes
                raise ValueError(f"{message.topic}: expected at most {limit} bytes, found {size}")
        if not messages:
            return
        with self._writing:
            last = self._last
            with self._change(self._front, "put") as change:
                for message, size in zip(messages, sizes, strict=True):
                    last += 1
                    change.insert(last, message, size, self._age_s)
                self._drop_overflow(change)
            self._last = last

    def pending(self, after: int = 0, limit: int = 50, topic: str | None = None) -> list[Stored]:
        """Waiting messages that survive a power cut, in order: at most `limit` behind seq `after`.

        With `topic` only those of that topic.

        Raises:
            DeviceError: the file cannot be read.
        """
        only = "" if topic is None else "AND topic = ?"
        values = [after, self._durable, *([] if topic is None else [topic]), limit]
        with self._draining, translated(self.path, "read"):
            rows = self._back.execute(
                "SELECT seq, topic, payload, id, utc, qos, retain, state FROM messages"  # noqa: S608
                f" WHERE seq > ? AND seq <= ? {only} ORDER BY seq LIMIT ?",
                values,
            ).fetchall()
        return [Stored(row[0], message_of(row[1:])) for row in rows]

    def topics(self) -> tuple[str, ...]:
        """Topics with waiting messages."""
        with self._writing:
            return tuple(self._topics)

    def delivered(self, seqs: Sequence[int]) -> None:
        """Forget messages that the broker has; unknown ones are ignored.

        Raises:
            DeviceError: the file cannot be written; call again.
        """
        for start in range(0, len(seqs), _CHUNK):
            chunk = seqs[start : start + _CHUNK]
            with self._draining, self._writing, self._change(self._back, "delivered") as change:
                change.delete(f"seq IN ({','.join('?' * len(chunk))})", chunk)

    def age(self, elapsed_s: float) -> None:
        """Let `elapsed_s` more seconds pass: facts older than `max_age_s` are dropped and counted.

        Raises:
            DeviceError: the file cannot be written.
        """
        with self._draining, self._writing:
            self._age_s += elapsed_s
            with self._change(self._back, "age") as change:
                change.set("age_s", self._age_s)
                old = "SELECT seq FROM messages WHERE state = 0 AND born_s < ? ORDER BY seq LIMIT ?"
                change.drop_facts(f"seq IN ({old})", (self._age_s - self.settings.max_age_s, _CHUNK))

    @property
    def dirty(self) -> bool:
        """Whether something was put that a power cut would take."""
        return self._last > self._durable

    def sync(self) -> None:
        """Make all that was put before this call survive a power cut. Any thread may call it.

        Raises:
            DeviceError: the disk did not take it.
        """
        with self._syncing, translated(self.path, "sync"):
            last = self._last
            if last > self._durable:
                os.fdatasync(self._log_fd)
                self._durable = last
            if self._log_written > _LOG_BYTES:
                self._checkpoint()

    def depth(self) -> tuple[int, int]:
        """Waiting messages and their bytes."""
        with self._writing:
            return sum(self._topics.values()), self._bytes

    @property
    def dropped(self) -> int:
        """Facts dropped since the file was begun, for want of room or for their age."""
        return self._dropped

    def close(self) -> None:
        """Make everything durable and close the file.

        Raises:
            DeviceError: the disk did not take it.
        """
        try:
            self.sync()
        finally:
            with self._syncing, self._draining, self._writing:
                os.close(self._log_fd)
                self._back.close()
                self._front.close()

    @contextmanager
    def _change(self, db: sqlite3.Connection, doing: str) -> Iterator[Change]:
        """One transaction, under `_writing`. The counts in memory follow when it is committed."""
        change = Change(db)
        with translated(self.path, doing), ExitStack() as undo:
            db.execute("BEGIN IMMEDIATE")
            undo.callback(_roll_back, db)
            yield change
            if change.dropped:
                change.set("dropped", self._dropped + change.dropped)
            db.execute("COMMIT")
            undo.pop_all()
        self._dropped += change.dropped
        self._bytes += change.bytes
        self._log_written += change.written
        for topic, count in change.topics.items():
            self._topics[topic] = self._topics.get(topic, 0) + count
            if not self._topics[topic]:
                del self._topics[topic]

    def _drop_overflow(self, change: Change) -> None:
        while (excess := self._bytes + change.bytes - self.settings.max_bytes) > 0:
            oldest = change.db.execute(
                "SELECT seq, bytes FROM messages WHERE state = 0 ORDER BY seq LIMIT ?", (_CHUNK,)
            ).fetchall()
            seqs: list[int] = []
            for seq, size in oldest:
                if excess <= 0:
                    break
                seqs.append(seq)
                excess -= size
            if not change.drop_facts(f"seq IN ({','.join('?' * len(seqs))})", seqs):
                return  # states alone exceed the bound: one of each topic is kept

    def _meta(self, key: str) -> Any:
        return self._front.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()[0]

    def _checkpoint(self) -> None:
        """Copy the log into the file and begin it anew. Writers go on while it is copied.

        What they write meanwhile is not copied, so the log cannot begin anew: then the next time will do,
        unless the log has grown too long.
        """
        with self._draining:
            self._log_written = 0
            number = self._log_number()
            pages = self._copy_log()
            with self._writing:
                self._restart_log()
            if self._log_number() == number and pages * 4096 > _LOG_LIMIT_BYTES:
                with self._writing:
                    self._copy_log()
                    self._restart_log()

    def _copy_log(self) -> int:
        """PASSIVE: waits for nobody. Pages in the log when it began."""
        return int(self._back.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()[1])

    def _log_number(self) -> bytes:
        """Changes when the log begins anew: the "checkpoint sequence number" of its header."""
        return os.pread(self._log_fd, 4, 12)

    def _restart_log(self) -> None:
        """The first write after a whole copy begins the log anew, and flushes its header.

        It must change something: SQLite writes no page whose bytes stay the same.
        """
        self._back.execute("UPDATE meta SET value = value + 1 WHERE key = 'restarts'")


def _roll_back(db: sqlite3.Connection) -> None:
    with suppress(sqlite3.Error):  # SQLite may have done it by itself
        db.execute("ROLLBACK")
