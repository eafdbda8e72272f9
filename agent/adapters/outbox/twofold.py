"""An outbox for two ways out: whatever is put goes into a second one too, and neither way is told alone.

The second is a file of its own, of the same kind. So each way has its own bounds, its own account of what was
lost and its own pace: a webhook that is dead for a week takes no room from the broker, nor vice versa. It
costs 2.4 times the bytes on the disk (`python -m tools.bench webhook`). One file with a mark for each way
would save most of that, and would keep for the one what the other has had long ago.

No kill and no power cut leaves a fact that one side was told and the other never will be:

    take     the second is given what the first takes, in the same moment
    store    the second, then the first; each notes with it which seq of the other it has come to
    flush    in the same order, and only then may either send, the second up to what the first has noted
    open     what one of them holds behind the note of the other, that one does not have: it is given it
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from agent.adapters.outbox.half import Half
from agent.adapters.outbox.intake import Intake
from agent.core.errors import DeviceError

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterator

    from agent.adapters.outbox.memory import Work
    from agent.adapters.outbox.settings import OutboxSettings
    from agent.core.types import Message

log = logging.getLogger(__name__)


class Twofold(Half):
    """The first, which is put into, stored and closed for both. A second that fails stops nothing."""

    def __init__(
        self, path: str | os.PathLike[str], second: Half, settings: OutboxSettings | None = None
    ) -> None:
        """As `Outbox`. Messages for one of them alone go there by `keep` and `announce`."""
        super().__init__(path, settings)
        self.second = second
        self._both_stored = False  # whether the second was, when the first was written to
        _tried(self._catch_up)
        self._intake = _Shared(second)

    def store(self) -> None:
        """Bring both files up to date. Raises DeviceError, for the first."""
        try:
            super().store()
        except DeviceError:
            _tried(self.second.store)
            raise

    def sync(self) -> None:
        """Make all that was put before this call survive a power cut. Raises DeviceError, for the first."""
        with self._storing:
            try:
                self.store()
                flushed = self._both_stored and _tried(self.second.flush)
                self.flush()
            except DeviceError:
                _tried(self.second.sync)  # alone, as long as the first has no disk
                raise
            self.release(self._stored)
            if flushed and self.note is not None:
                self.second.release(self.note)

    def keep(self, message: Message) -> None:
        """Put a message into the first alone. It is never dropped."""
        with self._lock:
            self._take_all()
            self._keep(message)

    def age(self, elapsed_s: float) -> None:
        """Let time pass, for both."""
        super().age(elapsed_s)
        self.second.age(elapsed_s)

    @property
    def dirty(self) -> bool:
        """Whether something was put that a power cut would take, and that a disk may take now."""
        return super().dirty or (self.second.dirty and not self.second.trouble)

    def close(self) -> None:
        """Close both, whatever comes of that. Raises DeviceError, for the first."""
        try:
            super().close()
        finally:
            _tried(self.second.close)

    def _work(self) -> Work:
        with self._lock:
            self._take_all()
            self.note, self.second.note = self.second.mark(), self._memory.last
            work = self._memory.work(self.settings.max_bytes)._replace(fed=self.note)
        self._both_stored = _tried(self.second.store)
        return work

    def _catch_up(self) -> None:
        """Give each what only the other had stored when the last run ended. Raises DeviceError."""
        first_has, second_has = self.noted(), self.second.noted()
        for_second = [] if second_has is None else self.behind(second_has)
        for_first = [] if first_has is None else self.second.behind(first_has)
        self.second.put(for_second)
        self.put(for_first)
        if first_has is None:
            self.begin(self.second.mark())
        if second_has is None:
            self.second.begin(self.mark())
        if for_first or for_second:
            self.sync()


class _Shared(Intake):
    """What is taken from here is put into the second as well, before the first has it."""

    def __init__(self, second: Half) -> None:
        super().__init__()
        self._second = second

    def take(self) -> Iterator[Message]:
        for message in super().take():
            self._second.put((message,))
            yield message


def _tried(work: Callable[[], None]) -> bool:
    """What is wrong with the second, tells who sends from there."""
    try:
        work()
    except DeviceError as error:
        log.debug("the second outbox: %s", error)
        return False
    return True
