"""`spotter status`: the catalogue in use, and how syncing stands."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent.cli.options import add_config, add_json, add_verb, print_json

if TYPE_CHECKING:
    import argparse

    from agent.cli.options import Verbs
    from agent.core.wire import IndexStatus


def add(verbs: Verbs) -> None:
    """Describe the verb."""
    parser = add_verb(
        verbs,
        "status",
        "say which release of the catalogue is in use, and how syncing stands",
        "spotter status -c /etc/spotter/spotter.yaml",
        do,
    )
    add_config(parser)
    add_json(parser)


def do(args: argparse.Namespace) -> int:
    """Read the disk; nothing is opened or asked."""
    from agent.config import load_config
    from agent.sighting import kept
    from agent.standing import index_status

    settings = load_config(args.config)
    things = kept(Path(settings.state_dir))
    facts = as_json(index_status(settings)) | {
        "unknown": {"things": len(things), "seen": sum(thing.seen for thing in things)}
    }
    if args.json:
        print_json(facts)
    else:
        show(facts)
    return 0


def as_json(status: IndexStatus) -> dict[str, Any]:
    """The status with times that people can read, and None where there is nothing."""
    from agent.core.payload import rfc3339

    facts = asdict(status)
    last_utc = facts.pop("last_sync_utc")
    next_utc = facts.pop("next_poll_utc")
    facts = {name: None if value == "" else value for name, value in facts.items()}
    return facts | {
        "last_sync": None if last_utc is None else rfc3339(last_utc),
        "next_poll": None if next_utc is None else rfc3339(next_utc),
    }


def show(facts: dict[str, Any]) -> None:
    """One fact on a line."""
    for name, value in facts.items():
        print(f"{name:15} {'–' if value is None else value}")
