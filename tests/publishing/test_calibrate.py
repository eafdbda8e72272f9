"""The curve fitted on a catalogue tells right from wrong, and falls back where there is too little to learn."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from agent.core.evidence import DEFAULT_CALIBRATION, Calibration
from agent.core.matching import key_of
from agent.publishing import calibrate as module
from agent.publishing.calibrate import calibrate, fit

DIMENSION = 32


def catalogue(
    products: int, views: int, spread: float = 0.6, seed: int = 0
) -> tuple[NDArray[np.uint64], NDArray[np.float32]]:
    """Keys and unit rows: views scattered around one point per product."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(products, 1, DIMENSION))
    rows = (centres + spread * rng.normal(size=(products, views, DIMENSION))).reshape(-1, DIMENSION)
    keys = [key_of(product, view) for product in range(1, products + 1) for view in range(views)]
    return np.array(keys, np.uint64), (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def fitted(keys: NDArray[np.uint64], rows: NDArray[np.float32]) -> Calibration:
    return calibrate(keys, lambda wanted: rows[np.searchsorted(keys, wanted)])


def test_a_clear_answer_is_probable_and_a_doubtful_one_is_not() -> None:
    curve = fitted(*catalogue(60, 6))
    assert curve.source == "360 of 360 references of 60 products, each left out"
    assert curve.probability(0.9, 0.4) > 0.95
    assert curve.probability(0.3, 0.0) < 0.1


def test_probabilities_are_the_shares_of_right_answers_among_new_views() -> None:
    keys, rows = catalogue(80, 8, spread=1.0, seed=1)
    curve = fitted(keys, rows)
    _, new = catalogue(80, 8, spread=1.0, seed=1)
    rng = np.random.default_rng(9)
    new = new + 0.5 * rng.normal(size=new.shape).astype(np.float32) / np.sqrt(DIMENSION)
    new /= np.linalg.norm(new, axis=1, keepdims=True)
    similarities = (new @ rows.T).reshape(len(new), 80, 8)
    own = np.repeat(np.arange(80), 8)
    similarities[np.arange(len(new)), own, np.tile(np.arange(8), 80)] = -1  # not the view it was made from
    best = similarities.max(axis=2)
    unknown = np.arange(len(new)) % 5 == 0  # a fifth of the queries show a product that is not there
    best[unknown, own[unknown]] = -1
    order = np.sort(best, axis=1)
    right = (best.argmax(axis=1) == own) & ~unknown
    p = np.array(
        [curve.probability(s, m) for s, m in zip(order[:, -1], order[:, -1] - order[:, -2], strict=True)]
    )
    assert p.mean() == pytest.approx(right.mean(), abs=0.06)
    for low, high in ((0.0, 0.3), (0.3, 0.7), (0.7, 1.0)):
        chosen = (p >= low) & (p < high)
        if chosen.sum() > 40:
            assert p[chosen].mean() == pytest.approx(right[chosen].mean(), abs=0.15)


TOO_LITTLE = {
    "nothing": (0, 0),
    "one product": (1, 50),
    "four products": (4, 50),
    "one view each": (100, 1),
    "19 views with a sibling": (6, 3),
}


@pytest.mark.parametrize(("products", "views"), TOO_LITTLE.values(), ids=TOO_LITTLE.keys())
def test_too_little_to_learn_from_gives_the_default(products: int, views: int) -> None:
    assert fitted(*catalogue(products, views)) == DEFAULT_CALIBRATION


DEGENERATE = {
    "all views of a product are one": {"spread": 0.0},
    "products cannot be told apart": {"spread": 100.0},
}


@pytest.mark.parametrize("more", DEGENERATE.values(), ids=DEGENERATE.keys())
def test_degenerate_catalogues_give_a_finite_curve(more: dict[str, float]) -> None:
    curve = fitted(*catalogue(30, 4, **more))
    assert 0 <= curve.probability(1.0, 0.0) <= curve.probability(1.0, 1.0) <= 1


def test_all_references_alike_give_a_finite_curve() -> None:
    keys, rows = catalogue(30, 4)
    rows[:] = rows[0]
    curve = fitted(keys, rows)
    assert curve.probability(1.0, 0.0) < 0.5


def test_the_curve_is_the_same_every_time_and_on_a_sample(monkeypatch: pytest.MonkeyPatch) -> None:
    keys, rows = catalogue(60, 8)
    whole = fitted(keys, rows)
    assert fitted(keys, rows) == whole
    monkeypatch.setattr(module, "_BLOCK", 37)  # products larger and smaller than a block change nothing
    in_blocks = fitted(keys, rows)
    assert in_blocks.similarity == pytest.approx(whole.similarity, rel=1e-3)
    monkeypatch.setattr(module, "SAMPLE", 200)
    sampled = fitted(keys, rows)
    assert sampled.source.startswith("200 of 480 references")
    assert sampled.probability(0.7, 0.2) == pytest.approx(whole.probability(0.7, 0.2), abs=0.1)


def test_products_without_siblings_play_no_query_but_are_found() -> None:
    keys, rows = catalogue(20, 4)
    more, others = catalogue(300, 1, seed=5)
    more = more + np.uint64(key_of(20, 0))
    curve = fitted(np.concatenate([keys, more]), np.concatenate([rows, others]))
    assert curve.source == "80 of 380 references of 320 products, each left out"


def test_logistic_regression_finds_the_curve_that_made_the_data() -> None:
    rng = np.random.default_rng(0)
    features = rng.uniform([0, 0], [1, 0.5], (40_000, 2))
    p = 1 / (1 + np.exp(-(-4 + 5 * features[:, 0] + 6 * features[:, 1])))
    bias, similarity, margin = fit(features, rng.random(len(p)) < p, np.ones(len(p)))
    assert (bias, similarity, margin) == pytest.approx((-4, 5, 6), abs=0.3)


def test_a_slope_that_would_fall_is_left_out() -> None:
    rng = np.random.default_rng(0)
    features = rng.uniform(0, 1, (5000, 2))
    ones = np.ones(5000)
    _, similarity, margin = fit(features, features[:, 1] > features[:, 0] + 0.2 * rng.normal(size=5000), ones)
    assert similarity == 0
    assert margin > 1
    bias, similarity, margin = fit(features, features.sum(axis=1) < 0.5, ones)
    assert (similarity, margin) == (0, 0)
    assert 1 / (1 + np.exp(-bias)) == pytest.approx(1 / 8, abs=0.02)
