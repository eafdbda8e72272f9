"""People and faces in a picture that is about to be kept or shown, by the models that are configured."""

from __future__ import annotations

import logging
from threading import Lock
from typing import TYPE_CHECKING, Final

import numpy as np

from agent.adapters.detector import load_detector
from agent.adapters.faces import load_faces
from agent.adapters.images import decode_image, encode_jpeg
from agent.core.errors import DeviceError
from agent.core.privacy import nobody
from agent.core.proposals import DetectorSettings
from agent.core.types import Region

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from agent.core.privacy import Finder, PeopleSettings
    from agent.core.types import Box

log = logging.getLogger(__name__)

QUALITY: Final = 90

_OTHERS: Final = tuple(range(1, 1000))
"""Classes of a detector that are no person."""


class People:
    """Any thread may ask; they wait for each other."""

    def __init__(self, settings: PeopleSettings) -> None:
        """Raises ModelError, ConfigError: a model is missing or wrong, or cannot be run here."""
        self._faces = load_faces(settings.faces, settings.faces_score) if settings.faces else None
        self._detector = None
        if settings.people:
            detector = DetectorSettings(file=settings.people, score=settings.people_score, ignore=_OTHERS)
            self._detector = load_detector(detector)
        self._lock = Lock()
        self._failed = False

    def find(self, image: NDArray[np.uint8]) -> list[Box]:
        """Boxes of faces and people in a picture `(H, W, 3)` uint8 BGR. Raises DeviceError."""
        try:
            found = self._faces.find(image) if self._faces else []
            if self._detector:
                height, width = image.shape[:2]
                with self._lock:  # an interpreter is for one thread at a time
                    boxes = self._detector.detect(image, Region((0, 0, width, height))).boxes
                found += [(int(a), int(b), int(np.ceil(c)), int(np.ceil(d))) for a, b, c, d in boxes.tolist()]
        except DeviceError as error:
            log.log(
                logging.DEBUG if self._failed else logging.WARNING,
                "people cannot be looked for, pictures are blurred as a whole: %s",
                error,
            )
            self._failed = True
            raise
        self._failed = False
        return found


def clearer(clear: Callable[[NDArray[np.uint8]], NDArray[np.uint8]]) -> Callable[[bytes], bytes]:
    """`Veil.clear` for a JPEG, which stays as it is where nobody is found; empty stays empty."""

    def of(picture: bytes) -> bytes:
        if not picture:
            return picture
        image = decode_image(picture, "picture")
        shown = clear(image)
        return picture if shown is image else encode_jpeg(shown, QUALITY)

    return of


def make_finder(settings: PeopleSettings) -> Finder:
    """What finds people in pictures; `nobody` where nothing is configured. Raises as `People`."""
    return People(settings).find if settings.faces or settings.people else nobody
