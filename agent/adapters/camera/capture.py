"""OpenCV's VideoCapture, with its habits put right: the only file that knows it.

It never says why something failed, its `isOpened()` stays true after a loss, and releasing it from another
thread than the one that reads crashed or hung in 6 of 6 attempts: so it lives and dies in one generator.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import cv2

from agent.adapters.camera.pace import as_image
from agent.core.errors import DeviceError, quoted

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy as np
    from numpy.typing import NDArray


class Capture:
    """An open VideoCapture. Use it in the thread that opened it, within `opened`."""

    def __init__(self, native: cv2.VideoCapture, shown: str) -> None:
        self._native = native
        self._shown = shown

    def grab(self) -> bool:
        """Step to the next picture without unpacking it; False when none comes any more."""
        try:
            return bool(self._native.grab())
        except cv2.error as error:
            raise DeviceError(f"{self._shown}: cannot be read: {quoted(str(error))}") from None

    def retrieve(self) -> NDArray[np.uint8] | None:
        """The picture that `grab` stepped to, fit for a Frame; None when it cannot be unpacked."""
        try:
            done, pixels = self._native.retrieve()
        except cv2.error as error:
            raise DeviceError(f"{self._shown}: cannot be unpacked: {quoted(str(error))}") from None
        return as_image(pixels) if done and pixels is not None else None

    def rate_fps(self) -> float:
        """Frames per second that the source claims; 0 when it does not say or claims nonsense."""
        rate = float(self._native.get(cv2.CAP_PROP_FPS))
        return rate if 0 < rate < 1000 else 0.0


@contextmanager
def opened(target: str, shown: str, backend: int, options: Sequence[int]) -> Iterator[Capture | None]:
    """Open `target`; None when that fails. `options` are pairs of cv2.CAP_PROP_… and value: timeouts are
    obeyed only when they are given to the constructor.

    Raises:
        DeviceError: OpenCV refuses the arguments.
    """
    try:
        native = cv2.VideoCapture(target, backend, list(options))
    except cv2.error as error:
        raise DeviceError(f"{shown}: cannot be opened: {quoted(str(error))}") from None
    try:
        yield Capture(native, shown) if native.isOpened() else None
    finally:
        native.release()
