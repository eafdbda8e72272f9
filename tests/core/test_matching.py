"""Keys carry their product, and neighbours are grouped the same way every time."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.matching import PRODUCT_LIMIT, VIEW_LIMIT, group, key_of, product_of, view_of
from agent.core.types import Candidate


@given(st.integers(1, PRODUCT_LIMIT - 1), st.integers(0, VIEW_LIMIT - 1))
def test_a_key_gives_back_product_and_view(product: int, view: int) -> None:
    key = key_of(product, view)
    assert (product_of(key), view_of(key)) == (product, view)
    assert 0 < key < 2**63


@pytest.mark.parametrize(("product", "view"), [(0, 0), (-1, 0), (PRODUCT_LIMIT, 0), (1, -1), (1, VIEW_LIMIT)])
def test_numbers_without_a_key_are_refused(product: int, view: int) -> None:
    with pytest.raises(ValueError, match=r"expected a number from \d+ to \d+, found"):
        key_of(product, view)


def _group(neighbours: list[tuple[int, int, float]], limit: int = 5) -> tuple[Candidate, ...]:
    keys = np.array([key_of(product, view) for product, view, _ in neighbours], np.uint64)
    return group(keys, np.array([s for *_, s in neighbours], np.float32), limit)


def test_no_neighbours_give_no_candidates() -> None:
    assert _group([]) == ()


def test_the_best_reference_speaks_for_its_product() -> None:
    found = _group([(7, 0, 0.5), (3, 1, 0.75), (7, 2, 0.875), (3, 0, 0.25), (7, 1, 0.125)])
    assert found == (
        Candidate(product=7, similarity=0.875, key=key_of(7, 2), agreeing=3),
        Candidate(product=3, similarity=0.75, key=key_of(3, 1), agreeing=2),
    )


def test_at_most_limit_products_are_given() -> None:
    assert [c.product for c in _group([(p, 0, 1 / p) for p in range(1, 20)], limit=3)] == [1, 2, 3]


@given(st.permutations([(2, 1, 0.5), (1, 1, 0.5), (1, 0, 0.5), (3, 0, 0.25), (2, 0, 0.5)]))
def test_ties_do_not_depend_on_the_order_of_the_neighbours(neighbours: list[tuple[int, int, float]]) -> None:
    assert _group(neighbours) == (
        Candidate(1, 0.5, key_of(1, 0), 2),
        Candidate(2, 0.5, key_of(2, 0), 2),
        Candidate(3, 0.25, key_of(3, 0), 1),
    )
