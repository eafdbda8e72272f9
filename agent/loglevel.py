"""How much is shown in the log: as configured, or otherwise for a time."""

from __future__ import annotations

import logging
from math import inf


class LogLevel:
    """The level of everything below `agent`. Time is passed in, monotonic seconds."""

    def __init__(self, configured: str) -> None:
        self._until = inf
        self.configure(configured)

    def configure(self, level: str) -> None:
        """What is shown from now on."""
        self._configured = level
        self._until = inf
        _set(level)

    def change(self, level: str, until: float) -> None:
        """Show this until then."""
        self._until = until
        _set(level)

    def tend(self, now: float) -> None:
        """When the time is over, as configured again."""
        if now >= self._until:
            self.configure(self._configured)


def _set(level: str) -> None:
    logging.getLogger("agent").setLevel(level.upper())
