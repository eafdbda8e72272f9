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

SILENT = 0.95
"""Share of the time-out after which a read counts as timed out (FFmpeg's timer is not ours). Its answer does
not say so: of a frozen RTSP server it first hands out what its decoder still holds, one picture per
time-out, and says that it failed only after 6 s."""


def look(capture: Capture, shown: str, settings: CameraSettings, clock: Clock) -> Iterator[Frame]:
    """Frames of an open capture, at most `settings.fps` a second, each the newest there is.

    Raises:
        DeviceError: the source stopped, or went on with the same picture; names `shown` and the reason.
    """
    pace, frozen = Pace(settings.fps), Frozen(settings.frozen_after_s)
    seq = unreadable = 0
    limit_s = max(settings.open_timeout_s, settings.read_timeout_s)  # a USB camera has to warm up
    while not clock.wait(0.0):
        asked_at = clock.monotonic()
        grabbed = capture.grab()
        at, utc = clock.monotonic(), clock.utc()
        if at - asked_at >= SILENT * limit_s:
            raise DeviceError(f"{shown}: no picture for {at - asked_at:.1f} s")
        if not grabbed:
            raise DeviceError(f"{shown}: the stream has ended{'' if seq else ' before its first picture'}")
        limit_s = settings.read_timeout_s
        if not pace.is_due(at):
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
