"""`spotter run` on a board whose clock is wrong: `daemon_at.py CONFIG FILE`.

FILE holds the seconds that the clock is ahead (or behind, below zero); it may change while the daemon runs.
"""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).resolve()
ROOT = HERE.parent.parent.parent


def command(config: Path, ahead: Path) -> list[str]:
    """How to start it."""
    return [sys.executable, str(HERE), str(config), str(ahead)]


def main(config: str, ahead: str) -> None:
    sys.path.insert(0, str(ROOT))
    from agent.adapters.system import Notifier, SystemClock
    from agent.cli.run import _log_to_stderr
    from agent.daemon import Daemon

    class Board(SystemClock):
        def utc(self) -> float:
            return super().utc() + float(Path(ahead).read_text())

    _log_to_stderr()
    Daemon(config, Board(), Notifier()).run()


if __name__ == "__main__":
    main(*sys.argv[1:])
