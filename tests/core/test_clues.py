"""Clues add up once per source, and priors choose without making anything a product."""

from __future__ import annotations

import math

import numpy as np
import pytest

from agent.core.clues import COMPARED_LEAST, PRIOR_LIMIT, expected, gathered, of_product, weight_of
from agent.core.second_look import CLUE_LIMIT
from agent.core.types import Clue, Look


def looks(*clues: Clue) -> list[Look]:
    return [Look((), clues=(clue,)) for clue in clues]


def test_a_source_counts_once_by_the_strongest_that_it_said() -> None:
    said = gathered(looks(Clue("a", 1, 2.0), Clue("a", 1, -3.0), Clue("a", 1, 1.0), Clue("b", 1, 0.5)))
    assert said == (Clue("a", 1, -3.0), Clue("b", 1, 0.5))
    assert weight_of(said, 1) == -2.5
    assert gathered([]) == ()


def compared(first: float, row: np.ndarray) -> Look:
    """Product 1 against product 2, by how much the comparison is for the first."""
    share = 1 / (1 + math.exp(-first))
    clues = (Clue("features", 1, math.log(2 * share)), Clue("features", 2, math.log(2 * (1 - share))))
    return Look((), clues=clues, embedding=row.astype(np.float32))


AXES = np.eye(16)


def lead(looks: list[Look]) -> float:
    said = gathered(looks)
    return weight_of(said, 1) - weight_of(said, 2)


def test_comparisons_of_other_pictures_add_up_to_as_many_as_they_are_worth() -> None:
    leads = [lead([compared(0.5, row) for row in AXES[:count]]) for count in range(1, 9)]
    assert leads[0] == pytest.approx(0.5)
    assert leads[1] == pytest.approx(0.5 * 2 / (1 + COMPARED_LEAST))
    assert leads == sorted(leads)
    assert leads[-1] < 0.5 / COMPARED_LEAST


def test_comparisons_of_one_picture_are_no_more_than_one() -> None:
    assert lead([compared(0.5, AXES[0]) for _ in range(8)]) == pytest.approx(0.5)


def test_comparisons_that_differ_are_taken_together_and_none_outvotes_the_others_by_being_loud() -> None:
    told = [compared(x, row) for x, row in zip((0.8, 0.9, -1.0), AXES, strict=False)]
    assert 0 < lead(told) < 0.8


def test_comparisons_alone_make_nothing_a_product_of_the_catalogue() -> None:
    said = gathered([compared(x, row) for x, row in zip((2.0, 1.0, 3.0), AXES, strict=False)])
    assert sum(math.exp(clue.log_odds) for clue in said) / len(said) == pytest.approx(1.0)


def test_comparisons_never_say_more_than_a_source_may() -> None:
    said = gathered([compared(30.0, row) for row in AXES[:8]])
    assert [clue.log_odds for clue in said] == [pytest.approx(math.log(2)), -CLUE_LIMIT]


def test_a_look_without_a_comparison_changes_nothing_that_was_compared() -> None:
    one = [compared(0.5, AXES[0])]
    assert gathered([*one, Look((), embedding=AXES[1])]) == gathered(one)
    barcode = Look((), clues=(Clue("barcode", 1, 9.0),), embedding=AXES[1].astype(np.float32))
    both = gathered([*one, barcode])
    assert weight_of(both, 1) - weight_of(both, 2) == pytest.approx(9.5)


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
