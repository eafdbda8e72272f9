"""`spotter evaluate`: how well a gallery recognises photos whose products are known."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent.cli.options import (
    Progress,
    add_crop,
    add_json,
    add_model,
    add_page,
    add_verb,
    check_argument,
    check_crop,
    check_page,
    model_argument,
    print_json,
)

if TYPE_CHECKING:
    import argparse

    from agent.cli.options import Verbs
    from agent.evaluating.asking import Answer
    from agent.evaluating.gallery import Gallery
    from agent.publishing.problems import Problem


def add(verbs: Verbs) -> None:
    """Describe the verb."""
    parser = add_verb(
        verbs,
        "evaluate",
        "measure how well a gallery recognises photos whose products are known",
        "spotter evaluate products photos --model model.tflite --html evaluation.html",
        do,
    )
    parser.add_argument(
        "gallery",
        metavar="GALLERY",
        help="product folder, its products.csv, or a catalogue that was built",
    )
    parser.add_argument("queries", metavar="QUERIES", help="photos in the shape of a product folder")
    add_model(parser)
    add_crop(parser, "use the centre of each photo: 0.1 to 1 (default: 1, or as the catalogue was built)")
    parser.add_argument(
        "--unknown", metavar="DIR", help="photos, in any folders, of things that the gallery does not have"
    )
    parser.add_argument(
        "--unknown-skus",
        metavar="LIST",
        help="products to leave out of the gallery: SKUs with commas between, or a file with one per line",
    )
    parser.add_argument(
        "--tracks",
        type=int,
        default=1,
        metavar="N",
        help="take up to N photos of a product for one thing that is looked at N times, 1 to 64 (default: 1)",
    )
    parser.add_argument(
        "--false-accept",
        type=float,
        default=0.01,
        metavar="SHARE",
        help="share of things that may be given a wrong name, 0.00001 to 0.5 (default: 0.01)",
    )
    parser.add_argument(
        "--no-second-look",
        action="store_true",
        help="answer by first looks alone; otherwise their figures stand beside the others",
    )
    add_page(parser, "write a page with pictures of the confusions")
    add_json(parser)


def do(args: argparse.Namespace) -> int:
    """Evaluate; photos and rows that are left out are listed on stderr."""
    from agent.adapters.system import SystemClock
    from agent.core.errors import InputError
    from agent.core.second_look import SecondLookSettings
    from agent.evaluating.asking import ask, read_queries, read_unknown
    from agent.evaluating.figures import figures
    from agent.evaluating.gallery import open_gallery
    from agent.parts import make_second_look

    check_crop(args.crop)
    check_argument("--tracks", args.tracks, 1, 64)
    check_argument("--false-accept", args.false_accept, 1e-5, 0.5)
    check_page(args.html)
    clock = SystemClock()
    problems: list[Problem] = []
    queries = read_queries(Path(args.queries), problems.append)
    if args.unknown:
        queries += read_unknown(Path(args.unknown))
    with open_gallery(
        Path(args.gallery),
        model_argument(args.model) if args.model else None,
        args.crop,
        _skus(args.unknown_skus),
        created_utc=clock.utc(),
        report=problems.append,
        progress=Progress("gallery"),
    ) as gallery:
        answers = list(
            ask(
                gallery,
                queries,
                args.crop,
                clock,
                problems.append,
                Progress("queries"),
                tracks=args.tracks,
                false_accept=args.false_accept,
                second=None if args.no_second_look else make_second_look(SecondLookSettings()),
            )
        )
        for problem in problems:
            print(f"{'warning' if problem.warning else 'left out'}: {problem}", file=sys.stderr)
        if not answers:
            raise InputError(f"{args.queries}: expected photos that can be read, found none")
        manifest = gallery.catalogue.manifest
        result: dict[str, Any] = {
            "release": manifest.release,
            "model": f"{manifest.model.name} {manifest.model.fingerprint[:12]}",
            "references": manifest.references,
            "crop": manifest.crop if args.crop is None else args.crop,
            "tracks": args.tracks,
            "false_accept": args.false_accept,
            "refused": len(queries) - sum(answer.photos for answer in answers),
            **figures(answers),
        }
        if args.html:
            _write_page(args.html, args.gallery, gallery, answers, result)
    if args.json:
        print_json(result)
    else:
        _show(result)
    return 0


def _skus(text: str | None) -> frozenset[str]:
    """The SKUs that `--unknown-skus` names.

    Raises:
        ConfigError: the file cannot be read, or is no text.
    """
    from agent.core.errors import ConfigError

    if not text:
        return frozenset()
    names = text.split(",")
    try:
        if Path(text).is_file():
            names = Path(text).read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError) as error:
        raise ConfigError(f"--unknown-skus: expected a file of SKUs, found {text}: {error}") from None
    return frozenset(name.strip() for name in names if name.strip())


def _write_page(
    path: Path, title: str, gallery: Gallery, answers: list[Answer], result: dict[str, Any]
) -> None:
    from agent.adapters.durable import write_whole
    from agent.evaluating.mistakes import names_of, worst_mistakes
    from agent.evaluating.page import render

    page = render(title, result, worst_mistakes(gallery, answers, result), names_of(gallery, answers))
    write_whole(path, page.encode("utf-8", "backslashreplace"))


def _show(result: dict[str, Any]) -> None:
    spans = result["intervals_95"]
    asked = "photos" if result["tracks"] == 1 else f"things of up to {result['tracks']} photos"
    print(f"{result['queries']} {asked}, {result['unknown']} of them of products that the gallery lacks")
    for name, label in _LABELS.items():
        if result[name] is not None:
            span = f"  ({spans[name][0]:.3f} to {spans[name][1]:.3f})" if name in spans else ""
            print(f"  {label:<42} {result[name]:.3f}{span}{_chance(result, name)}")
    for whose, verdicts in result["verdicts"].items():
        if verdicts["queries"]:
            span = f"{verdicts['named_95'][0]:.1%} to {verdicts['named_95'][1]:.1%}"
            print(f"  {whose}: {verdicts['named']} named ({span}), {verdicts['named_right']} rightly; "
                  f"{verdicts['ambiguous']} ambiguous, {verdicts['not_named']} unknown")  # fmt: skip
    second = result["second_look"]
    if second is not None and second["compared"]:
        errors = second["errors_compared"]
        print(f"  closer looks compared {second['share']:.1%} of the photos "
              f"({second['share_95'][0]:.1%} to {second['share_95'][1]:.1%}); of {errors['without']} wrong "
              f"products there {errors['with']} are left; without them {second['named_without']} named, "
              f"{second['named_right_without']} rightly")  # fmt: skip
    latency = result["latency_ms"]
    print(
        f"  milliseconds per photo: {latency['p50']:.1f} in the middle, {latency['p95']:.1f} at most in 95 %"
    )
    for item in result["confusions"][:_CONFUSIONS]:
        print(f"  {item['sku']} was taken for {item['taken_for'] or 'nothing'}: {item['count']} times")


def _chance(result: dict[str, Any], name: str) -> str:
    """What of an error of probabilities is chance: all of it, where few photos were asked about."""
    if f"{name}_by_chance" not in result:
        return ""
    return (
        f"; without most of what is chance {result[f'{name}_debiased']:.3f}, and true probabilities "
        f"would differ by {result[f'{name}_by_chance']:.3f}"
    )


_CONFUSIONS = 5
"""Confusions printed for a person; the page and the JSON have all."""

_LABELS = {
    "top1": "right product first",
    "top5": "right product among the first five",
    "coarse_top1": "right category first",
    "macro_f1": "F1, each product weighing the same",
    "auroc": "known above unknown (AUROC)",
    "far_at_95_tar": "false accepts at 95 % true accepts",
    "ece": "error of the probabilities",
    "ece_known": "the same, of being in the gallery",
}
