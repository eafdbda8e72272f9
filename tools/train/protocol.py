"""Protocol P: what embedders tell apart on Grocery Store, ours and the public ones side by side.

    python -m tools.train.protocol                   every model of models/ and of the public ones
    python -m tools.train.protocol --json MODEL…     those models, as JSON
    python -m tools.train.protocol --unseen MODEL    P4 too, for a model trained without twenty products

    P1  gallery: all training photos; nearest neighbour, and the nearest mean of a product (prototype)
    P2  gallery: one studio picture for each product
    P3  gallery: five photos for each product; five draws, their mean
    P4  P1 to P3 among twenty products that were left out of all training
    P5  gallery: photos of the others; are the twenty recognised as unknown?

Queries are the validation photos, all pictures cut to `CROP`. "Projected" is what a release does: the
projection that `catalog build` fits on the gallery, left out where its own trial says that it does not help.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from time import process_time
from typing import TYPE_CHECKING, Any

import numpy as np

from agent.adapters.embedder import EmbedderSettings, draft_spec, load_embedder
from agent.core.errors import AgentError
from agent.core.regions import kept_centre, propose
from agent.core.scoring import auroc, false_accepts, wilson
from agent.publishing.projection import fit_projection
from tools.train.data import UNSEEN, data_folder, grocery_classes, grocery_list, read, unseen_products
from tools.train.recipes import MODELS
from tools.train.surgery import without_classifier

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from agent.adapters.embedder import Embedder

    Rows = NDArray[np.float32]
    Names = NDArray[np.str_]

CROP = 0.875
"""Share of each side that is kept around the centre: what the public models like best on these photos."""

SHOTS = 5
DRAWS = 5

PUBLIC = (
    "mobilenet_v1_0.25_128_quant.tflite",
    "mobilenet_v1_0.5_160_quant.tflite",
    "mobilenet_v1_1.0_224_quant_embedding_extractor.tflite",
    "mobilenet_v2_1.0_224_quant.tflite",
    "tf2_mobilenet_v2_1.0_224_ptq.tflite",
)


@dataclass(frozen=True, slots=True)
class Pictures:
    """Embeddings and what they show; those of one product side by side, in the order of their files."""

    rows: Rows  # (N, D) unit rows
    names: Names  # (N,)

    def of(self, kept: NDArray[np.bool_] | NDArray[np.int64]) -> Pictures:
        """A part of them."""
        return Pictures(self.rows[kept], self.names[kept])


@dataclass(frozen=True, slots=True)
class Seen:
    """All that one model sees of Grocery Store."""

    photos: Pictures
    studio: Pictures
    queries: Pictures


def seen(eyes: Embedder, data: Path) -> Seen:
    """Embed the training photos, the studio pictures and the validation photos."""
    photos = sorted(grocery_list(data, "train"), key=lambda item: item[1])  # stable: files keep their order
    studio = sorted((path, name) for name, path in grocery_classes(data).items())
    return Seen(*(_pictures(eyes, part) for part in (photos, studio, grocery_list(data, "val"))))


def _pictures(eyes: Embedder, listed: Sequence[tuple[Path, str]]) -> Pictures:
    where = kept_centre(CROP)
    rows = []
    for path, _ in listed:
        picture = read(path)
        rows.append(eyes.embed(picture, propose(where, picture.shape[1], picture.shape[0])))
    return Pictures(np.concatenate(rows), np.array([name for _, name in listed]))


def measured(found: Seen) -> dict[str, Any]:
    """P1, P2, P3 and P5 of one model, percent."""
    known = ~np.isin(found.photos.names, sorted(unseen_products(found.studio.names)))
    return {
        **first_three(found),
        "P5": open_set(found.photos.of(known), found.queries),
    }


def first_three(found: Seen) -> dict[str, Any]:
    """P1 to P3, percent right."""
    draws = [_few(found.photos, seed) for seed in range(DRAWS)]
    few = [compared(draw, found.queries) for draw in draws]
    nearest = _nearest(found.photos, found.queries)
    low, high = wilson(int(np.sum(nearest)), len(nearest))
    return {
        "queries": len(found.queries.names),
        "P1": compared(found.photos, found.queries),
        "P1 interval": [round(100 * low, 1), round(100 * high, 1)],
        "P2": {"nearest": _percent(_nearest(found.studio, found.queries))},
        "P3": {key: round(float(np.mean([each[key] for each in few])), 1) for key in few[0]},
    }


def among(found: Seen, products: frozenset[str]) -> dict[str, Any]:
    """P1 to P3 with gallery and queries of these products alone: P4 for those that were never trained on."""
    parts = (found.photos, found.studio, found.queries)
    return first_three(Seen(*(part.of(np.isin(part.names, sorted(products))) for part in parts)))


def compared(gallery: Pictures, queries: Pictures) -> dict[str, float]:
    """Nearest neighbour and prototypes, as the model sees and projected."""
    moved, asked = projected(gallery, queries)
    return {
        "nearest": _percent(_nearest(gallery, queries)),
        "prototypes": _percent(_nearest(prototypes(gallery), queries)),
        "nearest projected": _percent(_nearest(moved, asked)),
        "prototypes projected": _percent(_nearest(prototypes(moved), asked)),
    }


def projected(gallery: Pictures, queries: Pictures) -> tuple[Pictures, Pictures]:
    """Both as a release of this gallery compares them."""
    _, products = np.unique(gallery.names, return_inverse=True)
    projection, _ = fit_projection(products.astype(np.uint64), lambda places: gallery.rows[places])
    if projection is None:
        return gallery, queries
    return tuple(Pictures(projection.apply(part.rows), part.names) for part in (gallery, queries))  # type: ignore[return-value]


def prototypes(gallery: Pictures) -> Pictures:
    """The mean of each product, a unit row."""
    names = np.unique(gallery.names)
    rows = np.stack([gallery.rows[gallery.names == name].mean(axis=0) for name in names])
    return Pictures(rows / np.linalg.norm(rows, axis=1, keepdims=True), names)


def open_set(gallery: Pictures, queries: Pictures) -> dict[str, float]:
    """How well the best similarity tells queries of the gallery's products from others."""
    gallery, queries = projected(gallery, queries)
    best = (queries.rows @ gallery.rows.T).max(axis=1).astype(np.float64)
    known = np.isin(queries.names, gallery.names)
    area, accepted = auroc(best[known], best[~known]), false_accepts(best[known], best[~known])
    if area is None or accepted is None:
        raise ValueError("open set: expected queries of both kinds, found one")
    return {"auroc": round(area, 3), "false accepts": round(100 * accepted, 1)}


