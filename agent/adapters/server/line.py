"""The bytes of one connection: counted, and never waited for longer than they are worth.

A limit per read, as sockets have it, is no limit: a server that sends one byte a second keeps within it for
ever. Here every read, of headers too, has the time that is left until the deadline, and all reads together
must reach a least speed.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

from agent.core.errors import TransferError

if TYPE_CHECKING:
    import socket

    from agent.adapters.server.settings import LineSettings
    from agent.core.clock import Clock


class Pace:
    """What one server has sent and been sent, and whether it is still worth waiting for."""

    def __init__(self, settings: LineSettings, clock: Clock) -> None:
        self.sent = 0
        self.received = 0
        self._settings = settings
        self._clock = clock
        self._ends_at = 0.0
        self._slow_s = 0.0
        self._slow_bytes = 0

    def begin(self, deadline_s: float) -> None:
        """Another answer is expected, whole within `deadline_s`."""
        self._ends_at = self._clock.monotonic() + deadline_s
        self._slow_s, self._slow_bytes = 0.0, 0

    def patience_s(self) -> float:
        """How long the next read may take.

        Raises:
            TransferError: the deadline has passed, or the process is to stop.
        """
        left_s = self._ends_at - self._clock.monotonic()
        if left_s <= 0:
            raise TransferError("it took longer than it may")
        if self._clock.wait(0.0):
            raise TransferError("interrupted: Spotter is stopping")
        return min(self._settings.timeout_s, left_s)

    def read(self, raw: Any, buffer: Any) -> int:
        """Read once into `buffer`; the count, 0 at the end.

        Raises:
            OSError: the connection failed or was silent for too long.
            TransferError: too little has come for too long.
        """
        began = self._clock.monotonic()
        count = int(raw.readinto(buffer) or 0)
        self.received += count
        self._slow_s += self._clock.monotonic() - began
        self._slow_bytes += count
        if self._slow_s >= self._settings.stall_s:
            speed = self._slow_bytes / self._slow_s
            if speed < self._settings.min_bytes_per_s:
                least = self._settings.min_bytes_per_s
                raise TransferError(f"expected at least {least} bytes a second, found {speed:.0f}")
            self._slow_s, self._slow_bytes = 0.0, 0
        self._spare(count, self._clock.monotonic() - began)
        return count

    def _spare(self, count: int, took_s: float) -> None:
        """Leave the line to others for as long as the limit says."""
        if self._settings.bytes_per_s:
            self._clock.wait(count / self._settings.bytes_per_s - took_s)


class MeteredSocket:
    """A connected socket as `http.client` uses it, with every byte going through a `Pace`."""

    def __init__(self, sock: socket.socket, pace: Pace) -> None:
        self._sock = sock
        self._pace = pace

    def sendall(self, data: Any) -> None:
        """Send all of it."""
        self._sock.settimeout(self._pace.patience_s())
        self._sock.sendall(data)
        self._pace.sent += len(data)

    def makefile(self, _mode: str) -> io.BufferedReader:
        """A reader; the socket stays open until it is closed too."""
        return io.BufferedReader(_Reader(self._sock, self._pace))

    def close(self) -> None:
        """Close the socket, once its readers are."""
        self._sock.close()


class _Reader(io.RawIOBase):
    def __init__(self, sock: socket.socket, pace: Pace) -> None:
        self._sock = sock
        self._raw = sock.makefile("rb", buffering=0)
        self._pace = pace

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._sock.settimeout(self._pace.patience_s())
        return self._pace.read(self._raw, buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()
