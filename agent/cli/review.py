"""`spotter review`: decisions that people looked at again, or should: listed, exported, given up."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from agent.cli.exported import add_folder, say_exported
from agent.cli.options import add_config, add_json, add_verb, print_json

if TYPE_CHECKING:
    import argparse

    from agent.adapters.decisions import Decisions
    from agent.cli.options import Verbs
    from agent.config import Settings


def add(verbs: Verbs) -> None:
    """Describe the verbs."""
    parser = verbs.add_parser("review", help="decisions that people looked at again, or should")
    inner = parser.add_subparsers(dest="what", required=True, metavar="WHAT")
    listed = add_verb(
        inner,
        "list",
        "list the decisions that are kept (review.keep), hard ones first, with what people said of them",
        "spotter review list -c /etc/spotter/spotter.yaml",
        do_list,
    )
    exported = add_verb(
        inner,
        "export",
        "write corrections and hard cases as files that head office copies into its product folder",
        "spotter review export reviewed -c /etc/spotter/spotter.yaml",
        do_export,
    )
    add_folder(exported)
    cleared = add_verb(
        inner,
        "clear",
        "give up all decisions that are kept, with their pictures and answers",
        "spotter review clear -c /etc/spotter/spotter.yaml",
        do_clear,
    )
    for verb in (listed, exported, cleared):
        add_config(verb)
        add_json(verb)


def do_list(args: argparse.Namespace) -> int:
    """One line for each; nothing is opened but their file."""
    from agent.config import load_config
    from agent.core.review import decision_body
    from agent.reviewing import kept
    from agent.state import check_user

    state = Path(load_config(args.config).state_dir)
    check_user(state)
    found = kept(state)
    for each in found:
        row = decision_body(each)
        if args.json:
            print_json(row)
            continue
        sku = f" {row['answer_sku']}" if row["answer_sku"] else ""
        print(
            f"{row['decision']:6}  {row['time']}  {row['camera']}  {row['kind']}: {row['verdict']}"
            f" {row['sku'] or ''} ({row['probability']:.0%}); {row['answer']}{sku}"
        )
    if not found and not args.json:
        print("no decision is kept")
    return 0


def do_export(args: argparse.Namespace) -> int:
    """Pictures that are damaged are said and left out."""
    from agent.config import load_config
    from agent.exporting import export_review
    from agent.parts import open_sight

    settings = load_config(args.config)
    memory = open_sight(settings).memory
    with closing(_opened(settings)) as store:
        done = export_review(store, Path(args.folder), settings.device, memory.by_sku)
    return say_exported(
        args,
        done,
        f"{done.decisions} decisions, {done.corrections} of them corrected,"
        f" {done.products} products, {done.pictures} pictures",
    )


def do_clear(args: argparse.Namespace) -> int:
    """Whatever there was."""
    from agent.config import load_config

    with closing(_opened(load_config(args.config))) as store:
        gone = store.clear()
    if args.json:
        print_json({"decisions": gone})
    else:
        print(f"{gone} decisions removed")
    return 0


def _opened(settings: Settings) -> Decisions:
    from agent.adapters.decisions import Decisions
    from agent.reviewing import FOLDER
    from agent.state import check_user

    check_user(Path(settings.state_dir))
    return Decisions(Path(settings.state_dir) / FOLDER)