def _few(photos: Pictures, seed: int) -> Pictures:
    """`SHOTS` photos of each product, drawn."""
    rng = np.random.default_rng([seed, 79])
    chosen = [
        np.sort(rng.permutation(np.flatnonzero(photos.names == name))[:SHOTS])
        for name in np.unique(photos.names)
    ]
    return photos.of(np.concatenate(chosen))


def _nearest(gallery: Pictures, queries: Pictures) -> NDArray[np.bool_]:
    right: NDArray[np.bool_] = gallery.names[(queries.rows @ gallery.rows.T).argmax(axis=1)] == queries.names
    return right


def _percent(right: NDArray[np.bool_]) -> float:
    return round(100 * float(np.mean(right)), 1)


def opened(model: Path, folder: Path) -> Embedder:
    """A model with a description, or a public one without: a copy cut behind its pooling, in `folder`."""
    if not model.with_suffix(".json").is_file():
        data = without_classifier(model.read_bytes())
        model = folder / model.name
        model.write_bytes(data)
        model.with_suffix(".json").write_text(json.dumps(draft_spec(data, model.name)))
    return load_embedder(EmbedderSettings(file=str(model)))


def invoke_ms(eyes: dict[Path, Embedder], rounds: int, clock: Callable[[], float]) -> dict[Path, float]:
    """Milliseconds of one inference of each, the median; in turns, so that all are disturbed alike."""
    taken: dict[Path, list[float]] = {name: [] for name in eyes}
    for _ in range(rounds):
        for name, each in eyes.items():
            each.invoke_once()  # brings its weights back into the cache
            began = clock()
            for _ in range(5):
                each.invoke_once()
            taken[name].append((clock() - began) / 5)
    return {name: round(1000 * float(np.median(times)), 2) for name, times in taken.items()}


