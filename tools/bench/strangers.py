"""What is said of drawn products held before a camera: of those of a catalogue, and of others.

The catalogue has the first ten drawn products, as tools/kiosk_demo writes them: three studio pictures and
four in a hand. Held up are these and 32 strangers, each some times, a picture cut to what is held; the answer
is that of `spotter find`, closer looks and all. `told_apart` is the chance that the nearest reference of one
of its own is nearer than that of a stranger.
"""

from __future__ import annotations

import argparse
import tempfile
from collections import Counter
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from agent.adapters.barcodes import read_barcodes
from agent.adapters.embedder import EmbedderSettings, load_embedder
from agent.core.scoring import auroc
from agent.core.second_look import SecondLookSettings
from agent.core.types import Verdict
from agent.finding import find
from agent.publishing.build import BuildSettings, build_catalogue
from agent.second_look import SecondLook
from agent.sight import open_folder
from tools.kiosk_demo import props
from tools.synth.designs import design
from tools.synth.kiosk import held_up

if TYPE_CHECKING:
    from tools.synth.designs import Design

OWN, OWN_HELD = 10, (7, 8, 9)
"""Products of the catalogue, and the seeds of the hands that hold each."""

STRANGERS, STRANGERS_HELD = range(30, 62), (7, 8)


@dataclass(frozen=True, slots=True)
class _Said:
    verdict: Verdict
    right: bool  # the first candidate is what is held
    nearest: float  # cosine


def measure(argv: list[str]) -> dict[str, Any]:
    """How often each verdict is said, how often the first candidate is right, how far apart both lie."""
    parser = argparse.ArgumentParser(prog="python -m tools.bench strangers", description=__doc__)
    parser.add_argument("--model", default="models/base.tflite", metavar="FILE")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="another shop (default: 0)")
    args = parser.parse_args(argv)
    own = [(design(number, args.seed), held) for number in range(OWN) for held in OWN_HELD]
    others = [(design(number, args.seed), held) for number in STRANGERS for held in STRANGERS_HELD]
    embedder = EmbedderSettings(file=args.model)
    load_embedder(embedder)  # says what is wrong before anything is drawn
    with tempfile.TemporaryDirectory(prefix="spotter-bench-") as name:
        products, out = Path(name) / "products", Path(name) / "catalogue"
        props.write_products(products, props.assortment(OWN, args.seed))
        build_catalogue(products, out, embedder, BuildSettings(jobs=1), created_utc=0.0)
        eyes, catalogue = open_folder(out, embedder)
        second = SecondLook(SecondLookSettings(budget_ms=60_000), read_barcodes)
        with closing(catalogue):
            said = [
                [_said(find(held_up(*each), eyes, catalogue, 1.0, 5, second)[0], each[0]) for each in part]
                for part in (own, others)
            ]
        return {
            "model": args.model,
            "calibration": catalogue.calibration.source,
            "own": _counted(said[0]) | {"first_right": sum(each.right for each in said[0])},
            "strangers": _counted(said[1]),
            "told_apart": round(
                auroc(*(np.array([each.nearest for each in part]) for part in said)) or 0.0, 3
            ),
        }


def _said(answer: dict[str, Any], product: Design) -> _Said:
    first = answer["candidates"][0]
    return _Said(Verdict(answer["verdict"]), first["sku"] == props.sku_of(product), first["similarity"])


def _counted(said: list[_Said]) -> dict[str, int]:
    verdicts = Counter(each.verdict for each in said)
    return {"held": len(said), **{str(verdict): verdicts[verdict] for verdict in Verdict}}
