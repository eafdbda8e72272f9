"""Connections: not too many, and none that stands still.

Somebody who opens many connections and says nothing, says it a byte a second, or does not read what is
answered, holds memory and file handles of a device that has other things to do. Each of these ends here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from agent.core.access import is_loopback

if TYPE_CHECKING:
    import asyncio

CONNECTIONS: Final = 128
"""At once, some 30 KB each. A browser opens six, and each page keeps one."""

CONNECTIONS_OF_ONE: Final = 32
"""From one address off this machine. A proxy, from which all come, is on this machine mostly."""

HEAD_S: Final = 10.0
"""Until a request has said what it wants: a connection that is opened and not used ends too."""

BODY_S: Final = 60.0
"""Until the rest of it came: 8 MB over 1 Mbit/s."""

SEND_S: Final = 20.0
"""Until somebody who does not read reads again."""

HEAD_BYTES: Final = 16_384


class Connection(H11Protocol):
    """One connection of uvicorn, with an end."""

    _timer: asyncio.TimerHandle | None = None
    _phase: object = None  # what is waited for: of h11's states of the other side
    _stuck: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take it, or end it where there are too many."""
        super().connection_made(transport)
        peer = self.client[0] if self.client else ""
        peers = [each.client[0] for each in self.connections if isinstance(each, Connection) and each.client]
        same = peers.count(peer)
        if len(self.connections) > CONNECTIONS or (same > CONNECTIONS_OF_ONE and not is_loopback(peer)):
            transport.abort()
            return
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget what was waited for."""
        self._cancel()
        if self._stuck is not None:
            self._stuck.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take it in; what is waited for next may be something else."""
        super().data_received(data)
        self._watch()

    def pause_writing(self) -> None:
        """The other side does not read."""
        super().pause_writing()
        if self._stuck is None:
            self._stuck = self.loop.call_later(SEND_S, self.transport.abort)

    def resume_writing(self) -> None:
        """It reads again."""
        super().resume_writing()
        if self._stuck is not None:
            self._stuck.cancel()
            self._stuck = None

    def _watch(self) -> None:
        """Whoever has begun to say something has so long from then on, however many bytes come."""
        phase: Any = self.conn.their_state
        if phase is self._phase:
            return
        self._cancel()
        self._phase = phase
        limit = {h11.IDLE: HEAD_S, h11.SEND_BODY: BODY_S}.get(phase)
        if limit is not None:
            self._timer = self.loop.call_later(limit, self._late)

    def _late(self) -> None:
        self.transport.abort()

    def _cancel(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
