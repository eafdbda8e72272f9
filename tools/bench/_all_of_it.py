"""Runs a command and says what it and every process that it started took; as a program, that as JSON.

A server that processes are forked from outlives whoever started it for a moment, and with it goes what its
workers took, unless somebody adopts it: this process does.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT = Path(__file__).resolve().parent.parent.parent
_PR_SET_CHILD_SUBREAPER = 36


def spotter(*arguments: str, env: Mapping[str, str] | None = None) -> tuple[float, float, dict[str, Any]]:
    """Seconds and CPU seconds of a verb, all its processes, and what it said as JSON."""
    done = subprocess.run(
        [sys.executable, "-m", "tools.bench._all_of_it", sys.executable, "-m", "agent", *arguments, "--json"],
        cwd=ROOT,
        env=env,
        capture_output=True,
        text=True,
        check=True,
    )
    took = json.loads(done.stdout)
    return took["wall_s"], took["cpu_s"], json.loads(took["stdout"])


def main() -> None:
    """The command is in the arguments; its output becomes `stdout`."""
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    began = time.perf_counter()
    done = subprocess.run(sys.argv[1:], stdout=subprocess.PIPE, text=True, check=True)
    wall = time.perf_counter() - began
    with suppress(ChildProcessError):
        while True:
            os.wait()
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    json.dump({"wall_s": wall, "cpu_s": used.ru_utime + used.ru_stime, "stdout": done.stdout}, sys.stdout)


if __name__ == "__main__":
    main()
