"""`spotter find --text`: which products somebody means who describes one."""

from __future__ import annotations

from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING

from agent.cli.options import print_json

if TYPE_CHECKING:
    import argparse

    from agent.searching import Hit


def find_text(args: argparse.Namespace) -> int:
    """Search the catalogue, and what this device learned where a configuration is given."""
    from agent.config import load_config
    from agent.core.errors import UsageError
    from agent.parts import search_device
    from agent.searching import describe, search_release

    if args.images or args.crop is not None or args.model:
        raise UsageError("--text: expected no photos, no --crop and no --model with it")
    with ExitStack() as held:
        if args.config:
            search = held.enter_context(closing(search_device(load_config(args.config))))
        elif args.release:
            search = held.enter_context(closing(search_release(Path(args.release))))
        else:
            raise UsageError("--text: expected --config FILE or --release DIR with it")
        hits = search.find(args.text, args.k)
    for number, hit in enumerate(hits, 1):
        if args.json:
            print_json(describe(hit))
        else:
            _show(number, hit)
    if not hits and not args.json:
        print(f"no product has a word of {args.text!r}")
    return 0


def _show(number: int, hit: Hit) -> None:
    product = hit.product
    by = "looks like it" if hit.pictures > hit.words else "words"
    print(
        f"  {number}. {product.name or product.sku}  score {hit.score:.2f} ({by})"
        + (f"  {product.place}" if product.place else "")
    )
