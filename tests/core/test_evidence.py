"""From looks to an answer: the average over looks, what else counts, and the three verdicts."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.calibration import Calibration
from agent.core.evidence import DecisionSettings, combine, decide
from agent.core.types import Candidate, Clue, Look, Verdict
from agent.core.undecided import worth_a_second_look

CURVE = Calibration(
    bias=-12.0, similarity=20.0, margin=0.0, identity=40.0,
    unknown=-4.0, tail=1.0, fall=0.5, rival_tail=1.0, rival_fall=0.5, alike=0.7,
)  # fmt: skip
SETTINGS = DecisionSettings(false_accept=0.01, looks=1, window=8)


def look(*similarities: float, clues: tuple[Clue, ...] = (), row: int | None = None) -> Look:
    """Products 1, 2, … with these similarities, best first; looks of another `row` look different."""
    found = [Candidate(n, s, key=n << 24) for n, s in enumerate(similarities, 1)]
    embedding = None if row is None else np.eye(16, dtype=np.float32)[row]
    return Look(tuple(sorted(found, key=lambda c: -c.similarity)), clues=clues, embedding=embedding)


@dataclass
class Case:
    looks: list[Look]
    verdict: Verdict
    product: int | None
    says: str


BARCODE = Clue("barcode", 2, 12.0)

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
    "of more near products no number is told": Case(
        [look(0.95, 0.95, 0.95, 0.95, 0.5)], Verdict.AMBIGUOUS, None, "more than 3 products look alike"
    ),
    "nothing near is unknown": Case([look(0.3, 0.29)], Verdict.UNKNOWN, None, "similarity 0.300"),
    "neither near nor far may be something else": Case(
        [look(0.68, 0.3)], Verdict.AMBIGUOUS, None, "perhaps not in the catalogue"
    ),
    "one bad look among good ones changes nothing": Case(
        [look(0.95, 0.7), look(0.95, 0.7), look(0.6, 0.62), look(0.95, 0.7)], Verdict.KNOWN, 1, ""
    ),
    "half of the looks is no majority": Case(
        [look(0.995, 0.2), look(0.97, 0.98)], Verdict.AMBIGUOUS, None, "only 1 of 2 looks agree"
    ),
    "a product alone in its catalogue can be known": Case([look(0.99)], Verdict.KNOWN, 1, ""),
    "empty looks do not count against the others": Case([Look(()), look(0.95, 0.7)], Verdict.KNOWN, 1, ""),
    "a clue decides between two": Case([look(0.97, 0.96, clues=(BARCODE,))], Verdict.KNOWN, 2, ""),
    "a clue names what does not look like it": Case([look(0.5, 0.4, clues=(BARCODE,))], Verdict.KNOWN, 2, ""),
    "a clue speaks for a product that was not near": Case(
        [look(0.6, clues=(Clue("barcode", 9, 12.0),))], Verdict.KNOWN, 9, ""
    ),
    "a clue against the best leaves the next": Case(
        [look(0.97, 0.96, clues=(Clue("features", 1, -6.0),))], Verdict.KNOWN, 2, ""
    ),
    "a prior decides between two that look alike": Case(
        [look(0.95, 0.94, clues=(Clue("prior:slot", 2, 3.0),))], Verdict.KNOWN, 2, ""
    ),
    "a prior makes nothing known that does not look like it": Case(
        [look(0.3, 0.29, clues=(Clue("prior:slot", 1, 3.0),))], Verdict.UNKNOWN, None, "near enough"
    ),
    "a prior does not hide a surprise": Case(
        [look(0.95, 0.7, clues=(Clue("prior:slot", 2, 3.0),))], Verdict.KNOWN, 1, ""
    ),
}


def test_one_that_is_far_ahead_but_not_far_enough_is_not_said_to_look_like_another() -> None:
    strict = DecisionSettings(false_accept=1e-5, looks=1)
    decision = decide([look(0.97, 0.85)], CURVE, strict)
    assert decision.verdict is Verdict.AMBIGUOUS
    assert decision.reason.endswith("of what lies as far ahead of the next product is that one: margin 0.120")


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_verdict(case: Case) -> None:
    decision = decide(case.looks, CURVE, SETTINGS)
    assert (decision.verdict, decision.product) == (case.verdict, case.product), decision
    assert case.says in decision.reason
    assert bool(decision.reason) == (decision.verdict is not Verdict.KNOWN)


def test_a_missing_product_counts_as_the_lowest_listed() -> None:
    pooled = combine([look(0.9, 0.8), Look((Candidate(1, 0.7, 1 << 24),))])
    assert [(o.product, round(o.similarity, 6)) for o in pooled] == [(1, 0.8), (2, 0.75)]


def test_the_best_reference_over_all_looks_speaks_for_a_product() -> None:
    looks = [Look((Candidate(1, s, key),)) for s, key in ((0.7, 11), (0.9, 12), (0.8, 13))]
    assert combine(looks)[0].key == 12


def test_only_the_window_counts() -> None:
    looks = [look(0.1, 0.95)] * 20 + [look(0.95, 0.1)] * 8
    assert decide(looks, CURVE, SETTINGS).product == 1


def test_a_still_picture_is_no_evidence_by_repetition() -> None:
    doubtful = look(0.72, 0.5, row=0)
    once = decide([doubtful], CURVE, SETTINGS)
    assert once.verdict is Verdict.AMBIGUOUS
    assert decide([doubtful] * 8, CURVE, SETTINGS).false_accept == pytest.approx(once.false_accept)
    views = [look(0.72, 0.5, row=n) for n in range(8)]
    assert decide(views, CURVE, SETTINGS).verdict is Verdict.KNOWN, "other views of it add up"


def test_what_is_asked_for_decides() -> None:
    doubtful = decide([look(0.72, 0.5)], CURVE, SETTINGS)
    assert 0.01 < doubtful.false_accept < 0.5
    generous = replace(SETTINGS, false_accept=doubtful.false_accept)
    assert decide([look(0.72, 0.5)], CURVE, generous).verdict is Verdict.KNOWN


def test_every_answer_says_what_counted_how_much() -> None:
    decision = decide([look(0.9, 0.85, clues=(BARCODE, Clue("prior:slot", 1, 1.0)))], CURVE, SETTINGS)
    assert [source for source, _ in decision.evidence] == ["catalogue", "pictures", "clues", "rivals"]
    assert [(option.product, option.clues) for option in decision.options] == [
        (2, (BARCODE,)),
        (1, (Clue("prior:slot", 1, 1.0),)),
    ]
    known = sum(log_odds for source, log_odds in decision.evidence if source != "rivals")
    rivals = dict(decision.evidence)["rivals"]
    assert decision.probability == pytest.approx(1 / (1 + np.exp(-known)) / (1 + np.exp(-rivals)))


def test_who_asks_for_more_products_gets_the_same_answer() -> None:
    many = look(*(0.9 - n / 100 for n in range(30)))
    few, all_ = (decide([Look(many.candidates[:n])], CURVE, SETTINGS, listed=n) for n in (8, 30))
    assert len(all_.options) == 30
    assert all_.probability == pytest.approx(few.probability, abs=1e-12)
    assert all_.false_accept == pytest.approx(few.false_accept)


SECOND = {
    "what is known needs none": (look(0.95, 0.7), ()),
    "what is nothing like a product needs none": (look(0.1, 0.09), ()),
    "two that look alike": (look(0.9, 0.89, 0.5), (1, 2)),
    "two that look alike, one of which may come nearer with the next look": (look(0.42, 0.415), (1, 2)),
    "four that look alike: the likeliest three": (look(0.9, 0.9, 0.9, 0.9), (1, 2, 3)),
    "one that may be something else, but no other product": (look(0.7, 0.3), ()),
    "one that is far likelier than the next": (look(0.9, 0.85), ()),
}


@pytest.mark.parametrize(("seen", "products"), SECOND.values(), ids=SECOND.keys())
def test_a_second_look_is_worth_it_where_it_could_decide(seen: Look, products: tuple[int, ...]) -> None:
    assert worth_a_second_look(decide([seen], CURVE, SETTINGS)) == products


def test_a_blurred_look_moves_the_answer_of_a_sharp_one_little() -> None:
    sharp, blurred = (
        replace(look(*near), sharpness=value) for near, value in (((0.95, 0.7), 80.0), ((0.4, 0.6), 8.0))
    )
    assert decide([sharp, blurred], CURVE, SETTINGS).options[0].product == 1
    (first, *_) = combine([sharp, blurred])
    assert first.similarity == pytest.approx((0.95 + 0.1 * 0.4) / 1.1)


similarities = st.lists(st.floats(-1, 1), min_size=1, max_size=6)
clues = st.lists(st.builds(Clue, st.just("x"), st.integers(1, 7), st.floats(-30, 30)), max_size=3).map(tuple)


@given(st.lists(st.tuples(similarities, clues), max_size=6))
def test_any_looks_give_a_valid_answer(rows: list[tuple[list[float], tuple[Clue, ...]]]) -> None:
    decision = decide([look(*row, clues=said) for row, said in rows], CURVE, SETTINGS)
    assert 0 <= decision.probability <= 1
    assert 0 <= decision.false_accept <= 1
    assert decision.margin >= 0
    probabilities = [option.probability for option in decision.options]
    assert probabilities == sorted(probabilities, reverse=True)
    assert sum(probabilities) <= 1 + 1e-9


@given(st.floats(-1, 1), st.floats(-1, 1), st.floats(0, 1))
def test_a_nearer_product_is_never_less_sure(best: float, rival: float, more: float) -> None:
    before, after = (
        decide([look(max(s, rival), rival)], CURVE, SETTINGS) for s in (best, min(1.0, best + more))
    )
    assert after.probability >= before.probability - 1e-9
    assert after.false_accept <= before.false_accept + 1e-9


def test_settings_say_what_they_expect() -> None:
    with pytest.raises(ValueError, match=r"false_accept: expected a number from 1e-05"):
        DecisionSettings(false_accept=0.0)
    with pytest.raises(ValueError, match=r"miss: expected a number from 1e-05"):
        DecisionSettings(miss=1.0)
    with pytest.raises(ValueError, match="looks: expected at most window"):
        DecisionSettings(looks=9, window=8)
