"""The sync loop: look for releases, and use what became current. Runs in one thread of `daemon.py`.

What is in use follows what the disk says is current, whoever changed that: this loop, `spotter sync` or
`spotter rollback`.
"""

from __future__ import annotations

import logging
import random
from typing import TYPE_CHECKING, Final, Protocol

from agent.core.clock import Backoff
from agent.core.errors import ConfigError, DeviceError, SyncError, VerifyError

if TYPE_CHECKING:
    from collections.abc import Callable

    from agent.core.clock import Clock
    from agent.core.syncing import Generation
    from agent.sync import Sync

log = logging.getLogger(__name__)

LOOK_S: Final = 1.0
"""How often it is looked whether another generation became current: one small file is read."""

_FIRST_S: Final = 30.0
"""Longest wait before the first round, so that a fleet that got its power back does not come at once; and the
first pause after a failed one."""


class Shelf(Protocol):
    """Where it stands which generation is current: `adapters.library.Library`."""

    def current(self) -> Generation | None:
        """The generation to use."""


class Updater:
    """The loop. `ask` may be called from another thread."""

    def __init__(
        self,
        sync: Sync,
        shelf: Shelf,
        use: Callable[[Generation], None],
        say: Callable[[float, str], None],
        clock: Clock,
        interval_s: float,
        in_use: str,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        """`use(generation)` opens it and recognises with it from then on; ConfigError or DeviceError when it
        cannot.

        `say(seconds, trouble)` tells how syncing stands: the next round is so far away, and what is wrong,
        which the disk need not know when it is the disk. `in_use` is the release that is recognised with at
        the start.
        """
        self._sync = sync
        self._shelf = shelf
        self._use = use
        self._say = say
        self._clock = clock
        self._interval_s = interval_s
        self._jitter = jitter
        self._in_use = in_use
        self._tried: Generation | None = None
        self._asked = False
        self._failures = 0
        self._complaint = ""
        self._unusable = ""  # why what is current is not what is in use

    def ask(self) -> None:
        """Have the next round at once."""
        self._asked = True

    def run(self) -> None:
        """Until the process stops."""
        wait_s = self._jitter() * min(_FIRST_S, self._interval_s)
        due = self._clock.monotonic() + wait_s
        self._say(wait_s, "")
        while not self._clock.wait(min(LOOK_S, max(0.0, due - self._clock.monotonic()))):
            news = self._follow()
            if self._asked or self._clock.monotonic() >= due:
                due = self._round() + self._clock.monotonic()
                self._follow()
                news = True
            if news:
                self._say(max(0.0, due - self._clock.monotonic()), self._unusable or self._complaint)

    def _follow(self) -> bool:
        """Use what is current; whether that is another generation than it was."""
        current = self._shelf.current()
        if current is None or current == self._tried:
            return False
        self._tried = current
        self._unusable = ""
        if current.release == self._in_use:
            return True
        try:
            self._use(current)
        except (ConfigError, DeviceError) as error:
            self._unusable = f"release {current.number} cannot be used, the one in use stays: {error}"
            log.error("%s", self._unusable)
            return True
        self._in_use = current.release
        log.info("recognising with release %d: %s", current.number, current.release)
        return True

    def _round(self) -> float:
        """One round; seconds until the next."""
        insist, self._asked = self._asked, False
        try:
            outcome = self._sync.round(insist=insist)
        except (SyncError, DeviceError) as error:
            self._complain(str(error))
            if not isinstance(error, VerifyError):  # what is wrong with it is not mended by asking sooner
                backoff = Backoff(min(_FIRST_S, self._interval_s), self._interval_s)
                self._failures += 1
                return backoff.delay_s(self._failures - 1, self._jitter())
        else:
            self._failures = 0
            self._complain(outcome.warning)
        return self._interval_s * (0.8 + 0.4 * self._jitter())

    def _complain(self, text: str) -> None:
        """The first time a warning, then quietly until it changes."""
        if text:
            log.log(logging.DEBUG if text == self._complaint else logging.WARNING, "sync: %s", text)
        elif self._complaint:
            log.info("sync: well again")
        self._complaint = text
