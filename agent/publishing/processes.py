"""Workers on the cores of this machine: one process each."""

from __future__ import annotations

import fcntl
import os
import select
import signal
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import get_context, parent_process
from typing import TYPE_CHECKING, Any

from agent.adapters.embedder import library_module
from agent.core.errors import DeviceError
from agent.publishing.worker import CHUNKS_AHEAD

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from agent.publishing.worker import Chunk, Recipe, Submit, Task, Worker


@contextmanager
def process_workers(recipe: Recipe, jobs: int) -> Iterator[tuple[Submit, int]]:
    """`jobs` processes, and how many chunks to have under way, until the block is left.

    Raises:
        DeviceError: a process died, be it while a chunk is handed over or while its answer is waited for.
    """
    # A fork of this process, which holds an interpreter's and OpenCV's threads, would hang. So forks of one
    # that has imported the libraries and nothing more: 30 ms of CPU a worker, where a new Python takes 300.
    context = get_context("forkserver")
    context.set_forkserver_preload([__name__, library_module()])
    pool = ProcessPoolExecutor(jobs, context, _start, (recipe,))

    def submit(task: Task, chunk: Chunk) -> Callable[[], Any]:
        return pool.submit(_answer, task, chunk).result

    try:
        yield submit, jobs * CHUNKS_AHEAD
    except BrokenProcessPool:
        raise DeviceError("a process that embeds pictures was ended from outside: out of memory?") from None
    finally:
        pool.shutdown(cancel_futures=True)


_RECIPES: list[Recipe] = []
_WORKERS: list[Worker] = []
"""Within a process of the pool: what its worker is to be made of, and the worker once it was needed."""


def _start(recipe: Recipe) -> None:
    """First thing in a process. The model is opened with the first chunk, where an error has a way home."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is answered once, by the process that asked
    _end_with_parent()
    _RECIPES.append(recipe)


def _end_with_parent() -> None:
    """A parent that is killed takes its workers with it: they would wait for its next chunk for ever.

    And the process that they are forks of would wait for them. SIGIO comes when the pipe that the parent
    keeps open is closed, and ends a process that says nothing else.
    """
    parent = parent_process()
    if parent is None:
        return
    alive = parent.sentinel
    signal.signal(signal.SIGIO, signal.SIG_DFL)
    fcntl.fcntl(alive, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(alive, fcntl.F_SETFL, fcntl.fcntl(alive, fcntl.F_GETFL) | os.O_ASYNC)
    if select.select([alive], [], [], 0)[0]:  # it was gone before we listened
        os._exit(1)


def _answer(task: Task, chunk: Chunk) -> Any:
    if not _WORKERS:
        _WORKERS.append(_RECIPES[0].make())
    return _WORKERS[0].do(task, chunk)
