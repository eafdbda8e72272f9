"""First in, first out, in front of the broker: in memory at once, on disk a moment later, sent after that.

    recognise ──put──▶ memory: a few microseconds, whatever the disk does
    store ─────store─▶ one transaction in the SQLite file: survives kill -9
               sync──▶ the file's log is flushed: survives a power cut, and only then
    publish ───pending, delivered

While the disk refuses (full, read-only, gone), facts stay in memory, are sent from there, and go to the disk
when it takes them again. What is beyond the bounds is dropped, the oldest first, and booked, to be told of.
"""

from __future__ import annotations

import logging
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Final

from agent.adapters.database import DamagedError, move_aside
from agent.adapters.outbox.ahead import Ahead
from agent.adapters.outbox.file import File
from agent.adapters.outbox.intake import Intake
from agent.adapters.outbox.memory import Memory
from agent.adapters.outbox.settings import OutboxSettings
from agent.adapters.outbox.writing import write
from agent.core.errors import DeviceError
from agent.core.losses import Cause, Loss

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Sequence

    from agent.adapters.outbox.file import Waiting
    from agent.adapters.outbox.memory import Work
    from agent.adapters.outbox.writing import Dropped
    from agent.core.delivery import Stored
    from agent.core.types import Message

log = logging.getLogger(__name__)

_DONE_LIMIT: Final = 1000
"""So many acknowledged messages are deleted at the latest. Before that they go with what is stored next, for
deleting alone costs the disk as many bytes as storing. After kill -9 so many may be sent twice."""


