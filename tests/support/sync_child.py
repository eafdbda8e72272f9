"""Processes that sync once and may be killed: forked from one that has imported everything.

Reads a line with settings as JSON, forks a child that does one round, writes the child's process id; reads
another line and writes how the child ended: `0` done, `1` refused, `-9` killed.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve()
ROOT = HERE.parent.parent.parent


class Forker:
    """Makes syncing processes on demand."""

    def __init__(self, **settings: Any) -> None:
        self._settings = json.dumps(settings)
        self._process = subprocess.Popen(
            [sys.executable, str(HERE)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
        )

    def start(self) -> int:
        """Begin a round; the process id."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(self._settings + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())

    def ended(self) -> int:
        """Wait for its end; how it ended. Until then nobody else can get its process id."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())

    def close(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(60)
        self._process.stdout.close()


def main() -> None:
    sys.path.insert(0, str(ROOT))
    import agent.adapters.patching
    import agent.adapters.server.trust  # noqa: F401  so that no child has to
    from agent.adapters.catalogue import open_catalogue
    from agent.adapters.library import Library
    from agent.adapters.server import IndexServer, SyncSettings
    from agent.adapters.system import SystemClock
    from agent.core.errors import AgentError
    from agent.sync import Sync, Taker

    def once(url: str, root: str, state: str, fingerprint: str, dimension: int) -> None:
        clock = SystemClock()
        server = IndexServer(SyncSettings(url=url, root=root), Path(state) / "tuf", clock)
        taker = Taker(device="test/dev-1", channel="default", fingerprint=fingerprint)

        def trial(folder: Path) -> str:
            return open_catalogue(folder, fingerprint, dimension).release

        Sync(server, Library(Path(state)), taker, trial, clock).round(insist=True)

    while line := sys.stdin.readline():
        child = os.fork()
        if child == 0:
            code = 0
            try:
                once(**json.loads(line))
            except AgentError as error:
                print(error, file=sys.stderr)
                code = 1
            os._exit(code)
        print(child, flush=True)
        sys.stdin.readline()
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


if __name__ == "__main__":
    main()
