"""What a trained model's similarities are worth on photos it never saw, written into its description.

    python -m tools.train.worth models/base.tflite        fits, says how well, writes `calibration`

The model was trained on the photos of the gallery, so that nothing about new photos can be told from those.
The validation photos were not trained on: known things as they are, unknown ones with their product taken out
of the gallery. What is said of the fit is cross-validated: each photo is judged by numbers that were fitted
on photos of other products.

With the fit goes where things lie that are no products (core/others.py): the mean embedding of pictures of
each of `FAR`. What is said of that is of other pictures of the same kind, and, of each kind, by the means of
the other kinds alone. So does what looks are worth that lack detail (core/haze.py).
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from agent.adapters.embedder import EmbedderSettings, load_embedder
from agent.core.errors import AgentError
from agent.core.evidence import ONE_LOOK, RIVALS, WEIGHED, decide, in_catalogue
from agent.core.haze import hazy
from agent.core.matching import VIEW_BITS, group, key_of
from agent.core.model_spec import parse_spec
from agent.core.others import pack, usual_nearness
from agent.core.regions import kept_centre, propose
from agent.core.scoring import auroc, calibration_error, false_accepts
from agent.core.tensors import unit_rows
from agent.core.types import Look
from agent.publishing.asked import ask_photos, ask_references
from agent.publishing.calibrate import calibrate_on, new_photos, usual_cosine
from tools.train.data import data_folder, read
from tools.train.haze import FULL, fit_haze, hazy_queries, through_haze
from tools.train.protocol import CROP, Pictures, Seen, seen

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from agent.adapters.embedder import Embedder
    from agent.core.calibration import Calibration
    from agent.publishing.asked import Asked
    from tools.train.haze import Hazy

FOLDS = 5
SPLITS = 12
DRAWS = 4
"""Things of several photos that are made of each product's, in each split."""

FALSE_ACCEPT = 0.01
RESAMPLED = 200
FAR = {"clothing": "clothing/images/*.jpg", "trashnet": "trashnet/*/*.jpg"}
FAR_PICTURES = 200
"""Of each kind: as many for its mean as are asked about."""

UNKNOWN = 20
"""Products taken out of the gallery in each split."""


class Photos:
    """Gallery and queries as a catalogue holds them: keys, numbers of products, rows."""

    def __init__(self, gallery: Pictures, queries: Pictures) -> None:
        """`gallery` with the pictures of a product side by side."""
        self.products, numbers = np.unique(gallery.names, return_inverse=True)
        starts = np.searchsorted(numbers, numbers)
        views = np.arange(len(numbers)) - starts
        self.keys = np.array(
            [key_of(int(n) + 1, int(v)) for n, v in zip(numbers, views, strict=True)], np.uint64
        )
        self.numbers = numbers + 1
        self.rows = gallery.rows
        self.asked = queries.rows
        self.shown = np.searchsorted(self.products, queries.names) + 1

    def fitted(self, chosen: NDArray[np.bool_], source: str) -> Calibration:
        """The numbers from these of the queries."""
        return calibrate_on(self.found(chosen), source)

    def found(self, chosen: NDArray[np.bool_]) -> Asked:
        """What these of the queries find in the whole gallery."""
        return ask_photos(self.asked[chosen], self.shown[chosen].astype(np.uint64), self.keys, self.rows_of)

    def rows_of(self, keys: NDArray[np.uint64]) -> NDArray[np.float32]:
        """Of the gallery, by keys."""
        return self.rows[np.searchsorted(self.keys, keys)]

    def looks(self, missing: NDArray[np.int64]) -> list[Look]:
        """What each query finds in a gallery without these products."""
        kept = ~np.isin(self.numbers, missing)
        similarities = self.asked @ self.rows[kept].T
        return [
            Look(group(self.keys[kept], near, WEIGHED), embedding=row)
            for near, row in zip(similarities, self.asked, strict=True)
        ]

    def things(self, count: int, rng: np.random.Generator) -> list[NDArray[np.int64]]:
        """Queries that are one thing each: every one, or `count` at most that show the same product."""
        if count == 1:
            return [np.array([place]) for place in range(len(self.shown))]
        return [
            rng.permutation(np.flatnonzero(self.shown == number))[:count]
            for number in np.unique(self.shown)
            for _ in range(DRAWS)
        ]


