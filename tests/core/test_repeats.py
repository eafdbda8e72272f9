"""How many independent looks some looks are worth."""

from __future__ import annotations

import numpy as np
import pytest

from agent.core.repeats import LEAST, LEAST_SHARE, independent_looks, shares_of
from agent.core.types import Look

AXES = np.eye(16, dtype=np.float32)


def looks(rows: np.ndarray) -> list[Look]:
    return [Look((), embedding=row) for row in rows.astype(np.float32)]


def test_one_look_is_one_and_none_is_not_less() -> None:
    assert independent_looks(looks(AXES[:1])) == 1
    assert independent_looks([]) == 1


@pytest.mark.parametrize("count", [2, 3, 8])
def test_the_same_picture_again_is_nothing_new(count: int) -> None:
    assert independent_looks(looks(np.repeat(AXES[:1], count, axis=0))) == pytest.approx(1.0)


def test_other_views_add_less_and_less() -> None:
    worth = [independent_looks(looks(AXES[:count])) for count in range(1, 9)]
    assert worth == sorted(worth)
    assert worth[1] == pytest.approx(2 / (1 + LEAST))
    assert worth[-1] < 1 / LEAST


def test_what_is_more_alike_than_usual_counts_for_less() -> None:
    near = np.array([[1, 0], [0.9, np.sqrt(1 - 0.81)]])
    assert independent_looks(looks(near), 0.95) > independent_looks(looks(near), 0.8)
    assert independent_looks(looks(near), 0.95) == pytest.approx(2 / (1 + LEAST))


def test_looks_without_embeddings_are_taken_to_differ() -> None:
    assert independent_looks([Look(()), Look(())]) == pytest.approx(2 / (1 + LEAST))


def test_the_sharpest_look_counts_most_and_what_nobody_measured_counts_in_full() -> None:
    assert shares_of([Look((), sharpness=value) for value in (80.0, 40.0, 0.0, -1.0)]) == [
        1.0,
        0.5,
        LEAST_SHARE,
        1.0,
    ]
    assert shares_of([Look(()), Look((), sharpness=0.0)]) == [1.0, 1.0]
    assert shares_of([]) == []


def test_a_sharp_look_among_blurred_ones_is_worth_less_than_as_many_sharp_ones() -> None:
    sharp = [Look((), sharpness=80.0, embedding=row) for row in AXES[:4]]
    blurred = [sharp[0], *(Look((), sharpness=8.0, embedding=row) for row in AXES[1:4])]
    assert 1 < independent_looks(blurred, 0.7) < independent_looks(sharp, 0.7)
