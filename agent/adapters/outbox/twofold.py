"""An outbox for two ways out: whatever is put goes into a second one too, and neither way is told alone.

The second is a file of its own, of the same kind. So each way has its own bounds, its own account of what was
lost and its own pace: a webhook that is dead for a week takes no room from the broker, nor vice versa. It
costs one more flush, about 8 kB, where facts are flushed. One file with a mark for each way would save that,
and would keep for the one what the other has had long ago.

What one way sends is flushed in both files before. So no kill and no power cut leaves a fact that one side
was told and the other never will be:

    take    the second is given what the first takes, in the same moment
    mark    how far both have the same
    store   the first, and flush it; then the second; then what is flushed in the first may be sent,
            and of the second what stands before the mark
"""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING

from agent.adapters.outbox.intake import Intake
from agent.adapters.outbox.queue import Outbox
from agent.core.errors import DeviceError

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterator

    from agent.adapters.outbox.settings import OutboxSettings
    from agent.core.types import Message

log = logging.getLogger(__name__)


class Twofold(Outbox):
    """The first, which is put into, stored and closed for both. A second that fails stops nothing."""

    def __init__(
        self, path: str | os.PathLike[str], second: Outbox, settings: OutboxSettings | None = None
    ) -> None:
        """As `Outbox`. Messages for one of them alone go there by `keep` and `announce`."""
        super().__init__(path, settings)
        self.second = second
        self._mark = 0
        self._intake = _Shared(second)

    def store(self) -> None:
        """Bring both files up to date. Raises DeviceError, for the first."""
        try:
            super().store()
        finally:
            _tried(self.second.store)

    def sync(self, upto: int | None = None) -> None:
        """Make all that was put before this call survive a power cut. Raises DeviceError, for the first."""
        with self._storing:
            with self._lock:
                self._take_all()
                self._mark = self.second.mark()
            try:
                super().sync(upto)
            except DeviceError:
                _tried(self.second.sync)
                raise

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

    def _flushed(self) -> None:
        _tried(partial(self.second.sync, self._mark))


class _Shared(Intake):
    """What is taken from here is put into the second as well, before the first has it."""

    def __init__(self, second: Outbox) -> None:
        super().__init__()
        self._second = second

    def take(self) -> Iterator[Message]:
        for message in super().take():
            self._second.put((message,))
            yield message


def _tried(work: Callable[[], None]) -> None:
    """What is wrong with the second, tells who sends from there."""
    try:
        work()
    except DeviceError as error:
        log.debug("the second outbox: %s", error)
