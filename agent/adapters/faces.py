"""Finds faces with OpenCV's YuNet, whose bytes it gets only when their sha256 is that of the spec."""

from __future__ import annotations

import hashlib
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, Final

import cv2
import numpy as np

from agent.adapters.embedder.files import read_description, read_verified
from agent.core.errors import DeviceError, ModelError, quoted
from agent.core.face_spec import KIND, FaceSpec, parse_face_spec

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from agent.core.types import Box

SIDES_PX: Final = (960, 320)
"""Longer sides in which a picture is looked at. The model finds faces of 10 to 300 pixels: so those of 13 to
400 pixels of a picture of 1,280, and in the small one whoever stands right before the camera."""

_OVERLAP: Final = 0.3
_KEPT: Final = 500
"""Faces of one picture, before those that lie on each other are dropped."""


class Faces:
    """Any thread may ask; they wait for each other."""

    def __init__(self, data: bytes, name: str, score: float) -> None:
        """From bytes that were verified; `load_faces` does that. Raises as it does."""
        self._name = name
        self._lock = Lock()
        model, none = np.frombuffer(data, np.uint8), np.empty(0, np.uint8)
        try:
            self._detector: Any = cv2.FaceDetectorYN.create(
                "onnx", model, none, (32, 32), score, _OVERLAP, _KEPT
            )
        except (cv2.error, AttributeError) as error:
            raise ModelError(f"{name}: expected a YuNet that OpenCV can open: {quoted(str(error))}") from None

    def find(self, image: NDArray[np.uint8]) -> list[Box]:
        """Boxes of the faces in a picture `(H, W, 3)` uint8 BGR; those found in two sizes come twice.

        Raises:
            DeviceError: the inference failed.
        """
        longer = max(image.shape[:2])
        sides = {min(longer, side) for side in SIDES_PX}
        with self._lock:
            return [box for side in sorted(sides) for box in self._look(image, side / longer)]

    def _look(self, image: NDArray[np.uint8], times: float) -> list[Box]:
        height, width = (max(1, round(side * times)) for side in image.shape[:2])
        try:
            small = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
            self._detector.setInputSize((width, height))
            _, found = self._detector.detect(small)
        except cv2.error as error:
            raise DeviceError(f"{self._name}: the inference failed: {quoted(str(error))}") from None
        if found is None:
            return []
        boxes = np.asarray(found, np.float64)[:, :4]
        boxes = boxes[np.isfinite(boxes).all(axis=1)] / times
        return [(int(x), int(y), int(np.ceil(x + w)), int(np.ceil(y + h))) for x, y, w, h in boxes.tolist()]


def draft_faces(data: bytes, name: str) -> dict[str, Any]:
    """A first description for a model that has none. ModelError: it finds no faces, or opening it failed."""
    _tried(Faces(data, name, 0.5), name)
    spec = FaceSpec(kind=KIND, name=Path(name).stem, file=name, sha256=hashlib.sha256(data).hexdigest())
    return spec.document()


def load_faces(path: str, score: float) -> Faces:
    """Read, verify and open a model, and run it once.

    Raises:
        ModelError: one line with the file, what was expected and what was found.
    """
    spec = read_description(path, parse_face_spec)
    return _tried(Faces(read_verified(path, spec.sha256), path, score), path)


def _tried(faces: Faces, path: str) -> Faces:
    try:
        faces.find(np.zeros((64, 64, 3), np.uint8))
    except DeviceError as error:
        raise ModelError(f"{path}: expected a YuNet of 2023 or later: {error}") from None
    return faces
