"""The curve fitted on a catalogue tells right from wrong, and falls back where there is too little to learn."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from agent.core.calibration import DEFAULT_CALIBRATION, KNOWN_SHARE, Calibration
from agent.core.evidence import ONE_LOOK, WEIGHED, decide
from agent.core.matching import group, key_of
from agent.core.others import pack
from agent.core.types import Look
from agent.publishing import calibrate as module
from agent.publishing.calibrate import beside_others, calibrate, calibrate_on, trusted, usual_cosine
from agent.publishing.logistic import fit_choice, fit_logistic

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
    assert curve.source == "360 of 360 references of 60 products, half of the siblings left out"
    assert curve.probability(0.9, 0.4) > 0.95
    assert curve.probability(0.3, 0.0) < 0.1


def test_answers_to_new_views_are_as_sure_as_they_are_right() -> None:
    """New views scatter as far from the references as the farther half of these from each other."""
    keys, rows = catalogue(80, 8, spread=1.0, seed=1)
    curve = fitted(keys, rows)
    rng = np.random.default_rng(1)
    centres = rng.normal(size=(80, 1, DIMENSION))  # those that `catalogue` drew
    new = (centres + 1.2 * np.random.default_rng(9).normal(size=(80, 8, DIMENSION))).reshape(-1, DIMENSION)
    new = (new / np.linalg.norm(new, axis=1, keepdims=True)).astype(np.float32)
    own = np.repeat(np.arange(80), 8)
    unknown = np.arange(len(new)) % 4 == 0  # what `KNOWN_SHARE` takes for granted
    missing = np.isin(keys >> np.uint64(24), [0])
    answers = []
    for row, product, without in zip(new, own, unknown, strict=True):
        left = ~missing & ~((keys >> np.uint64(24) == product + 1) & without)
        look = Look(group(keys[left], rows[left] @ row, WEIGHED))
        decision = decide([look], curve, replace(ONE_LOOK, false_accept=0.05))
        answers.append((decision, decision.options[0].product == product + 1))
    p = np.array([decision.probability for decision, _ in answers])
    right = np.array([each for _, each in answers]) & ~unknown
    assert p.mean() == pytest.approx(right.mean(), abs=0.08)
    for low, high in ((0.0, 0.3), (0.3, 0.7), (0.7, 1.0)):
        chosen = (p >= low) & (p < high)
        if chosen.sum() > 40:
            assert p[chosen].mean() == pytest.approx(right[chosen].mean(), abs=0.15)
    named = np.array([decision.product is not None for decision, _ in answers])
    assert named[unknown].mean() < 0.1, "asked for were 5 %"
    assert named[~unknown].mean() > 0.3


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
    assert curve.probability(1.0, 0.0) == pytest.approx(KNOWN_SHARE, abs=0.01), "nothing can be learned"
    assert curve.false_accept(curve.evidence(1.0, 0.0, 1.0), looks=2) > 0.5


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
    assert curve.source == "80 of 380 references of 320 products, half of the siblings left out"


def test_nearest_siblings_are_left_out_and_the_rest_counts() -> None:
    """Of five in two bursts of the same picture, two are left out: what is left is the other burst."""
    keys = np.array([key_of(p, v) for p in range(1, 7) for v in range(5)], np.uint64)
    rows = np.zeros((30, 40), np.float32)
    for place in range(30):
        product, view = divmod(place, 5)
        rows[place, 2 * product] = 1.0 if view < 3 else 0.6
        rows[place, 2 * product + 1] = 0.0 if view < 3 else 0.8
    asked = module._own(
        keys, keys >> np.uint64(24), np.arange(5), rows[:5], lambda w: rows[np.searchsorted(keys, w)]
    )
    assert asked[:, 0].tolist() == pytest.approx([0.6] * 3 + [0.6] * 2)


def test_the_usual_cosine_is_that_of_two_photos_of_one_product() -> None:
    keys, rows = catalogue(40, 6, spread=0.5)
    products = keys >> np.uint64(24)
    usual = usual_cosine(products, lambda places: rows[places])
    pairs = np.array([rows[n] @ rows[n + 3] for n in range(0, len(rows), 6)])
    assert usual == pytest.approx(float(np.median(pairs)), abs=0.05)
    assert usual_cosine(products[::6], lambda places: rows[::6][places]) == 0.0, "one photo each"


def test_a_choice_finds_the_sharpness_that_made_it() -> None:
    rng = np.random.default_rng(0)
    similarities = rng.uniform(0, 1, (20_000, 5))
    chosen = (30 * similarities + rng.gumbel(size=similarities.shape)).argmax(axis=1)
    right = similarities[np.arange(len(chosen)), chosen]
    others = np.sort(np.where(np.arange(5) == chosen[:, None], -1, similarities))[:, :0:-1]
    assert fit_choice(right, others) == pytest.approx(30, rel=0.05)
    assert fit_choice(np.array([0.1]), np.array([[0.9, 0.8]])) == 1.0, "the right one is never among them"


def test_logistic_regression_finds_the_curve_that_made_the_data() -> None:
    rng = np.random.default_rng(0)
    features = rng.uniform([0, 0], [1, 0.5], (40_000, 2))
    p = 1 / (1 + np.exp(-(-4 + 5 * features[:, 0] + 6 * features[:, 1])))
    bias, (similarity, margin) = fit_logistic(features, rng.random(len(p)) < p, np.ones(len(p)))
    assert (bias, similarity, margin) == pytest.approx((-4, 5, 6), abs=0.3)


def test_a_slope_that_would_fall_is_left_out() -> None:
    rng = np.random.default_rng(0)
    features = rng.uniform(0, 1, (5000, 2))
    ones = np.ones(5000)
    noise = 0.2 * rng.normal(size=5000)
    _, (similarity, margin) = fit_logistic(features, features[:, 1] > features[:, 0] + noise, ones)
    assert similarity == 0
    assert margin > 1
    bias, (similarity, margin) = fit_logistic(features, features.sum(axis=1) < 0.5, ones)
    assert (similarity, margin) == (0, 0)
    assert 1 / (1 + np.exp(-bias)) == pytest.approx(1 / 8, abs=0.02)


OWN = Calibration(-5.0, 9.0, 0.0, "own", unknown=-2.0, tail=1.0, fall=0.2, nearest=0.75)
ITS = Calibration(-6.0, 8.0, 0.0, "the model's", nearest=0.8)
BY_HEART, NAMELESS = replace(OWN, nearest=0.95), replace(OWN, tail=3.0)
TRUSTED = {
    "the catalogue's where nobody measured the model": (OWN, None, False, OWN),
    "the catalogue's where its pictures lie as new ones do": (OWN, ITS, False, OWN),
    "the model's where it knows the pictures by heart": (BY_HEART, ITS, False, ITS),
    "the model's where the catalogue has too few": (DEFAULT_CALIBRATION, ITS, False, ITS),
    "the model's where the catalogue's let nothing be named": (NAMELESS, ITS, False, ITS),
    "the catalogue's where a projection makes other similarities": (BY_HEART, ITS, True, BY_HEART),
}


@pytest.mark.parametrize(("own", "model", "projected", "used"), TRUSTED.values(), ids=TRUSTED.keys())
def test_whose_numbers_are_used(
    own: Calibration, model: Calibration | None, projected: bool, used: Calibration
) -> None:
    assert trusted(own, model, projected=projected) == used


def test_photos_that_are_no_references_are_judged_as_they_are() -> None:
    keys, rows = catalogue(40, 6)
    curve = calibrate_on(
        rows, keys >> np.uint64(24), keys, lambda wanted: rows[np.searchsorted(keys, wanted)], "themselves"
    )
    assert (curve.source, curve.nearest) == ("themselves", 1.0)
    assert curve.probability(1.0, 0.5, 1.0) > 0.9


def test_a_catalogue_has_the_directions_of_its_model_and_where_its_own_pictures_end() -> None:
    _, rows = catalogue(6, 4)
    model = replace(DEFAULT_CALIBRATION, others=pack(np.eye(2, DIMENSION, dtype=np.float32)))
    own = replace(DEFAULT_CALIBRATION, alike=0.5)
    made = beside_others(own, model, lambda places: rows[places], len(rows))
    assert replace(made, others="", others_from=1.0) == own
    assert made.others == model.others
    nearest = rows[:, :2].max(axis=1)
    assert (nearest > made.others_from).mean() == pytest.approx(0.05, abs=0.05)
    for lacking in (None, DEFAULT_CALIBRATION):
        assert beside_others(own, lacking, lambda places: rows[places], len(rows)) == own
