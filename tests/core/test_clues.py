"""Clues add up once per source, and priors choose without making anything a product."""

from __future__ import annotations

import math

import pytest

from agent.core.clues import PRIOR_LIMIT, expected, gathered, of_product, weight_of
from agent.core.types import Clue, Look


def looks(*clues: Clue) -> list[Look]:
    return [Look((), clues=(clue,)) for clue in clues]


def test_a_source_counts_once_by_the_strongest_that_it_said() -> None:
    said = gathered(looks(Clue("a", 1, 2.0), Clue("a", 1, -3.0), Clue("a", 1, 1.0), Clue("b", 1, 0.5)))
    assert said == (Clue("a", 1, -3.0), Clue("b", 1, 0.5))
    assert weight_of(said, 1) == -2.5
    assert gathered([]) == ()


def test_clues_belong_to_their_product() -> None:
    said = gathered(looks(Clue("a", 2, 2.0), Clue("a", 1, 1.0)))
    assert of_product(said, 2) == (Clue("a", 2, 2.0),)
    assert weight_of(said, 3) == 0


def test_priors_are_left_out_where_only_what_was_seen_counts() -> None:
    said = (Clue("barcode", 1, 5.0), Clue("prior:slot", 1, 2.0))
    assert (weight_of(said, 1), weight_of(said, 1, priors=False)) == (7.0, 5.0)


EXPECTED = {
    "no better than chance": (0.1, 11, math.log(1 / 9 * 10)),
    "one of two, as likely as the other": (0.5, 2, 0.0),
    "rather not": (0.2, 2, math.log(0.25)),
    "sure of it": (1.0, 10_000, PRIOR_LIMIT),
    "sure that not": (0.0, 2, -PRIOR_LIMIT),
    "the only product": (0.5, 1, 0.0),
}


@pytest.mark.parametrize(("share", "products", "log_odds"), EXPECTED.values(), ids=EXPECTED.keys())
def test_what_is_expected_in_a_place(share: float, products: int, log_odds: float) -> None:
    clue = expected("slot", 7, share, products)
    assert (clue.source, clue.product) == ("prior:slot", 7)
    assert clue.log_odds == pytest.approx(log_odds)


def test_a_share_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="prior slot: expected a share"):
        expected("slot", 1, 1.5, 10)
