"""`spotter enrol` and `spotter forget`: teach a device. A daemon that runs beside it notices by itself."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from agent.cli.options import add_config, add_json, add_verb, complain, print_json
from agent.core.product_rules import TEXT_FIELDS

if TYPE_CHECKING:
    import argparse

    from agent.cli.options import Verbs
    from agent.learning import Taught


def add(verbs: Verbs) -> None:
    """Describe the verbs."""
    enrol = add_verb(
        verbs,
        "enrol",
        "teach this device a product, or one of the catalogue better, by pictures of it, at once; after "
        "`spotter forget` only what was enrolled since counts",
        "spotter enrol 4711 front.jpg back.jpg --name 'Oat drink' -c /etc/spotter/spotter.yaml",
        do_enrol,
    )
    enrol.add_argument("sku", metavar="SKU", help="the product's SKU")
    enrol.add_argument("images", nargs="+", metavar="IMAGE", help="photos (JPEG, PNG, WebP, BMP)")
    add_config(enrol)
    add_texts(enrol)
    add_json(enrol)
    forget = add_verb(
        verbs,
        "forget",
        "let this device recognise a product no longer: what was enrolled of it goes, what the catalogue has "
        "of it does not count",
        "spotter forget 4711 -c /etc/spotter/spotter.yaml",
        do_forget,
    )
    forget.add_argument("sku", metavar="SKU", help="the product's SKU")
    forget.add_argument(
        "--undo",
        action="store_true",
        help="let what the catalogue has of it count again; removed pictures do not come back",
    )
    add_config(forget)
    add_json(forget)


def do_enrol(args: argparse.Namespace) -> int:
    """All pictures or none; one that looks like another product is taken, with a warning."""
    from agent.adapters.images import LIMITS, read_bytes
    from agent.adapters.system import SystemClock
    from agent.config import load_config
    from agent.learning import Picture
    from agent.parts import open_teacher

    settings = load_config(args.config)
    pictures = [Picture(path, read_bytes(Path(path), LIMITS.max_bytes)) for path in args.images]
    show(open_teacher(settings, SystemClock()).enrol(args.sku, pictures, texts_of(args)), as_json=args.json)
    return 0


def add_texts(parser: argparse.ArgumentParser) -> None:
    """`--name TEXT` and the other columns of a product."""
    for name in TEXT_FIELDS:
        parser.add_argument(
            f"--{name}", default="", metavar="TEXT", help=f"its {name}, used while the catalogue has it not"
        )


def texts_of(args: argparse.Namespace) -> dict[str, str]:
    """What was said with them."""
    return {name: getattr(args, name) for name in TEXT_FIELDS}


def show(taught: Taught, *, as_json: bool) -> None:
    """Say what came of it."""
    for warning in taught.warnings:
        complain(f"warning: {warning}")
    if as_json:
        print_json(asdict(taught))
        return
    more = ", beside those of the catalogue" if taught.in_release else ""
    print(f"{taught.sku}: {taught.added} new pictures, {taught.pictures} on this device{more}")


def do_forget(args: argparse.Namespace) -> int:
    """Forget, or take that back."""
    from agent.adapters.system import SystemClock
    from agent.config import load_config
    from agent.parts import open_teacher

    teacher = open_teacher(load_config(args.config), SystemClock())
    if args.undo:
        teacher.remember(args.sku)
        if args.json:
            print_json({"sku": args.sku, "undone": True})
        else:
            print(f"{args.sku}: what the catalogue has of it counts again")
        return 0
    dropped = teacher.forget(args.sku)
    if args.json:
        print_json(asdict(dropped))
    else:
        more = ", those of the catalogue do not count" if dropped.in_release else ""
        print(f"{dropped.sku}: {dropped.removed} pictures removed from this device{more}")
    return 0
