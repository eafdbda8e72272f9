"""Workers on a Ray cluster, or on a local one: the only file that knows Ray.

Pictures and model travel to the workers as bytes, so that no disk need be shared. Ray gives a chunk whose
worker died to another one; each process makes its worker once.
"""

from __future__ import annotations

import logging
import os
import socket
import sys
from contextlib import contextmanager
from importlib import import_module
from typing import TYPE_CHECKING, Any

from agent.core.errors import AgentError, DeviceError, UsageError, quoted
from agent.publishing.worker import CHUNKS_AHEAD

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from agent.publishing.worker import Chunk, Recipe, Submit, Task, Worker

_HERE = "local"
_KNOCK_S = 10.0
_QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",  # it is not to phone home
    "RAY_DEDUP_LOGS_SKIP_REGEX": ".",  # nor to say on our standard output what a worker died of
}
"""Read by Ray when it is loaded."""

TRIES = 4
"""Of a chunk whose worker dies: a node that leaves costs one, and what kills every worker ends after four."""


def load_ray() -> None:
    """Load Ray, which has to happen before usearch is loaded.

    usearch's wheels carry a C++ library of their own whose symbols the whole process gets when nobody brought
    the system's before: Ray then aborts over a regular expression as soon as it reaches for a cluster (seen
    with Ray 2.60 beside usearch 2.26).

    Raises:
        UsageError: it is not installed; says how to install it.
    """
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)
    try:
        import_module("ray")
    except ImportError:
        raise UsageError(
            "--engine ray: expected Ray, found none: `pip install 'spotter-agent[cluster]'`"
        ) from None


@contextmanager
def cluster_workers(recipe: Recipe, jobs: int | None, address: str) -> Iterator[tuple[Submit, int]]:
    """Workers of the cluster at `address`, and how many chunks to have under way, while the block lasts.

    Without an address that of the environment (`RAY_ADDRESS`) counts; without one a cluster of this machine
    is started, with `jobs` workers, and ended with the block. On a cluster that exists `jobs` bounds the
    chunks that are under way. None means as many workers as there are cores.

    Raises:
        RuntimeError: Ray was not loaded, see `load_ray`.
        DeviceError: the cluster cannot be reached or started, or it lost a chunk again and again, be it
            while one is handed over or while its answer is waited for.
    """
    ray: Any = sys.modules.get("ray")
    if ray is None:
        raise RuntimeError("ray: expected load_ray() before anything else")
    address = address or os.environ.get("RAY_ADDRESS", "") or _HERE
    if address not in {_HERE, "auto"}:
        _knock(address)
    ours = {"num_cpus": jobs, "include_dashboard": False} if address == _HERE else {}
    try:
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR, **ours)
    except (ray.exceptions.RayError, ConnectionError, RuntimeError, ValueError, OSError) as error:
        reason = quoted(str(error))
        if "InvalidAuthToken" in str(error.__cause__):
            reason = "it asks for a token, and RAY_AUTH_TOKEN or RAY_AUTH_TOKEN_PATH names none that it takes"
        raise DeviceError(f"ray: {quoted(address)}: no cluster: {reason}") from None
    try:
        cores = int(ray.cluster_resources().get("CPU", 0))
        if cores < 1:  # Ray would wait for one for ever
            raise DeviceError(f"ray: {quoted(address)}: expected a cluster with a free CPU, found {cores}")
        yield _submit(ray, recipe), jobs if jobs and not ours else cores * CHUNKS_AHEAD
    except ray.exceptions.RayTaskError as error:
        raise DeviceError(f"ray: a worker failed: {quoted(str(error.cause))}") from None
    except ray.exceptions.RayError as error:
        raise DeviceError(f"ray: pictures were given up after {TRIES} tries: {quoted(str(error))}") from None
    finally:
        ray.shutdown()


def _knock(address: str) -> None:
    """Make sure that somebody listens there: Ray would try for minutes."""
    host, _, port = address.rpartition(":")
    try:
        if not host or "/" in host or not port.isdecimal():
            raise DeviceError(f"ray: expected a cluster as HOST:PORT, found {quoted(address)}")
        socket.create_connection((host.strip("[]"), int(port)), _KNOCK_S).close()
    except (OSError, OverflowError, UnicodeError) as error:
        raise DeviceError(f"ray: {quoted(address)}: no cluster: {error}") from None


def _submit(ray: Any, recipe: Recipe) -> Submit:
    made = [ray.put(recipe)]  # in a list it stays a reference: Ray would fetch it for each chunk
    remote = ray.remote(num_cpus=1, max_retries=TRIES - 1)(_answer)

    def submit(task: Task, chunk: Chunk) -> Callable[[], Any]:
        waiting = remote.remote(made, task, chunk)

        def result() -> Any:
            answer = ray.get(waiting)
            if isinstance(answer, AgentError):
                raise answer
            return answer

        return result

    return submit


_WORKERS: list[Worker] = []
"""Within a process of the cluster: its worker. Such a process serves one program, and so one recipe."""


def _answer(made: list[Any], task: Task, chunk: Chunk) -> Any:
    """An error of ours is an answer: raised, it would come back wrapped in a traceback of Ray's."""
    try:
        if not _WORKERS:
            _WORKERS.append(import_module("ray").get(made[0]).make())
        return _WORKERS[0].do(task, chunk)
    except AgentError as error:
        return error
