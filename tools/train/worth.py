"""What a trained model's similarities are worth on photos it never saw, written into its description.

    python -m tools.train.worth models/base.tflite        fits, says how well, writes `calibration`

The model was trained on the photos of the gallery, so that nothing about new photos can be told from those.
The validation photos were not trained on: known things as they are, unknown ones with their product taken out
of the gallery. What is said of the fit is cross-validated: each photo is judged by numbers that were fitted
on photos of other products.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from agent.adapters.embedder import EmbedderSettings, load_embedder
from agent.core.errors import AgentError
from agent.core.evidence import ONE_LOOK, WEIGHED, decide, in_catalogue
from agent.core.matching import group, key_of
from agent.core.scoring import auroc, calibration_error, false_accepts
from agent.core.types import Look
from agent.publishing.calibrate import calibrate_on
from tools.train.data import data_folder
from tools.train.protocol import Pictures, seen

if TYPE_CHECKING:
    from agent.core.calibration import Calibration

FOLDS = 5
SPLITS = 12
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

    def fitted(self, chosen: np.ndarray, source: str) -> Calibration:
        """The numbers from these of the queries."""
        return calibrate_on(
            self.asked[chosen],
            self.shown[chosen].astype(np.uint64),
            self.keys,
            lambda wanted: self.rows[np.searchsorted(self.keys, wanted)],
            source,
        )

    def looks(self, missing: np.ndarray) -> list[Look]:
        """What each query finds in a gallery without these products."""
        kept = ~np.isin(self.numbers, missing)
        similarities = self.asked @ self.rows[kept].T
        return [Look(group(self.keys[kept], row, WEIGHED)) for row in similarities]


def judged(photos: Photos) -> dict[str, float]:
    """Known against unknown, right against wrong, and how sure; over `SPLITS` choices of what is unknown."""
    rng = np.random.default_rng(0)
    numbers = np.arange(1, len(photos.products) + 1)
    fold = rng.permutation(len(numbers)) % FOLDS
    fits = [photos.fitted(fold[photos.shown - 1] != part, "") for part in range(FOLDS)]
    columns: list[np.ndarray] = []
    for _ in range(SPLITS):
        missing = rng.choice(numbers, UNKNOWN, replace=False)
        rows = []
        for look, shown in zip(photos.looks(missing), photos.shown.tolist(), strict=True):
            decision = decide([look], fits[fold[shown - 1]], replace(ONE_LOOK, false_accept=0.01))
            rows.append(
                (
                    in_catalogue(decision),
                    shown not in missing,
                    decision.probability,
                    decision.options[0].product == shown,
                    decision.product is not None,
                )
            )
        columns.append(np.array(rows))
    chance, known, claimed, right, named = np.concatenate(columns).T
    there = known > 0
    area, accepted = auroc(chance[there], chance[~there]), false_accepts(chance[there], chance[~there])
    return {
        "auroc": round(area or 0.0, 3),
        "false accepts at 95 %": round(accepted or 0.0, 3),
        "calibration error, known": round(calibration_error(chance, there) or 0.0, 3),
        "calibration error, right": round(calibration_error(claimed, right > 0) or 0.0, 3),
        "named at 0.01, unknown": round(float(named[~there].mean()), 4),
        "named at 0.01, known": round(float(named[there].mean()), 3),
    }


def main(arguments: list[str]) -> int:
    """Fit, say, write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("model", type=Path, nargs="+")
    for model in parser.parse_args(arguments).model:
        try:
            found = seen(load_embedder(EmbedderSettings(file=str(model))), data_folder())
        except (AgentError, OSError) as error:
            print(error, file=sys.stderr)
            return 1
        photos = Photos(found.photos, found.queries)
        print(json.dumps({"model": model.name, **judged(photos)}))
        count = len(photos.shown)
        fit = photos.fitted(np.ones(count, np.bool_), f"{count} photos that the model was not trained on")
        beside = model.with_suffix(".json")
        spec = json.loads(beside.read_text()) | {"calibration": fit.document}
        beside.write_text(json.dumps(spec, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
