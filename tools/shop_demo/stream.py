"""The drawn shelf as a network camera: motion JPEG over HTTP on the loopback interface."""

from __future__ import annotations

import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import cv2

from tools.synth.script import Filming

if TYPE_CHECKING:
    from types import TracebackType

    from tools.synth.script import Script

FPS = 8
"""Twice what the agent looks at, so that it always finds a new picture."""

QUALITY = 88
"""JPEG quality: a network camera's usual setting."""

PATH = "/stream.mjpg"


class ShelfCamera:
    """`with ShelfCamera(script) as camera:` serves `camera.url`; the script begins with the first viewer."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self._filming = Filming(script)
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._began: float | None = None
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.camera = self
        self._thread = threading.Thread(target=self._server.serve_forever, name="stream", daemon=True)

    @property
    def url(self) -> str:
        """Where the stream is."""
        return f"http://127.0.0.1:{self._server.server_address[1]}{PATH}"

    def elapsed_s(self) -> float:
        """Seconds of the script that have passed; 0 before anybody looked."""
        return 0.0 if self._began is None else time.monotonic() - self._began

    def picture(self) -> bytes | None:
        """The shelf as it is now, JPEG; None when the camera is switched off."""
        with self._lock:
            if self._began is None:
                self._began = time.monotonic()
            _, data = cv2.imencode(
                ".jpg", self._filming.frame(self.elapsed_s()), [cv2.IMWRITE_JPEG_QUALITY, QUALITY]
            )
        return None if self._stopping.wait(1.0 / FPS) else data.tobytes()

    def __enter__(self) -> ShelfCamera:
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
    camera: ShelfCamera


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
        try:
            while (picture := self.server.camera.picture()) is not None:
                head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(picture)}\r\n\r\n"
                self.wfile.write(head.encode() + picture + b"\r\n")
        except OSError:  # the viewer went away
            self.close_connection = True

    def log_message(self, *args: object) -> None:
        """Viewers are not worth a line."""
