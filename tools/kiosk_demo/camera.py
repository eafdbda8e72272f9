"""The camera of a kiosk as a network camera: nobody is there, until somebody is to hold a product up."""

from __future__ import annotations

import threading
import time
from functools import lru_cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import cv2

from tools.synth.visit import Visit

if TYPE_CHECKING:
    from types import TracebackType

    from tools.synth.designs import Design
    from tools.synth.drawing import Picture

FPS = 10.0
QUALITY = 90
PATH = "/stream.mjpg"

_EMPTY = 6
"""Pictures of nobody, shown in turn: a live camera never sends the same one twice."""


class KioskCamera:
    """`with KioskCamera(…) as camera:` serves `camera.url`. What is shown is drawn before it is shown."""

    def __init__(self, product: Design) -> None:
        """`product`: any; nobody holds it."""
        self._empty = [_jpeg(Visit(product, before=_EMPTY, held=0).frame(number)) for number in range(_EMPTY)]
        self._film: tuple[bytes, ...] = ()
        self._steady = 0
        self._lock = threading.Lock()
        self._number = 0
        self.steady_at: float | None = None  # Unix seconds when the first steady frame of the film was sent
        self._stopping = threading.Event()
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.camera = self
        self._thread = threading.Thread(target=self._server.serve_forever, name="stream", daemon=True)

    @property
    def url(self) -> str:
        """Where the stream is."""
        return f"http://127.0.0.1:{self._server.server_address[1]}{PATH}"

    def show(self, visit: Visit, held: int = 0) -> None:
        """Somebody holds something up from the next picture on, for `held` pictures where that is longer."""
        film = _filmed(visit)
        still = film[visit.steady : visit.steady + visit.held]
        longer = [still[number % len(still)] for number in range(held - visit.held)]
        film = (*film[: visit.steady + visit.held], *longer, *film[visit.steady + visit.held :])
        with self._lock:
            self._film, self._steady, self._number, self.steady_at = film, visit.steady, 0, None

    @property
    def busy(self) -> bool:
        """Whether somebody is there."""
        with self._lock:
            return self._number < len(self._film)

    def picture(self) -> bytes:
        """The next one."""
        with self._lock:
            number = self._number
            self._number += 1
            if number < len(self._film):
                if number == self._steady:
                    self.steady_at = time.time()
                return self._film[number]
            return self._empty[number % _EMPTY]

    def wait(self, seconds: float) -> bool:
        """Whether it goes on after that long."""
        return not self._stopping.wait(max(0.0, seconds))

    def __enter__(self) -> KioskCamera:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    camera: KioskCamera


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        if self.path != PATH:
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        due = time.monotonic()
        try:
            while self.server.camera.wait(due - time.monotonic()):
                due = max(due + 1 / FPS, time.monotonic())
                picture = self.server.camera.picture()
                head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(picture)}\r\n\r\n"
                self.wfile.write(head.encode() + picture + b"\r\n")
        except OSError:  # the viewer went away
            self.close_connection = True

    def log_message(self, *args: object) -> None:
        """Viewers are not worth a line."""


@lru_cache(maxsize=32)
def _filmed(visit: Visit) -> tuple[bytes, ...]:
    return tuple(_jpeg(picture) for picture in visit.film())


def _jpeg(picture: Picture) -> bytes:
    return bytes(cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])[1])
