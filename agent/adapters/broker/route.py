"""Which address is tried next, and when. Decides without I/O; `now` is monotonic seconds.

1. Addresses are tried in order, one at once after the other; after the last one there is a pause, which
   doubles up to a limit, and it begins with the first again.
2. A connection that works is not broken to get back to an earlier address: that is tried first when the
   connection ends, whoever ended it.
3. A connection that ended soon counts as one that failed.
4. Where another client took our identifier away, the pause is long: two that fight keep each other out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from agent.core.clock import Backoff

if TYPE_CHECKING:
    from collections.abc import Callable

RETRY: Final = Backoff(first_s=0.5, limit_s=15.0)
"""An attempt costs one packet; after an outage of any length facts flow within 15 s of its end."""

STEADY_S: Final = 10.0
"""A connection that lived so long was a good one: the next attempt follows at once. A shorter one counts as a
failed attempt, or a broker that throws us out again and again would be asked many times a second."""

RIVAL: Final = Backoff(first_s=30.0, limit_s=600.0)
"""Each meeting of two clients with one identifier costs both their connection."""

RIVAL_S: Final = 3600.0
"""For so long a rival is remembered, and told of, after it was last met."""


class Route:
    """The state of connecting."""

    def __init__(self, count: int, now: float, jitter: Callable[[], float]) -> None:
        """`count` addresses; `jitter()` is random in [0, 1)."""
        self.place = 0
        """Number of the address to try, from 0."""
        self.due = now
        """When to try it."""
        self._count = count
        self._jitter = jitter
        self._rounds = 0  # of all addresses that failed since there was a good connection
        self._met = 0  # times that a rival took our identifier
        self._met_at = now - RIVAL_S

    def again(self, now: float) -> None:
        """Try the same address once more, at once: the way was found, only the words were wrong."""
        self.due = now

    def lost(self, now: float, lived_s: float | None) -> None:
        """An attempt failed (`lived_s` is None), or a connection ended after it had lived that long."""
        if lived_s is not None and lived_s >= STEADY_S:
            self.place, self._rounds = 0, 0
        else:
            self.place = (self.place + 1) % self._count
            if self.place:
                self.due = now
                return
        self.due = now + RETRY.delay_s(self._rounds, self._jitter())
        self._rounds += 1

    def taken_over(self, now: float) -> int:
        """Another client has our identifier; how often that happened lately."""
        if not self.rival(now):
            self._met = 0
        self.due = now + RIVAL.delay_s(self._met, self._jitter())
        self._met += 1
        self._met_at = now
        return self._met

    def rival(self, now: float) -> bool:
        """Whether that happened within the last hour."""
        return now - self._met_at < RIVAL_S
