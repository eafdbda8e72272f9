"""How the device is: each part says what is wrong with it, and `/health` tells all of that together."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from agent.core.clock import Clock
    from agent.core.types import Message
    from agent.core.wire import Wire


class Health:
    """What is wrong, by part. Any thread may report."""

    def __init__(self, wire: Wire, tell: Callable[[Message], None], clock: Clock) -> None:
        self._wire = wire
        self._tell = tell
        self._clock = clock
        self._causes: dict[str, str] = {}
        self._told: dict[str, str] | None = None
        self._lock = threading.Lock()

    @property
    def causes(self) -> dict[str, str]:
        """Part → what is wrong with it now."""
        with self._lock:
            return dict(self._causes)

    def report(self, part: str, reason: str) -> None:
        """What is wrong with a part from now on; an empty reason: nothing. Told when that is news."""
        with self._lock:
            self._causes.pop(part, None)
            if reason:
                self._causes[part] = reason
            if self._causes == self._told:
                return
            self._told = dict(self._causes)
            state = "degraded" if self._told else "ok"
            self._tell(self._wire.health(state, self._told, self._clock.utc()))
