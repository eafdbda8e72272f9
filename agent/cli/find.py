"""`spotter find`: what is in a photo, or which product is meant by a text."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent.cli.find_text import find_text
from agent.cli.options import (
    add_crop,
    add_json,
    add_model,
    add_page,
    add_verb,
    check_argument,
    check_crop,
    check_page,
    complain,
    model_argument,
    print_json,
)

if TYPE_CHECKING:
    import argparse

    from agent.cli.options import Verbs
    from agent.explaining import Explained
    from agent.pipeline import Memory


def add(verbs: Verbs) -> None:
    """Describe the verb."""
    parser = add_verb(
        verbs,
        "find",
        "say which product a photo shows, or which ones a text means",
        "spotter find --model model.tflite --release catalogue photo.jpg",
        do,
    )
    parser.add_argument("images", nargs="*", metavar="IMAGE", help="photos (JPEG, PNG, WebP, BMP)")
    parser.add_argument(
        "--text", metavar="TEXT", help="words, an SKU or a GTIN to look for instead, also misspelt or begun"
    )
    parser.add_argument(
        "-k", type=int, default=5, metavar="N", help="candidates to list, 1 to 50 (default: 5)"
    )
    parser.add_argument(
        "-c", "--config", metavar="FILE", help="take model and catalogue from this configuration"
    )
    add_model(parser)
    parser.add_argument(
        "--release", "--catalogue", dest="release", metavar="DIR", help="catalogue directory to search"
    )
    add_crop(parser, "use the centre of the photo: 0.1 to 1 (default: as the catalogue was built)")
    parser.add_argument("--explain", action="store_true", help="say what counted how much for the answer")
    add_page(parser, "write a page with the photos beside the nearest reference pictures")
    add_json(parser)


def do(args: argparse.Namespace) -> int:
    """Look at each photo; one that cannot be read is reported and the rest goes on."""
    from agent.adapters.images import read_image
    from agent.config import load_config
    from agent.core.errors import InputError, UsageError
    from agent.core.second_look import SecondLookSettings
    from agent.explaining import explained
    from agent.finding import find
    from agent.parts import load_eyes, load_eyes_from, make_second_look, with_learned

    check_argument("-k", args.k, 1, 50)
    check_page(args.html)
    if args.text is not None:
        return find_text(args)
    if not args.images:
        raise UsageError("expected photos, or --text TEXT")
    check_crop(args.crop)
    if args.config:
        settings = load_config(args.config)
        eyes, base = load_eyes(settings)
        closer = settings.second_look
        memory: Memory = with_learned(settings, eyes, base, begin=False)
    elif args.model and args.release:
        eyes, base = load_eyes_from(model_argument(args.model).file, args.release)
        memory, closer = base, SecondLookSettings()
    else:
        raise UsageError("expected either --config FILE, or both --model FILE and --release DIR")
    crop = base.crop if args.crop is None else args.crop
    second = make_second_look(closer)
    failed, shown = 0, []
    for path in args.images:
        try:
            image = read_image(Path(path))
        except InputError as error:
            complain(str(error))
            failed += 1
            continue
        answer = {"image": path, "regions": find(image, eyes, memory, crop, args.k, second)}
        _show(answer, as_json=args.json, explain=args.explain)
        if args.html:
            shown += [explained(path, image, region, base) for region in answer["regions"]]
    if args.html:
        _write_page(args.html, shown)
    return 1 if failed else 0


def _write_page(path: Path, shown: list[Explained]) -> None:
    from agent.adapters.durable import write_whole
    from agent.explaining import render

    write_whole(path, render(shown).encode("utf-8", "backslashreplace"))


def _show(answer: dict[str, Any], *, as_json: bool, explain: bool) -> None:
    from agent.explaining import lines

    if as_json:
        print_json(answer)
        return
    print(answer["image"])
    for region in answer["regions"]:
        reason = f" ({region['reason']})" if region["reason"] else ""
        print(f"  {region['verdict']}{reason}")
        for number, candidate in enumerate(region["candidates"], 1):
            title = candidate["name"] or candidate["sku"]
            place = f"  {candidate['place']}" if candidate["place"] else ""
            print(
                f"  {number}. {title}  similarity {candidate['similarity']:.3f}"
                f"  probability {candidate['probability']:.2f}{place}"
            )
            if explain and candidate["reference"]:
                print(f"     nearest: {candidate['reference']}")
        for line in lines(region) if explain else ():
            print(f"  {line}")
