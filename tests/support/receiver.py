"""A real HTTP(S) server on loopback that takes events, and what else such servers do.

with Receiver() as server:
    server.plan = [status(503), hang]      one behaviour per request, then 204
    server.always = status(404)            for every request, until it is `taken` again
    server.requests                        every request: what was answered, its headers and its body
"""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from agent.core.wire.cloudevents import BATCH
from tests.support.judge import judge_posted

Behaviour = Callable[["Handler"], None]


@dataclass(frozen=True)
class Request:
    """One request as it came."""

    at: float  # s, monotonic
    status: int  # that it was answered with; 0: with nothing
    path: str
    headers: dict[str, str]  # names in small letters
    body: bytes

    @property
    def items(self) -> list[Any]:
        return list(json.loads(self.body))

    @property
    def events(self) -> list[dict[str, Any]]:
        """The data of each event, whatever the envelope."""
        batch = self.headers["content-type"] == BATCH
        return [item["data"] if batch else item["payload"] for item in self.items]


class Receiver:
    """`http://127.0.0.1:<port>`. It can be stopped, and started again on the same port."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.tls = tls
        self.plan: list[Behaviour] = []
        self.always: Behaviour = taken
        self.requests: list[Request] = []
        self.closing = threading.Event()
        self.port = 0
        self._server: Server | None = None

    @property
    def url(self) -> str:
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}"

    def start(self) -> None:
        self.closing.clear()
        handler = type("BoundHandler", (Handler,), {"receiver": self})
        server = Server(("127.0.0.1", self.port), handler)
        if self.tls is not None:
            server.socket = self.tls.wrap_socket(server.socket, server_side=True)
        self.port = server.server_address[1]
        self._server = server
        self._thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()

    def stop(self) -> None:
        """Nobody listens any more, and open connections end."""
        if self._server is None:
            return
        self.closing.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        self._server.hang_up()
        self._server = None

    @property
    def taken(self) -> list[dict[str, Any]]:
        """The data of all events that were answered with 2xx, in order, repeated ones too."""
        return [
            event for request in list(self.requests) if request.status // 100 == 2 for event in request.events
        ]

    @property
    def ids(self) -> list[str]:
        """Of the facts that were taken, each once, as a reader does who remembers them."""
        return list(dict.fromkeys(event["id"] for event in self.taken if "id" in event))

    def __enter__(self) -> Receiver:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


class Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.open: set[socket.socket] = set()

    def process_request(self, request: Any, client_address: Any) -> None:
        self.open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self.open.discard(request)
        super().shutdown_request(request)

    def hang_up(self) -> None:
        for sock in list(self.open):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def handle_error(self, *_: Any) -> None:
        pass  # clients go away in these tests


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    receiver: Receiver
    body = b""

    def log_message(self, *_: object) -> None:
        pass

    def do_POST(self) -> None:
        receiver = self.receiver
        behaviour = receiver.plan.pop(0) if receiver.plan else receiver.always
        with contextlib.suppress(OSError):
            if behaviour is not unread:
                length = int(self.headers.get("Content-Length", "0"))
                self.body = self.rfile.read(length)
                if len(self.body) < length:  # the device was stopped in the middle of it
                    self.close_connection = True
                    return
                judge_posted(self.headers.get("Content-Type", ""), self.body)
            behaviour(self)

    def do_GET(self) -> None:
        self.reply(405)

    def reply(self, code: int, body: bytes = b"", **headers: str) -> None:
        self.note(code)
        self.send_response(code)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        if code != 204:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def note(self, code: int) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.receiver.requests.append(Request(time.monotonic(), code, self.path, headers, self.body))


def taken(handler: Handler) -> None:
    handler.reply(204)


def status(code: int, **headers: str) -> Behaviour:
    def behave(handler: Handler) -> None:
        handler.reply(code, b"<html>sorry</html>", **headers)

    return behave


def hang(handler: Handler) -> None:
    """Say nothing at all."""
    handler.note(0)
    handler.receiver.closing.wait(30)
    handler.close_connection = True


def hang_up(handler: Handler) -> None:
    """Read it, and go."""
    handler.note(0)
    handler.close_connection = True


def drip(handler: Handler) -> None:
    """A status line that never ends."""
    handler.note(0)
    for byte in b"HTTP/1.1 200 " + b"O" * 10_000:
        handler.wfile.write(bytes([byte]))
        if handler.receiver.closing.wait(0.02):
            break
    handler.close_connection = True


def unread(handler: Handler) -> None:
    """413 before the body was read, as nginx does it."""
    handler.reply(413, b"", Connection="close")
    handler.close_connection = True


def unless(broken: Callable[[dict[str, Any]], bool], code: int) -> Behaviour:
    """Refuse every request that holds such an event."""

    def behave(handler: Handler) -> None:
        items = json.loads(handler.body)
        events = [item.get("data", item.get("payload")) for item in items]
        handler.reply(code if any(broken(event) for event in events) else 204)

    return behave
