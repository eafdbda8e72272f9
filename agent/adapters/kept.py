"""What applications left behind for after a restart: a small JSON file per camera, whole or absent."""

from __future__ import annotations

import hashlib
import json
import logging
from typing import TYPE_CHECKING, Any, Final

from agent.adapters.durable import make_folder, write_whole
from agent.core.errors import DeviceError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

log = logging.getLogger(__name__)

EVERY_S: Final = 5.0
"""Between two writings: a shelf that changes all the time costs a card 17,000 writes a day, not more. What
happened in the seconds before a power cut is seen again by the camera."""

BYTES_LIMIT: Final = 8_000_000


class Kept:
    """For one thread. A file that cannot be read is passed over, and said."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._written: dict[str, Mapping[str, Any]] = {}
        self._due_at = 0.0
        self._complaint = ""

    def read(self, camera: str) -> Mapping[str, Any] | None:
        """What was written of a camera; None where nothing was, or nothing that can be used."""
        path = self._path(camera)
        try:
            with path.open("rb") as file:
                found = json.loads(file.read(BYTES_LIMIT))  # a longer one is cut, and no JSON
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            log.error("%s: expected what was left before the restart, found: %s; it begins anew", path, error)
            return None
        if not isinstance(found, dict) or found.get("camera") != camera:
            log.error("%s: expected what camera %r left, found something else; it begins anew", path, camera)
            return None
        kept = found.get("kept")
        return kept if isinstance(kept, dict) else None

    def tend(self, now: float, kept: Mapping[str, Mapping[str, Any]], *, last: bool = False) -> None:
        """Several times a second, and at the `last`: write what changed, not too often."""
        if now < self._due_at and not last:
            return
        changed = [camera for camera, each in kept.items() if self._written.get(camera) is not each]
        if not changed:
            return
        self._due_at = now + EVERY_S
        try:
            make_folder(self._folder)
            for camera in changed:
                body = json.dumps({"camera": camera, "kept": kept[camera]}, separators=(",", ":"))
                write_whole(self._path(camera), body.encode())
                self._written[camera] = kept[camera]
            self._complaint = ""
        except DeviceError as error:
            log.log(logging.DEBUG if self._complaint else logging.ERROR, "%s: %s", self._folder, error)
            self._complaint = str(error)

    def _path(self, camera: str) -> Path:
        # A camera's name may hold what no file's may; its digest never does.
        return self._folder / f"{hashlib.sha256(camera.encode()).hexdigest()[:16]}.json"
