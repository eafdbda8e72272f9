"""Figures of merit against examples worked by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.scoring import (
    auroc,
    bootstrap,
    calibration_error,
    confusions,
    debiased_calibration_error,
    expected_calibration_error,
    false_accepts,
    macro_f1,
    per_product,
    reliability,
    threshold_for,
    wilson,
)

TRUTH = ["apple", "apple", "apple", "bread", "bread", "cream"]
ANSWER = ["apple", "apple", "bread", "bread", "apple", "dates"]
NUMBERS = {"apple": 0, "bread": 1, "cream": 2, "dates": 3}


def scores(*values: float) -> np.ndarray:
    return np.array(values, np.float64)


def numbers(skus: list[str]) -> np.ndarray:
    return np.array([NUMBERS[sku] for sku in skus], np.int64)


@pytest.mark.parametrize(
    ("hits", "count", "low", "high"),
    [
        (0, 0, 0.0, 1.0),
        (8, 10, 0.4902, 0.9433),  # Wilson, as every textbook has it
        (0, 10, 0.0, 0.2775),
        (10, 10, 0.7225, 1.0),
        (50, 100, 0.4038, 0.5962),
    ],
)
def test_the_interval_of_a_share_is_that_of_wilson(hits: int, count: int, low: float, high: float) -> None:
    assert wilson(hits, count) == pytest.approx((low, high), abs=5e-5)


def test_precision_recall_and_f1_of_each_product() -> None:
    apple, bread, cream = per_product(TRUTH, ANSWER)
    assert (apple.sku, apple.queries, apple.answered, apple.right) == ("apple", 3, 3, 2)
    assert (apple.precision, apple.recall, apple.f1) == pytest.approx((2 / 3, 2 / 3, 2 / 3))
    assert (bread.precision, bread.recall, bread.f1) == pytest.approx((0.5, 0.5, 0.5))
    assert (cream.precision, cream.recall, cream.f1) == (0.0, 0.0, 0.0)


def test_macro_f1_weighs_the_products_alike_and_counts_those_that_were_asked_for() -> None:
    assert macro_f1(numbers(TRUTH), numbers(ANSWER)) == pytest.approx((2 / 3 + 1 / 2 + 0) / 3)
    mean = np.mean([item.f1 for item in per_product(TRUTH, ANSWER)])
    assert macro_f1(numbers(TRUTH), numbers(ANSWER)) == pytest.approx(mean)
    assert macro_f1(np.empty(0, np.int64), np.empty(0, np.int64)) is None


def test_confusions_are_ordered_by_how_often_and_then_by_name() -> None:
    assert confusions([], []) == []
    assert confusions(["a", "b", "b", "c", "a"], ["a", "c", "c", "b", "b"]) == [
        ("b", "c", 2),
        ("a", "b", 1),
        ("c", "b", 1),
    ]


@pytest.mark.parametrize(
    ("known", "unknown", "expected"),
    [
        (scores(), scores(1), None),
        (scores(1), scores(), None),
        (scores(3, 4), scores(1, 2), 1.0),
        (scores(1, 2), scores(3, 4), 0.0),
        (scores(1, 1), scores(1, 1), 0.5),
        (scores(0.9, 0.8, 0.4), scores(0.5, 0.3), 5 / 6),
        (scores(2, 1), scores(1, 0), 3.5 / 4),  # one tie counts half
    ],
)
def test_auroc_is_how_often_the_known_one_wins(
    known: np.ndarray, unknown: np.ndarray, expected: float | None
) -> None:
    assert auroc(known, unknown) == (None if expected is None else pytest.approx(expected))


@given(
    st.lists(st.integers(0, 5), min_size=1, max_size=20), st.lists(st.integers(0, 5), min_size=1, max_size=20)
)
def test_auroc_equals_the_comparison_of_all_pairs(known: list[int], unknown: list[int]) -> None:
    pairs = [(k > u) + (k == u) / 2 for k in known for u in unknown]
    assert auroc(scores(*known), scores(*unknown)) == pytest.approx(np.mean(pairs))


@pytest.mark.parametrize(
    ("accepted", "threshold"),
    [(0.95, 1.0), (0.9, 2.0), (0.5, 6.0), (1.0, 1.0), (0.1, 10.0)],
)
def test_the_threshold_is_the_highest_that_accepts_enough(accepted: float, threshold: float) -> None:
    known = scores(*range(1, 11))
    assert threshold_for(known, accepted) == threshold
    assert np.mean(known >= threshold) >= accepted


@pytest.mark.parametrize(("known", "accepted"), [(scores(), 0.95), (scores(1), 0.0), (scores(1), 1.1)])
def test_a_threshold_of_nothing_is_refused(known: np.ndarray, accepted: float) -> None:
    with pytest.raises(ValueError, match="expected scores and a share"):
        threshold_for(known, accepted)


def test_false_accepts_are_the_unknown_at_or_above_the_threshold() -> None:
    known = scores(*np.linspace(0.05, 1.0, 20))  # 95 % of twenty: the threshold is the second, 0.1
    assert false_accepts(known, scores(0.05, 0.09, 0.1, 0.9)) == 0.5
    assert false_accepts(known, scores()) is None
    assert false_accepts(scores(), known) is None


def test_calibration_compares_what_was_claimed_with_what_was_so() -> None:
    probability = scores(0.95, 0.95, 0.95, 0.95, 0.15, 0.15)
    right = np.array([True, True, True, False, False, False])
    bins = reliability(probability, right)
    assert [item.count for item in bins] == [0, 2, 0, 0, 0, 0, 0, 0, 0, 4]
    assert (bins[9].probability, bins[9].right) == pytest.approx((0.95, 0.75))
    assert calibration_error(probability, right) == pytest.approx((4 * 0.2 + 2 * 0.15) / 6)


def test_certainty_that_is_right_has_no_error_and_lies_in_the_last_bin() -> None:
    probability, right = scores(1.0, 0.0), np.array([True, False])
    assert calibration_error(probability, right) == 0.0
    assert [item.count for item in reliability(probability, right)] == [1, 0, 0, 0, 0, 0, 0, 0, 0, 1]
    assert calibration_error(scores(), np.empty(0, bool)) is None


@pytest.mark.parametrize(("shift", "true"), [(0.0, 0.0), (0.08, 0.08), (0.2, 0.2)])
def test_of_few_answers_chance_adds_to_the_error_and_most_of_it_can_be_taken_off(
    shift: float, true: float
) -> None:
    rng = np.random.default_rng(7)
    plain, debiased = [], []
    for _ in range(300):
        claimed = rng.uniform(0.25, 0.75, 300)
        right = rng.random(300) < claimed + shift
        plain.append(calibration_error(claimed, right))
        debiased.append(debiased_calibration_error(claimed, right))
    assert abs(np.mean(debiased) - true) < abs(np.mean(plain) - true) + 0.002
    if shift == 0:
        assert np.mean(plain) == pytest.approx(expected_calibration_error(claimed), rel=0.05)
        assert np.mean(debiased) < 0.65 * np.mean(plain)


def test_what_does_not_scatter_has_no_chance_taken_off() -> None:
    probability, right = scores(0.95, 0.95, 0.15), np.array([True, True, False])
    assert debiased_calibration_error(probability, right) == pytest.approx(0.25 / 3)
    assert debiased_calibration_error(scores(), np.empty(0, bool)) is None
    assert expected_calibration_error(scores()) is None
    assert expected_calibration_error(scores(1.0, 0.0)) == 0.0


def test_the_bootstrap_repeats_and_holds_the_figure() -> None:
    hits = np.arange(200) < 150
    interval = bootstrap(lambda rows: float(hits[rows].mean()), 200)
    assert interval == bootstrap(lambda rows: float(hits[rows].mean()), 200)
    assert interval is not None
    assert interval == pytest.approx(wilson(150, 200), abs=0.015)


def test_a_figure_that_cannot_be_computed_has_no_interval() -> None:
    assert bootstrap(lambda _rows: None, 5) is None
    assert bootstrap(lambda _rows: 1.0, 0) is None
