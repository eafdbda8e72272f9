"""`spotter sync`: one round now. A daemon that runs beside it takes over what became current by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.cli.options import add_config, add_json, add_verb, print_json

if TYPE_CHECKING:
    import argparse

    from agent.cli.options import Verbs


def add(verbs: Verbs) -> None:
    """Describe the verb."""
    parser = add_verb(
        verbs,
        "sync",
        "look for a new release of the catalogue now, and take it",
        "spotter sync -c /etc/spotter/spotter.yaml",
        do,
    )
    add_config(parser)
    add_json(parser)


def do(args: argparse.Namespace) -> int:
    """One round; what failed before and is not final is tried again."""
    from pathlib import Path

    from agent.adapters.system import SystemClock
    from agent.cli.status import as_json, show
    from agent.config import load_config
    from agent.parts import make_sync
    from agent.standing import index_status
    from agent.state import check_user

    settings = load_config(args.config)
    check_user(Path(settings.state_dir))
    outcome = make_sync(settings, SystemClock()).round(insist=True)
    facts = {"result": outcome.result.value} | as_json(index_status(settings))
    if args.json:
        print_json(facts)
    else:
        show(facts)
    return 0
