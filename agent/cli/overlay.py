"""`spotter overlay`: what this device learned itself: seen, given to head office, or given up."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from agent.cli.exported import add_folder, say_exported
from agent.cli.options import add_config, add_json, add_verb, print_json

if TYPE_CHECKING:
    import argparse

    from agent.cli.options import Verbs


def add(verbs: Verbs) -> None:
    """Describe the verbs."""
    parser = verbs.add_parser("overlay", help="what this device learned itself beside its catalogue")
    inner = parser.add_subparsers(dest="what", required=True, metavar="WHAT")
    listed = add_verb(
        inner,
        "list",
        "list the SKUs that were enrolled or forgotten here, and what the catalogue has taken in of them",
        "spotter overlay list -c /etc/spotter/spotter.yaml",
        do_list,
    )
    exported = add_verb(
        inner,
        "export",
        "write what was learned as files that head office copies into its product folder",
        "spotter overlay export learned -c /etc/spotter/spotter.yaml",
        do_export,
    )
    add_folder(exported)
    cleared = add_verb(
        inner,
        "clear",
        "give up all that was learned here: enrolled pictures go, what was forgotten counts again",
        "spotter overlay clear -c /etc/spotter/spotter.yaml",
        do_clear,
    )
    for verb in (listed, exported, cleared):
        add_config(verb)
        add_json(verb)


def do_list(args: argparse.Namespace) -> int:
    """One line for each SKU; nothing of the catalogue is opened."""
    from agent.config import load_config
    from agent.core.learned import listed
    from agent.parts import open_overlay
    from agent.standing import index_status

    settings = load_config(args.config)
    with closing(open_overlay(settings)) as overlay:
        rows = listed(overlay.learned(), index_status(settings).release)
    for row in rows:
        if args.json:
            print_json(row)
        else:
            taken = f", {row['taken']} taken in by the catalogue" if row["taken"] else ""
            forgotten = ", forgotten" if row["forgotten"] else ""
            name = f" ({row['name']})" if row["name"] else ""
            print(f"{row['sku']}{name}: {row['references']} pictures{forgotten}{taken}")
    return 0


def do_export(args: argparse.Namespace) -> int:
    """Pictures that are damaged are said and left out."""
    from agent.config import load_config
    from agent.exporting import export
    from agent.parts import open_overlay, open_sight

    settings = load_config(args.config)
    memory = open_sight(settings).memory
    with closing(open_overlay(settings)) as overlay:
        done = export(overlay, Path(args.folder), settings.device, memory.release, memory.by_sku)
    return say_exported(
        args,
        done,
        f"{done.products} products, {done.pictures} pictures, {done.forgotten} forgotten",
    )


def do_clear(args: argparse.Namespace) -> int:
    """Whatever there was."""
    from agent.config import load_config
    from agent.parts import open_overlay
    from agent.state import check_user

    settings = load_config(args.config)
    check_user(Path(settings.state_dir))
    with closing(open_overlay(settings)) as overlay:
        learned = overlay.learned()
        overlay.clear()
    found = {"references": len(learned.references), "forgotten": len(learned.forgotten)}
    if args.json:
        print_json(found)
    else:
        print(f"{found['references']} pictures removed, {found['forgotten']} SKUs count again")
    return 0