@dataclass(frozen=True, slots=True)
class Judged:
    """One thing, and what was said of it."""

    shown: int
    known: bool
    chance: float  # that the gallery has it
    claimed: float  # that the first product is right
    right: bool
    named: bool


def by_others(photos: Photos) -> tuple[np.random.Generator, NDArray[np.int64], list[Calibration]]:
    """The fold of each product, and per fold numbers by photos of the products of the others."""
    rng = np.random.default_rng(0)
    fold = rng.permutation(len(photos.products)) % FOLDS
    parts = [photos.fitted(fold[photos.shown - 1] != part, "") for part in range(FOLDS)]
    return rng, fold, parts


def judged(photos: Photos, count: int, far: dict[str, NDArray[np.float32]]) -> list[Judged]:
    """Things of `count` photos, over `SPLITS` choices of what the gallery lacks.

    Looks come one after the other, and the first answer that names the thing is the answer.
    """
    usual = usual_cosine(photos.keys >> np.uint64(VIEW_BITS), lambda places: photos.rows[places])
    rng, fold, parts = by_others(photos)
    numbers = np.arange(1, len(photos.products) + 1)
    fits = [beside(replace(fit, alike=usual), far, photos) for fit in parts]
    settings = replace(ONE_LOOK, window=count, false_accept=FALSE_ACCEPT)
    found = []
    for _ in range(SPLITS):
        missing = rng.choice(numbers, UNKNOWN, replace=False)
        looks = photos.looks(missing)
        for thing in photos.things(count, rng):
            shown = int(photos.shown[thing[0]])
            for end in range(1, len(thing) + 1):
                decision = decide([looks[place] for place in thing[:end]], fits[fold[shown - 1]], settings)
                if decision.product is not None:
                    break
            right = decision.options[0].product == shown
            named = decision.product is not None
            chance = in_catalogue(decision)
            found.append(Judged(shown, shown not in missing, chance, decision.probability, right, named))
    return found


def figures(things: Sequence[Judged]) -> dict[str, list[float]]:
    """Each figure with the ends of its 95 % interval, from resampling the products."""
    shown = np.array([each.shown for each in things])
    of = [np.flatnonzero(shown == number) for number in np.unique(shown)]
    chance, claimed = (np.array([getattr(each, name) for each in things]) for name in ("chance", "claimed"))
    known, right, named = (
        np.array([getattr(each, name) for each in things], np.bool_) for name in ("known", "right", "named")
    )

    def on(rows: NDArray[np.int64]) -> dict[str, float]:
        there, lacking = rows[known[rows]], rows[~known[rows]]
        return {
            "auroc": auroc(chance[there], chance[lacking]) or 0.0,
            "false accepts at 95 % true accepts": false_accepts(chance[there], chance[lacking]) or 0.0,
            "calibration error, known": calibration_error(chance[rows], known[rows]) or 0.0,
            "calibration error, right": calibration_error(claimed[rows], right[rows]) or 0.0,
            "named of the unknown": float(named[lacking].mean()),
            "named of the known": float(named[there].mean()),
            "wrongly named of the known": float((named & ~right)[there].mean()),
        }

    rng = np.random.default_rng(1)
    draws = [on(np.concatenate([of[n] for n in rng.integers(0, len(of), len(of))])) for _ in range(RESAMPLED)]
    return {
        name: [round(value, 4), *np.percentile([draw[name] for draw in draws], [2.5, 97.5]).round(4).tolist()]
        for name, value in on(np.arange(len(things))).items()
    }


def far_pictures(eyes: Embedder, data: Path) -> dict[str, NDArray[np.float32]]:
    """Rows of things that no catalogue of groceries has, by kind; those of even places are for means."""
    where = kept_centre(CROP)
    found = {}
    for kind, pattern in FAR.items():
        paths = sorted(data.glob(pattern))
        chosen = np.random.default_rng(0).choice(len(paths), min(2 * FAR_PICTURES, len(paths)), replace=False)
        pictures = [read(paths[place]) for place in chosen]
        rows = [eyes.embed(each, propose(where, each.shape[1], each.shape[0])) for each in pictures]
        found[kind] = np.concatenate(rows)
    return found


