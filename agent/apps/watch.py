"""The plain application: every recognition is told as it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.core.types import Event

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agent.core.types import Recognition


class Watch:
    """Recognitions in, one event each out."""

    def update(self, recognitions: Sequence[Recognition]) -> tuple[Event, ...]:
        """One `recognition` event per recognition, in order."""
        return tuple(
            Event(kind="recognition", camera=r.track.camera, at=r.at, utc=r.utc, body=r) for r in recognitions
        )
