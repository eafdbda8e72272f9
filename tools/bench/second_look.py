"""What closer looks mend of the first look, how many they are, and what one costs.

    python -m tools.bench second_look                       drawn flavours, each alike but for one thing
    python -m tools.bench second_look --data ../shared/data  the cartons of the Grocery Store photographs, too

Flavours: a shop of lines of four, three studio pictures each; each product is held before a camera. Cartons:
gallery of the training photos, the validation photos are asked. Each query is a look of its own, weighed as
`spotter find` does. Errors are those of the first option among the looks whose pictures were compared; beside
them stand those among all looks that named nothing, and the named ones that are wrong, because a closer look
may make a look sure.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2

from agent.adapters.barcodes import read_barcodes
from agent.adapters.embedder import EmbedderSettings
from agent.adapters.images import encode_png, read_image
from agent.core.evidence import ONE_LOOK, decide
from agent.core.looking import looks_at
from agent.core.second_look import SecondLookSettings
from agent.core.types import Region, Verdict
from agent.publishing.build import BuildSettings, build_catalogue
from agent.second_look import SecondLook
from agent.sight import open_folder
from tools.synth.flavours import flavour
from tools.synth.kiosk import draw_held, hold
from tools.synth.views import studio_view

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from numpy.typing import NDArray

    from agent.adapters.catalogue import Catalogue
    from agent.core.types import Decision

    Query = tuple[NDArray[np.uint8], Region, str]
    """A picture, the region that is looked at, and the SKU in it."""

ROOT = Path(__file__).resolve().parent.parent.parent
STUDIO = 3
SHOP = 5  # seed of the drawn shop: below those of training


def measure(argv: list[str]) -> dict[str, Any]:
    """The figures."""
    parser = argparse.ArgumentParser(prog="python -m tools.bench second_look", description=__doc__)
    parser.add_argument("--model", default=str(ROOT / "models" / "base.tflite"))
    parser.add_argument("--data", type=Path, help="folder with grocery/")
    parser.add_argument("--products", type=int, default=64, help="drawn products, a multiple of four")
    parser.add_argument("--held", type=int, default=4, help="pictures of each that are asked")
    parser.add_argument("--without", nargs="*", default=[], choices=["features", "colour", "barcode"])
    args = parser.parse_args(argv)
    cv2.setNumThreads(1)  # CPU time is that of one core
    settings = replace(SecondLookSettings(budget_ms=60_000), **dict.fromkeys(args.without, False))
    figures: dict[str, Any] = {"model": args.model}
    with tempfile.TemporaryDirectory() as held:
        place = Path(held)
        shop = _shop(place / "shop", args.products)
        figures["flavours"] = _measured(shop, place / "a", args.model, settings, _held(args))
        if args.data is not None:
            cartons = _cartons(args.data, place / "cartons", "train")
            queries = _photos(_cartons(args.data, place / "asked", "val"))
            figures["cartons"] = _measured(cartons, place / "b", args.model, settings, queries)
    return figures


def _measured(
    products: Path, out: Path, model: str, settings: SecondLookSettings, queries: Iterator[Query]
) -> dict[str, Any]:
    embedder = EmbedderSettings(file=model)
    began = time.process_time()
    report = build_catalogue(products, out, embedder, BuildSettings(jobs=1), created_utc=0.0)
    built_s = time.process_time() - began
    eyes, catalogue = open_folder(out, embedder)
    second = SecondLook(settings, read_barcodes)
    tally = _Tally()
    with closing(catalogue):
        for image, region, sku in queries:
            embeddings = eyes.embed(image, [region])
            look = looks_at(image, [region], embeddings, catalogue.nearest(embeddings))[0]
            first = decide([look], catalogue.calibration, ONE_LOOK)
            began = time.thread_time()  # that of other threads is NumPy's, which spin
            compared = second.tally.compared
            better = second.improved(image, [region], [look], catalogue)[0]
            spent = time.thread_time() - began
            closer = decide([better], catalogue.calibration, ONE_LOOK)
            rights = _right(catalogue, first, sku), _right(catalogue, closer, sku)
            tally.add(first, closer, rights, second.tally.compared > compared, spent)
        entry = catalogue.manifest.features
        portrayed = [no for no in catalogue.numbers() if catalogue.portraits(no)]
        return {
            "products": report.products,
            "portrayed": len(portrayed),
            "bytes_per_portrayed": round(entry.size / len(portrayed)) if entry else 0,
            "build_cpu_s": round(built_s, 1),
            "weights": list(catalogue.weights.values),
            "pairs": catalogue.weights.pairs,
            **tally.figures(),
        }


class _Tally:
    def __init__(self) -> None:
        self.rows: list[tuple[bool, bool, bool, bool, bool]] = []
        self.spent: list[float] = []
        self.undecided_wrong = 0  # of all first looks that name nothing

    def add(
        self, first: Decision, closer: Decision, rights: tuple[bool, bool], looked: bool, spent: float
    ) -> None:
        known, known_now = first.verdict is Verdict.KNOWN, closer.verdict is Verdict.KNOWN
        self.rows.append((looked, *rights, known, known_now))
        self.undecided_wrong += not known and not rights[0]
        if looked:
            self.spent.append(spent)

    def figures(self) -> dict[str, Any]:
        looked = [row for row in self.rows if row[0]]
        before, after = (sum(not row[place] for row in looked) for place in (1, 2))
        ordered = sorted(self.spent) or [0.0]
        return {
            "queries": len(self.rows),
            "closer_looks": len(looked),
            "share": round(len(looked) / len(self.rows), 3),
            "top1": [round(sum(row[place] for row in self.rows) / len(self.rows), 3) for place in (1, 2)],
            "errors": [before, after],
            "errors_undecided": self.undecided_wrong,
            "removed": round(1 - after / before, 3) if before else None,
            "made": sum(right and not now for _, right, now, _, _ in looked),
            "named": [sum(row[place] for row in self.rows) for place in (3, 4)],
            "named_wrong": [
                sum(row[3] and not row[1] for row in self.rows),
                sum(row[4] and not row[2] for row in self.rows),
            ],
            "cpu_ms": {
                "p50": round(1e3 * ordered[len(ordered) // 2], 1),
                "p95": round(1e3 * ordered[int(0.95 * (len(ordered) - 1))], 1),
            },
        }


def _right(catalogue: Catalogue, decision: Decision, sku: str) -> bool:
    return bool(decision.options) and catalogue.product(decision.options[0].product).sku == sku


def _shop(folder: Path, products: int) -> Path:
    for index in range(products):
        images = folder / f"p{index:04}"
        images.mkdir(parents=True)
        for number in range(STUDIO):
            data = encode_png(studio_view(flavour(index, SHOP), number))
            (images / f"{number}.png").write_bytes(data)
    return folder


def _held(args: argparse.Namespace) -> Iterator[Query]:
    for index in range(args.products):
        for number in range(args.held):
            held = hold(flavour(index, SHOP), seed=number)
            yield draw_held(held), Region(held.box), f"p{index:04}"


def _cartons(data: Path, folder: Path, part: str) -> Path:
    """The photos of packages as a folder of links, one folder per class."""
    for line in (data / "grocery" / f"{part}.txt").read_text().splitlines():
        path = data / "grocery" / line.split(",")[0].strip()
        if "Packages" in path.parts:
            images = folder / path.parent.name
            images.mkdir(parents=True, exist_ok=True)
            (images / path.name).symlink_to(path.resolve())
    return folder


def _photos(folder: Path) -> Iterator[Query]:
    for path in sorted(folder.glob("*/*")):
        image = read_image(path)
        yield image, Region((0, 0, image.shape[1], image.shape[0])), path.parent.name
