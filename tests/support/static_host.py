"""A real HTTP(S) host of static files on loopback: ranges, ETags, conditions; and what else hosts do.

with StaticHost(folder) as host:
    host.plan["blobs/abc"] = [break_off(100), hang]     one behaviour per request, then the file itself
    host.always["blobs/def"] = as_html                  for every request
    host.asked                                          (path, Range, status) of every request
"""

from __future__ import annotations

import contextlib
import hashlib
import re
import ssl
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

Behaviour = Callable[["Handler", bytes], None]


class StaticHost:
    """`http://127.0.0.1:<port>/` shows `folder`."""

    def __init__(
        self, folder: Path, *, ranges: bool = True, etags: bool = True, tls: ssl.SSLContext | None = None
    ) -> None:
        self.folder = folder
        self.ranges, self.etags = ranges, etags
        self.plan: dict[str, list[Behaviour]] = {}
        self.always: dict[str, Behaviour] = {}
        self.asked: list[tuple[str, str, int]] = []
        self.sent = 0
        self.closing = threading.Event()
        handler = type("BoundHandler", (Handler,), {"host": self})
        self._server = Server(("127.0.0.1", 0), handler)
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self.port = self._server.server_address[1]
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()

    def count(self, path: str) -> int:
        return sum(asked == path for asked, _, _ in self.asked)

    def close(self) -> None:
        self.closing.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def __enter__(self) -> StaticHost:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, *_: Any) -> None:
        pass  # clients go away in these tests


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # head and body are two writes: the second would wait 40 ms
    host: StaticHost

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        path = self.path.partition("?")[0].lstrip("/")
        file = self.host.folder / path
        body = file.read_bytes() if file.is_file() else b""
        behaviours = self.host.plan.get(path)
        behaviour = behaviours.pop(0) if behaviours else self.host.always.get(path, plainly)
        self.asked_range = self.headers.get("Range", "")
        self.noted = False
        with contextlib.suppress(OSError):
            if behaviour is plainly and not file.is_file():
                self.reply(404, b"<html>not found</html>")
            else:
                behaviour(self, body)

    def reply(self, status: int, body: bytes, length: int | None = None, **headers: str) -> None:
        self.head(status, len(body) if length is None else length, **headers)
        self.write(body)
        if length is not None and length != len(body):
            self.close_connection = True

    def head(self, status: int, length: int | None, **headers: str) -> None:
        self.host.asked.append((self.path.lstrip("/"), self.asked_range, status))
        self.send_response(status)
        if length is not None:
            self.send_header("Content-Length", str(length))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()

    def write(self, data: bytes) -> None:
        self.wfile.write(data)
        self.wfile.flush()
        self.host.sent += len(data)


def plainly(handler: Handler, body: bytes) -> None:
    """As nginx does it."""
    etag = f'"{hashlib.sha256(body).hexdigest()[:16]}"'
    headers = {"ETag": etag} if handler.host.etags else {}
    if handler.host.etags and handler.headers.get("If-None-Match") == etag:
        handler.reply(304, b"", **headers)
        return
    match = re.fullmatch(r"bytes=(\d+)-", handler.asked_range)
    same = handler.headers.get("If-Range", etag) == etag
    if match and handler.host.ranges and same:
        start = int(match[1])
        if start >= len(body):
            handler.reply(416, b"", Content_Range=f"bytes */{len(body)}")
            return
        span = f"bytes {start}-{len(body) - 1}/{len(body)}"
        handler.reply(206, body[start:], Content_Range=span, **headers)
        return
    handler.reply(200, body, **headers)


def break_off(after: int) -> Behaviour:
    """Promise everything from where it was asked, send `after` bytes, close."""

    def behave(handler: Handler, body: bytes) -> None:
        match = re.fullmatch(r"bytes=(\d+)-", handler.asked_range)
        start = int(match[1]) if match else 0
        span = f"bytes {start}-{len(body) - 1}/{len(body)}"
        handler.head(206 if match else 200, len(body) - start, **({"Content_Range": span} if match else {}))
        handler.write(body[start : start + after])
        handler.close_connection = True

    return behave


def hang(handler: Handler, _body: bytes) -> None:
    """Say nothing at all."""
    handler.host.asked.append((handler.path.lstrip("/"), handler.asked_range, 0))
    handler.host.closing.wait(30)
    handler.close_connection = True


def drip(handler: Handler, body: bytes) -> None:
    """One byte every 20 ms."""
    handler.head(200, len(body))
    for byte in body:
        handler.write(bytes([byte]))
        if handler.host.closing.wait(0.02):
            break
    handler.close_connection = True


def drip_the_head(handler: Handler, _body: bytes) -> None:
    """A status line that never ends."""
    handler.host.asked.append((handler.path.lstrip("/"), handler.asked_range, 0))
    for byte in b"HTTP/1.1 200 " + b"O" * 10_000:
        handler.write(bytes([byte]))
        if handler.host.closing.wait(0.02):
            break
    handler.close_connection = True


def redirect_to(url: str) -> Behaviour:
    def behave(handler: Handler, _body: bytes) -> None:
        handler.reply(302, b"", Location=url)

    return behave


def status(code: int) -> Behaviour:
    def behave(handler: Handler, _body: bytes) -> None:
        handler.reply(code, b"<html>sorry</html>")

    return behave


def as_html(handler: Handler, _body: bytes) -> None:
    """The page of a hotel's network."""
    handler.reply(200, b"<html>please log in</html>", Content_Type="text/html")


def wrong_bytes(handler: Handler, body: bytes) -> None:
    """The right length, other content."""
    plainly(handler, bytes(byte ^ 1 for byte in body))


def promise(more: int) -> Behaviour:
    """Say a length that is wrong by `more`."""

    def behave(handler: Handler, body: bytes) -> None:
        handler.reply(200, body, length=len(body) + more)

    return behave


def without_end(handler: Handler, body: bytes) -> None:
    """No length, and more and more."""
    handler.head(200, None, Connection="close")
    handler.close_connection = True
    until = time.monotonic() + 10
    while time.monotonic() < until:
        handler.write(2 * body or b"x" * 1000)  # in one piece, or the first may pass for the whole


def wrong_range(handler: Handler, body: bytes) -> None:
    """206 with a part that nobody asked for."""
    handler.reply(206, body[:10], Content_Range=f"bytes 0-9/{len(body)}")


def lying_range(handler: Handler, body: bytes) -> None:
    """206 that says it is what was asked for, and is the beginning instead."""
    match = re.fullmatch(r"bytes=(\d+)-", handler.asked_range)
    if not match:
        plainly(handler, body)
        return
    start = int(match[1])
    span = f"bytes {start}-{len(body) - 1}/{len(body)}"
    handler.reply(206, body[: len(body) - start], Content_Range=span)


def zipped(handler: Handler, body: bytes) -> None:
    handler.reply(200, body, Content_Encoding="gzip")


def garbage(handler: Handler, _body: bytes) -> None:
    handler.host.asked.append((handler.path.lstrip("/"), handler.asked_range, 0))
    handler.write(b"\x00\xff SSH-2.0 nonsense\r\n\r\n")
    handler.close_connection = True
