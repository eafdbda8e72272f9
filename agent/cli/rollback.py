"""`spotter rollback`: back to the generation before. A daemon that runs beside it follows by itself."""

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
        "rollback",
        "go back to the release before; the bad one is not taken again, the next one is",
        "spotter rollback -c /etc/spotter/spotter.yaml",
        do,
    )
    add_config(parser)
    add_json(parser)


def do(args: argparse.Namespace) -> int:
    """Change what is current."""
    from pathlib import Path

    from agent.adapters.library import Library
    from agent.cli.status import as_json, show
    from agent.config import load_config
    from agent.core.errors import ConfigError
    from agent.standing import index_status
    from agent.state import check_user

    settings = load_config(args.config)
    if settings.sync is None:
        raise ConfigError(
            f"{args.config}: sync: expected the server that releases come from, found no such key"
        )
    check_user(Path(settings.state_dir))
    library = Library(Path(settings.state_dir))
    with library.alone():
        library.roll_back()
    facts = as_json(index_status(settings))
    if args.json:
        print_json(facts)
    else:
        show(facts)
    return 0
