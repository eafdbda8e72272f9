"""When to look, and whether what is seen still lives: the arithmetic that every camera shares."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

import cv2
import numpy as np

from agent.core.errors import DeviceError

if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import NDArray


EARLY_S = 0.02
"""Pictures of a network camera come up to about this much early or late."""


class Pace:
    """Moments at most `fps` times a second, on a grid that does not drift; 0 means always."""

    def __init__(self, fps: float) -> None:
        self._interval_s = 1.0 / fps if fps > 0 else 0.0
        self._due = -float("inf")

    def wait_s(self, now: float) -> float:
        """Seconds until the next look; 0 when it is due."""
        return max(0.0, self._due - now)

    def is_due(self, now: float) -> bool:
        """Whether to take a picture that comes by itself at `now`: also a little early, since a source of
        just this rate would otherwise lose every picture that arrives a millisecond before its moment.
        """
        return now >= self._due - min(EARLY_S, self._interval_s / 4)

    def looked(self, now: float) -> None:
        """A look was taken. One that came late by more than an interval starts the grid anew, so that a
        pause is not followed by a burst.
        """
        late = now - self._due > self._interval_s
        self._due = (now if late else self._due) + self._interval_s


class Frozen:
    """Notices a source that goes on delivering the same picture.

    Compared is the crc32 of every 16th pixel of every 16th row: 0.02 ms for 640 × 360.
    """

    def __init__(self, limit_s: float) -> None:
        """`limit_s` = 0 never complains."""
        self._limit_s = limit_s
        self._crc = -1
        self._since = 0.0
        self._same = 0

    def check(self, image: NDArray[np.uint8], now: float) -> None:
        """Call with every picture looked at.

        Raises:
            DeviceError: this and at least two before it, over `limit_s`, are the same.
        """
        if self._limit_s <= 0:
            return
        crc = zlib.crc32(image[::16, ::16].tobytes())
        if crc != self._crc:
            self._crc, self._since, self._same = crc, now, 1
            return
        self._same += 1
        if self._same >= 3 and now - self._since >= self._limit_s:
            raise DeviceError(f"the picture has not changed for {now - self._since:.0f} s: the source hangs")


def as_image(pixels: NDArray[Any]) -> NDArray[np.uint8]:
    """What a driver delivered → what a Frame holds: BGR, C-contiguous, owning its memory, read-only.

    Raises:
        DeviceError: it is no picture of 8 bits with 1, 3 or 4 channels.
    """
    if pixels.dtype != np.uint8 or pixels.size == 0 or pixels.ndim not in {2, 3}:
        raise DeviceError(f"expected 8-bit pictures, found {pixels.shape} {pixels.dtype}")
    channels = pixels.shape[2] if pixels.ndim == 3 else 1
    if channels not in {1, 3, 4}:
        raise DeviceError(f"expected 1, 3 or 4 channels, found {pixels.shape}")
    image = pixels
    if channels == 1:
        image = np.asarray(cv2.cvtColor(pixels, cv2.COLOR_GRAY2BGR), np.uint8)
    elif channels == 4:
        image = np.asarray(cv2.cvtColor(pixels, cv2.COLOR_BGRA2BGR), np.uint8)
    if not (image.flags.c_contiguous and image.flags.owndata):
        image = image.copy(order="C")
    image.flags.writeable = False
    return image
