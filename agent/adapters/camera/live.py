"""The loop of everything that delivers by itself: read every picture to stay at the newest, show some."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.adapters.camera.pace import Frozen, Pace
from agent.core.errors import DeviceError
from agent.core.types import Frame

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agent.adapters.camera.capture import Capture
    from agent.adapters.camera.settings import CameraSettings
    from agent.core.clock import Clock

UNREADABLE_MAX = 50
"""Pictures in a row that cannot be unpacked before the source counts as lost: 2 s at 25 a second, the
usual distance of two key frames."""


def look(capture: Capture, shown: str, settings: CameraSettings, clock: Clock) -> Iterator[Frame]:
    """Frames of an open capture, at most `settings.fps` a second, each the newest there is.

    Raises:
        DeviceError: the source stopped, or went on with the same picture; names `shown` and the reason.
    """
    pace, frozen = Pace(settings.fps), Frozen(settings.frozen_after_s)
    seq = unreadable = 0
    while not clock.wait(0.0):
        asked_at = clock.monotonic()
        if not capture.grab():
            raise DeviceError(f"{shown}: {_why(clock.monotonic() - asked_at, settings, seq)}")
        at, utc = clock.monotonic(), clock.utc()
        if pace.wait_s(at) > 0:
            continue
        image = capture.retrieve()
        if image is None:
            unreadable += 1
            if unreadable > UNREADABLE_MAX:
                raise DeviceError(f"{shown}: {unreadable} pictures in a row cannot be unpacked")
            continue
        unreadable = 0
        pace.looked(at)
        try:
            frozen.check(image, at)
        except DeviceError as error:
            raise DeviceError(f"{shown}: {error}") from None
        yield Frame(settings.id, seq, at, utc, image)
        seq += 1


def _why(silent_s: float, settings: CameraSettings, seq: int) -> str:
    if silent_s >= 0.9 * settings.read_timeout_s:  # FFmpeg's timer and ours are not the same
        return f"no picture for {silent_s:.1f} s"
    return "the stream has ended" if seq else "the stream has ended before its first picture"
