"""A network between a device and its broker that can be cut, swallow everything, or be slow."""

from __future__ import annotations

import selectors
import socket
import threading
import time
from contextlib import suppress

CHUNK_BYTES = 65_536
SLOW_CHUNK_BYTES = 512


class Proxy:
    """`with Proxy(broker.port) as net:` — connect to `net.port` instead."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._peers: dict[socket.socket, socket.socket] = {}
        self._open, self._swallowing, self._rate = True, False, 0.0
        self._lock = threading.Lock()
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._running = True
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Proxy:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._running = False
        self._thread.join()
        self._drop_all()
        self._listener.close()

    def cut(self) -> None:
        """Every connection breaks, and no new one is made."""
        with self._lock:
            self._open = False
            self._drop_all()

    def swallow(self) -> None:
        """Both sides believe to be connected, and nothing arrives."""
        self._swallowing = True

    def slow(self, bytes_per_s: float) -> None:
        """In both directions together."""
        self._rate = bytes_per_s

    def mend(self) -> None:
        """As at the beginning; what lost bytes on its way breaks."""
        with self._lock:
            if self._swallowing:
                self._drop_all()
            self._open, self._swallowing, self._rate = True, False, 0.0

    def _run(self) -> None:
        while self._running:
            for key, _ in self._selector.select(0.05):
                with self._lock:
                    if key.fileobj is self._listener:
                        self._accept()
                    elif key.fileobj in self._peers:
                        self._pass_on(key.fileobj)  # type: ignore[arg-type]

    def _accept(self) -> None:
        near, _ = self._listener.accept()
        if not self._open:
            near.close()
            return
        try:
            far = socket.create_connection(("127.0.0.1", self._target), 5.0)
        except OSError:
            near.close()
            return
        for one, other in ((near, far), (far, near)):
            one.settimeout(5.0)
            self._peers[one] = other
            self._selector.register(one, selectors.EVENT_READ)

    def _pass_on(self, source: socket.socket) -> None:
        try:
            data = source.recv(SLOW_CHUNK_BYTES if self._rate else CHUNK_BYTES)
            if data and not self._swallowing:
                self._peers[source].sendall(data)
        except OSError:
            data = b""
        if not data:
            self._drop(source)
        elif self._rate:
            time.sleep(len(data) / self._rate)

    def _drop(self, one: socket.socket) -> None:
        for each in (one, self._peers.pop(one)):
            self._peers.pop(each, None)
            with suppress(KeyError):
                self._selector.unregister(each)
            each.close()

    def _drop_all(self) -> None:
        while self._peers:
            self._drop(next(iter(self._peers)))
