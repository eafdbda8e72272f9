"""How near the building of a catalogue comes to what the model alone would take on all cores.

Every round runs the bare model in one process, then in one per core at once, then the real commands from a
folder of photos to a signed release, and compares. Where other work disturbs the machine, the ratio by CPU
time holds and those by the clock do not: it is what the clock would say on cores that nobody else uses.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

from agent.adapters.embedder import EmbedderSettings, load_embedder
from agent.publishing.keys import Passphrases, create_keys
from tools.bench._all_of_it import spotter

WARM = 20
"""Invokes before the clock runs: the first ones fault pages in."""


def measure(argv: list[str]) -> dict[str, Any]:
    """Build and publish `--rounds` times, without any cache."""
    parser = argparse.ArgumentParser(prog="python -m tools.bench build", description=__doc__)
    parser.add_argument("products", type=Path, help="a product folder, as for `spotter catalog build`")
    parser.add_argument("--model", type=Path, required=True, help="a .tflite file with its description")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--invokes", type=int, default=300)
    parser.add_argument("--engine", default="processes", help="processes or ray")
    args = parser.parse_args(argv)
    cores = len(os.sched_getaffinity(0))
    rounds = [_round(args, cores) for _ in range(args.rounds)]
    return {"cores": cores, **{name: round(median(one[name] for one in rounds), 3) for name in rounds[0]}}


def _round(args: argparse.Namespace, cores: int) -> dict[str, float]:
    (one,) = _invoking(args.model, args.invokes, 1)
    together = _invoking(args.model, args.invokes, cores)
    with tempfile.TemporaryDirectory() as scratch:
        create_keys(Path(scratch) / "keys", Passphrases(), now_utc=time.time())
        catalogue = f"{scratch}/catalogue"
        build = ["build", "--no-cache", str(args.products), "--model", str(args.model), "-o", catalogue]
        build_s, build_cpu_s, pictures = _run(build, args.engine)
        publish = ["publish", catalogue, "--to", f"{scratch}/www", "--keys", f"{scratch}/keys"]
        publish_s, publish_cpu_s, _ = _run(publish)
    wall_s, cpu_s = build_s + publish_s, build_cpu_s + publish_cpu_s
    rate, rate_together = 1 / one[0], sum(1 / each for each, _ in together)
    return {
        "pictures": pictures,
        "invoke_ms": 1000 * one[0],
        "invoke_cpu_ms": 1000 * one[1],
        "invoke_ms_on_all_cores_at_once": 1000 * cores / rate_together,
        "build_s": build_s,
        "publish_s": publish_s,
        "cpu_s": cpu_s,
        "pictures_per_s": pictures / wall_s,
        "of_cores_times_one": pictures / wall_s / (cores * rate),
        "of_all_cores_at_once": pictures / wall_s / rate_together,
        "of_cpu_time": pictures * one[1] / cpu_s,
    }


def _run(command: list[str], engine: str = "processes") -> tuple[float, float, int]:
    """Seconds and CPU seconds of a command of `spotter catalog`, all processes; references it counted."""
    if engine != "processes":
        command += ["--engine", engine]
    wall_s, cpu_s, said = spotter("catalog", *command)
    return wall_s, cpu_s, said.get("references", 0)


def _invoking(model: Path, times: int, processes: int) -> list[tuple[float, float]]:
    """Seconds and CPU seconds of one invoke, per process; all of them invoke at once."""
    context = multiprocessing.get_context("spawn")
    with context.Pool(processes, _wait_for_all, (context.Barrier(processes),)) as pool:
        return pool.map(_invoke, [(str(model), times)] * processes, chunksize=1)


def _wait_for_all(barrier: Any) -> None:
    global _BARRIER  # noqa: PLW0603  how a process of a pool is told
    _BARRIER = barrier


_BARRIER: Any = None


def _invoke(order: tuple[str, int]) -> tuple[float, float]:
    model, times = order
    eyes = load_embedder(EmbedderSettings(file=model))
    for _ in range(WARM):
        eyes.invoke_once()
    _BARRIER.wait()
    wall, cpu = time.perf_counter(), time.process_time()
    for _ in range(times):
        eyes.invoke_once()
    return (time.perf_counter() - wall) / times, (time.process_time() - cpu) / times
