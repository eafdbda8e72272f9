"""`spotter`: which verb, and what its end means to the shell.

Exit codes: 0 done, 1 failed, 2 usage, 78 configuration (EX_CONFIG of sysexits.h; systemd does not restart).
"""

from __future__ import annotations

import argparse
import os
import sys
from typing import TYPE_CHECKING

from agent.cli import bench, catalog, check, find, model, record, replay, rollback, run, status, sync, version
from agent.core.errors import AgentError, ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

EXIT_FAILED = 1
EXIT_CONFIG = 78

VERBS = (run, check, find, sync, status, rollback, record, replay, catalog, model, bench, version)
"""Each has `add(verbs)`, which describes its arguments and names the function that does it. Everything heavy
is imported by that function, so that `--help` and `version` answer at once."""


def build_parser() -> argparse.ArgumentParser:
    """Every verb with its arguments."""
    parser = argparse.ArgumentParser(
        prog="spotter", description="Recognise products on the edge: camera in, recognitions out over MQTT."
    )
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    for verb in VERBS:
        verb.add(verbs)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Do what was asked; the return value is the exit code."""
    args = build_parser().parse_args(argv)
    try:
        return int(args.do(args))
    except ConfigError as error:
        print(f"spotter: {error}", file=sys.stderr)
        return EXIT_CONFIG
    except AgentError as error:
        print(f"spotter: {error}", file=sys.stderr)
        return EXIT_FAILED
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # the reader of our output went away: `spotter replay … | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_FAILED
