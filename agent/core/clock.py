"""Time as something that is passed in, and how long to wait before trying again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


class Clock(Protocol):
    """The only way to learn the time. The real one is `adapters.system.SystemClock`."""

    def monotonic(self) -> float:
        """Seconds of a clock that never jumps; only differences mean anything."""

    def utc(self) -> float:
        """Unix seconds; may jump when the network sets the clock."""

    def wait(self, seconds: float) -> bool:
        """Sleep for `seconds`, or less: True as soon as the process is to stop."""


SLICE_S = 0.25
"""How soon a part that is told to stop notices it while it waits."""


class StoppableClock:
    """A clock for one part of the process, which can be told to stop while the others go on."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.stopped = False

    def monotonic(self) -> float:
        """As the clock behind it."""
        return self._clock.monotonic()

    def utc(self) -> float:
        """As the clock behind it."""
        return self._clock.utc()

    def wait(self, seconds: float) -> bool:
        """Sleep; True once this part or the process is to stop."""
        end = self._clock.monotonic() + seconds
        while not self.stopped:
            left = end - self._clock.monotonic()
            if self._clock.wait(max(0.0, min(SLICE_S, left))):
                return True
            if left <= SLICE_S:
                break
        return self.stopped


@dataclass(frozen=True, slots=True)
class Backoff:
    """Exponential back-off with full-range jitter, so that a fleet does not come back in step.

    `delay_s(0, r)` is about `first_s`; it doubles with each attempt up to `limit_s`. `r` in [0, 1) is the
    caller's random number: the result lies between half and all of the nominal delay.
    """

    first_s: float = 0.5
    limit_s: float = 60.0

    def delay_s(self, attempt: int, r: float) -> float:
        """Seconds to wait before attempt number `attempt` (0 is the first retry)."""
        nominal = min(self.limit_s, self.first_s * 2.0 ** min(attempt, 32))
        return nominal * (0.5 + 0.5 * r)
