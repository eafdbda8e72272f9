"""`spotter password`: what the configuration keeps of a password of the pages."""

from __future__ import annotations

import sys
from getpass import getpass
from typing import TYPE_CHECKING

from agent.cli.options import add_verb
from agent.core.errors import UsageError

if TYPE_CHECKING:
    import argparse

    from agent.cli.options import Verbs


def add(verbs: Verbs) -> None:
    """Describe the verb."""
    add_verb(
        verbs,
        "password",
        "make what the configuration keeps of a password of the pages; it is asked for, or read from a pipe",
        "spotter password",
        do,
    )


def do(args: argparse.Namespace) -> int:  # noqa: ARG001
    """Print the line."""
    from agent.adapters.web import hash_password

    if sys.stdin.isatty():
        password = getpass("password: ")
        if getpass("again: ") != password:
            raise UsageError("expected the same password twice, found two")
    else:
        password = sys.stdin.readline().rstrip("\r\n")
    try:
        print(hash_password(password))
    except ValueError as error:
        raise UsageError(str(error)) from None
    return 0
