"""A loaded detector. Its bytes reach TFLite only after their sha256 was found to be the spec's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from agent.adapters.detector.fit import check_detector
from agent.adapters.embedder.files import read_description, read_verified
from agent.adapters.embedder.fit import preparation_for
from agent.adapters.embedder.runtime import open_interpreter, tensor_facts
from agent.core.detector_spec import parse_detector_spec
from agent.core.errors import DeviceError, quoted
from agent.core.proposals import believed
from agent.core.types import Region

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from agent.core.detector_spec import DetectorSpec
    from agent.core.proposals import Boxes, DetectorSettings


class Detector:
    """One interpreter, for one thread."""

    def __init__(self, data: bytes, spec: DetectorSpec, settings: DetectorSettings) -> None:
        """From bytes that were verified; `load_detector` does that. Raises as it does."""
        self.spec = spec
        self._settings = settings
        interpreter: Any = open_interpreter(data, settings.file, settings.threads, None)
        image, outputs = check_detector(*tensor_facts(interpreter), spec, settings.file)
        self._preparation = preparation_for(image, spec.input, settings.file)
        self._invoke = interpreter.invoke
        # Each call gives a fresh view, which must be gone before the next invoke.
        self._input = interpreter.tensor(image.index)
        self._outputs = {what: interpreter.tensor(fact.index) for what, fact in outputs.items()}

    def detect(self, image: NDArray[np.uint8], tile: Region) -> Boxes:
        """What it finds in a part of `image`, `(H, W, 3)` uint8 BGR; see `believed`.

        Raises:
            ValueError: no pixel of the tile is in the picture.
            DeviceError: the inference failed.
        """
        self._preparation.write(image, tile, self._input()[0])
        try:
            self._invoke()
        except (RuntimeError, ValueError) as error:
            raise DeviceError(f"{self._settings.file}: the inference failed: {quoted(str(error))}") from error
        boxes, classes, scores = (self._outputs[what]()[0].copy() for what in ("boxes", "classes", "scores"))
        count = float(self._outputs["count"]()[0])
        return believed(boxes, classes, scores, count, tile.box, self._settings)


def load_detector(settings: DetectorSettings) -> Detector:
    """Read, verify and open the model that the settings name, and run it once.

    Raises:
        ModelError: one line with the file, what was expected and what was found.
        ConfigError: no TFLite library is installed; says how to install one.
        DeviceError: the inference failed.
    """
    spec = read_description(settings.file, parse_detector_spec)
    detector = Detector(read_verified(settings.file, spec.sha256), spec, settings)
    height, width = spec.input.height, spec.input.width
    # Now, so that no frame waits for what TFLite makes at the first call.
    detector.detect(np.zeros((height, width, 3), np.uint8), Region((0, 0, width, height)))
    return detector
