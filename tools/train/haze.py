"""What small and blurred photos are worth to a model: the numbers of core/haze.py.

The validation photos are made smaller and blurred, as a camera far away or out of focus has them, and asked
like those that are as they are.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

from agent.core.haze import seen_through
from agent.core.looking import sharpness
from agent.core.regions import kept_centre, propose
from tools.train.data import grocery_list, read
from tools.train.protocol import CROP, Pictures

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from agent.adapters.embedder import Embedder

    Picture = NDArray[np.uint8]
    Reals = NDArray[np.float64]

FULL: Final = 50.0
"""Sharpness from which a photo lacks no detail: a tenth of the validation photos as they are have less."""

_SIDE_PX: Final = 348
_FLATTEST: Final = 4.0
_STEPS: Final = 200


@dataclass(frozen=True, slots=True)
class Hazy:
    """Queries in one of the ways, and how sharp each is."""

    pictures: Pictures
    sharpness: Reals  # (N,)


def _smaller(picture: Picture, side_px: int) -> Picture:
    height, width = picture.shape[:2]
    share = side_px / min(height, width)
    size = round(width * share), round(height * share)
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)


def _blurred(picture: Picture, sigma: float) -> Picture:
    return np.asarray(cv2.GaussianBlur(_smaller(picture, _SIDE_PX), (0, 0), sigma), np.uint8)


WAYS: Final[Mapping[str, Callable[[Picture], Picture]]] = {
    "as it is": lambda picture: picture,
    **{f"{side} px": partial(_smaller, side_px=side) for side in (150, 100, 70, 50, 40)},
    **{f"blur {sigma}": partial(_blurred, sigma=sigma) for sigma in (2, 4)},
}


def hazy_queries(eyes: Embedder, data: Path) -> dict[str, Hazy]:
    """The validation photos, in each way."""
    listed = grocery_list(data, "val")
    where = kept_centre(CROP)
    found = {}
    for name, way in WAYS.items():
        rows, sharp = [], []
        for path, _ in listed:
            picture = np.ascontiguousarray(way(read(path)))
            regions = propose(where, picture.shape[1], picture.shape[0])
            rows.append(eyes.embed(picture, regions))
            sharp.append(sharpness(picture, regions[0]))
        names = np.array([product for _, product in listed])
        found[name] = Hazy(Pictures(np.concatenate(rows), names), np.array(sharp))
    return found


def fit_haze(log_odds: Reals, known: NDArray[np.bool_], lacking: Reals) -> tuple[float, float]:
    """`flatter` and `raised` that make `known` likeliest, both 0 or more.

    `log_odds` `(N,)` that the catalogue has what each look shows, as if it lacked nothing, and the haze
    `lacking` `(N,)` of each.
    """
    best = (np.inf, 0.0, 0.0)
    for flatter in np.linspace(0, _FLATTEST, _STEPS + 1):
        flat = log_odds / (1 + flatter * lacking)
        raised = _raised(flat, known, lacking)
        signs = np.where(known, 1, -1)
        odds = seen_through(log_odds, lacking, float(flatter), raised)
        loss = float(np.logaddexp(0, -signs * odds).mean())
        best = min(best, (loss, float(flatter), raised))
    return best[1], best[2]


def through_haze(log_odds: Reals, known: NDArray[np.bool_], lacking: Reals, fold: NDArray[np.int64]) -> Reals:
    """The log-odds as they are through haze, each by numbers fitted on the looks of other folds."""
    found = np.empty(len(log_odds))
    for part in np.unique(fold):
        own = fold == part
        flatter, raised = fit_haze(log_odds[~own], known[~own], lacking[~own])
        found[own] = seen_through(log_odds[own], lacking[own], flatter, raised)
    return found


def _raised(flat: Reals, known: NDArray[np.bool_], lacking: Reals) -> float:
    """Newton's method for the one number that is left."""
    raised = 0.0
    for _ in range(30):
        p = 1 / (1 + np.exp(-(flat + raised * lacking)))
        curvature = float((lacking**2 * p * (1 - p)).sum())
        if curvature <= 0:
            break
        step = float((lacking * (known - p)).sum()) / curvature
        raised = max(0.0, raised + float(np.clip(step, -1, 1)))
        if abs(step) < 1e-9:
            break
    return raised
