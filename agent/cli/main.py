"""`spotter`: which verb, and what its end means to the shell.

Exit codes: 0 done, 1 failed, 2 usage, 78 configuration (EX_CONFIG of sysexits.h; systemd does not restart).
"""

from __future__ import annotations

import argparse
import io
import os
import sys
from typing import TYPE_CHECKING

from agent.cli import (
    asyncapi,
    bench,
    catalog,
    check,
    evaluate,
    find,
    model,
    overlay,
    password,
    planogram,
    record,
    replay,
    rollback,
    run,
    status,
    sync,
    teach,
    unknown,
    version,
)
from agent.cli.options import complain
from agent.core.errors import AgentError, ConfigError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_CONFIG = 78
EXIT_INTERRUPTED = 130

VERBS = (
    run,
    check,
    find,
    teach,
    unknown,
    overlay,
    sync,
    status,
    rollback,
    record,
    replay,
    catalog,
    evaluate,
    planogram,
    model,
    asyncapi,
    password,
    bench,
    version,
)
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
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A file's name need not be text. As JSON, half a character becomes the escape that stands for it.
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        try:
            args = build_parser().parse_args(argv)
            return int(args.do(args))
        finally:
            if sys.stdout is not None:  # closed by the shell
                sys.stdout.flush()  # so that a full disk is met here
    except UsageError as error:
        return _said(str(error), EXIT_USAGE)
    except ConfigError as error:
        return _said(str(error), EXIT_CONFIG)
    except AgentError as error:
        return _said(str(error), EXIT_FAILED)
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except OSError as error:  # of our own printing: every other one was translated where it came up
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # or the interpreter would try once more
        if isinstance(
            error, BrokenPipeError
        ):  # the reader of our output went away: `spotter replay … | head`
            return EXIT_FAILED
        return _said(f"standard output: cannot be written: {error.strerror}", EXIT_FAILED)


def _said(sentence: str, code: int) -> int:
    complain(sentence)
    return code
