"""What happens to a chunk of pictures, in whatever process it is: decoded, embedded, made small."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from agent.adapters.embedder import Embedder, EmbedderSettings
from agent.adapters.images import decode_image, thumbnail
from agent.core.errors import DeviceError, InputError
from agent.core.regions import kept_centre, propose

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from agent.core.model_spec import ModelSpec

    Submit = Callable[["Chunk"], Callable[[], "Answer"]]
    """Hands a chunk to workers; what comes back waits for the answer, and raises what the worker raised."""

Chunk = tuple[bytes, ...]
"""Pictures as they are in their files."""

CHUNKS_AHEAD = 4
"""Chunks waiting per worker, so that none runs dry and a million pictures are not read at once."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a chunk. Pictures are named by their position in it, so that none travels back."""

    kept: tuple[int, ...]
    vectors: NDArray[np.float32]  # (len(kept), D) unit rows
    thumbnails: tuple[bytes, ...]  # of those kept: JPEG
    refused: tuple[tuple[int, str], ...]  # and why


class Worker:
    """Embeds chunks, one at a time, with eyes of its own."""

    def __init__(self, eyes: Embedder, crop: float) -> None:
        """`crop` is the share of each side of a picture that is kept around its centre, [0.1, 1]."""
        self._eyes = eyes
        self._where = kept_centre(crop)

    def embed(self, chunk: Chunk) -> Answer:
        """A picture that cannot be decoded or seen is refused, the others go on.

        Raises:
            ModelError: the model's answer is no embedding.
            DeviceError: the inference failed.
        """
        ready, refused = [], []
        for position, data in enumerate(chunk):
            try:
                ready.append((position, *self._prepared(data)))
            except InputError as error:
                refused.append((position, str(error).removeprefix(f"{_NAME}: ")))
        kept, rows, thumbnails = [], [], []
        for position, shown, small in ready:
            row = self._eyes.embed_prepared(shown)  # each by itself: its bits depend on no neighbour
            if not row.any():
                refused.append((position, _NOTHING))
                continue
            kept.append(position)
            rows.append(row)
            thumbnails.append(small)
        vectors = np.concatenate([np.empty((0, self._eyes.dimension), np.float32), *rows])
        return Answer(tuple(kept), vectors, tuple(thumbnails), tuple(sorted(refused)))

    def _prepared(self, data: bytes) -> tuple[NDArray[Any], bytes]:
        """What the model is to be shown of a picture, and its thumbnail."""
        image = decode_image(data, _NAME)
        try:
            shown = self._eyes.prepare(image, propose(self._where, image.shape[1], image.shape[0]))
        except ValueError as error:
            raise InputError(str(error)) from None
        return shown, thumbnail(image)


_NAME = "picture"
_NOTHING = "the model sees nothing in this picture: its embedding is all zeros"


@dataclass(frozen=True, slots=True)
class Recipe:
    """What a worker in another process is made of. The model travels as bytes: no disk need be shared."""

    model: bytes
    spec: ModelSpec
    settings: EmbedderSettings
    crop: float
    libraries: tuple[str, ...]  # of whoever asks: equal bits come of equal versions

    def make(self) -> Worker:
        """A worker of this process.

        Raises:
            DeviceError: this process has other versions of the libraries that decide the bits.
            ModelError: the model cannot be opened here.
            ConfigError: no TFLite library is installed here.
        """
        cv2.setNumThreads(1)  # one process per core: more threads would only wait for each other
        eyes = Embedder(self.model, self.spec, self.settings)
        found = libraries(eyes)
        if found != self.libraries:
            raise DeviceError(
                f"a worker that embeds pictures: expected {', '.join(self.libraries)} as here, "
                f"found {', '.join(found)}"
            )
        return Worker(eyes, self.crop)


def libraries(eyes: Embedder) -> tuple[str, ...]:
    """The versions that decide the bits of an embedding and of a thumbnail, beside the model."""
    return eyes.runtime, f"OpenCV {cv2.__version__}", f"NumPy {np.__version__}"
