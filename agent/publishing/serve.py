"""A web server for a repository: for development, and for fleets that do not need a host of their own.

GET and HEAD, single ranges, conditional requests; no listings, nothing outside the directory, nothing hidden.
"""

from __future__ import annotations

import os
import re
import socket
import socketserver
import ssl
import stat
import sys
from email.utils import formatdate
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote_to_bytes

from agent.core.errors import ConfigError, DeviceError, quoted

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from typing import BinaryIO

    Log = Callable[[str], None]

TIMEOUT_S: Final = 30.0
"""Silence after which a connection is closed: it holds a thread."""

_TARGET_LIMIT: Final = 1024  # characters of a path; ours have 150
_RANGE: Final = re.compile(r"bytes=(\d{0,18})-(\d{0,18})", re.ASCII)
_PART: Final = re.compile(rb"[A-Za-z0-9][A-Za-z0-9._-]*")
_IMMUTABLE: Final = re.compile(
    r"blobs/[0-9a-f]{64}|metadata/\d+\.[a-z]+\.json|targets/.+/[0-9a-f]{64}\.release\.json", re.ASCII
)
"""What is named by its content or its version never changes under that name."""

_LASTING: Final = "public, max-age=31536000, immutable"
_PASSING: Final = "public, max-age=10"  # a burst of devices behind one cache costs one request
_CHUNK_BYTES: Final = 1 << 18


