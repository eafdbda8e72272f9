"""The camera of a kiosk as a network camera: nobody is there, until somebody is to hold a product up."""

from __future__ import annotations

import threading
import time
from functools import lru_cache
from typing import TYPE_CHECKING

import cv2

from tools.motion_jpeg import MotionJpeg
from tools.synth.visit import Visit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tools.synth.designs import Design
    from tools.synth.drawing import Picture

FPS = 10.0
QUALITY = 90

_EMPTY = 6
"""Pictures of nobody, shown in turn: a live camera never sends the same one twice."""


class KioskCamera(MotionJpeg):
    """`with KioskCamera(…) as camera:` serves `camera.url`. What is shown is drawn before it is shown."""

    def __init__(self, product: Design) -> None:
        """`product`: any; nobody holds it."""
        super().__init__()
        self._empty = [_jpeg(Visit(product, before=_EMPTY, held=0).frame(number)) for number in range(_EMPTY)]
        self._film: tuple[bytes, ...] = ()
        self._steady = 0
        self._lock = threading.Lock()
        self._number = 0
        self.steady_at: float | None = None  # Unix seconds when the first steady frame of the film was sent

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

    def pictures(self) -> Iterator[bytes]:
        """`picture` after `picture`, `FPS` a second."""
        due = time.monotonic()
        while not self.stopping.wait(max(0.0, due - time.monotonic())):
            due = max(due + 1 / FPS, time.monotonic())
            yield self.picture()


@lru_cache(maxsize=32)
def _filmed(visit: Visit) -> tuple[bytes, ...]:
    return tuple(_jpeg(picture) for picture in visit.film())


def _jpeg(picture: Picture) -> bytes:
    return bytes(cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])[1])
