"""The camera connector of a Raspberry Pi, through picamera2."""

from __future__ import annotations

from concurrent.futures import CancelledError
from importlib import import_module
from typing import TYPE_CHECKING, Any

from agent.adapters.camera.pace import Frozen, Pace, as_image
from agent.core.errors import ConfigError, DeviceError, quoted
from agent.core.types import Frame

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from numpy.typing import NDArray

    from agent.adapters.camera.settings import CameraSettings, Source
    from agent.core.clock import Clock

DEFAULT_SIZE = (1280, 720)
"""16:9 is what every Pi camera has; four times the 640 × 360 at which products a hand high are known."""

INSTALL = (
    "install it with `sudo apt install python3-picamera2` and make the virtual environment with "
    "--system-site-packages (it is not on PyPI for every system)"
)
_FAILURES = (RuntimeError, OSError, IndexError, KeyError, ValueError, CancelledError)
"""What picamera2 raises when a camera is missing, busy or lost; a timeout is an OSError."""


class CsiCamera:
    """Number 0 is the first camera that `rpicam-hello --list-cameras` names."""

    waits = False
    skipped = 0

    def __init__(self, settings: CameraSettings, source: Source, clock: Clock) -> None:
        """Imports picamera2, which touches no camera.

        Raises:
            ConfigError: it is not installed.
        """
        try:
            self._picamera2 = import_module("picamera2")
        except ImportError as error:
            raise ConfigError(f"source: csi:{source.target} needs picamera2 ({error}): {INSTALL}") from None
        self._settings = settings
        self._number = int(source.target)
        self._shown = f"csi:{source.target}"
        self._clock = clock

    def frames(self) -> Iterator[Frame]:
        """See `Camera.frames`."""
        settings, clock = self._settings, self._clock
        pace, frozen, seq = Pace(settings.fps), Frozen(settings.frozen_after_s), 0
        try:
            native = self._picamera2.Picamera2(self._number)
        except _FAILURES as error:
            raise DeviceError(f"{self._shown}: cannot be opened: {quoted(str(error))}") from None
        try:
            self._start(native)
            while not clock.wait(pace.wait_s(clock.monotonic())):
                image = self._take(native)
                at = clock.monotonic()
                pace.looked(at)
                frozen.check(image, at)
                yield Frame(settings.id, seq, at, clock.utc(), image)
                seq += 1
        except DeviceError as error:
            raise DeviceError(f"{self._shown}: {error}") from None
        except _FAILURES as error:
            reason = quoted(str(error)) if str(error) else f"no picture for {settings.read_timeout_s:g} s"
            raise DeviceError(f"{self._shown}: lost: {reason}") from None
        finally:
            native.close()  # stops it as well

    def _start(self, native: Any) -> None:
        size = (self._settings.width or DEFAULT_SIZE[0], self._settings.height or DEFAULT_SIZE[1])
        # libcamera names the order of bytes from the highest address: RGB888 is B, G, R in memory.
        native.configure(native.create_video_configuration(main={"size": size, "format": "RGB888"}))
        native.start()

    def _take(self, native: Any) -> NDArray[np.uint8]:
        # A job can be waited for with a limit; a plain capture_array() would wait for ever.
        job = native.capture_array("main", wait=False)
        return as_image(native.wait(job, timeout=self._settings.read_timeout_s))
