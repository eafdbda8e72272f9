"""What happens to a chunk of pictures in whatever process: decoded, embedded, described, made small."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import cv2
import numpy as np

from agent.adapters.embedder import Embedder, EmbedderSettings
from agent.adapters.images import decode_image, encode_jpeg, thumbnail
from agent.core.copies import BLUR_PX, JPEG_QUALITY, WORTH
from agent.core.errors import DeviceError, InputError
from agent.core.regions import kept_centre, propose
from agent.core.verifying import query_of
from agent.publishing.likeness import portrait_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from agent.core.model_spec import ModelSpec
    from agent.core.regions import RegionSettings
    from agent.core.verifying import Query

    Submit = Callable[["Task", "Chunk"], Callable[[], Any]]
    """Hands a chunk to workers; what comes back waits for the answer, and raises what the worker raised."""

Chunk = tuple[bytes, ...]
"""Pictures as they are in their files."""

Task = Literal["embed", "portray", "ask"]
"""What a `Worker` is to do with a chunk: its method of this name."""

CHUNKS_AHEAD = 4
"""Chunks waiting per worker, so that none runs dry and a million pictures are not read at once."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a chunk. Pictures are named by their position in it, so that none travels back."""

    kept: tuple[int, ...]
    vectors: NDArray[np.float32]  # (len(kept), D) unit rows
    copies: NDArray[np.float32]  # (len(kept), S, D) unit rows of S small copies; zeros where none is worth it
    thumbnails: tuple[bytes, ...]  # of those kept: JPEG
    refused: tuple[tuple[int, str], ...]  # and why


class Worker:
    """Looks at chunks, one at a time, with eyes of its own."""

    def __init__(self, eyes: Embedder, crop: float, small: tuple[int, ...] = ()) -> None:
        """`crop` is the share of each side of a picture that is kept around its centre, [0.1, 1].

        What is kept is also looked at in small, with these numbers of pixels on its shorter side.
        """
        self._eyes = eyes
        self._where = kept_centre(crop)
        self._small = small

    def do(self, task: Task, chunk: Chunk) -> Any:
        """What the method of this name gives."""
        return getattr(self, task)(chunk)

    def portray(self, chunk: Chunk) -> tuple[Query | None, ...]:
        """Each picture as a catalogue keeps it for closer looks; None for one that cannot be seen."""
        seen = (self._seen(data) for data in chunk)
        return tuple(None if picture is None else portrait_of(picture) for picture in seen)

    def ask(self, chunk: Chunk) -> tuple[Query | None, ...]:
        """Each picture as something that a closer look is asked about; None for one that cannot be seen."""
        seen = (self._seen(data) for data in chunk)
        return tuple(None if picture is None else query_of(picture) for picture in seen)

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
            seen = [self._embedded(each) for each in shown]
            if not seen[0].any():
                refused.append((position, _NOTHING))
                continue
            kept.append(position)
            rows += seen
            thumbnails.append(small)
        shape = (len(kept), 1 + len(self._small), self._eyes.dimension)
        vectors = np.concatenate([*rows, np.empty((0, self._eyes.dimension), np.float32)]).reshape(shape)
        return Answer(tuple(kept), vectors[:, 0], vectors[:, 1:], tuple(thumbnails), tuple(sorted(refused)))

    def _seen(self, data: bytes) -> NDArray[np.uint8] | None:
        """What of a picture is looked at."""
        try:
            image = decode_image(data, _NAME)
            left, top, right, bottom = propose(self._where, image.shape[1], image.shape[0])[0].box
        except (InputError, ValueError):
            return None
        return image[top:bottom, left:right]

    def _prepared(self, data: bytes) -> tuple[list[NDArray[Any] | None], bytes]:
        """What the model is to be shown of a picture and of its copies, and its thumbnail."""
        image = decode_image(data, _NAME)
        copies = [_from_afar(image, self._where, px) for px in self._small]
        try:
            shown = [None if each is None else self._shown(each) for each in (image, *copies)]
        except ValueError as error:
            raise InputError(str(error)) from None
        return shown, thumbnail(image)

    def _shown(self, image: NDArray[np.uint8]) -> NDArray[Any]:
        return self._eyes.prepare(image, propose(self._where, image.shape[1], image.shape[0]))

    def _embedded(self, shown: NDArray[Any] | None) -> NDArray[np.float32]:
        """`(1, D)`: each by itself, so that its bits depend on no neighbour; zeros of nothing."""
        if shown is None:
            return np.zeros((1, self._eyes.dimension), np.float32)
        return self._eyes.embed_prepared(shown)


def _from_afar(image: NDArray[np.uint8], where: RegionSettings, px: int) -> NDArray[np.uint8] | None:
    """The picture with what is looked at `px` on its shorter side; None where that is hardly smaller."""
    height, width = image.shape[:2]
    left, top, right, bottom = propose(where, width, height)[0].box
    times = px / min(right - left, bottom - top)
    if times >= WORTH:
        return None
    size = (max(1, round(width * times)), max(1, round(height * times)))
    small = cv2.GaussianBlur(cv2.resize(image, size, interpolation=cv2.INTER_AREA), (0, 0), BLUR_PX)
    return decode_image(encode_jpeg(np.asarray(small, np.uint8), JPEG_QUALITY), _NAME)


_NAME = "picture"
_NOTHING = "the model sees nothing in this picture: its embedding is all zeros"


@dataclass(frozen=True, slots=True)
class Recipe:
    """What a worker in another process is made of. The model travels as bytes: no disk need be shared."""

    model: bytes
    spec: ModelSpec
    settings: EmbedderSettings
    crop: float
    small: tuple[int, ...]
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
        return Worker(eyes, self.crop, self.small)


def libraries(eyes: Embedder) -> tuple[str, ...]:
    """The versions that decide the bits of an embedding and of a thumbnail, beside the model."""
    return eyes.runtime, f"OpenCV {cv2.__version__}", f"NumPy {np.__version__}"
