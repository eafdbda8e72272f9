"""How well and how soon products are found by text: names, slips of the pen, pictures nobody described.

The photographs are those of Grocery Store in `../shared/data` (or SPOTTER_DATA), with its descriptions.
"""

from __future__ import annotations

import argparse
import csv
import random
import string
import tempfile
from contextlib import closing
from itertools import accumulate
from pathlib import Path
from time import perf_counter, process_time
from typing import TYPE_CHECKING, Any

import numpy as np

from agent.adapters.catalogue import open_catalogue
from agent.adapters.embedder import EmbedderSettings, load_embedder
from agent.adapters.products import ProductTable, ProductWriter, open_products
from agent.adapters.vectors import reopen_index
from agent.adapters.words import open_words
from agent.core.scoring import wilson
from agent.core.types import Product
from agent.publishing.build import BuildSettings, build_catalogue
from agent.publishing.text_model import fit_text_model, texts_of
from agent.searching import TextSearch, search_catalogue
from tools.train.data import data_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from agent.adapters.catalogue import Catalogue
    from agent.core.types import Candidate

SLIPS = 10
"""Misspelt once, so many times each."""

_PARTS = 10


def measure(argv: list[str]) -> dict[str, Any]:
    """`recall` with its 95 % interval (Wilson) of names, of names misspelt once, and of descriptions whose
    product has no text (`pictures`, beside `chance`); `search_ms` at as many products as asked for.
    """
    parser = argparse.ArgumentParser(prog="python -m tools.bench words", description=__doc__)
    parser.add_argument("--model", default="models/base.tflite")
    parser.add_argument("--crop", type=float, default=0.875)
    parser.add_argument("--products", type=int, default=100_000, help="drawn ones, to measure time with")
    parser.add_argument("--questions", type=int, default=300)
    parser.add_argument("--only", choices=("quality", "speed"), help="one half of it")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as name:
        found = {} if args.only == "speed" else _quality(Path(name), args)
        return found if args.only == "quality" else found | _speed(Path(name) / "drawn", args)