class Outbox:
    """The queue. All is thread-safe; whoever calls `store` and `sync` waits for the disk, nobody else."""

    def __init__(self, path: str | os.PathLike[str], settings: OutboxSettings | None = None) -> None:
        """Open or create the file. A damaged one is set aside (see `moved_aside`) and a new one begun.

        Where there can be none now, `store` tries again.

        Raises:
            ConfigError: a newer Spotter wrote this file.
        """
        self.path = Path(path)
        self.settings = settings or OutboxSettings()
        self.sync_every_s = self.settings.sync_s
        self.moved_aside: Path | None = None
        self.trouble = ""
        """Why the disk does not take anything now; empty when it does."""
        self._storing = threading.RLock()  # one writer of the file at a time; taken before `_lock`
        self._file: File | None = None
        self._intake = Intake()
        self._lock = threading.Lock()  # guards the next two
        self._memory = Memory()
        self._ahead = Ahead()
        self._stored = self._durable = 0  # seq: up to here in the file, up to here flushed
        try:
            self._open()
        except DeviceError as error:
            self.trouble = str(error)

    def put(self, messages: Sequence[Message]) -> None:
        """Take facts in, in order. Waits for nobody. One that is too large is dropped, and booked."""
        self._intake.put(messages)

    def wait(self, timeout_s: float) -> None:
        """Until there is something to store, or `timeout_s` went by."""
        self._intake.wait(timeout_s)

    def store(self) -> None:
        """Bring the file up to date: what was put survives kill -9 from here on.

        Raises:
            DeviceError: the disk did not take it; nothing is lost, call again.
        """
        with self._storing:
            try:
                self._write(self._open())
            except DeviceError as error:
                self.trouble = str(error)
                raise
            if self._stored == self._durable:
                self.trouble = ""

    def sync(self) -> None:
        """Make all that was put before this call survive a power cut.

        Raises:
            DeviceError: the disk did not take it; nothing is lost, call again.
        """
        with self._storing:
            self.store()
            try:
                if self._stored > self._durable:
                    self._open().flush()
            except DeviceError as error:
                self.trouble = str(error)
                raise
            with self._lock:
                self._durable = self._stored
            self.trouble = ""

    @property
    def dirty(self) -> bool:
        """Whether something was put that a power cut would take."""
        return len(self._intake) > 0 or self._memory.last > self._durable

    def pending(self, after: int = 0, limit: int = 50, topic: str | None = None) -> list[Stored]:
        """Waiting messages that survive a power cut, in order: at most `limit` behind seq `after`.

        With `topic` only those of that topic. While the disk refuses, also those that do not survive one.

        Raises:
            DeviceError: the file cannot be read.
        """
        with self._lock:
            self._take_all()
            file, memory_too = self._file, bool(self.trouble)
            upto = self._stored if memory_too else self._durable
            recent = self._memory.hand_recent(after, upto, limit, topic)
        found = recent or []
        while file is not None and recent is None:
            rows = self._ahead.read(file, after, upto, limit, topic)
            with self._lock:
                found += [stored for stored, size in rows if self._memory.hand(stored, size)]
            if len(rows) < limit or len(found) >= limit:
                break
            after = rows[-1][0].seq
        if memory_too:
            with self._lock:
                if upto == self._stored:  # otherwise some of them went into the file meanwhile
                    found += self._memory.hand_fresh(after, limit - len(found), topic)
        return found[:limit]

    def topics(self) -> tuple[str, ...]:
        """Of waiting messages."""
        with self._lock:
            self._take_all()
            return tuple(self._memory.topics)

    def delivered(self, seqs: Sequence[int]) -> None:
        """Forget messages that the broker has; those that `pending` did not hand out are ignored."""
        with self._lock:
            for seq in seqs:
                self._memory.deliver(seq)
            if len(self._memory.done) >= _DONE_LIMIT:
                self._intake.ring()

    def age(self, elapsed_s: float) -> None:
        """Let `elapsed_s` more seconds pass; `store` drops and books what is older than `max_age_s` then."""
        with self._lock:
            self._take_all()
            self._memory.age_s += elapsed_s

    def losses(self) -> tuple[Loss, ...]:
        """What was dropped, and not yet told of by `announce`."""
        with self._lock:
            self._take_all()
            return self._memory.ledger.losses()

    def announce(self, tell: Callable[[Loss], Message]) -> None:
        """Put `tell(loss)` for each of them instead. Such a message is never dropped."""
        with self._lock:
            self._take_all()
            for loss in self._memory.ledger.losses():
                self._keep(tell(loss))
            self._memory.told()

    def _keep(self, message: Message) -> None:
        """Under the lock: a message that is never dropped."""
        self._memory.take(message, _size(message), kept=True)
        self._intake.ring()

    def retain(self, topic: str, *, held: bool) -> bool:
        """Remember that the broker retains this topic, or does so no longer. True: that is new."""
        with self._lock:
            return self._memory.retain(topic, held)

    def retained(self) -> dict[str, bool]:
        """Topics that the broker retains (True), and the latest of those that it should no longer (False)."""
        with self._lock:
            return dict(self._memory.retained)

    def depth(self) -> tuple[int, int]:
        """Waiting messages and their bytes."""
        with self._lock:
            self._take_all()
            return sum(self._memory.topics.values()), self._memory.bytes

    @property
    def unsaved(self) -> int:
        """Messages that are in memory alone."""
        with self._lock:
            self._take_all()
            return len(self._memory.fresh)

    @property
    def dropped(self) -> int:
        """Facts given up since the file was begun, for whatever cause."""
        return self._memory.dropped

    def close(self) -> None:
        """`sync`, and close the file whatever comes of that. Raises DeviceError."""
        with self._storing:
            try:
                self.sync()
            finally:
                if self._file is not None:
                    self._file.close()

    def _take_all(self) -> None:
        """Under the lock: what was put until now."""
        limit = self.settings.max_message_bytes
        for message in self._intake.take():
            size = _size(message)
            if size > limit:
                self._memory.refuse(message, Cause.TOO_LARGE)
                log.error("%s: expected at most %d bytes, found %d", message.topic, limit, size)
                continue
            self._memory.take(message, size)
            if message.retain:
                self._memory.retain(message.topic, held=True)

    def _open(self) -> File:
        """The file; opened, and a damaged one set aside, where that is to be done."""
        if self._file is not None and not self._file.damaged:
            return self._file
        if self._file is not None:
            self._file.close()
            with self._lock:
                self._file, self._stored, self._durable = None, 0, 0
                self._memory.lose_file()
            self._ahead.forget()
            self._set_aside("found damaged while it was used")
        try:
            file = File(self.path)
        except DamagedError as error:
            self._set_aside(str(error))
            with self._lock:
                self._memory.book(Loss("", Cause.DAMAGED, 0))
            file = File(self.path)
        with self._lock:
            self._memory.load(file)
            self._file = file
            self._stored = self._durable = file.last_seq()
        return file

    def _set_aside(self, why: str) -> None:
        self.moved_aside = move_aside(self.path)
        log.warning("%s: %s; moved to %s, a new one begins", self.path, why, self.moved_aside)

    def _work(self) -> Work:
        """What the file lacks."""
        with self._lock:
            self._take_all()
            return self._memory.work(self.settings.max_bytes)

    def _write(self, file: File) -> None:
        work = self._work()
        dropped: list[Dropped] = []
        try:
            if not work.nothing:
                with file.change() as change:
                    dropped = write(change, work, self.settings.max_age_s, self._may_drop)
        except DeviceError:
            with self._lock:
                self._memory.failed(work)
            raise
        if dropped:
            self._ahead.forget()
        with self._lock:
            self._memory.written(work, dropped)
            self._stored = work.last
        if log.isEnabledFor(logging.DEBUG):
            for row in work.rows:
                log.debug("decided %s", row.message.id)

    def _may_drop(self, item: Waiting, old: bool) -> bool:
        with self._lock:
            return self._memory.may_drop(item, old)


def _size(message: Message) -> int:
    """Bytes that count."""
    return len(message.topic.encode()) + len(message.payload)
