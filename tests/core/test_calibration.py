"""What similarities are worth: curves that never fall, and tails that are shares."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.calibration import DEFAULT_CALIBRATION, KNOWN_SHARE, PRIOR, TAIL_SHARE, Calibration

CURVE = Calibration(
    bias=-12.0, similarity=20.0, margin=5.0, support=3.0, identity=40.0,
    unknown=-2.0, tail=1.0, fall=0.5, rival_tail=0.5, rival_fall=1.0,
)  # fmt: skip
BEFORE = Calibration(bias=-20.0, similarity=20.0, margin=40.0)

shares = st.floats(0, 1)


@given(st.floats(-1, 1), st.floats(0, 2), st.floats(-1, 1), shares)
def test_the_curve_never_falls(similarity: float, margin: float, support: float, more: float) -> None:
    p = CURVE.probability(similarity, margin, support)
    assert CURVE.probability(similarity + more, margin, support) >= p
    assert CURVE.probability(similarity, margin + more, support) >= p
    assert CURVE.probability(similarity, margin, support + more) >= p


def test_the_curve_by_hand() -> None:
    assert math.isclose(Calibration(-1, 2, 3).probability(0.5, 0.0), 0.5)
    assert math.isclose(Calibration(-1, 2, 3).probability(1.0, 1.0), 1 / (1 + math.exp(-4)))
    assert math.isclose(Calibration(-1, 0, 0, support=2).probability(0.5, 0.0, 0.5), 0.5)


def test_evidence_is_what_moves_the_share_of_known_things() -> None:
    assert math.isclose(PRIOR, math.log(KNOWN_SHARE / (1 - KNOWN_SHARE)))
    odds = PRIOR + CURVE.evidence(0.7, 0.1, 0.6)
    assert math.isclose(CURVE.probability(0.7, 0.1, 0.6), 1 / (1 + math.exp(-odds)))


def test_the_tail_by_hand() -> None:
    assert CURVE.false_accept(1.0, looks=1) == TAIL_SHARE
    assert math.isclose(CURVE.false_accept(1.5, looks=1), TAIL_SHARE / math.e)
    assert CURVE.false_accept(-9.0, looks=1) == 1.0
    twice = 1.0 + (math.sqrt(2) - 1) * 3.0  # 1 lies 3 above what unknown things have in the middle
    assert math.isclose(CURVE.false_accept(1.0, looks=2), CURVE.false_accept(twice, looks=1))
    assert CURVE.mistaken(0.5, looks=1) == TAIL_SHARE


@pytest.mark.parametrize("curve", [CURVE, BEFORE, DEFAULT_CALIBRATION], ids=["fitted", "before", "default"])
@given(st.floats(-50, 50), st.floats(0, 20), st.floats(1, 2))
def test_tails_are_shares_that_never_rise(curve: Calibration, x: float, more: float, looks: float) -> None:
    for share in (curve.false_accept, curve.mistaken):
        assert 0 <= share(x + more, looks) <= share(x, looks) <= 1


def test_a_catalogue_of_before_keeps_its_meaning() -> None:
    assert BEFORE.sharpness == BEFORE.margin
    assert BEFORE.document == {"bias": -20.0, "similarity": 20.0, "margin": 40.0, "source": "default"}
    assert BEFORE.false_accept(math.log(100), looks=1) == pytest.approx(0.01), "never more than this share"


BAD = {
    "no number": {"bias": math.nan},
    "infinite": {"tail": math.inf},
    "a similarity that counts against": {"similarity": -1.0},
    "a margin that counts against": {"margin": -1.0},
    "support that counts against": {"support": -0.1},
    "rivals that count for": {"identity": -1.0},
    "a tail that rises": {"fall": -0.1},
    "a number of a damaged file": {"bias": 1e9},
    "no cosine": {"alike": 1.0},
}


@pytest.mark.parametrize("field", BAD.values(), ids=BAD.keys())
def test_numbers_that_cannot_be_are_refused(field: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="calibration"):
        Calibration(**{"bias": 0.0, "similarity": 1.0, "margin": 1.0} | field)