def product_folder(data: Path, out: Path) -> Path:
    """Grocery Store with its descriptions: `products.csv`, and the photos for training as links."""
    out.mkdir(parents=True)
    shop = data / "grocery"
    with (shop / "classes.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    skus = {row["Class ID (int)"]: row["Class Name (str)"] for row in rows}
    with (out / "products.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["sku", "name", "category", "description"])
        for row in rows:
            path = row["Product Description Path (str)"].replace("/iconic-images-and-descriptions", "iconic")
            said = (shop / path).read_text(errors="replace").strip()
            sku, kind = row["Class Name (str)"], row["Coarse Class Name (str)"]
            writer.writerow([sku, sku.replace("-", " "), kind.replace("-", " "), said])
    for line in (shop / "train.txt").read_text().splitlines():
        photo, fine, _coarse = (cell.strip() for cell in line.split(","))
        folder = out / "images" / skus[fine]
        folder.mkdir(parents=True, exist_ok=True)
        (folder / Path(photo).name).symlink_to((shop / photo).resolve())
    return out


def misspelt(text: str, draw: random.Random) -> str:
    """With one letter left out, put in, changed, or swapped with the next."""
    while True:
        place = draw.randrange(len(text))
        letter = draw.choice(string.ascii_lowercase)
        pair = text[place : place + 2]
        made = text[:place] + draw.choice(
            [
                text[place + 1 :],
                letter + text[place:],
                letter + text[place + 1 :],
                pair[::-1] + text[place + 2 :],
            ]
        )
        if pair.isalpha() and made != text:
            return made


def _quality(folder: Path, args: argparse.Namespace) -> dict[str, Any]:
    root = product_folder(data_folder(), folder / "products")
    settings = EmbedderSettings(file=args.model)
    build_catalogue(root, folder / "catalogue", settings, BuildSettings(crop=args.crop), created_utc=0.0)
    eyes = load_embedder(settings)
    draw = random.Random(args.seed)
    with closing(open_catalogue(folder / "catalogue", eyes.fingerprint, eyes.dimension)) as catalogue:
        products = [catalogue.product(no) for no in catalogue.numbers()]
        with closing(search_catalogue(catalogue, catalogue)) as search:
            names = [(each.name, each.no) for each in products]
            slips = [(misspelt(name, draw), no) for name, no in names for _ in range(SLIPS)]
            said = [(each.description, each.no) for each in products]
            return {
                "model": args.model,
                "names_at_1": _recall(search, names, 1),
                "misspelt_at_1": _recall(search, slips, 1),
                "descriptions_at_1": _recall(search, [(text[:200], no) for text, no in said], 1),
                "pictures_at_5": _share(_seen(folder / "catalogue", catalogue, products)),
                "chance": round(5 / len(products), 4),
                "files_bytes": {kind: entry.size for kind, entry in catalogue.manifest.entries.items()},
            }


def _recall(search: TextSearch, questions: Sequence[tuple[str, int]], first: int) -> dict[str, Any]:
    return _share([no in {hit.product.no for hit in search.find(text, first)} for text, no in questions])


def _share(right: Sequence[bool]) -> dict[str, Any]:
    low, high = wilson(sum(right), len(right))
    return {
        "recall": round(sum(right) / len(right), 4),
        "interval_95": [round(low, 4), round(high, 4)],
        "of": len(right),
    }


def _seen(folder: Path, catalogue: Catalogue, products: Sequence[Product]) -> list[bool]:
    """Whether each product is among the first five by its pictures, by a model that never read its texts.

    A tenth of the products is held back at a time.
    """
    manifest = catalogue.manifest
    index = reopen_index(
        folder / manifest.index.path,
        manifest.index,
        dimension=manifest.dimension,
        count=manifest.references,
    )
    keys = np.sort(index.keys())
    found = []
    for part in range(_PARTS):
        held = products[part::_PARTS]
        model, _ = fit_text_model([each for each in products if each not in held], keys, index.vectors)
        for product in held:
            vector = model.vector(texts_of(product)[1]) if model else None
            near = catalogue.alike(vector[None], 5)[0] if vector is not None else ()
            found.append(product.no in {each.product for each in near})
    return found


class _Drawn:
    """Drawn products: four words in a name, 25 in a description, used as unevenly as those of a language."""

    def __init__(self, folder: Path, count: int, seed: int) -> None:
        draw = random.Random(seed)
        syllables = [first + last for first in "bcdfgklmnprstvz" for last in "aeiou"]
        made = {"".join(draw.choices(syllables, k=draw.randint(2, 4))) for _ in range(40_000)}
        self.vocabulary = sorted(made)
        draw.shuffle(self.vocabulary)
        self._weights = list(accumulate(1 / (place + 5) for place in range(len(self.vocabulary))))
        self._draw = draw
        writer = ProductWriter(folder)
        begun = perf_counter()
        for no in range(1, count + 1):
            writer.add(
                Product(
                    no,
                    f"sku-{no:06d}",
                    f"{no:014d}",
                    self.words(4),
                    self.words(25),
                    draw.choice(self.vocabulary[:800]),
                    draw.choice(self.vocabulary[:60]),
                    tags=self.words(3),
                )
            )
        self.entry = writer.save()
        self.build_s = perf_counter() - begun
        self.path = folder / self.entry.path
        self.count = count

    def words(self, count: int) -> str:
        return " ".join(self._draw.choices(self.vocabulary, cum_weights=self._weights, k=count))

    def question(self, table: ProductTable) -> str:
        """One to three words of a name or a description, half of them misspelt, half of them begun only."""
        product = table.product(self._draw.randint(1, self.count))
        words = self._draw.choice([product.name, product.description]).split()
        text = " ".join(self._draw.sample(words, self._draw.randint(1, 3)))
        if self._draw.random() < 0.5:
            text = misspelt(text, self._draw)
        return text[: -self._draw.randint(1, 2)] if self._draw.random() < 0.5 else text


class _Table:
    """The shelf of a table without pictures."""

    def __init__(self, table: ProductTable) -> None:
        self.product: Callable[[int], Product] = table.product

    def alike(self, vectors: NDArray[np.float32], limit: int) -> list[tuple[Candidate, ...]]:  # noqa: ARG002
        return [()] * len(vectors)

    def learned_products(self) -> Sequence[Product]:
        return ()

    def is_left_out(self, no: int) -> bool:  # noqa: ARG002
        return False


def _speed(folder: Path, args: argparse.Namespace) -> dict[str, Any]:
    folder.mkdir()
    drawn = _Drawn(folder, args.products, args.seed)
    with closing(open_products(drawn.path, drawn.entry, products=drawn.count, references=0)) as table:
        begun = perf_counter()
        words = open_words(drawn.path, drawn.entry)
        open_ms = 1000 * (perf_counter() - begun)
        if words is None:
            raise RuntimeError("a table that was just written has its words")
        with closing(words):
            search = TextSearch(words, drawn.count, None, _Table(table))
            questions = [drawn.question(table) for _ in range(args.questions)]
            times, cpu_times = [], []
            for text in questions:
                begun, cpu_begun = perf_counter(), process_time()
                search.find(text)
                times.append(1000 * (perf_counter() - begun))
                cpu_times.append(1000 * (process_time() - cpu_begun))
    return {
        "products": drawn.count,
        "table_bytes": drawn.entry.size,
        "build_s": round(drawn.build_s, 2),
        "open_ms": round(open_ms, 1),
        "search_ms": _percentiles(times),
        "search_cpu_ms": _percentiles(cpu_times),
    }


def _percentiles(values: Sequence[float]) -> dict[str, float]:
    at = {"p50": 50, "p95": 95, "max": 100}
    return {name: round(float(np.percentile(values, place)), 1) for name, place in at.items()}
