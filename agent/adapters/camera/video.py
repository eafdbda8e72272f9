"""A video file as a camera: as many of its pictures as are asked for, in its own time or as fast as taken."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import cv2

from agent.adapters.camera.capture import opened
from agent.adapters.camera.pace import Pace
from agent.core.errors import DeviceError
from agent.core.types import Frame

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from numpy.typing import NDArray

    from agent.adapters.camera.settings import CameraSettings, Source
    from agent.core.clock import Clock


class VideoCamera:
    """With `fps` > 0 the file plays in real time and `fps` of its pictures a second are shown (all of them,
    when it has fewer); with 0 every picture is shown, as fast as it is taken.
    """

    waits = True
    skipped = 0

    def __init__(self, settings: CameraSettings, source: Source, clock: Clock) -> None:
        self._settings = settings
        self._path = Path(source.target)
        self._clock = clock

    def frames(self) -> Iterator[Frame]:
        """See `Camera.frames`."""
        pace, seq = Pace(self._settings.fps), 0
        while True:
            first = seq
            for image in self._play():
                if self._clock.wait(pace.wait_s(self._clock.monotonic())):
                    return
                at = self._clock.monotonic()
                pace.looked(at)
                name = self._path.name
                yield Frame(self._settings.id, seq, at, self._clock.utc(), image, name, seq == first)
                seq += 1
            if seq == first:
                raise DeviceError(f"file {self._path}: expected a video, found no picture that can be read")
            if not self._settings.loop:
                return

    def _play(self) -> Iterator[NDArray[np.uint8]]:
        """The pictures to show of one run of the file."""
        self._refuse_what_is_no_file()
        with opened(str(self._path), f"file {self._path}", cv2.CAP_FFMPEG, []) as capture:
            if capture is None:
                raise DeviceError(
                    f"file {self._path}: expected a video, found a file that FFmpeg cannot open"
                )
            rate, wanted = capture.rate_fps(), self._settings.fps
            step = rate / wanted if 0 < wanted < rate else 1.0
            number, next_shown = 0, 0.0
            while capture.grab():
                if number >= next_shown:
                    next_shown += step
                    image = capture.retrieve()
                    if image is not None:
                        yield image
                number += 1

    def _refuse_what_is_no_file(self) -> None:
        """FFmpeg says only that it failed, so the usual reasons are looked for first."""
        try:
            with self._path.open("rb") as file:
                empty = not file.read(1)
        except OSError as error:
            raise DeviceError(f"file {self._path}: cannot be opened: {error.strerror}") from None
        if empty:
            raise DeviceError(f"file {self._path}: expected a video, found an empty file")
