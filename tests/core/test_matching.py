"""Keys carry their product, and neighbours are grouped the same way every time."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.matching import (
    NEIGHBOURS,
    NEIGHBOURS_WIDE,
    PRODUCT_LIMIT,
    UNCHANGED,
    VIEW_LIMIT,
    Changes,
    Found,
    group,
    key_of,
    nearest_products,
    product_of,
    view_of,
)
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
        Candidate(product=7, similarity=0.875, key=key_of(7, 2), agreeing=3, support=0.5),
        Candidate(product=3, similarity=0.75, key=key_of(3, 1), agreeing=2, support=0.5),
    )


def test_the_nearest_three_references_support_a_product() -> None:
    (found,) = _group([(1, view, similarity) for view, similarity in enumerate((0.25, 1.0, 0.5, 0.75))])
    assert found.support == 0.75


def test_at_most_limit_products_are_given() -> None:
    assert [c.product for c in _group([(p, 0, 1 / p) for p in range(1, 20)], limit=3)] == [1, 2, 3]


@given(st.permutations([(2, 1, 0.5), (1, 1, 0.5), (1, 0, 0.5), (3, 0, 0.25), (2, 0, 0.5)]))
def test_ties_do_not_depend_on_the_order_of_the_neighbours(neighbours: list[tuple[int, int, float]]) -> None:
    assert _group(neighbours) == (
        Candidate(1, 0.5, key_of(1, 0), 2, 0.5),
        Candidate(2, 0.5, key_of(2, 0), 2, 0.5),
        Candidate(3, 0.25, key_of(3, 0), 1, 0.25),
    )


class Line:
    """An index of points on a quarter circle: product `p` of `points[p]`, at that many degrees each."""

    def __init__(self, points: dict[int, list[float]]) -> None:
        pairs = [
            (key_of(p, view), angle) for p, angles in points.items() for view, angle in enumerate(angles)
        ]
        self.keys = np.array([key for key, _ in pairs], np.uint64)
        self.rows = unit([angle for _, angle in pairs])
        self.asked: list[int] = []

    def search(self, queries: np.ndarray, k: int) -> Found:
        self.asked.append(k)
        similarities = queries @ self.rows.T
        order = np.argsort(-similarities, axis=1)[:, :k]
        counts = np.full(len(queries), order.shape[1])
        return self.keys[order], np.take_along_axis(similarities, order, 1), counts

    def nearest(self, angle: float, changes: Changes = UNCHANGED) -> list[int]:
        (look,) = nearest_products(unit([angle]), self.search, len(self.keys), 5, changes)
        return [candidate.product for candidate in look]


def unit(angles: list[float]) -> np.ndarray:
    radians = np.radians(np.array(angles, np.float64))
    return np.stack([np.cos(radians), np.sin(radians)], axis=1).astype(np.float32)


def changed(rows: dict[int, list[float]], *left_out: int) -> Changes:
    beside = Line(rows) if rows else None
    return Changes(
        beside.rows if beside else np.empty((0, 2), np.float32),
        beside.keys if beside else np.empty(0, np.uint64),
        np.array(sorted(left_out), np.uint64),
    )


def test_what_is_looked_at_beside_the_index_stands_where_its_similarity_puts_it() -> None:
    line = Line({1: [0], 2: [20], 3: [40]})
    assert line.nearest(1, changed({7: [5]})) == [1, 7, 2, 3]
    assert line.nearest(1, changed({2: [1]})) == [2, 1, 3], "another view of a product of the index"


def test_a_product_that_is_left_out_is_passed_over_but_for_what_stands_beside() -> None:
    line = Line({1: [0], 2: [20], 3: [40]})
    assert line.nearest(1, changed({}, 1)) == [2, 3]
    assert line.nearest(1, changed({}, 3, 1, 99)) == [2]
    assert line.nearest(39.5, changed({1: [38]}, 1)) == [3, 1, 2]


def test_everything_may_be_left_out() -> None:
    assert Line({1: [0], 2: [20]}).nearest(1, changed({}, 1, 2)) == []
    assert Line({}).nearest(1, changed({4: [3]})) == [4]
    assert Line({}).nearest(1) == []


def test_it_looks_wider_when_the_first_are_of_one_product_or_left_out() -> None:
    crowd = [0.001 * view for view in range(NEIGHBOURS_WIDE + 100)]
    line = Line({1: crowd[: NEIGHBOURS + 8], 2: [20], 3: [40]})
    assert line.nearest(0) == [1, 2, 3]
    assert line.nearest(0, changed({}, 1)) == [2, 3]
    assert line.asked == [NEIGHBOURS, NEIGHBOURS_WIDE] * 2
    line = Line({1: crowd, 2: [20], 3: [40]})
    assert line.nearest(0) == [1], "further than wide only when nothing else would be left"
    assert line.nearest(0, changed({9: [1]}, 1)) == [9, 2, 3]
    assert line.asked[-1] > len(crowd)


def test_of_many_that_stand_beside_only_the_near_ones_are_counted() -> None:
    (look,) = nearest_products(unit([0]), Line({}).search, 0, 5, changed({4: [0.01] * 1000}))
    assert [(c.product, c.agreeing) for c in look] == [(4, NEIGHBOURS)]
