"""`spotter bench`: what each stage costs on this machine, as ratios taken side by side in one run."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from agent.cli.options import add_json, add_model, add_verb, check_argument, model_argument, print_json

if TYPE_CHECKING:
    import argparse

    from agent.cli.options import Verbs

SIZES = (1000, 10000)
"""References of the catalogues that are searched: a kiosk's assortment, a store's."""


def add(verbs: Verbs) -> None:
    """Describe the verb."""
    parser = add_verb(
        verbs,
        "bench",
        "measure what each stage costs on this machine",
        "spotter bench --model model.tflite --json",
        do,
    )
    parser.add_argument("-c", "--config", metavar="FILE", help="take the model from this configuration")
    add_model(parser)
    parser.add_argument("--rounds", type=int, default=40, metavar="N", help="rounds, 3 to 1000 (default: 40)")
    add_json(parser)


def do(args: argparse.Namespace) -> int:
    """Measure and print."""
    from agent.benching import measure
    from agent.config import load_config
    from agent.core.errors import UsageError

    check_argument("--rounds", args.rounds, 3, 1000)
    if args.config:
        model = load_config(args.config).model
    elif args.model:
        model = model_argument(args.model)
    else:
        raise UsageError("expected --config FILE or --model FILE")
    result = measure(model, args.rounds, SIZES)
    if args.json:
        print_json(result)
    else:
        _print_table(result)
    return 0


def _print_table(result: dict[str, Any]) -> None:
    print(f"{result['model']}, {result['runtime']}, {result['regions']} regions of {result['region_px']} px")
    for stage, microseconds in result["stage_us"].items():
        print(f"  {stage:20} {microseconds:10.1f} µs per region")
    for count, microseconds in result["search_us"].items():
        print(f"  search of {count:>10} {microseconds:10.1f} µs")
    print(f"whole step over bare invoke  {result['step_over_invoke']:.3f}")
    print(f"quiet scene over busy scene  {result['quiet_over_busy']:.3f}")
    print(f"resident memory              {result['rss_mb']:.0f} MB")
    print(f"cold start to first answer   {result['cold_start_s']:.2f} s")
    print("ratios compare within this run; absolute times are this machine's, now", file=sys.stderr)