def far_figures(photos: Photos, fit: Calibration, far: dict[str, NDArray[np.float32]]) -> dict[str, Any]:
    """AUROC of the known photos above each kind: without directions, with all, with those of other kinds."""

    def chances(rows: NDArray[np.float32], worth: Calibration) -> NDArray[np.float64]:
        near = rows @ photos.rows.T
        looks = [
            Look(group(photos.keys, each, WEIGHED), embedding=row)
            for each, row in zip(near, rows, strict=True)
        ]
        return np.array([in_catalogue(decide([look], worth, ONE_LOOK)) for look in looks])

    told = {}
    for kind, rows in far.items():
        rest = {name: each for name, each in far.items() if name != kind}
        ways = {"without": fit, "with": beside(fit, far, photos), "by others": beside(fit, rest, photos)}
        told[kind] = {
            name: round(auroc(chances(photos.asked, worth), chances(rows[1::2], worth)) or 0.0, 4)
            for name, worth in ways.items()
        }
    return told


def beside(fit: Calibration, far: dict[str, NDArray[np.float32]], photos: Photos) -> Calibration:
    """The fit with the mean of each kind, as a catalogue of these photos has it."""
    if not far:
        return fit
    others = pack(unit_rows(np.stack([rows[::2].mean(axis=0) for rows in far.values()])))
    return replace(fit, others=others, others_from=usual_nearness(photos.rows, others))


def in_haze(found: Seen, ways: Mapping[str, Hazy]) -> tuple[dict[str, list[float]], tuple[float, float]]:
    """Calibration error of each way, without haze and with numbers of other products; the numbers of all."""
    rng, fold, parts = by_others(Photos(found.photos, found.queries))
    splits = [rng.choice(len(fold), UNKNOWN, replace=False) + 1 for _ in range(SPLITS)]
    log_odds, known, lacking, folds = [], [], [], []
    for each in ways.values():
        photos = Photos(found.photos, each.pictures)
        for missing in splits:
            for shown, look, sharp in zip(photos.shown, photos.looks(missing), each.sharpness, strict=True):
                part = fold[shown - 1]
                evidence = decide([look], parts[part], ONE_LOOK).evidence
                log_odds.append(sum(x for source, x in evidence if source != RIVALS))
                known.append(shown not in missing)
                lacking.append(hazy(sharp, FULL))
                folds.append(part)
    x, there, haze, place = map(np.array, (log_odds, known, lacking, folds))
    clearer = through_haze(x, there, haze, place)
    errors = {
        way: [round(calibration_error(1 / (1 + np.exp(-odds)), known) or 0.0, 4) for odds in (before, after)]
        for way, before, after, known in zip(
            ways, *(np.split(each, len(ways)) for each in (x, clearer, there)), strict=True
        )
    }
    return errors, fit_haze(x, there, haze)


def describe(model: Path, found: Seen, far: dict[str, NDArray[np.float32]], ways: Mapping[str, Hazy]) -> None:
    """Say how well the numbers hold, and write them into the description beside `model`."""
    photos = Photos(found.photos, found.queries)
    for count in (1, 5):
        print(json.dumps({"model": model.name, "looks": count, **figures(judged(photos, count, far))}))
    asked = len(photos.shown)
    every = np.ones(asked, np.bool_)
    fit = photos.fitted(every, f"{asked} photos that the model was not trained on")
    new = new_photos(photos.found(every), ask_references(photos.keys, photos.rows_of))
    print(json.dumps({"model": model.name, "far": far_figures(photos, fit, far)}))
    errors, (flatter, raised) = in_haze(found, ways)
    print(json.dumps({"model": model.name, "haze": errors}))
    fit = replace(fit, full=FULL, flatter=round(flatter, 6), raised=round(raised, 6))
    fit = replace(fit, others=beside(fit, far, photos).others)
    beside_it = model.with_suffix(".json")
    spec = parse_spec(beside_it.read_bytes(), beside_it.name)
    told = replace(spec, calibration=fit, new_photos=new).document()
    beside_it.write_text(json.dumps(told, indent=2) + "\n")


def main(arguments: list[str]) -> int:
    """Fit, say, write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("model", type=Path, nargs="+")
    for model in parser.parse_args(arguments).model:
        try:
            eyes = load_embedder(EmbedderSettings(file=str(model)))
            data = data_folder()
            describe(model, seen(eyes, data), far_pictures(eyes, data), hazy_queries(eyes, data))
        except (AgentError, OSError) as error:
            print(error, file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
