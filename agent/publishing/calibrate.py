"""Fits the curve that turns similarity and margin into a probability, on the catalogue itself.

Each sampled reference plays the query twice. Left out alone, its product should be found: the best answer
is right or wrong. With all of its product left out, the best answer is wrong whatever it is: that is how a
product looks that the catalogue does not hold. The halves are weighed by `UNKNOWN_SHARE`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from agent.core.evidence import DEFAULT_CALIBRATION, Calibration
from agent.core.matching import VIEW_BITS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    Vectors = Callable[[NDArray[np.uint64]], NDArray[np.float32]]

SAMPLE = 2_000
"""References that play the query. The curve has three numbers: at 2,000 they move by some per cent of
themselves between samples, which is less than between two days in a shop."""

LEAST_QUERIES = 20
LEAST_PRODUCTS = 5
"""Below these the default curve is the better guess."""

UNKNOWN_SHARE = 0.2
"""Of what a camera sees, how much is taken to be missing from the catalogue, and as like to its products as
they are to each other. Measured with a public MobileNet on groceries, 20 of 81 products missing, two splits,
at probability 0.9: of what was named 91 and 93 % were right (with 0.5: all, but a quarter as many named; with
0.1: 84 and 88 %)."""

_BLOCK = 8_192  # references compared at once: 2,000 × 8,192 float32 are 64 MB
_RIDGE = 1.0  # one observation's worth of doubt about each slope; keeps them finite where all is separable
_STEPS = 50
_SETTLED = 1e-9


def calibrate(keys: NDArray[np.uint64], vectors: Vectors) -> Calibration:
    """The curve for a catalogue of references `keys`, `(R,)` ascending; `vectors(keys)` are their unit rows.

    The default one where there are fewer than 5 products or 20 references whose product has another one.
    """
    products = keys >> np.uint64(VIEW_BITS)
    queries = _sample(products)
    count = len(np.unique(products))
    if len(queries) < LEAST_QUERIES or count < LEAST_PRODUCTS:
        return DEFAULT_CALIBRATION
    own, best, second = _nearest(keys, products, queries, vectors)
    known_features, right = _left_out_alone(own, best, second)
    unknown_features = np.stack([best, best - second], axis=1)
    features = np.concatenate([known_features, unknown_features])
    outcome = np.concatenate([right, np.zeros(len(queries), bool)])
    weight = np.repeat([2 * (1 - UNKNOWN_SHARE), 2 * UNKNOWN_SHARE], len(queries))
    bias, similarity, margin = fit(features, outcome, weight)
    source = f"{len(queries)} of {len(keys)} references of {count} products, each left out"
    return Calibration(bias=bias, similarity=similarity, margin=margin, source=source)


def fit(
    features: NDArray[np.float64], outcome: NDArray[np.bool_], weight: NDArray[np.float64]
) -> tuple[float, float, float]:
    """Logistic regression of `outcome` `(N,)` on `features` `(N, 2)`: bias and two slopes of 0 or more.

    `weight` `(N,)` says how many observations each one stands for.

    A slope that would be negative is left out and the rest fitted again: a nearer or clearer answer must not
    become less probable.
    """
    kept = [0, 1]
    while kept:
        bias, slopes = _fit(features[:, kept], outcome, weight)
        if (slopes >= 0).all():
            break
        kept.pop(int(np.argmin(slopes)))
    else:
        bias, slopes = _fit(features[:, :0], outcome, weight)
    full = np.zeros(2)
    full[kept] = slopes
    return round(bias, 6), round(float(full[0]), 6), round(float(full[1]), 6)


def _fit(
    features: NDArray[np.float64], outcome: NDArray[np.bool_], weight: NDArray[np.float64]
) -> tuple[float, NDArray[np.float64]]:
    """Newton's method on standardised features, with a ridge on the slopes but not on the bias."""
    middle, spread = features.mean(axis=0), np.maximum(features.std(axis=0), 1e-6)
    design = np.column_stack([np.ones(len(features)), (features - middle) / spread])
    ridge = np.diag([1e-6, *[_RIDGE] * features.shape[1]])
    beta = np.zeros(design.shape[1])
    for _ in range(_STEPS):
        p = 1 / (1 + np.exp(-np.clip(design @ beta, -30, 30)))
        gradient = design.T @ (weight * (outcome - p)) - ridge @ beta
        curvature = (design.T * weight * np.maximum(p * (1 - p), 1e-6)) @ design + ridge
        step = np.linalg.solve(curvature, gradient)
        beta += np.clip(step, -5, 5)  # far from the answer a full step may overshoot
        if np.abs(step).max() < _SETTLED:
            break
    slopes = beta[1:] / spread
    return float(beta[0] - slopes @ middle), slopes


def _sample(products: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Positions of references whose product has another one, evenly spread, at most `SAMPLE`."""
    same = products[1:] == products[:-1]
    siblings = np.zeros(len(products), bool)
    siblings[1:] |= same
    siblings[:-1] |= same
    positions = np.flatnonzero(siblings)
    if len(positions) > SAMPLE:
        positions = positions[np.linspace(0, len(positions) - 1, SAMPLE).astype(np.int64)]
    return positions


def _nearest(
    keys: NDArray[np.uint64], products: NDArray[np.uint64], queries: NDArray[np.int64], vectors: Vectors
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Per query the best similarity of its own product (itself left out) and of the best two others."""
    asked = np.concatenate([vectors(keys[part]) for part in np.array_split(queries, -(-len(queries) // 512))])
    own = np.full(len(queries), -1.0, np.float32)
    others = np.full((len(queries), 2), -1.0, np.float32)  # best first
    for start, stop in _whole_products(products):
        similarities = asked @ vectors(keys[start:stop]).T
        inside = np.flatnonzero((queries >= start) & (queries < stop))
        similarities[inside, queries[inside] - start] = -1  # itself
        firsts = np.flatnonzero(np.r_[True, products[start + 1 : stop] != products[start : stop - 1]])
        per_product = np.maximum.reduceat(similarities, firsts, axis=1)
        column = np.searchsorted(products[start:stop][firsts], products[queries[inside]])
        own[inside] = per_product[inside, column]
        per_product[inside, column] = -1
        both = np.concatenate([others, per_product, np.full((len(queries), 1), -1, np.float32)], axis=1)
        others = -np.partition(-both, 1, axis=1)[:, :2]
    return own.astype(np.float64), others[:, 0].astype(np.float64), others[:, 1].astype(np.float64)


def _whole_products(products: NDArray[np.uint64]) -> Iterator[tuple[int, int]]:
    """Ranges of about `_BLOCK` references that cut no product in two."""
    start = 0
    while start < len(products):
        last = min(start + _BLOCK, len(products)) - 1
        stop = int(np.searchsorted(products, products[last], side="right"))
        yield start, stop
        start = stop


def _left_out_alone(
    own: NDArray[np.float64], best: NDArray[np.float64], second: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Features `(N, 2)` of the best answer, and whether it is right."""
    right = own > best
    nearest = np.maximum(own, best)
    rival = np.where(right, best, np.maximum(own, second))
    return np.stack([nearest, nearest - rival], axis=1), right
