"""From measures to clues: what a comparison says between two products is what their clues differ by."""

from __future__ import annotations

import numpy as np
import pytest

from agent.core.second_look import (
    CLUE_LIMIT,
    DEFAULT_WEIGHTS,
    MOST,
    SOURCES,
    WEIGHT_LIMIT,
    SecondLookSettings,
    Weights,
    clues_of,
    fit_weights,
)
from agent.core.verifying import MEASURES

ALL = frozenset(SOURCES)


def measures_of(values: list[list[float]]) -> np.ndarray:
    """Every product's own value of each measure, `(n, len(MEASURES))`, as differences of all pairs."""
    rows = np.array(values)
    return rows[:, None] - rows[None]


def log_odds(clues: tuple, source: str) -> dict[int, float]:
    return {clue.product: clue.log_odds for clue in clues if clue.source == source}


def test_the_difference_of_two_clues_is_what_the_comparison_says() -> None:
    measures = measures_of([[1, 0, 0, 0, 0], [0, 0, 0, 0, 0.5]])
    clues = clues_of(measures, (7, 9), Weights((2.0, 0.0, 0.0, 0.0, 0.4)), ALL)
    features, colour = log_odds(clues, "features"), log_odds(clues, "colour")
    assert features[7] - features[9] == pytest.approx(2.0)
    assert colour[9] - colour[7] == pytest.approx(0.2)


def test_a_palette_says_no_more_than_it_may_whatever_an_older_catalogue_holds() -> None:
    measures = measures_of([[0, 0, 0, 0, 1.0], [0] * 5])
    said = [clues_of(measures, (7, 9), Weights((0, 0, 0, 0, value)), ALL) for value in (MOST[4], 4.0)]
    assert said[0] == said[1] != ()


def test_on_average_over_the_products_nothing_becomes_likelier() -> None:
    clues = clues_of(measures_of([[3, 0, 0, 0, 0], [0] * 5, [1, 0, 0, 0, 0]]), (1, 2, 3), Weights(), ALL)
    assert np.mean(np.exp(list(log_odds(clues, "features").values()))) == pytest.approx(1.0)


def test_no_source_says_more_than_its_limit() -> None:
    clues = clues_of(measures_of([[500, 0, 0, 0, 0], [0] * 5]), (1, 2), Weights(), ALL)
    assert min(clue.log_odds for clue in clues) == -CLUE_LIMIT


@pytest.mark.parametrize(
    ("products", "sources"),
    [((), ALL), ((1,), ALL), ((1, 2), frozenset())],
    ids=["nothing to compare", "one product alone", "all switched off"],
)
def test_there_is_nothing_to_say(products: tuple[int, ...], sources: frozenset[str]) -> None:
    measures = measures_of([[1.0] * 5] * len(products)) if products else np.zeros((0, 0, len(MEASURES)))
    assert clues_of(measures, products, Weights(), sources) == ()


def test_a_comparison_without_a_difference_is_no_clue() -> None:
    assert clues_of(measures_of([[1.0] * 5, [1.0] * 5]), (1, 2), Weights(), ALL) == ()


def test_a_source_that_is_switched_off_is_silent() -> None:
    settings = SecondLookSettings(features=False)
    clues = clues_of(measures_of([[1.0] * 5, [0.0] * 5]), (1, 2), Weights(), settings.sources)
    assert {clue.source for clue in clues} == {"colour"}


def test_weights_follow_what_tells_products_apart_and_are_never_negative() -> None:
    dice = np.random.default_rng(2)
    pairs = dice.normal(0, 1, (600, len(MEASURES)))
    pairs[:, 0] += 1.5  # speaks for the right one
    pairs[:, 4] -= 1.5  # against it
    weights = fit_weights(pairs)
    assert weights.pairs == 600
    assert weights.values[0] > max(weights.values[1:])
    assert weights.values[4] == 0
    assert all(0 <= value <= WEIGHT_LIMIT for value in weights.values)


def test_few_pairs_move_the_weights_little_and_none_not_at_all() -> None:
    few = fit_weights(np.full((2, len(MEASURES)), -1.0))
    assert fit_weights(np.empty((0, len(MEASURES)))) == Weights()
    assert np.abs(np.array(few.values) - DEFAULT_WEIGHTS).max() < 0.5


@pytest.mark.parametrize(
    "values", [(1.0,), (1.0, 1.0, 1.0, 1.0, -0.1), (1.0, 1.0, 1.0, 1.0, float("nan")), (9.0,) * 5]
)
def test_weights_that_cannot_be_are_refused(values: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="weights: expected"):
        Weights(values)


@pytest.mark.parametrize("budget_ms", [-1.0, 60_001.0, float("nan")])
def test_a_budget_that_cannot_be_is_refused(budget_ms: float) -> None:
    with pytest.raises(ValueError, match="budget_ms: expected a number"):
        SecondLookSettings(budget_ms=budget_ms)
