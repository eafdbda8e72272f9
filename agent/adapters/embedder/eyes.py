"""A loaded embedding model. Its bytes reach TFLite only after their sha256 was found to be the spec's."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from agent.adapters.embedder.files import read_description, read_verified
from agent.adapters.embedder.fit import check_fit, check_kind, preparation_for
from agent.adapters.embedder.runtime import library, open_interpreter, tensor_facts
from agent.core.errors import DeviceError, ModelError, quoted
from agent.core.model_spec import ModelSpec, parse_spec
from agent.core.tensors import unit_rows, visible

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from agent.adapters.embedder.settings import EmbedderSettings
    from agent.core.types import Region


class Embedder:
    """Regions in, unit rows out. Any thread may call; calls wait for each other, one region at a time.

    (Two threads in one TFLite interpreter were measured to give silently wrong numbers in one call of eight.)

    Attributes:
        spec: what the model is and expects.
        fingerprint: 64 hex digits for the model's bytes and the way pixels become its input: vectors compare
            only between equal fingerprints.
        runtime: library, version and delegate: another one may differ in the last bits.
        dimension: length of an embedding.
    """

    def __init__(
        self, data: bytes, spec: ModelSpec, settings: EmbedderSettings, *, plain: bool = False
    ) -> None:
        """From bytes that were verified; `load_embedder` does that. Raises as it does."""
        name = settings.file
        self.spec = spec
        self.fingerprint = spec.fingerprint
        self.dimension = spec.dimension
        self.runtime = library()[1]
        if settings.delegate is not None:
            self.runtime += f" on {Path(settings.delegate.library).name}"
        interpreter: Any = open_interpreter(data, name, settings.threads, settings.delegate, plain=plain)
        image, embedding = check_kind(*tensor_facts(interpreter), name)
        check_fit(image, embedding, spec, name)
        self._preparation = preparation_for(image, spec.input, name)
        self._shape = (spec.input.height, spec.input.width, 3)
        self._zero = np.float32(embedding.zero_points[0] if embedding.zero_points else 0)
        self._lock = threading.Lock()
        self._name = name
        self._invoke = interpreter.invoke
        # Each call gives a fresh view, which must be gone before the next invoke.
        self._input = interpreter.tensor(image.index)
        self._output = interpreter.tensor(embedding.index)

    def embed(self, image: NDArray[np.uint8], regions: Sequence[Region]) -> NDArray[np.float32]:
        """`(N, D)` float32 unit rows, one per region and in their order; N may be 0.

        A region is cropped and resized straight into the input tensor; nothing is allocated per region but
        its row. A row of zeros (the model saw nothing) stays one: it is similar to nothing.

        Args:
            image: `(H, W, 3)` uint8 BGR.
            regions: parts of it; what lies outside the picture is left out.

        Raises:
            ValueError: a region lies outside the picture, or the picture is of another kind.
            DeviceError: the inference failed.
            ModelError: the model answers with numbers that are not finite.
        """
        self._check(image, regions)
        rows = np.empty((len(regions), self.dimension), np.float32)
        for row, region in zip(rows, regions, strict=True):
            with self._lock:
                self._preparation.write(image, region, self._input()[0])
                self._run()
                np.copyto(row, self._output().reshape(-1))
        return self._units(rows)

    def prepare(self, image: NDArray[np.uint8], regions: Sequence[Region]) -> NDArray[Any]:
        """What the model is shown of each region, for `embed_prepared`: `(N, height, width, 3)` of its type.

        For many pictures in a row: decoding and preparing some of them before the first inference took 0.2 ms
        a picture of 348 px less than by turns, since inference empties the caches.

        Raises:
            ValueError: as `embed`.
        """
        self._check(image, regions)
        shown = np.empty((len(regions), *self._shape), self.spec.input.dtype)
        with self._lock:
            for region, tensor in zip(regions, shown, strict=True):
                self._preparation.write(image, region, tensor)
        return shown

    def embed_prepared(self, shown: NDArray[Any]) -> NDArray[np.float32]:
        """The rows that `embed` gives, to the bit, of what `prepare` gave.

        Raises:
            ValueError: it is of another shape or type.
            DeviceError: the inference failed.
            ModelError: the model answers with numbers that are not finite.
        """
        if shown.shape[1:] != self._shape or shown.dtype != self.spec.input.dtype:
            raise ValueError(
                f"prepared: expected (N, {', '.join(map(str, self._shape))}) {self.spec.input.dtype}, "
                f"found {shown.shape} {shown.dtype}"
            )
        rows = np.empty((len(shown), self.dimension), np.float32)
        for row, tensor in zip(rows, shown, strict=True):
            with self._lock:
                np.copyto(self._input()[0], tensor)
                self._run()
                np.copyto(row, self._output().reshape(-1))
        return self._units(rows)

    def invoke_once(self) -> None:
        """Run the model on whatever its input tensor holds, for measurements.

        Raises:
            DeviceError: the inference failed.
        """
        with self._lock:
            self._run()

    @staticmethod
    def _check(image: NDArray[np.uint8], regions: Sequence[Region]) -> None:
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
            raise ValueError(f"image: expected (H, W, 3) uint8, found {image.shape} {image.dtype}")
        for region in regions:
            # Before a tensor is lent out: an error that keeps a view of it alive would block the model.
            visible(region, image)

    def _units(self, rows: NDArray[np.float32]) -> NDArray[np.float32]:
        rows -= self._zero  # the scale of a quantised output cancels out in a unit row
        try:
            return unit_rows(rows)
        except ValueError as error:
            raise ModelError(f"{self._name}: {error}") from error

    def _run(self) -> None:
        try:
            self._invoke()
        except (RuntimeError, ValueError) as error:
            raise DeviceError(f"{self._name}: the inference failed: {quoted(str(error))}") from error


def load_embedder(settings: EmbedderSettings, *, plain: bool = False) -> Embedder:
    """Read, verify and open the model that the settings name.

    `plain` runs it without XNNPACK, as another device may: slower, and other in the last bits.

    Raises:
        ModelError: one line with the file, what was expected and what was found.
        ConfigError: no TFLite library is installed; says how to install one.
    """
    data, spec = read_model(settings)
    return Embedder(data, spec, settings, plain=plain)


def read_model(settings: EmbedderSettings) -> tuple[bytes, ModelSpec]:
    """The verified bytes of the model that the settings name, and what is said of it.

    Raises:
        ModelError: one line with the file, what was expected and what was found.
    """
    spec = read_spec(settings)
    return read_verified(settings.file, spec.sha256), spec


def read_spec(settings: EmbedderSettings) -> ModelSpec:
    """What is said of the model that the settings name; it is not read itself. Raises as `read_model`."""
    return read_description(settings.file, parse_spec)
