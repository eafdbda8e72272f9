"""`spotter run`: the daemon in the foreground."""

from __future__ import annotations

import faulthandler
import logging
import os
import sys
from typing import TYPE_CHECKING

from agent.cli.options import add_config, add_verb

if TYPE_CHECKING:
    import argparse

    from agent.cli.options import Verbs


def add(verbs: Verbs) -> None:
    """Describe the verb."""
    parser = add_verb(
        verbs,
        "run",
        "recognise products until told to stop (SIGTERM); SIGHUP re-reads the configuration",
        "spotter run -c /etc/spotter/spotter.yaml",
        do,
    )
    add_config(parser)


def do(args: argparse.Namespace) -> int:
    """Run the daemon."""
    faulthandler.enable()  # systemd's watchdog sends SIGABRT: the journal then holds the line that hangs
    _log_to_stderr()
    from agent.adapters.system import Notifier, SystemClock
    from agent.daemon import Daemon

    Daemon(args.config, SystemClock(), Notifier()).run()
    return 0


def _log_to_stderr() -> None:
    """Lines with a time, or with a `<priority>` for the journal, which adds the time itself."""
    handler = logging.StreamHandler(sys.stderr)
    if "JOURNAL_STREAM" in os.environ:
        handler.setFormatter(_Journal("%(name)s: %(message)s"))
    else:
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)-7s %(name)s: %(message)s"))
    logger = logging.getLogger("agent")
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)


class _Journal(logging.Formatter):
    """`sd-daemon(3)`: a line may begin with its syslog priority."""

    def format(self, record: logging.LogRecord) -> str:
        priority = 7 if record.levelno < 20 else 6 if record.levelno < 30 else 4 if record.levelno < 40 else 3
        return "\n".join(f"<{priority}>{line}" for line in super().format(record).splitlines())