def table(results: dict[str, dict[str, Any]]) -> str:
    """The results as text, one line for each model."""
    name_width = max(map(len, results), default=0)
    lines = [" ".join([" " * name_width, *(f"{word:>6}" for word in _COLUMNS)])]
    for name, figures in results.items():
        cells = [
            *figures["P1"].values(),
            figures["P2"]["nearest"],
            *figures["P3"].values(),
            *(figures.get("P5", {}).get(key, "") for key in ("auroc", "false accepts")),
            *(figures.get(key, "") for key in ("invoke_ms", "size_mb")),
        ]
        lines.append(" ".join([f"{name:{name_width}}", *(f"{cell:>6}" for cell in cells)]))
    return "\n".join(lines)


_FOUR = ("proto", "nn+pr", "pr+pr")
_COLUMNS = ("P1 nn", *_FOUR, "P2 nn", "P3 nn", *_FOUR, "auroc", "fa95", "ms", "MB")


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print; 1 where a model or the pictures cannot be read."""
    args = _arguments(argv)
    models = args.models or [
        *sorted(MODELS.glob("*.tflite")),
        *(args.data / "models" / name for name in PUBLIC),
    ]
    try:
        with tempfile.TemporaryDirectory(prefix="spotter-protocol-") as folder:
            results = _results(models, args.unseen, args.data, Path(folder))
    except (AgentError, OSError) as error:
        print(f"protocol: {error}", file=sys.stderr)
        return 1
    if args.json:
        print(json.dumps(results, indent=1))
        return 0
    print("all products:", table(results["models"]), sep="\n")
    if results["P4"]:
        print(f"\n{UNSEEN} products; {args.unseen.name} never saw them:", table(results["P4"]), sep="\n")
    return 0


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tools.train.protocol",
        description="What embedders tell apart on Grocery Store: ours and the public ones.",
        epilog="columns: nn nearest neighbour, proto nearest prototype, +pr projected as a release does it; "
        "open set: auroc, and fa95, the percentage of unknowns accepted where 95 of the known are. "
        "example: python -m tools.train.protocol models/base.tflite models/small.tflite --json",
    )
    parser.add_argument("models", nargs="*", type=Path, metavar="MODEL", help="default: ours and the public")
    parser.add_argument("--data", type=Path, metavar="DIR", default=data_folder(), help="the pictures")
    parser.add_argument(
        "--unseen", type=Path, metavar="MODEL", help="P4 too, with what `tools.train base --unseen` made"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object")
    return parser.parse_args(argv)


def labels(models: Sequence[Path]) -> dict[Path, str]:
    """What each is called in the tables: its file's name, or its path where another has that name too."""
    names = [model.name for model in models]
    return {model: model.name if names.count(model.name) == 1 else str(model) for model in models}


def _results(models: Sequence[Path], unseen: Path | None, data: Path, folder: Path) -> dict[str, Any]:
    """`{"models": {name: figures}, "P4": {name: figures}, …}`."""
    eyes = {model: opened(model, folder) for model in models}
    times = invoke_ms(eyes, 20, process_time)
    products = unseen_products(grocery_classes(data))
    names = labels(models if unseen is None else [*models, unseen])
    all_products, few_products = {}, {}
    for model, each in eyes.items():
        found = seen(each, data)
        all_products[names[model]] = measured(found) | {
            "invoke_ms": times[model],
            "size_mb": round(model.stat().st_size / 1e6, 2),
            "sha256": hashlib.sha256(model.read_bytes()).hexdigest(),
        }
        if unseen is not None and model.resolve().parent != MODELS:  # ours were trained on them
            few_products[names[model]] = among(found, products)
    if unseen is not None:
        few_products = {names[unseen]: among(seen(opened(unseen, folder), data), products)} | few_products
    return {"crop": CROP, "left out": sorted(products), "models": all_products, "P4": few_products}


if __name__ == "__main__":
    sys.exit(main())
