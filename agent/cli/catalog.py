"""`spotter catalog`: head office. A product folder becomes the directory that devices match against."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from agent.cli.catalog_cluster import add_cluster
from agent.cli.catalog_health import add_health
from agent.cli.catalog_prune import add_prune
from agent.cli.catalog_publish import add_keys, add_publish, add_serve
from agent.cli.options import (
    Progress,
    add_crop,
    add_json,
    add_model,
    add_verb,
    model_argument,
    print_json,
    whole,
)
from agent.core.copies import LARGEST_PX

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from agent.cli.options import Verbs
    from agent.publishing.problems import Problem


def add(verbs: Verbs) -> None:
    """Describe the verbs."""
    parser = verbs.add_parser("catalog", help="head office: build what devices match against")
    inner = parser.add_subparsers(dest="what", required=True, metavar="WHAT")
    build = add_verb(
        inner,
        "build",
        "embed a product folder into a catalogue directory",
        "spotter catalog build products --model model.tflite -o catalogue",
        do_build,
    )
    build.add_argument(
        "products",
        metavar="PRODUCTS",
        help="folder with products.csv and images/<sku>/, or one folder per product",
    )
    build.add_argument(
        "-o",
        "--out",
        required=True,
        metavar="DIR",
        help="catalogue directory to write; one that is there is updated",
    )
    add_model(build, required=True)
    add_crop(build, "use the centre of each photo: 0.1 to 1 (default: 1)", 1.0)
    build.add_argument(
        "--small",
        type=_sizes,
        default=(),
        metavar="PX,…",
        help="also keep each photo this small on its shorter side, for cameras that see products from afar",
    )
    build.add_argument(
        "--strict", action="store_true", help="stop at bad rows and images instead of leaving them out"
    )
    build.add_argument("--jobs", type=int, metavar="N", help="processes (default: one per core)")
    build.add_argument(
        "--engine",
        choices=("processes", "ray"),
        default="processes",
        help="where photos are embedded: on this machine, or on a Ray cluster (default: processes)",
    )
    build.add_argument(
        "--ray-address",
        default="",
        metavar="HOST:PORT",
        help="cluster of --engine ray (default: RAY_ADDRESS, or one started on this machine)",
    )
    build.add_argument(
        "--rebuild", action="store_true", help="write everything anew: devices fetch all of the next release"
    )
    build.add_argument(
        "--no-thumbnails", action="store_true", help="leave the small pictures of the references out"
    )
    build.add_argument("--no-features", action="store_true", help="leave out what closer looks compare with")
    build.add_argument(
        "--with-model",
        action="store_true",
        help="put the model into the catalogue: devices that hold another one go over to it",
    )
    build.add_argument(
        "--planograms",
        default="",
        metavar="DIR",
        help="NAME.yaml for each shelf of those who subscribe; a camera takes it by shelf.planogram: "
        "release:NAME",
    )
    build.add_argument(
        "--cache",
        metavar="DIR",
        help="where embeddings are kept between builds (default: spotter in $XDG_CACHE_HOME or ~/.cache)",
    )
    build.add_argument("--no-cache", action="store_true", help="embed every picture")
    add_json(build)
    for add_other in (add_cluster, add_health, add_publish, add_prune, add_serve, add_keys):
        add_other(inner)


def do_build(args: argparse.Namespace) -> int:
    """Build; every bad row or image is listed on stderr."""
    from agent.adapters.system import SystemClock
    from agent.core.errors import UsageError

    if args.engine == "ray":
        from agent.publishing.cluster import load_ray

        load_ray()
    elif args.ray_address:
        raise UsageError("--ray-address: expected with --engine ray only")
    from agent.publishing.build import BuildSettings, build_catalogue
    from agent.publishing.problems import ProblemsError

    try:
        settings = BuildSettings(
            crop=args.crop,
            small=args.small,
            strict=args.strict,
            jobs=args.jobs,
            engine=args.engine,
            ray_address=args.ray_address,
            rebuild=args.rebuild,
            thumbnails=not args.no_thumbnails,
            features=not args.no_features,
            with_model=args.with_model,
            planograms=args.planograms,
        )
    except ValueError as error:
        raise UsageError(f"--{str(error).replace('_', '-', 1)}") from None
    try:
        report = build_catalogue(
            args.products,
            args.out,
            model_argument(args.model),
            settings,
            created_utc=SystemClock().utc(),
            cache=None if args.no_cache else args.cache or _cache(),
            progress=Progress("embedding"),
        )
    except ProblemsError as error:
        _list(error.problems)
        raise
    _list(report.problems)
    changes = report.changes
    left_out = sum(not problem.warning for problem in report.problems)
    summary = {
        "release": report.release,
        "products": report.products,
        "references": report.references,
        "problems": left_out,
        "warnings": len(report.problems) - left_out,
        "updated": not changes.why,
        "rebuilt_because": changes.why,
        "added": changes.added,
        "removed": changes.removed,
        "replaced": changes.replaced,
        "kept": changes.kept,
    }
    if args.json:
        print_json(summary)
    else:
        print(
            f"{args.out}: {report.products} products, {report.references} references, "
            f"release {report.release}, {left_out} left out"
        )
        print(
            (f"rebuilt ({changes.why})" if changes.why else "updated")
            + f": {changes.added} references added, {changes.removed} removed, "
            f"{changes.replaced} replaced, {changes.kept} kept"
        )
    return 0


def _sizes(text: str) -> tuple[int, ...]:
    """`"100,70"` → `(100, 70)`."""
    return tuple(whole(part, 1, LARGEST_PX) for part in text.split(","))


def _cache() -> Path:
    """Where embeddings are kept when nobody says."""
    home = os.environ.get("XDG_CACHE_HOME", "")
    base = Path(home) if Path(home).is_absolute() else Path("~/.cache").expanduser()
    return base / "spotter"


def _list(problems: Sequence[Problem]) -> None:
    for problem in problems:
        print(f"{'warning' if problem.warning else 'left out'}: {problem}", file=sys.stderr)
