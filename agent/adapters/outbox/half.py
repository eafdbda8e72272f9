"""One of two outboxes that are given the same: it notes how far the other one has come."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from agent.adapters.outbox.queue import Outbox
from agent.core.errors import DeviceError

if TYPE_CHECKING:
    import os

    from agent.adapters.outbox.memory import Work
    from agent.adapters.outbox.settings import OutboxSettings
    from agent.core.types import Message

_PAGE: Final = 100


class Half(Outbox):
    """As `Outbox`; `twofold.py` says what for."""

    def __init__(self, path: str | os.PathLike[str], settings: OutboxSettings | None = None) -> None:
        """See `Outbox`."""
        self.note: int | None = None
        """A seq of the other one, written with the next change: what it has up to there, this one has too."""
        super().__init__(path, settings)

    def sync(self) -> None:
        """Make all that was put before this call survive a power cut, and let it be sent.

        Raises:
            DeviceError: the disk did not take it; nothing is lost, call again.
        """
        with self._storing:
            self.store()
            self.flush()
            self.release(self._stored)

    def flush(self) -> None:
        """What is stored survives a power cut from here on. Raises DeviceError."""
        with self._storing:
            try:
                if self._stored > self._durable:
                    self._open().flush()
            except DeviceError as error:
                self.trouble = str(error)
                raise

    def release(self, upto: int) -> None:
        """What was flushed may be sent, up to this seq."""
        with self._lock:
            self._durable = max(self._durable, min(self._stored, upto))
        self.trouble = ""

    def mark(self) -> int:
        """The seq of the newest message that was put until now."""
        with self._lock:
            self._take_all()
            return self._memory.last

    def noted(self) -> int | None:
        """What the file has for `note`; None: it is new, or was never one of two. Raises DeviceError."""
        value = self._file.meta().get("fed") if self._file else None
        return None if value is None else int(value)

    def begin(self, note: int) -> None:
        """Write the first note, at once. Raises DeviceError."""
        with self._storing:
            file = self._open()
            with file.change() as change:
                change.set("fed", note)
            file.flush()

    def behind(self, seq: int) -> list[Message]:
        """What the file has behind it; no later message gets a seq up to there. Raises DeviceError."""
        found: list[Message] = []
        after = seq
        while self._file and (rows := self._file.read(after, self._stored, _PAGE, None)):
            found += [stored.message for stored, _ in rows]
            after = rows[-1][0].seq
        with self._lock:
            self._memory.last = max(self._memory.last, seq)
        return found

    def _work(self) -> Work:
        return super()._work()._replace(fed=self.note)
