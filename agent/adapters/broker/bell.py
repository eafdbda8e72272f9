"""Ends a wait for the network from another thread."""

from __future__ import annotations

import select
import socket
from contextlib import suppress
from typing import Any


class Bell:
    """A pair of sockets. `ring` may be called by any thread, also after the end."""

    def __init__(self) -> None:
        self._heard, self._rung = socket.socketpair()
        self._heard.setblocking(False)
        self._rung.setblocking(False)

    def ring(self) -> None:
        """Let `wait` return soon."""
        with suppress(OSError):  # full: it is awake already; closed: it will not sleep again
            self._rung.send(b"\0")

    def wait(self, timeout_s: float, sock: Any = None, *, writing: bool = False) -> None:
        """Until it rings, the time is over, or `sock` can be read, or written where that is wanted."""
        poll = select.poll()
        poll.register(self._heard, select.POLLIN)
        if sock is not None:
            poll.register(sock.fileno(), select.POLLIN | (select.POLLOUT if writing else 0))
            if getattr(sock, "pending", int)():
                timeout_s = 0.0  # decrypted bytes wait where poll does not see them
        ready = poll.poll(timeout_s * 1000)
        if any(descriptor == self._heard.fileno() for descriptor, _ in ready):
            with suppress(BlockingIOError):
                while len(self._heard.recv(4096)) == 4096:
                    pass

    def close(self) -> None:
        """Let the sockets go."""
        self._heard.close()
        self._rung.close()
