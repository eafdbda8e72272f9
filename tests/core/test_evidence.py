"""From looks to an answer: the curve, the average over looks, and the three verdicts."""

from __future__ import annotations

import math
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.evidence import Calibration, DecisionSettings, combine, decide
from agent.core.types import Candidate, Look, Verdict

CURVE = Calibration(bias=-20.0, similarity=20.0, margin=40.0)
SETTINGS = DecisionSettings(known=0.9, looks=1, window=8)


def look(*similarities: float) -> Look:
    """Products 1, 2, … with these similarities, best first."""
    found = [Candidate(n, s, key=n << 24) for n, s in enumerate(similarities, 1)]
    return Look(tuple(sorted(found, key=lambda c: -c.similarity)))


@dataclass
class Case:
    looks: list[Look]
    verdict: Verdict
    product: int | None
    says: str


CASES = {
    "no look at all is unknown": Case([], Verdict.UNKNOWN, None, "nothing to compare"),
    "an empty catalogue is unknown": Case([Look(())], Verdict.UNKNOWN, None, "nothing to compare"),
    "a near product far from the rest is known": Case([look(0.95, 0.7)], Verdict.KNOWN, 1, ""),
    "two near products are ambiguous": Case(
        [look(0.97, 0.96, 0.5)], Verdict.AMBIGUOUS, None, "2 products look alike"
    ),
    "three near products are ambiguous": Case(
        [look(0.97, 0.96, 0.96, 0.5)], Verdict.AMBIGUOUS, None, "3 products look alike"
    ),
    "four near products are more than a person is asked to tell apart": Case(
        [look(0.95, 0.95, 0.95, 0.95, 0.5)], Verdict.UNKNOWN, None, "near enough"
    ),
    "nothing near is unknown": Case([look(0.3, 0.29)], Verdict.UNKNOWN, None, "similarity 0.300"),
    "one bad look among good ones changes nothing": Case(
        [look(0.95, 0.7), look(0.95, 0.7), look(0.6, 0.62), look(0.95, 0.7)], Verdict.KNOWN, 1, ""
    ),
    "half of the looks is no majority": Case(
        [look(0.995, 0.2), look(0.97, 0.98)], Verdict.AMBIGUOUS, None, "only 1 of 2 looks agree"
    ),
    "a product alone in its catalogue can be known": Case([look(0.99)], Verdict.KNOWN, 1, ""),
    "empty looks do not count against the others": Case([Look(()), look(0.95, 0.7)], Verdict.KNOWN, 1, ""),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_verdict(case: Case) -> None:
    decision = decide(case.looks, CURVE, SETTINGS)
    assert (decision.verdict, decision.product) == (case.verdict, case.product), decision
    assert case.says in decision.reason
    assert bool(decision.reason) == (decision.verdict is not Verdict.KNOWN)


def test_a_missing_product_counts_as_the_lowest_listed() -> None:
    options = combine([look(0.9, 0.8), Look((Candidate(1, 0.7, 1 << 24),))])
    assert [(o.product, round(o.similarity, 6)) for o in options] == [(1, 0.8), (2, 0.75)]


def test_the_best_reference_over_all_looks_speaks_for_a_product() -> None:
    looks = [Look((Candidate(1, s, key),)) for s, key in ((0.7, 11), (0.9, 12), (0.8, 13))]
    assert combine(looks)[0].key == 12


def test_only_the_window_counts() -> None:
    looks = [look(0.1, 0.95)] * 20 + [look(0.95, 0.1)] * 8
    assert decide(looks, CURVE, SETTINGS).product == 1


similarities = st.lists(st.floats(-1, 1), min_size=1, max_size=6)


@given(st.lists(similarities, max_size=6))
def test_any_looks_give_a_valid_answer(rows: list[list[float]]) -> None:
    decision = decide([look(*row) for row in rows], CURVE, SETTINGS)
    assert 0 <= decision.probability <= 1
    assert decision.margin >= 0
    assert all(0 <= option.probability <= 1 for option in decision.options)
    probabilities = [option.probability for option in decision.options]
    assert probabilities == sorted(probabilities, reverse=True)


@given(st.floats(-1, 1), st.floats(0, 2), st.floats(0, 1))
def test_the_curve_never_falls(similarity: float, margin: float, more: float) -> None:
    p = CURVE.probability(similarity, margin)
    assert CURVE.probability(min(1.0, similarity + more), margin) >= p
    assert CURVE.probability(similarity, margin + more) >= p


def test_the_curve_by_hand() -> None:
    assert math.isclose(Calibration(-1, 2, 3).probability(0.5, 0.0), 0.5)
    assert math.isclose(Calibration(-1, 2, 3).probability(1.0, 1.0), 1 / (1 + math.exp(-4)))


@pytest.mark.parametrize("weights", [(math.nan, 1, 1), (0, -1, 0), (0, 0, -1), (math.inf, 0, 0)])
def test_a_curve_that_falls_or_is_not_finite_is_refused(weights: tuple[float, float, float]) -> None:
    with pytest.raises(ValueError, match="calibration"):
        Calibration(*weights)


def test_settings_say_what_they_expect() -> None:
    with pytest.raises(ValueError, match=r"known: expected a number from 0\.5"):
        DecisionSettings(known=1.0)
    with pytest.raises(ValueError, match="looks: expected at most window"):
        DecisionSettings(looks=9, window=8)
