"""The drawn shelf as a network camera: motion JPEG over HTTP on the loopback interface."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import cv2

from tools.motion_jpeg import MotionJpeg
from tools.synth.script import Filming

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tools.synth.script import Script

FPS = 8
"""Twice what the agent looks at, so that it always finds a new picture."""

QUALITY = 88
"""JPEG quality: a network camera's usual setting."""


class ShelfCamera(MotionJpeg):
    """`with ShelfCamera(script) as camera:` serves `camera.url`; the script begins with the first viewer."""

    def __init__(self, script: Script, fps: float = FPS) -> None:
        super().__init__()
        self.script = script
        self._fps = fps
        self._filming = Filming(script)
        self._lock = threading.Lock()
        self._began: float | None = None

    def elapsed_s(self) -> float:
        """Seconds of the script that have passed; 0 before anybody looked."""
        return 0.0 if self._began is None else time.monotonic() - self._began

    def pictures(self) -> Iterator[bytes]:
        """The shelf as it is now."""
        while True:
            with self._lock:
                if self._began is None:
                    self._began = time.monotonic()
                _, data = cv2.imencode(
                    ".jpg", self._filming.frame(self.elapsed_s()), [cv2.IMWRITE_JPEG_QUALITY, QUALITY]
                )
            if self.stopping.wait(1.0 / self._fps):
                return
            yield data.tobytes()