class Server(ThreadingHTTPServer):
    """Serves one directory: `with make_server(…) as server: server.serve_forever()`."""

    daemon_threads = True  # a device that drips does not keep the server from ending
    request_queue_size = 128  # devices come in bursts after an outage

    def __init__(self, folder: Path, address: tuple[str, int], tls: ssl.SSLContext | None, log: Log) -> None:
        """Use `make_server`."""
        self.folder = os.path.realpath(folder)
        self.log = log
        self._tls = tls
        self.address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        super().__init__(address, _Handler)

    @property
    def port(self) -> int:
        """What is listened on: with port 0 the system picks one."""
        return int(self.server_address[1])

    def server_bind(self) -> None:
        """Without the look-up of our own name that HTTPServer makes: it may take seconds."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), self.port

    def finish_request(self, request: Any, client_address: Any) -> None:
        """In the thread of the connection: so that a handshake that hangs holds up nobody else."""
        request.settimeout(TIMEOUT_S)
        if self._tls is None:
            super().finish_request(request, client_address)
            return
        with self._tls.wrap_socket(request, server_side=True) as wrapped:
            super().finish_request(wrapped, client_address)

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002  as it is called
        """A connection broke, or never spoke our language: a line, and on."""
        self.log(f"{client_address[0]} gave up: {quoted(sys.exception())}")


def make_server(
    folder: Path,
    host: str,
    port: int,
    *,
    cert: Path | None = None,
    key: Path | None = None,
    log: Log = lambda _line: None,
) -> Server:
    """Listen for requests of a directory; with `cert` (and `key`, both PEM) over TLS.

    Raises:
        ConfigError: there is no such directory, or the certificate cannot be used.
        DeviceError: the address cannot be listened on.
    """
    if not folder.is_dir():
        raise ConfigError(f"{folder}: expected a directory made by `spotter catalog publish`, found none")
    tls = None
    if cert is not None:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        try:
            tls.load_cert_chain(cert, key)
        except (OSError, ssl.SSLError) as error:
            raise ConfigError(f"{cert}: expected a certificate and its key in PEM, found {error}") from None
    try:
        return Server(folder, (host, port), tls, log)
    except (OSError, OverflowError) as error:
        raise DeviceError(f"{host}:{port}: cannot be listened on: {error}") from None


class _Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"  # a device asks for several files over one connection
    timeout = TIMEOUT_S

    def do_GET(self) -> None:
        """A file, or the range of it that was asked for."""
        self._answer(body=True)

    def do_HEAD(self) -> None:
        """The same without the content; ranges do not apply."""
        self._answer(body=False)

    def version_string(self) -> str:
        return "spotter"

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  as it is called
        self.server.log(f"{self.client_address[0]} {quoted(format % args)[1:-1]}")

    def _answer(self, *, body: bool) -> None:
        name = _name(self.path)
        file = _opened(self.server.folder, name) if name else None
        if file is None:
            self._head(HTTPStatus.NOT_FOUND, {"Content-Length": "0", "Cache-Control": "no-store"})
            return
        with file:
            self._answer_with(file, name, body=body)

    def _answer_with(self, file: BinaryIO, name: str, *, body: bool) -> None:
        status = os.fstat(file.fileno())
        size, etag = status.st_size, _etag(name, status)
        headers = {
            "ETag": etag,
            "Last-Modified": formatdate(status.st_mtime, usegmt=True),
            "Cache-Control": _LASTING if _IMMUTABLE.fullmatch(name) else _PASSING,
            "Accept-Ranges": "bytes",
        }
        if _named(self.headers.get("If-None-Match", ""), etag):
            self._head(HTTPStatus.NOT_MODIFIED, headers)
            return
        span = None
        if body and self.headers.get("If-Range", etag).strip() == etag:  # otherwise another file by now
            span = _span(self.headers.get("Range", ""), size)
        start, end = span or (0, size)
        if span and start >= end:
            self._head(
                HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE,
                {"Content-Range": f"bytes */{size}", "Content-Length": "0"},
            )
            return
        if span:
            headers["Content-Range"] = f"bytes {start}-{end - 1}/{size}"
        headers["Content-Type"] = "application/json" if name.endswith(".json") else "application/octet-stream"
        headers["Content-Length"] = str(end - start)
        self._head(HTTPStatus.PARTIAL_CONTENT if span else HTTPStatus.OK, headers)
        if body:
            self._send(file, start, end)

    def _head(self, status: HTTPStatus, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def _send(self, file: BinaryIO, start: int, end: int) -> None:
        file.seek(start)
        while start < end:
            chunk = file.read(min(end - start, _CHUNK_BYTES))
            if not chunk:  # it became shorter: its length is promised, so only breaking off is honest
                self.close_connection = True
                return
            self.wfile.write(chunk)
            start += len(chunk)


def _name(target: str) -> str:
    """The path within the directory that a request asks for; empty for what we never serve."""
    path = unquote_to_bytes(target.partition("?")[0])
    parts = path.split(b"/")
    if len(path) > _TARGET_LIMIT or parts[0] or not all(_PART.fullmatch(part) for part in parts[1:]):
        return ""
    return path[1:].decode("ascii")


def _opened(folder: str, name: str) -> BinaryIO | None:
    """A plain file of the directory; links are not followed."""
    path = os.path.join(folder, name)  # noqa: PTH118  Path would tidy up what is to be compared
    try:
        if os.path.realpath(path) != path:
            return None
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        return None
    return os.fdopen(descriptor, "rb")


def _etag(name: str, status: os.stat_result) -> str:
    """Strong: blobs are what their name says, and other files are replaced and never written to."""
    if name.startswith("blobs/"):
        return f'"{name[6:]}"'
    return f'"{status.st_ino:x}-{status.st_mtime_ns:x}-{status.st_size:x}"'


def _named(condition: str, etag: str) -> bool:
    """Whether an If-None-Match names this tag."""
    return any(one.strip().removeprefix("W/") in {etag, "*"} for one in condition.split(","))


def _span(text: str, size: int) -> tuple[int, int] | None:
    """The half-open span that a Range asks for, empty when it lies beyond the file.

    None where there is none, or one that a server may ignore: several spans, other units, nonsense.
    """
    match = _RANGE.fullmatch(text.strip())
    if not match or match.group(1, 2) == ("", ""):
        return None
    first, last = match.groups()
    if not first:
        start = max(0, size - int(last))
        return (start, size) if int(last) else (size, size)
    if last and int(last) < int(first):
        return None
    return min(int(first), size), min(int(last) + 1, size) if last else size
