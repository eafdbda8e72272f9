"""How well photos of known products are put together when nobody says which they are.

The photographs are those of Grocery Store in `../shared/data` (or SPOTTER_DATA).
"""

from __future__ import annotations

import argparse
from importlib import import_module
from time import process_time
from typing import Any

import numpy as np

from agent.adapters.embedder import EmbedderSettings, load_embedder
from agent.core.regions import kept_centre, propose
from agent.publishing.grouping import groups_of
from tools.train.data import data_folder, grocery_list, read


def measure(argv: list[str]) -> dict[str, Any]:
    """`purity`: photos in groups that are of their group's most frequent product; `nmi` and `ari` of all
    photos, each that is alone a group of its own. `products` are those that the photos show.
    """
    parser = argparse.ArgumentParser(prog="python -m tools.bench cluster", description=__doc__)
    parser.add_argument("--model", default="models/base.tflite")
    parser.add_argument("--part", choices=("train", "val"), default="train")
    parser.add_argument("--crop", type=float, default=0.875)
    parser.add_argument("--least", type=int, default=3)
    args = parser.parse_args(argv)
    eyes = load_embedder(EmbedderSettings(file=args.model))
    rows, names = [], []
    for path, name in grocery_list(data_folder(), args.part):
        image = read(path)
        rows.append(eyes.embed(image, propose(kept_centre(args.crop), image.shape[1], image.shape[0]))[0])
        names.append(name)
    _, truth = np.unique(names, return_inverse=True)
    begun = process_time()
    groups = groups_of(np.stack(rows), args.least)
    cpu_s = process_time() - begun
    label = np.arange(len(rows)) + len(groups)
    for number, group in enumerate(groups):
        label[group] = number
    covered = sum(map(len, groups))
    pure = sum(int(np.bincount(truth[group]).max()) for group in groups)
    metrics = import_module("sklearn.metrics")
    return {
        "model": args.model,
        "part": args.part,
        "photos": len(rows),
        "products": int(truth.max()) + 1,
        "groups": len(groups),
        "covered": round(covered / len(rows), 4),
        "purity": round(pure / max(1, covered), 4),
        "nmi": round(float(metrics.normalized_mutual_info_score(truth, label)), 4),
        "ari": round(float(metrics.adjusted_rand_score(truth, label)), 4),
        "cpu_s": round(cpu_s, 2),
    }
