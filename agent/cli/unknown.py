"""`spotter unknown`: what this device saw and has no name for: listed, made a product, or dropped."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from agent.cli.options import add_config, add_json, add_verb, print_json
from agent.cli.teach import add_texts, show, texts_of

if TYPE_CHECKING:
    import argparse

    from agent.adapters.sightings import Sightings
    from agent.cli.options import Verbs
    from agent.config import Settings


def add(verbs: Verbs) -> None:
    """Describe the verbs."""
    parser = verbs.add_parser("unknown", help="what this device saw and has no name for")
    inner = parser.add_subparsers(dest="what", required=True, metavar="WHAT")
    listed = add_verb(
        inner,
        "list",
        "list the things that were seen and are not in the catalogue, the most seen first",
        "spotter unknown list -c /etc/spotter/spotter.yaml",
        do_list,
    )
    enrol = add_verb(
        inner,
        "enrol",
        "make one of these things a product of this device, by the pictures that were kept of it",
        "spotter unknown enrol 7 4711 --name 'Oat drink' -c /etc/spotter/spotter.yaml",
        do_enrol,
    )
    drop = add_verb(
        inner,
        "drop",
        "let go of one of these things, and of its pictures; it comes again when it is seen again",
        "spotter unknown drop 7 -c /etc/spotter/spotter.yaml",
        do_drop,
    )
    for verb in (enrol, drop):
        verb.add_argument("number", type=int, metavar="NUMBER", help="of the thing, as listed")
    enrol.add_argument("sku", metavar="SKU", help="the product's SKU")
    add_texts(enrol)
    for verb in (listed, enrol, drop):
        add_config(verb)
        add_json(verb)


def do_list(args: argparse.Namespace) -> int:
    """One line for each; nothing is opened but their file."""
    from agent.config import load_config
    from agent.core.sightings import listed
    from agent.core.wire.things import thing_body
    from agent.sighting import kept
    from agent.state import check_user

    state = Path(load_config(args.config).state_dir)
    check_user(state)
    things = listed(kept(state))
    for thing in things:
        row = thing_body(thing)
        if args.json:
            print_json(row)
            continue
        where = ", ".join(f"{camera} {count}" for camera, count in row["cameras"].items())
        print(
            f"{row['unknown']:6}  {row['seen']} sightings since {row['first']}, last {row['last']}"
            f"  ({where}; {row['pictures']} pictures)"
        )
    if not things and not args.json:
        print("nothing was seen that has no name")
    return 0


def do_enrol(args: argparse.Namespace) -> int:
    """All its pictures or none, as `spotter enrol`."""
    from agent.adapters.system import SystemClock
    from agent.config import load_config
    from agent.parts import open_teacher
    from agent.sighting import enrol

    settings = load_config(args.config)
    with closing(_opened(settings)) as store:
        taught = enrol(
            store, lambda: open_teacher(settings, SystemClock()), args.number, args.sku, texts_of(args)
        )
    show(taught, as_json=args.json)
    return 0


def do_drop(args: argparse.Namespace) -> int:
    """A daemon that runs beside it notices by itself."""
    from agent.config import load_config
    from agent.core.errors import InputError

    with closing(_opened(load_config(args.config))) as store:
        if not store.drop([args.number]):
            raise InputError(f"unknown {args.number}: expected one of `spotter unknown list`, found none")
    if args.json:
        print_json({"unknown": args.number, "dropped": True})
    else:
        print(f"unknown {args.number}: dropped")
    return 0


def _opened(settings: Settings) -> Sightings:
    from agent.adapters.sightings import Sightings
    from agent.sighting import FOLDER
    from agent.state import check_user

    check_user(Path(settings.state_dir))
    return Sightings(Path(settings.state_dir) / FOLDER)
