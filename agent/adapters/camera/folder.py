"""A folder of pictures as a camera: in the order of their names, once, for ever, or as they arrive."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING

from agent.adapters.camera.pace import Pace, as_image
from agent.adapters.images import IMAGE_SUFFIXES, read_image
from agent.core.errors import DeviceError, InputError
from agent.core.types import Frame

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from numpy.typing import NDArray

    from agent.adapters.camera.settings import CameraSettings, Source
    from agent.core.clock import Clock

log = logging.getLogger(__name__)

WATCH_S = 0.5
"""How often a watched folder is listed again. 1,000 files take 2 ms; half a second is not felt."""

Stamp = tuple[int, int]
"""(mtime_ns, size): a file that was written again is another picture."""


class FolderCamera:
    """Pictures of a folder and of its subfolders, sorted by path; names that begin with `.` are left out.

    A picture that cannot be read is passed over with one warning. A folder that is missing, that holds no
    picture, or none that can be read, is a lost camera.
    """

    waits = True

    def __init__(self, settings: CameraSettings, source: Source, clock: Clock) -> None:
        self._settings = settings
        self._folder = Path(source.target)
        self._clock = clock
        self._unreadable: set[str] = set()

    @property
    def skipped(self) -> int:
        """Pictures that could not be read."""
        return len(self._unreadable)

    def frames(self) -> Iterator[Frame]:
        """See `Camera.frames`."""
        settings, pace, seq = self._settings, Pace(self._settings.fps), 0
        done, failed = dict[str, Stamp](), dict[str, Stamp]()
        while True:
            first = 0 if settings.watch else seq
            listed = self._list()
            for name, stamp in listed.items():
                if done.get(name) == stamp:
                    continue
                if self._clock.wait(pace.wait_s(self._clock.monotonic())):
                    return
                # A new picture may still be on its way into a watched folder: it gets a second look.
                final = not settings.watch or failed.get(name) == stamp
                image = self._read(name, final)
                if image is None:
                    (done if final else failed)[name] = stamp
                    continue
                done[name] = stamp
                at = self._clock.monotonic()
                pace.looked(at)
                cut = settings.independent or seq == first
                yield Frame(settings.id, seq, at, self._clock.utc(), image, name, cut)
                seq += 1
            if seq == first and done.keys() >= listed.keys():
                raise DeviceError(f"folder {self._folder}: none of its {len(listed)} pictures can be read")
            if not (settings.loop or settings.watch):
                return
            if settings.watch and self._clock.wait(WATCH_S):
                return
            done = {} if settings.loop else {name: done[name] for name in done.keys() & listed.keys()}

    def _read(self, name: str, final: bool) -> NDArray[np.uint8] | None:
        path = self._folder / name
        try:
            return as_image(read_image(path))
        except InputError as error:
            if final and name not in self._unreadable and path.exists():
                self._unreadable.add(name)
                log.warning("camera %s: picture passed over: %s", self._settings.id, error)
            return None

    def _list(self) -> dict[str, Stamp]:
        found: dict[str, Stamp] = {}

        def refuse(error: OSError) -> None:
            if error.filename == str(self._folder):
                raise error

        try:
            for parent, folders, names in os.walk(self._folder, onerror=refuse):
                folders[:] = [folder for folder in folders if not folder.startswith(".")]
                for name in names:
                    path = Path(parent, name)
                    if path.suffix.lower() in IMAGE_SUFFIXES and not name.startswith("."):
                        try:
                            state = path.stat()
                        except OSError:  # gone since it was listed, or a link to nowhere
                            continue
                        found[str(path.relative_to(self._folder))] = (state.st_mtime_ns, state.st_size)
        except OSError as error:
            raise DeviceError(f"folder {self._folder}: cannot be listed: {error.strerror}") from None
        if not found:
            raise DeviceError(
                f"folder {self._folder}: holds no pictures ({', '.join(sorted(IMAGE_SUFFIXES))})"
            )
        return dict(sorted(found.items()))
