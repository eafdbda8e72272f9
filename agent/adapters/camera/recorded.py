"""A recording as a camera: its pictures with the times at which they were taken."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from agent.adapters.camera.pace import Pace
from agent.adapters.recording import cameras_in, read_recording
from agent.core.errors import DeviceError, InputError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agent.adapters.camera.settings import CameraSettings, Source
    from agent.core.clock import Clock
    from agent.core.types import Frame


class RecordedCamera:
    """Of a recording of several cameras it shows the one with its own id; of one camera, that one.

    `at`, `utc` and `cut` are the recorded ones. With `loop`, each further run continues after the last one:
    its times are shifted so that they never go back. With `fps` > 0 no more than that many pictures a
    second are handed out, and none is left out.
    """

    waits = True
    skipped = 0

    def __init__(self, settings: CameraSettings, source: Source, clock: Clock) -> None:
        self._settings = settings
        self._path = Path(source.target)
        self._clock = clock

    def frames(self) -> Iterator[Frame]:
        """See `Camera.frames`."""
        try:
            yield from self._all_runs(self._recorded_id())
        except InputError as error:
            raise DeviceError(f"recording {error}") from None

    def _all_runs(self, recorded_id: str) -> Iterator[Frame]:
        pace, seq, shift_s = Pace(self._settings.fps), 0, 0.0
        while True:
            first = last = None
            for frame in read_recording(self._path, recorded_id):
                if self._clock.wait(pace.wait_s(self._clock.monotonic())):
                    return
                pace.looked(self._clock.monotonic())
                again = first is None and seq > 0
                first, last = first or frame, frame
                yield replace(
                    frame,
                    camera=self._settings.id,
                    seq=seq,
                    at=frame.at + shift_s,
                    utc=frame.utc + shift_s,
                    cut=frame.cut or again,
                )
                seq += 1
            if not self._settings.loop or first is None or last is None:
                return
            shift_s += max(0.0, last.at - first.at) + 1.0  # any pause will do: the next picture is a cut

    def _recorded_id(self) -> str:
        found = cameras_in(self._path)
        if self._settings.id in found:
            return self._settings.id
        if len(found) != 1:
            names = ", ".join(found) or "no frame"
            raise DeviceError(
                f"recording {self._path}: expected frames of {self._settings.id}, or of one camera only, "
                f"found {names}"
            )
        return found[0]
