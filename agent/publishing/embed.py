"""Pictures in, embeddings out, on all cores: in the order given, the same bits on any number of cores."""

from __future__ import annotations

import os
import signal
from collections import deque
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from itertools import islice
from multiprocessing import get_context
from typing import TYPE_CHECKING

import numpy as np

from agent.adapters.embedder import load_embedder
from agent.adapters.images import read_image
from agent.core.errors import DeviceError, InputError
from agent.core.regions import kept_centre, propose

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from concurrent.futures import Future
    from pathlib import Path

    from numpy.typing import NDArray

    from agent.adapters.embedder import Embedder, EmbedderSettings

CHUNK = 16
"""Pictures handed over at once: some 50 ms of work, against 1 ms of handing over. The same for any number of
processes, because the index is filled chunk by chunk."""

CHUNKS_AHEAD = 4
"""Chunks waiting per process, so that none runs dry and a million paths are not queued at once."""

WORTH_A_PROCESS = 64
"""Pictures per process below which starting one (0.5 s) takes longer than it saves."""


@dataclass(frozen=True, slots=True)
class Picture:
    """One reference picture to be embedded."""

    key: int  # see core/matching.py
    path: str  # within the product folder


@dataclass(frozen=True, slots=True)
class Embedded:
    """A chunk of pictures: those that could be embedded, and why the others could not."""

    pictures: tuple[Picture, ...]
    vectors: NDArray[np.float32]  # (len(pictures), D) unit rows
    refused: tuple[tuple[Picture, str], ...]


class Worker:
    """Embeds chunks, one at a time, with eyes of its own."""

    def __init__(self, root: Path, eyes: Embedder, crop: float) -> None:
        """`crop` is the share of each side of a picture that is kept around its centre, [0.1, 1]."""
        self._root = root
        self._eyes = eyes
        self._where = kept_centre(crop)

    def embed(self, pictures: tuple[Picture, ...]) -> Embedded:
        """A picture that cannot be read or seen is refused, the others go on.

        Raises:
            ModelError: the model's answer is no embedding.
            DeviceError: the inference failed.
        """
        kept, rows, refused = [], [], []
        for picture in pictures:
            try:
                row = self._rows(self._root / picture.path)
            except InputError as error:
                reason = str(error).removeprefix(f"{self._root / picture.path}: ")
                refused.append((picture, reason))
            else:
                kept.append(picture)
                rows.append(row)
        vectors = np.concatenate([np.empty((0, self._eyes.dimension), np.float32), *rows])
        return Embedded(tuple(kept), vectors, tuple(refused))

    def _rows(self, path: Path) -> NDArray[np.float32]:
        image = read_image(path)
        try:
            rows = self._eyes.embed(image, propose(self._where, image.shape[1], image.shape[0]))
        except ValueError as error:
            raise InputError(str(error)) from None
        if not rows.any():
            raise InputError("the model sees nothing in this picture: its embedding is all zeros")
        return rows


def embed_pictures(
    root: Path,
    pictures: Iterable[Picture],
    eyes: Embedder,
    settings: EmbedderSettings,
    crop: float,
    jobs: int,
) -> Iterator[Embedded]:
    """All pictures in chunks, in the order given. With one job in this process, with `eyes`.

    `settings` are what `eyes` were loaded from: each of several processes loads its own.

    Raises:
        ModelError: the model's answer is no embedding.
        DeviceError: the inference failed, or a process died.
    """
    chunks = _chunks(pictures)
    if jobs <= 1:
        yield from map(Worker(root, eyes, crop).embed, chunks)
        return
    # spawn: a fork of a process that holds an interpreter's and OpenCV's threads would hang.
    pool = ProcessPoolExecutor(jobs, get_context("spawn"), _start, (root, settings, crop))
    try:
        yield from _in_order(pool, chunks, jobs * CHUNKS_AHEAD)
    except BrokenProcessPool:
        raise DeviceError("a process that embeds pictures was ended from outside: out of memory?") from None
    finally:
        pool.shutdown(cancel_futures=True)


def sensible_jobs(wanted: int | None, pictures: int) -> int:
    """Processes for so many pictures: `wanted`, or one per core where starting them pays."""
    if wanted is not None:
        return wanted
    return max(1, min(len(os.sched_getaffinity(0)), pictures // WORTH_A_PROCESS))


def _in_order(
    pool: ProcessPoolExecutor, chunks: Iterator[tuple[Picture, ...]], ahead: int
) -> Iterator[Embedded]:
    waiting: deque[Future[Embedded]] = deque(pool.submit(_embed, chunk) for chunk in islice(chunks, ahead))
    while waiting:
        yield waiting.popleft().result()
        waiting.extend(pool.submit(_embed, chunk) for chunk in islice(chunks, 1))


def _chunks(pictures: Iterable[Picture]) -> Iterator[tuple[Picture, ...]]:
    source = iter(pictures)
    while chunk := tuple(islice(source, CHUNK)):
        yield chunk


_ORDERS: list[tuple[Path, EmbedderSettings, float]] = []
_WORKERS: list[Worker] = []
"""Within a process of the pool: what its worker is to be made of, and the worker once it was needed."""


def _start(root: Path, settings: EmbedderSettings, crop: float) -> None:
    """First thing in a process. The model is loaded with the first chunk, where an error has a way home."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is answered once, by the process that asked
    _ORDERS.append((root, settings, crop))


def _embed(pictures: tuple[Picture, ...]) -> Embedded:
    if not _WORKERS:
        root, settings, crop = _ORDERS[0]
        _WORKERS.append(Worker(root, load_embedder(settings), crop))
    return _WORKERS[0].embed(pictures)
