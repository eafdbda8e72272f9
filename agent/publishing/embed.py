"""Pictures in, embeddings out, on all cores: in the order given, the same bits wherever the work is done."""

from __future__ import annotations

import os
from collections import deque
from contextlib import nullcontext
from dataclasses import dataclass, replace
from itertools import chain, islice
from typing import TYPE_CHECKING, Literal

from agent.adapters.embedder import read_model
from agent.core.errors import ModelError
from agent.publishing.processes import process_workers
from agent.publishing.worker import Recipe, Worker, libraries

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from contextlib import AbstractContextManager

    import numpy as np
    from numpy.typing import NDArray

    from agent.adapters.embedder import Embedder, EmbedderSettings
    from agent.publishing.worker import Answer, Chunk, Submit

Engine = Literal["processes", "ray"]

CHUNK = 16
"""Pictures handed over at once: some 50 ms of work, against 1 ms of handing over."""

CHUNK_BYTES = 4_000_000
"""A chunk of photos straight from phones ends earlier: one of 4 MB is 100 ms of work by itself."""

BYTES_AHEAD = 256_000_000
"""Of pictures in all chunks that wait. One picture has at most 64 MB; 16 workers with 4 MB each stay busy."""

WORTH_A_PROCESS = 64
"""Pictures per process below which starting one (0.5 s) takes longer than it saves."""


@dataclass(frozen=True, slots=True)
class Picture:
    """One reference picture to be embedded."""

    key: int  # see core/matching.py
    path: str  # within the product folder
    data: bytes  # of the file


@dataclass(frozen=True, slots=True)
class Embedded:
    """A chunk of pictures: those that could be embedded, and why the others could not."""

    pictures: tuple[Picture, ...]
    vectors: NDArray[np.float32]  # (len(pictures), D) unit rows
    copies: NDArray[np.float32]  # (len(pictures), S, D) of S small copies; zeros where none is worth it
    thumbnails: tuple[bytes, ...]  # of the same pictures: JPEG
    refused: tuple[tuple[Picture, str], ...]


@dataclass(frozen=True, slots=True)
class Crew:
    """Who embeds: processes of this machine, or the workers of a Ray cluster."""

    engine: Engine = "processes"
    jobs: int | None = None  # workers; none means one per core
    address: str = ""  # of the cluster, see `cluster_workers`

    def for_pictures(self, count: int) -> Crew:
        """The same for so many pictures: where nobody said how many, only processes that pay."""
        if self.engine != "processes" or self.jobs is not None:
            return self
        return replace(self, jobs=max(1, min(_cores(), count // WORTH_A_PROCESS)))


def embed_pictures(
    pictures: Iterable[Picture],
    eyes: Embedder,
    settings: EmbedderSettings,
    crop: float,
    crew: Crew,
    small: tuple[int, ...] = (),
) -> Iterator[Embedded]:
    """All pictures in chunks, in the order given; `small` are the shorter sides of copies, see `Worker`.

    `pictures` is read as far ahead as the workers need it; without any, no worker is started. `settings` are
    what `eyes` were loaded from. For engine ray `load_ray` comes first.

    Raises:
        ModelError: the model's answer is no embedding, or its file is another one by now.
        DeviceError: the inference failed, a process died, or there is no such cluster.
    """
    chunks = _chunks(pictures)
    first = list(islice(chunks, 1))
    if first:
        with _workers(eyes, settings, crop, crew, small) as (submit, ahead):
            yield from _in_order(submit, chain(first, chunks), ahead)


def _cores() -> int:
    return len(os.sched_getaffinity(0))


def _workers(
    eyes: Embedder, settings: EmbedderSettings, crop: float, crew: Crew, small: tuple[int, ...]
) -> AbstractContextManager[tuple[Submit, int]]:
    """Workers, and how many chunks to have under way with them."""
    if crew.engine == "processes" and crew.jobs == 1:
        worker = Worker(eyes, crop, small)
        return nullcontext((lambda chunk: lambda: worker.embed(chunk), 1))
    model, spec = read_model(settings)
    if spec.fingerprint != eyes.fingerprint:
        raise ModelError(f"{settings.file}: expected the model that was opened, found another one by now")
    recipe = Recipe(model, spec, settings, crop, small, libraries(eyes))
    if crew.engine == "processes":
        return process_workers(recipe, crew.jobs or _cores())
    from agent.publishing.cluster import cluster_workers

    return cluster_workers(recipe, crew.jobs, crew.address)


def _in_order(submit: Submit, chunks: Iterable[tuple[Picture, ...]], ahead: int) -> Iterator[Embedded]:
    waiting: deque[tuple[tuple[Picture, ...], Callable[[], Answer]]] = deque()
    held_bytes = 0
    for pictures in chunks:
        waiting.append((pictures, submit(_data(pictures))))
        held_bytes += _size(pictures)
        while len(waiting) >= ahead or held_bytes >= BYTES_AHEAD:
            first, answer = waiting.popleft()
            yield _embedded(first, answer())
            held_bytes -= _size(first)
    for pictures, answer in waiting:
        yield _embedded(pictures, answer())


def _embedded(pictures: tuple[Picture, ...], answer: Answer) -> Embedded:
    return Embedded(
        tuple(pictures[position] for position in answer.kept),
        answer.vectors,
        answer.copies,
        answer.thumbnails,
        tuple((pictures[position], reason) for position, reason in answer.refused),
    )


def _chunks(pictures: Iterable[Picture]) -> Iterator[tuple[Picture, ...]]:
    chunk: list[Picture] = []
    for picture in pictures:
        chunk.append(picture)
        if len(chunk) == CHUNK or _size(chunk) >= CHUNK_BYTES:
            yield tuple(chunk)
            chunk = []
    if chunk:
        yield tuple(chunk)


def _data(pictures: tuple[Picture, ...]) -> Chunk:
    return tuple(picture.data for picture in pictures)


def _size(pictures: Iterable[Picture]) -> int:
    return sum(len(picture.data) for picture in pictures)
