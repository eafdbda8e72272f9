"""Looks that lack detail: how much, and what it does to the probability that the catalogue has a thing."""

from __future__ import annotations

from dataclasses import replace
from math import e

import numpy as np
import pytest

from agent.core.calibration import PRIOR, Calibration, sigmoid
from agent.core.evidence import DecisionSettings, decide, in_catalogue
from agent.core.haze import MOST, haze, hazy
from agent.core.types import Candidate, Look, Verdict
from agent.core.undecided import is_open, worth_a_second_look

CURVE = Calibration(
    bias=-12.0, similarity=20.0, margin=0.0, identity=40.0, unknown=-4.0, tail=1.0, fall=0.5,
    rival_tail=1.0, rival_fall=0.5,
)  # fmt: skip
CLEARER = replace(CURVE, full=50.0, flatter=1.0, raised=1.2)
SETTINGS = DecisionSettings(looks=1, window=8)


def look(similarity: float, sharpness: float) -> Look:
    found = (Candidate(1, similarity, key=1 << 24), Candidate(2, 0.1, key=2 << 24))
    return Look(found, sharpness=sharpness)


HAZE = {
    "as sharp as can be": (80.0, 0.0),
    "just sharp": (50.0, 0.0),
    "an e-fold less": (50.0 / e**0.5, 0.5),
    "a bare wall": (0.0, MOST),
    "not known": (-1.0, 0.0),
}


@pytest.mark.parametrize(("sharpness", "lacking"), HAZE.values(), ids=HAZE.keys())
def test_how_much_a_look_lacks(sharpness: float, lacking: float) -> None:
    assert hazy(sharpness, 50.0) == pytest.approx(lacking)
    assert haze([look(0.5, sharpness)], 50.0) == pytest.approx(lacking)


def test_sharp_looks_count_more_and_nothing_is_lacking_where_nothing_is_known() -> None:
    both = haze([look(0.5, 80.0), look(0.5, 20.0)], 50.0)
    assert both == pytest.approx(hazy(20.0, 50.0) * 0.25 / 1.25)
    assert haze([look(0.5, 20.0)], 0.0) == 0.0
    assert haze([], 50.0) == 0.0


@pytest.mark.parametrize("similarity", [0.3, 0.55, 0.62])
def test_a_hazy_look_that_is_not_near_is_not_surely_unknown(similarity: float) -> None:
    plain, through = (decide([look(similarity, 20.0)], fit, SETTINGS) for fit in (CURVE, CLEARER))
    assert in_catalogue(through) > in_catalogue(plain)
    lacking = hazy(20.0, 50.0)
    log_odds = -12.0 + 20.0 * similarity
    through_it = log_odds / (1 + lacking) + 1.2 * lacking
    said = dict(through.evidence)
    assert said["pictures"] == dict(plain.evidence)["pictures"]
    assert PRIOR + said["pictures"] + said["haze"] == pytest.approx(through_it)
    assert in_catalogue(through) == pytest.approx(sigmoid(through_it))
    assert through.false_accept == plain.false_accept, "how often unknown things get as far stays"


def test_a_sharp_look_is_judged_as_before_to_the_last_bit() -> None:
    for similarity in (0.3, 0.7, 0.9):
        assert decide([look(similarity, 90.0)], CLEARER, SETTINGS) == decide(
            [look(similarity, 90.0)], CURVE, SETTINGS
        )


def test_a_bare_wall_is_unknown_at_once_and_not_looked_at_more_closely() -> None:
    wall = decide([look(0.2, 0.0)], CLEARER, SETTINGS)
    assert SETTINGS.miss < in_catalogue(wall) < 0.15
    assert wall.verdict is Verdict.UNKNOWN
    assert not is_open(wall)
    twins = (Candidate(1, 0.2, key=1 << 24), Candidate(2, 0.2, key=2 << 24))
    assert worth_a_second_look(decide([Look(twins, sharpness=90.0)], CLEARER, SETTINGS)) == ()
    assert worth_a_second_look(decide([Look(twins, sharpness=0.0)], CLEARER, SETTINGS)) == ()


def test_only_what_is_told_as_unknown_is_settled() -> None:
    """Two looks that would be surely unknown, were they sharp, and are rather not for being blurred."""
    kinder = replace(CURVE, full=50.0, flatter=2.0, raised=2.0)
    looks = [
        Look((Candidate(1, 0.4, key=1 << 24),), sharpness=1.0, embedding=row)
        for row in np.eye(2, 8, dtype=np.float32)
    ]
    clear, hazy_ = (decide(looks, fit, SETTINGS) for fit in (CURVE, kinder))
    assert (clear.verdict, clear.settled) == (Verdict.UNKNOWN, True)
    assert in_catalogue(hazy_, haze=False) == in_catalogue(clear) < SETTINGS.miss
    assert in_catalogue(hazy_) > 0.5
    assert (hazy_.verdict, hazy_.settled) == (Verdict.AMBIGUOUS, False)


@pytest.mark.parametrize("field", ["full", "flatter", "raised"])
def test_numbers_below_nothing_are_refused(field: str) -> None:
    with pytest.raises(ValueError, match=f"calibration {field}: expected 0 or more, found -1"):
        replace(CURVE, **{field: -1.0})
