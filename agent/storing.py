"""From memory to the disk: one thread writes what was put into the outbox, and flushes it.

Nobody else waits for the disk: not who recognises, and not who publishes. What was put is written within
`LINGER_S`, and so survives the end of this process; it is flushed within the outbox's `sync_every_s`, and so
survives a power cut. Only what was flushed is sent.
"""

from __future__ import annotations

import logging
from math import inf
from typing import TYPE_CHECKING, Final, Protocol

from agent.core.clock import Backoff
from agent.core.errors import DeviceError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from agent.core.clock import Clock

log = logging.getLogger(__name__)

LINGER_S: Final = 0.05
"""How long the first of a burst waits for the others: a transaction costs as much as many messages in it."""

TIDY_S: Final = 5.0
"""What the broker has is deleted so soon where nothing new comes, with which it would go."""

RETRY: Final = Backoff(first_s=0.5, limit_s=10.0)
"""A disk that is full or read-only costs one attempt in ten seconds, and is used again as soon."""


class Store(Protocol):
    """Where facts wait: `adapters.outbox.Outbox`."""

    sync_every_s: float
    moved_aside: Path | None

    @property
    def dirty(self) -> bool:
        """Whether something was put that a power cut would take."""

    @property
    def unsaved(self) -> int:
        """Messages that are in memory alone."""

    def wait(self, timeout_s: float) -> None:
        """Until there is something to store."""

    def store(self) -> None:
        """Write it. DeviceError: the disk refuses."""

    def sync(self) -> None:
        """Write and flush it. DeviceError: the disk refuses."""

    def age(self, elapsed_s: float) -> None:
        """Let time pass."""


class Storer:
    """The loop."""

    def __init__(
        self,
        outbox: Store,
        wake: Callable[[], None],
        report: Callable[[str], None],
        clock: Clock,
        beside: Callable[[float], None] = lambda _now: None,
    ) -> None:
        """`wake()` is called when there may be more to send; `report(reason)` is told how the disk is.

        `beside(now)` writes whatever else is to be written; called every few seconds or more often.
        """
        self._outbox = outbox
        self._wake = wake
        self._report = report
        self._clock = clock
        self._beside = beside
        self._synced_at = -inf
        self._aged_at = clock.monotonic()
        self._failures = 0

    def run(self) -> None:
        """Until the process stops. What is put after that is stored when the outbox is closed."""
        while not self._clock.wait(0.0):
            self._outbox.wait(self._idle_s(self._clock.monotonic()))
            self._clock.wait(LINGER_S)
            self.round()
            self._beside(self._clock.monotonic())

    def round(self) -> None:
        """Store what there is, and flush it if that is due; a disk that refuses is said, and rests."""
        now = self._clock.monotonic()
        self._outbox.age(now - self._aged_at)
        self._aged_at = now
        try:
            if self._outbox.dirty and now - self._synced_at >= self._outbox.sync_every_s:
                self._synced_at = now
                self._outbox.sync()
                self._wake()
            else:
                self._outbox.store()
        except DeviceError as error:
            log.log(logging.DEBUG if self._failures else logging.ERROR, "outbox: %s", error)
            self._report(f"the disk takes no facts, they wait in memory: {error}")
            self._wake()  # they are sent from there
            self._clock.wait(RETRY.delay_s(self._failures, 0.5))
            self._failures += 1
            return
        if self._failures:
            log.info("outbox: the disk takes facts again")
            self._failures = 0
        aside = self._outbox.moved_aside
        self._report(
            f"it was damaged, and what waited in it is lost: it was moved to {aside}" if aside else ""
        )

    def _idle_s(self, now: float) -> float:
        if not self._outbox.dirty:
            return TIDY_S
        return max(0.0, min(TIDY_S, self._synced_at + self._outbox.sync_every_s - now))
