"""A websocket in front of a broker, as a web server has it (RFC 6455): frames in, bytes out, and back."""

from __future__ import annotations

import base64
import hashlib
import socket
import ssl
import struct
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress

from tests.support.mosquitto import free_port

_MAGIC = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


@contextmanager
def websocket_bridge(port: int, path: str = "/mqtt", tls: ssl.SSLContext | None = None) -> Iterator[int]:
    """The port of a websocket at `path` behind which that local port is."""
    own = free_port()
    with closing(socket.create_server(("127.0.0.1", own))) as listening:

        def accept() -> None:
            while True:
                try:
                    raw, _ = listening.accept()
                except OSError:
                    return
                threading.Thread(target=_serve, args=(raw, port, path, tls), daemon=True).start()

        thread = threading.Thread(target=accept)
        thread.start()
        yield own
        listening.shutdown(socket.SHUT_RDWR)
        thread.join()


def _serve(raw: socket.socket, port: int, path: str, tls: ssl.SSLContext | None) -> None:
    with suppress(OSError, EOFError), raw:
        near = tls.wrap_socket(raw, server_side=True) if tls else raw
        with near, near.makefile("rb") as reader, socket.create_connection(("127.0.0.1", port)) as far:
            request = reader.readline().split()
            headers = {}
            while line := reader.readline().strip():
                name, _, value = line.partition(b":")
                headers[name.lower()] = value.strip()
            assert request[1].decode() == path
            assert headers[b"sec-websocket-protocol"] == b"mqtt"
            proof = base64.b64encode(hashlib.sha1(headers[b"sec-websocket-key"] + _MAGIC).digest())
            near.sendall(
                b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                b"Sec-WebSocket-Protocol: mqtt\r\nSec-WebSocket-Accept: " + proof + b"\r\n\r\n"
            )
            back = threading.Thread(target=_back, args=(far, near), daemon=True)
            back.start()
            while True:
                far.sendall(_frame(reader))


def _frame(reader: object) -> bytes:
    """The content of the next frame; what comes from a client is masked."""

    def read(count: int) -> bytes:
        data: bytes = reader.read(count)  # type: ignore[attr-defined]
        if len(data) < count:
            raise EOFError
        return data

    length = read(2)[1] & 0x7F
    if length == 126:
        (length,) = struct.unpack("!H", read(2))
    elif length == 127:
        (length,) = struct.unpack("!Q", read(8))
    mask = read(4)
    return bytes(byte ^ mask[n % 4] for n, byte in enumerate(read(length)))


def _back(far: socket.socket, near: socket.socket) -> None:
    with suppress(OSError):
        while data := far.recv(60_000):
            head = b"\x82" + (
                bytes([len(data)]) if len(data) < 126 else b"\x7e" + struct.pack("!H", len(data))
            )
            near.sendall(head + data)
        near.shutdown(socket.SHUT_RDWR)
