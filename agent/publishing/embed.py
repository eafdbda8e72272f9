"""Pictures in, what they become out, on all cores: in order, the same bits wherever the work is done."""

from __future__ import annotations

import os
from collections import deque
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass, replace
from itertools import chain
from typing import TYPE_CHECKING, Any, Literal, Self

from agent.adapters.embedder import read_model
from agent.core.errors import ModelError
from agent.publishing.processes import process_workers
from agent.publishing.worker import Recipe, Worker, libraries

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from contextlib import AbstractContextManager
    from types import TracebackType

    import numpy as np
    from numpy.typing import NDArray

    from agent.adapters.embedder import Embedder, EmbedderSettings
    from agent.core.verifying import Query
    from agent.publishing.worker import Answer, Chunk, Submit, Task

Engine = Literal["processes", "ray"]

CHUNK = 16
"""Pictures handed over at once: some 50 ms of work, against 1 ms of handing over."""

CHUNK_BYTES = 4_000_000
"""A chunk of photos straight from phones ends earlier: one of 4 MB is 100 ms of work by itself."""

BYTES_AHEAD = 256_000_000
"""Of pictures in all chunks that wait. One picture has at most 64 MB; 16 workers with 4 MB each stay busy."""

PEEKED_BYTES = 64_000_000
"""Of pictures that are read before it is known whether there are enough to start processes for them."""

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


class Workforce:
    """Those who look at the pictures of one build: started when first needed, kept until the block is left.

    For engine ray `load_ray` comes first.
    """

    def __init__(
        self,
        eyes: Embedder,
        settings: EmbedderSettings,
        crop: float,
        crew: Crew,
        small: tuple[int, ...] = (),
    ) -> None:
        """`settings` are what `eyes` were loaded from; of `small` copies see `Worker`."""
        self._eyes = eyes
        self._settings = settings
        self.crop = crop
        self._crew = crew
        self.small = small
        self._held = ExitStack()
        self._at_work: tuple[int | None, Submit, int] | None = None

    def __enter__(self) -> Self:
        """Nobody is at work yet."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Send them home. What they failed of is said in our own errors here."""
        self._held.__exit__(kind, error, trace)

    def embed(self, pictures: Iterable[Picture], total: int) -> Iterator[Embedded]:
        """All pictures in chunks, in the order given; there are at most `total`.

        `pictures` is read as far ahead as the workers need it; without any, no worker is started.

        Raises:
            ModelError: the model's answer is no embedding, or its file is another one by now.
            DeviceError: the inference failed, a process died, or there is no such cluster.
        """
        for chunk, answer in self._answers("embed", pictures, total):
            yield _embedded(chunk, answer)

    def portray(self, pictures: Iterable[Picture], total: int) -> Iterator[tuple[Picture, Query | None]]:
        """What a catalogue keeps of each for closer looks, in the order given; raises as `embed` does."""
        for chunk, answer in self._answers("portray", pictures, total):
            yield from zip(chunk, answer, strict=True)

    def ask(self, pictures: Iterable[Picture], total: int) -> Iterator[tuple[Picture, Query | None]]:
        """Each as something that a closer look is asked about, in the order given; raises as `embed` does."""
        for chunk, answer in self._answers("ask", pictures, total):
            yield from zip(chunk, answer, strict=True)

    def _answers(
        self, task: Task, pictures: Iterable[Picture], total: int
    ) -> Iterator[tuple[tuple[Picture, ...], Any]]:
        source = iter(pictures)
        first, all_of_it = _peeked(source, self._undecided(total))
        if first:
            submit, ahead = self._workers(len(first) if all_of_it else total)
            yield from _in_order(submit, task, _chunks(chain(first, source)), ahead)

    def _undecided(self, total: int) -> int:
        """How many pictures have to be there before it is known how many workers they are worth."""
        if self._at_work or self._crew.for_pictures(1) is self._crew:
            return 1
        return (self._crew.for_pictures(total).jobs or 1) * WORTH_A_PROCESS

    def _workers(self, count: int) -> tuple[Submit, int]:
        """For so many pictures; those who are at work already, unless more are worth it."""
        crew = self._crew.for_pictures(count)
        if self._at_work is None or (self._at_work[0] == 1 and crew.jobs != 1):
            hired = self._held.enter_context(
                _workers(self._eyes, self._settings, self.crop, crew, self.small)
            )
            self._at_work = crew.jobs, *hired
        return self._at_work[1:]


def _cores() -> int:
    return len(os.sched_getaffinity(0))


def _workers(
    eyes: Embedder, settings: EmbedderSettings, crop: float, crew: Crew, small: tuple[int, ...]
) -> AbstractContextManager[tuple[Submit, int]]:
    """Workers, and how many chunks to have under way with them."""
    if crew.engine == "processes" and crew.jobs == 1:
        worker = Worker(eyes, crop, small)
        return nullcontext((lambda task, chunk: lambda: worker.do(task, chunk), 1))
    model, spec = read_model(settings)
    if spec.fingerprint != eyes.fingerprint:
        raise ModelError(f"{settings.file}: expected the model that was opened, found another one by now")
    recipe = Recipe(model, spec, settings, crop, small, libraries(eyes))
    if crew.engine == "processes":
        return process_workers(recipe, crew.jobs or _cores())
    from agent.publishing.cluster import cluster_workers

    return cluster_workers(recipe, crew.jobs, crew.address)


def _in_order(
    submit: Submit, task: Task, chunks: Iterable[tuple[Picture, ...]], ahead: int
) -> Iterator[tuple[tuple[Picture, ...], Any]]:
    waiting: deque[tuple[tuple[Picture, ...], Callable[[], Any]]] = deque()
    held_bytes = 0
    for pictures in chunks:
        waiting.append((pictures, submit(task, _data(pictures))))
        held_bytes += _size(pictures)
        while len(waiting) >= ahead or held_bytes >= BYTES_AHEAD:
            first, answer = waiting.popleft()
            yield first, answer()
            held_bytes -= _size(first)
    for pictures, answer in waiting:
        yield pictures, answer()


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


def _peeked(source: Iterator[Picture], wanted: int) -> tuple[list[Picture], bool]:
    """The first pictures, and whether there are no more."""
    first, size = [], 0
    for picture in source:
        first.append(picture)
        size += len(picture.data)
        if len(first) >= wanted or size >= PEEKED_BYTES:
            return first, False
    return first, True


def _data(pictures: tuple[Picture, ...]) -> Chunk:
    return tuple(picture.data for picture in pictures)


def _size(pictures: Iterable[Picture]) -> int:
    return sum(len(picture.data) for picture in pictures)
