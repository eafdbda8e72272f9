"""Logistic regressions of a few numbers, whose slopes are 0 or more."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Reals = NDArray[np.float64]

_RIDGE = 0.05
"""Of an observation, the doubt about each slope: it keeps slopes finite where all is separable, and small
enough that a catalogue of 12 products with three photos each can name at `false_accept: 0.01`."""

_NARROWEST = 0.01
"""Of a feature, the least scatter that is taken for one: what copies of one picture differ by
would be given slopes without bounds."""

_STEPS = 50
_SETTLED = 1e-9
_SHARPEST = 500.0
"""Of a choice: a hundredth of similarity then makes a product e⁵ times as likely as another."""


def fit_logistic(features: Reals, outcome: NDArray[np.bool_], weight: Reals) -> tuple[float, Reals]:
    """Bias and slopes `(D,)`, each 0 or more, of `outcome` `(N,)` on `features` `(N, D)`.

    `weight` `(N,)` says how many observations each one stands for.

    A slope that would be negative is left out, the most negative one first, and the rest fitted again: a
    nearer or clearer answer must not become less probable.
    """
    kept = list(range(features.shape[1]))
    while True:
        bias, slopes = _fit(features[:, kept], outcome, weight)
        if (slopes >= 0).all():
            break
        kept.pop(int(np.argmin(slopes)))
    full = np.zeros(features.shape[1])
    full[kept] = slopes
    return bias, full


def fit_choice(right: Reals, others: Reals) -> float:
    """The sharpness `b` for which `exp(b·similarity)`, of its sum over all, is how likely a product is.

    `right` `(N,)` are the similarities of the right products, `others` `(N, K)` those of their rivals, best
    first. Where the right one comes after the last rival it is not among those that a choice is made of.
    """
    among = right > others[:, -1]
    if not among.any():
        return 1.0
    rows = np.column_stack([right, others])[among]
    rows = np.where(rows > -1, rows, rows.min() - 1)  # where there are fewer products than that
    sharpness = 10.0
    for _ in range(_STEPS):
        p = np.exp(sharpness * (rows - rows.max(axis=1, keepdims=True)))
        p /= p.sum(axis=1, keepdims=True)
        mean = (p * rows).sum(axis=1)
        gradient = (rows[:, 0] - mean).sum() - _RIDGE * sharpness / _SHARPEST
        curvature = ((p * rows**2).sum(axis=1) - mean**2).sum() + _RIDGE / _SHARPEST
        step = float(np.clip(gradient / curvature, -20, 20))
        sharpness = float(np.clip(sharpness + step, 0.1, _SHARPEST))
        if abs(step) < _SETTLED:
            break
    return sharpness


def _fit(features: Reals, outcome: NDArray[np.bool_], weight: Reals) -> tuple[float, Reals]:
    """Newton's method on standardised features, with a ridge on the slopes but not on the bias."""
    middle, spread = features.mean(axis=0), np.maximum(features.std(axis=0), _NARROWEST)
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
