"""`spotter catalog cluster`: photos that nobody named become groups to name."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from agent.cli.options import (
    Progress,
    add_crop,
    add_json,
    add_model,
    add_verb,
    check_argument,
    check_crop,
    model_argument,
    print_json,
)

if TYPE_CHECKING:
    import argparse

    from agent.cli.options import Verbs


def add_cluster(inner: Verbs) -> None:
    """Describe `cluster`."""
    parser = add_verb(
        inner,
        "cluster",
        "put photos that nobody named into groups that each may be one product",
        "spotter catalog cluster photos --model models/base.tflite -o proposal",
        do_cluster,
    )
    parser.add_argument("photos", type=Path, metavar="PHOTOS", help="a folder of photos, with folders in it")
    parser.add_argument("-o", "--out", type=Path, required=True, metavar="DIR", help="a new product folder")
    add_model(parser, required=True)
    add_crop(parser, "centre that is looked at: 0.1 to 1 (default: 1)", 1.0)
    parser.add_argument(
        "--least", type=int, default=3, metavar="N", help="photos that make a group, 2 or more (default: 3)"
    )
    parser.add_argument("--jobs", type=int, metavar="N", help="processes (default: one per core)")
    add_json(parser)


def do_cluster(args: argparse.Namespace) -> int:
    """Group; the photos stay where they are, and each that is left out is said on stderr."""
    from agent.publishing.embed import Crew
    from agent.publishing.grouping import PAGE_NAME, PHOTOS_LIMIT, group_name, group_photos

    check_crop(args.crop)
    check_argument("--least", args.least, 2, PHOTOS_LIMIT)
    if args.jobs is not None:
        check_argument("--jobs", args.jobs, 1, 1024)
    grouped = group_photos(
        args.photos,
        args.out,
        model_argument(args.model),
        crop=args.crop,
        least=args.least,
        crew=Crew(jobs=args.jobs),
        progress=Progress("looking"),
    )
    for problem in grouped.problems:
        print(f"{'warning' if problem.warning else 'left out'}: {problem}", file=sys.stderr)
    if args.json:
        print_json(
            {
                "groups": {group_name(no): list(paths) for no, paths in enumerate(grouped.groups, 1)},
                "alone": list(grouped.alone),
                "left_out": [problem.file for problem in grouped.problems if not problem.warning],
            }
        )
        return 0
    together = sum(map(len, grouped.groups))
    print(
        f"{args.out}: {together} photos in {len(grouped.groups)} groups, {len(grouped.alone)} like no others"
    )
    print(f"look at {args.out / PAGE_NAME}, name the groups, then `spotter catalog build {args.out}`")
    return 0
