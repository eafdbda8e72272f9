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
from agent.adapters.outbox.file import Change, File
from agent.adapters.outbox.memory import Memory, Work, booked
from agent.adapters.outbox.settings import OutboxSettings
from agent.core.errors import DeviceError
from agent.core.losses import Cause, Loss

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Sequence

    from agent.adapters.outbox.file import Waiting
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
        self._storing = threading.RLock()  # one writer of the file at a time; taken before `_changed`
        self._file: File | None = None
        self._changed = threading.Condition()  # guards the next three
        self._memory = Memory()
        self._stored = self._durable = 0  # seq: up to here in the file, up to here flushed
        try:
            self._open()
        except DeviceError as error:
            self.trouble = str(error)

    def put(self, messages: Sequence[Message]) -> None:
        """Take facts in, in order. Waits for no disk. One that is too large is dropped, and booked."""
        limit = self.settings.max_message_bytes
        with self._changed:
            for message in messages:
                size = _size(message)
                if size > limit:
                    self._memory.refuse(message, Cause.TOO_LARGE)
                    log.error("%s: expected at most %d bytes, found %d", message.topic, limit, size)
                else:
                    self._memory.take(message, size)
                if message.retain:
                    self._memory.retain(message.topic, held=True)
            self._changed.notify_all()

    def wait(self, timeout_s: float) -> None:
        """Until there is something to store, or `timeout_s` went by."""
        memory = self._memory
        with self._changed:
            self._changed.wait_for(lambda: memory.fresh or len(memory.done) >= _DONE_LIMIT, timeout_s)

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
            with self._changed:
                self._durable = self._stored
            self.trouble = ""

    @property
    def dirty(self) -> bool:
        """Whether something was put that a power cut would take."""
        return self._memory.last > self._durable

    def pending(self, after: int = 0, limit: int = 50, topic: str | None = None) -> list[Stored]:
        """Waiting messages that survive a power cut, in order: at most `limit` behind seq `after`.

        With `topic` only those of that topic. While the disk refuses, also those that do not survive one.

        Raises:
            DeviceError: the file cannot be read.
        """
        with self._changed:
            file, memory_too = self._file, bool(self.trouble)
            upto = self._stored if memory_too else self._durable
        found: list[Stored] = []
        while file is not None:
            rows = file.read(after, upto, limit, topic)
            with self._changed:
                found += [stored for stored, size in rows if self._memory.hand(stored, size)]
            if len(rows) < limit or len(found) >= limit:
                break
            after = rows[-1][0].seq
        if memory_too:
            with self._changed:
                if upto == self._stored:  # otherwise some of them went into the file meanwhile
                    found += self._memory.hand_fresh(after, limit - len(found), topic)
        return found[:limit]

    def topics(self) -> tuple[str, ...]:
        """Of waiting messages."""
        with self._changed:
            return tuple(self._memory.topics)

    def delivered(self, seqs: Sequence[int]) -> None:
        """Forget messages that the broker has; those that `pending` did not hand out are ignored."""
        with self._changed:
            for seq in seqs:
                self._memory.deliver(seq)
            if len(self._memory.done) >= _DONE_LIMIT:
                self._changed.notify_all()

    def age(self, elapsed_s: float) -> None:
        """Let `elapsed_s` more seconds pass; `store` drops and books what is older than `max_age_s` then."""
        with self._changed:
            self._memory.age_s += elapsed_s

    def losses(self) -> tuple[Loss, ...]:
        """What was dropped, and not yet told of by `announce`."""
        with self._changed:
            return self._memory.ledger.losses()

    def announce(self, tell: Callable[[Loss], Message]) -> None:
        """Put `tell(loss)` for each of them instead. Such a message is never dropped."""
        with self._changed:
            for loss in self._memory.ledger.losses():
                message = tell(loss)
                self._memory.take(message, _size(message), kept=True)
            self._memory.told()
            self._changed.notify_all()

    def retain(self, topic: str, *, held: bool) -> bool:
        """Remember that the broker retains this topic, or does so no longer. True: that is new."""
        with self._changed:
            return self._memory.retain(topic, held)

    def retained(self) -> dict[str, bool]:
        """Topics that the broker retains (True), and the latest of those that it should no longer (False)."""
        with self._changed:
            return dict(self._memory.retained)

    def depth(self) -> tuple[int, int]:
        """Waiting messages and their bytes."""
        with self._changed:
            return sum(self._memory.topics.values()), self._memory.bytes

    @property
    def unsaved(self) -> int:
        """Messages that are in memory alone."""
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

    def _open(self) -> File:
        """The file; opened, and a damaged one set aside, where that is to be done."""
        if self._file is not None and not self._file.damaged:
            return self._file
        if self._file is not None:
            self._file.close()
            with self._changed:
                self._file, self._stored, self._durable = None, 0, 0
                self._memory.lose_file()
            self._set_aside("found damaged while it was used")
        try:
            file = File(self.path)
        except DamagedError as error:
            self._set_aside(str(error))
            with self._changed:
                self._memory.book(Loss("", Cause.DAMAGED, 0))
            file = File(self.path)
        with self._changed:
            self._memory.load(file)
            self._file = file
            self._stored = self._durable = file.last_seq()
        return file

    def _set_aside(self, why: str) -> None:
        self.moved_aside = move_aside(self.path)
        log.warning("%s: %s; moved to %s, a new one begins", self.path, why, self.moved_aside)

    def _write(self, file: File) -> None:
        with self._changed:
            work = self._memory.work(self.settings.max_bytes)
        dropped: list[tuple[Waiting, Cause]] = []
        try:
            if not work.nothing:
                with file.change() as change:
                    dropped = self._change(change, work)
        except DeviceError:
            with self._changed:
                self._memory.failed(work)
            raise
        with self._changed:
            self._memory.written(work, dropped)
            self._stored = work.last
        if log.isEnabledFor(logging.DEBUG):
            for row in work.rows:
                log.debug("decided %s", row.message.id)

    def _change(self, change: Change, work: Work) -> list[tuple[Waiting, Cause]]:
        """Do it in one transaction; what was dropped for it."""
        change.delete(work.done)
        change.insert(work.rows)
        dropped = self._beyond_bounds(change, work)
        change.delete(item.seq for item, _ in dropped)
        if dropped or work.booked:
            change.book(booked(work.losses, dropped))
            change.set("dropped", self._memory.dropped + len(dropped))
        if work.retained:
            change.retain(work.retained)
        if work.age_s is not None:
            change.set("age_s", work.age_s)
        return dropped

    def _beyond_bounds(self, change: Change, work: Work) -> list[tuple[Waiting, Cause]]:
        excess_bytes, age_s = work.excess_bytes, work.age_s
        found: list[tuple[Waiting, Cause]] = []
        if excess_bytes <= 0 and age_s is None:
            return found
        for item in change.oldest():
            old = age_s is not None and item.born_s < age_s - self.settings.max_age_s
            if not old and excess_bytes <= 0:
                break
            with self._changed:
                if self._memory.may_drop(item, even_handed=old):
                    found.append((item, Cause.OLD if old else Cause.FULL))
                    excess_bytes -= item.bytes
        return found


def _size(message: Message) -> int:
    """Bytes that count."""
    return len(message.topic.encode()) + len(message.payload)
