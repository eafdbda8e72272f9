"""The counters in the log: every hour, at the end, and at once when a fact is lost."""

from __future__ import annotations

import logging
from math import inf
from typing import TYPE_CHECKING, Protocol

from agent.adapters.system import resident_mb, temperature_c

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from agent.core.clock import Clock
    from agent.metrics import Metrics

log = logging.getLogger(__name__)

FIGURES_S = 3600.0


class Queue(Protocol):
    """What waits for the broker: `adapters.outbox.Outbox`."""

    @property
    def dropped(self) -> int:
        """Facts given up since the queue was made."""

    @property
    def unsaved(self) -> int:
        """Facts that are in memory alone."""

    def depth(self) -> tuple[int, int]:
        """Waiting messages and their bytes."""


class Mailbox(Protocol):
    """Where frames wait: `channel.Latest`."""

    def dropped(self, key: str) -> int:
        """Frames of a camera that were replaced unread."""


class Bookkeeper:
    """`tick` is called by the main thread several times a second."""

    def __init__(
        self,
        outbox: Queue,
        mailbox: Mailbox,
        metrics: Metrics,
        clock: Clock,
        interval_s: float,
        publish: Callable[[dict[str, float], float], None],
    ) -> None:
        """`publish(figures, uptime_s)` is called every `interval_s` seconds; never where that is 0."""
        self._outbox = outbox
        self._mailbox = mailbox
        self._metrics = metrics
        self._clock = clock
        self._lost_said = outbox.dropped
        self._began = clock.monotonic()
        self._figures_at = self._began + FIGURES_S
        self._interval_s = interval_s
        self._publish = publish
        self._publish_at = self._began + interval_s if interval_s else inf

    def tick(self, cameras: Iterable[str]) -> None:
        """Say at once that facts were lost, and now and then all figures."""
        lost = self._outbox.dropped
        if lost > self._lost_said:
            log.error("%d facts dropped; the broker is told which on …/lost", lost - self._lost_said)
            self._lost_said = lost
        now = self._clock.monotonic()
        if now >= self._figures_at:
            self._figures_at += FIGURES_S
            self.say(cameras)
        if now >= self._publish_at:
            self._publish_at = now + self._interval_s
            self._publish(self.figures(cameras), self.uptime_s)

    @property
    def uptime_s(self) -> float:
        """Seconds since the daemon was built."""
        return self._clock.monotonic() - self._began

    def say(self, cameras: Iterable[str]) -> None:
        """All figures in one line."""
        figures = self.figures(cameras)
        log.info("figures: %s", " ".join(f"{name}={figures[name]:g}" for name in sorted(figures)))

    def figures(self, cameras: Iterable[str]) -> dict[str, float]:
        """Name → number, of now."""
        count, size = self._outbox.depth()
        figures = self._metrics.snapshot()
        figures |= {f"frames.dropped.{name}": self._mailbox.dropped(name) for name in cameras}
        figures |= {"outbox.waiting": count, "outbox.bytes": size, "outbox.dropped": self._outbox.dropped}
        figures["facts.unsaved"] = self._outbox.unsaved
        figures["memory.resident_mb"] = round(resident_mb(), 1)
        if (hot := temperature_c()) is not None:
            figures["temperature.hottest_c"] = round(hot, 1)
        return figures
