"""`spotter catalog prune`: what a published directory need not hold any longer."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from agent.cli.options import add_json, add_verb, print_json, whole

if TYPE_CHECKING:
    import argparse

    from agent.cli.options import Verbs
    from agent.publishing.prune import Pruned


def add_prune(inner: Verbs) -> None:
    """Describe `prune`."""
    parser = add_verb(
        inner,
        "prune",
        "remove blobs that only old releases need from a published directory",
        "spotter catalog prune www --keys keys --keep 6",
        do_prune,
    )
    parser.add_argument("dest", type=Path, metavar="DEST", help="directory of `catalog publish`")
    parser.add_argument("--keys", type=Path, required=True, metavar="DIR", help="of `catalog keys create`")
    add_keep(parser, required=True)
    add_json(parser)


def add_keep(parser: argparse.ArgumentParser, *, required: bool) -> None:
    """`--keep N` and `--grace DAYS`."""
    parser.add_argument(
        "--keep",
        type=_count,
        required=required,
        metavar="N",
        help="releases of each channel to keep; patches are made from the last five"
        + ("" if required else " (default: all, nothing is removed)"),
    )
    parser.add_argument(
        "--grace",
        type=_days,
        default=7,
        metavar="DAYS",
        help="how long a release stays after the next one came: devices may be fetching it (default: 7)",
    )


def do_prune(args: argparse.Namespace) -> int:
    """Prune, and say what went."""
    from agent.adapters.system import SystemClock
    from agent.publishing.keys import open_keys
    from agent.publishing.prune import prune

    pruned = prune(
        args.dest,
        open_keys(args.keys),
        keep=args.keep,
        now_utc=SystemClock().utc(),
        grace_s=grace_s(args),
    )
    if args.json:
        print_json(summary(pruned))
    else:
        print(f"{args.dest}: {sentence(pruned)}")
    return 0


def grace_s(args: argparse.Namespace) -> float:
    """`--grace` in seconds."""
    return 86_400.0 * float(args.grace)


def summary(pruned: Pruned) -> dict[str, object]:
    """What went, for programs."""
    return {
        "releases": pruned.releases,
        "blobs": pruned.blobs,
        "freed_bytes": pruned.freed_bytes,
        "metadata": pruned.metadata,
    }


def sentence(pruned: Pruned) -> str:
    """What went, for people."""
    return (
        f"{pruned.releases} old releases and {pruned.blobs} blobs removed, {pruned.freed_bytes:,} bytes, "
        f"and {pruned.metadata} old files of metadata"
    )


def _count(text: str) -> int:
    return whole(text, 1, 100_000)


def _days(text: str) -> int:
    return whole(text, 0, 36_500)
