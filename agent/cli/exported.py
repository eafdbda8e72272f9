"""How the verbs that write files for head office take their folder, and say what came of it."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from agent.cli.options import complain, print_json

if TYPE_CHECKING:
    import argparse

    from agent.exporting import Exported, Reviewed


def add_folder(parser: argparse.ArgumentParser) -> None:
    """Where the files go."""
    parser.add_argument("folder", metavar="DIR", help="folder to make, or an empty one")


def say_exported(args: argparse.Namespace, done: Exported | Reviewed, words: str) -> int:
    """The exit code. Pictures that were left out are named; `words` is what there is, for people."""
    for problem in done.problems:
        complain(problem)
    if args.json:
        print_json(asdict(done) | {"problems": len(done.problems)})
    else:
        print(f"{args.folder}: {words}")
    return 1 if done.problems else 0
