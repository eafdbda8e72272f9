"""USB and built-in cameras through Video4Linux."""

from __future__ import annotations

import errno
import grp
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

import cv2

from agent.adapters.camera.capture import opened
from agent.adapters.camera.live import look
from agent.core.errors import DeviceError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agent.adapters.camera.settings import CameraSettings, Source
    from agent.core.clock import Clock
    from agent.core.types import Frame


class V4l2Camera:
    """A device such as `/dev/video0`, or better `/dev/v4l/by-id/…`, which keeps its name over a restart."""

    waits = False
    skipped = 0

    def __init__(self, settings: CameraSettings, source: Source, clock: Clock) -> None:
        self._settings = settings
        self._path = Path(source.target)
        self._clock = clock

    def frames(self) -> Iterator[Frame]:
        """See `Camera.frames`."""
        settings = self._settings
        _refuse_what_cannot_be_opened(self._path)
        # No time-outs here: this backend refuses to open with an option it does not know. How long it
        # waits for a picture is set for the whole process, in agent/__init__.py.
        options: list[int] = []
        if settings.width:
            options += [cv2.CAP_PROP_FRAME_WIDTH, settings.width, cv2.CAP_PROP_FRAME_HEIGHT, settings.height]
        with opened(str(self._path), str(self._path), cv2.CAP_V4L2, options) as capture:
            if capture is None:
                raise DeviceError(
                    f"{self._path}: expected a camera that delivers pictures, found a device without "
                    "(a camera often has two: try the next number)"
                )
            yield from look(capture, str(self._path), settings, self._clock)


def _refuse_what_cannot_be_opened(path: Path) -> None:
    """OpenCV says only that it failed, so the usual reasons are looked for first.

    Raises:
        DeviceError: the device is missing, not permitted, busy, or no device.
    """
    try:
        handle = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise DeviceError(f"{path}: {_reason(path, error)}") from None
    try:
        is_device = stat.S_ISCHR(os.fstat(handle).st_mode)
    finally:
        os.close(handle)
    if not is_device:
        raise DeviceError(f"{path}: expected a camera device, found a file")


def _reason(path: Path, error: OSError) -> str:
    if error.errno == errno.ENOENT:
        present = ", ".join(sorted(str(device) for device in Path("/dev").glob("video*")))
        return f"no such device; present: {present or 'no camera at all'}"
    if error.errno in {errno.EACCES, errno.EPERM}:
        return (
            f"not permitted; its group is {_group(path)}: add the user to it, or use DeviceAllow= in systemd"
        )
    if error.errno == errno.EBUSY:
        return "busy: another process uses it"
    return f"cannot be opened: {error.strerror}"


def _group(path: Path) -> str:
    try:
        number = path.stat().st_gid
    except OSError:
        return "not to be seen"
    try:
        return grp.getgrgid(number).gr_name
    except KeyError:
        return str(number)
