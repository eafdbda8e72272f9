"""`spotter catalog health`: what is wrong with the pictures of a catalogue, and which to take next."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent.cli.options import Progress, add_json, add_page, add_verb, check_page, print_json

if TYPE_CHECKING:
    import argparse

    from agent.cli.options import Verbs

_SHOWN = 10  # lines of each kind; the JSON and the page have more


def add_health(inner: Verbs) -> None:
    """Describe `health`."""
    parser = add_verb(
        inner,
        "health",
        "look for copies, products that look alike and views that are missing, and say what to photograph",
        "spotter catalog health catalogue --products products --html health.html",
        do_health,
    )
    parser.add_argument("catalogue", type=Path, metavar="CATALOGUE", help="directory of `catalog build`")
    parser.add_argument(
        "--products", type=Path, metavar="PRODUCTS", help="the folder it was built from: reads every picture"
    )
    add_page(parser, "write a page with pictures, for a buyer")
    add_json(parser)


def do_health(args: argparse.Namespace) -> int:
    """Examine; findings are no failure."""
    from agent.adapters.durable import write_whole
    from agent.publishing.checkup import check_up
    from agent.publishing.checkup_page import render

    check_page(args.html)
    with check_up(
        args.catalogue, args.products, comparing=Progress("comparing"), reading=Progress("reading")
    ) as report:
        if args.html:
            page = render(str(args.catalogue), report.document, report.picture)
            write_whole(args.html, page.encode("utf-8", "backslashreplace"))
    if args.json:
        print_json(report.document)
    else:
        _show(args.catalogue, report.document)
    return 0


def _show(catalogue: Path, found: dict[str, Any]) -> None:
    print(f"{catalogue}: {found['products']} products, {found['references']} references")
    if found["compared"]:
        print(
            f"{found['nearest_is_own']} of {found['compared']} references are nearest to one of their product"
        )
    kinds = {
        "shared": [
            f"the same picture: {one['picture']} and {other['picture']}"
            for one, other in (item["pictures"] for item in found["shared"])
        ],
        "lookalikes": [
            f"look alike: {item['name']} and {item['other']['name']} "
            f"({item['near']} of {item['pictures']} references, {item['mistaken']} mistaken)"
            for item in found["lookalikes"]
        ],
        "copies": [f"copies: {item['name']}: {item['useless']} useless" for item in found["copies"]],
        "files": [
            f"{'warning' if item['used'] else 'left out'}: {item['file']}: {item['reason']}"
            for item in found["files"] or ()
        ],
        "photograph": [f"photograph {item['name']}: {item['advice']}" for item in found["photograph"]],
    }
    for lines in kinds.values():
        for line in lines[:_SHOWN]:
            print(line)
        if len(lines) > _SHOWN:
            print(f"… and {len(lines) - _SHOWN} more: see --json or --html")
