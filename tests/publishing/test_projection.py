"""A projection is fitted where the catalogue's own pictures gain by it, and only there."""

from __future__ import annotations

import numpy as np
import pytest

from agent.core.matching import VIEW_BITS
from agent.core.projection import Projection
from agent.publishing.asked import ask_references, nearness
from agent.publishing.projection import Trial, fit_projection

SIDE = 24


def drawn(products: int, views: int, disturbed: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Products on a sphere; their pictures differ most in the first `disturbed` directions."""
    rng = np.random.default_rng(seed)
    middles = np.repeat(rng.normal(size=(products, SIDE)), views, axis=0)
    noise = rng.normal(size=middles.shape) * np.where(np.arange(SIDE) < disturbed, 3.0, 0.3)
    rows = middles + noise
    names = np.repeat(np.arange(1, products + 1, dtype=np.uint64), views)
    return names, (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def fit(names: np.ndarray, rows: np.ndarray) -> tuple[Projection | None, Trial]:
    return fit_projection(names, rows.__getitem__)


def right(names: np.ndarray, rows: np.ndarray, asked: np.ndarray) -> float:
    return float((names[(asked @ rows.T).argmax(axis=1)] == names).mean())


def test_what_disturbs_is_turned_down() -> None:
    names, rows = drawn(40, 6, disturbed=6)
    _, asked = drawn(40, 6, disturbed=6)
    fresh = np.random.default_rng(9)
    moved = asked + fresh.normal(size=asked.shape) * np.where(np.arange(SIDE) < 6, 0.3, 0.01)
    asked = (moved / np.linalg.norm(moved, axis=1, keepdims=True)).astype(np.float32)

    projection, trial = fit(names, rows)

    assert projection is not None
    assert trial.helps
    assert right(names, projection.apply(rows), projection.apply(asked)) > right(names, rows, asked)


def test_what_does_not_help_is_left_out() -> None:
    names, rows = drawn(40, 6, disturbed=0)
    projection, trial = fit(names, rows)
    assert projection is None
    assert not trial.helps
    assert trial.asked == len(rows)


def test_a_trial_without_doubt_is_not_gone_on_with() -> None:
    names, rows = drawn(200, 6, disturbed=6)
    projection, trial = fit(names, rows)
    assert projection is not None
    assert trial.no_doubt
    assert trial.asked == len(rows) // 3


def test_pictures_of_one_product_differ_as_much_in_any_direction_afterwards() -> None:
    rng = np.random.default_rng(5)
    disturbed = rng.normal(size=(40, 200)) / 10  # directions that pictures of one product differ in
    names = np.repeat(np.arange(1, 121, dtype=np.uint64), 6)
    rows = np.repeat(rng.normal(size=(120, 200)) / 20, 6, axis=0)
    rows += rng.normal(size=(720, 40)) @ disturbed + rng.normal(size=(720, 200)) / 50
    rows = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)

    projection, _ = fit(names, rows)

    assert projection is not None
    apart = rows.reshape(120, 6, 200) - rows.reshape(120, 6, 200).mean(axis=1, keepdims=True)
    within = np.einsum("pnd,pne->de", apart, apart) / 600
    shrunk = 0.8 * within + 0.2 * np.trace(within) / 200 * np.eye(200)
    seen = projection.matrix.T @ shrunk @ projection.matrix
    assert np.allclose(seen / np.trace(seen) * len(seen), np.eye(len(seen)), atol=0.01)


@pytest.mark.parametrize(
    ("products", "views"), [(0, 0), (1, 1), (1, 9), (50, 1), (2, 2)],
    ids=["nothing", "one picture", "one product", "one picture each", "two of two"],
)  # fmt: skip
def test_too_little_to_fit_on_gives_none(products: int, views: int) -> None:
    assert fit(*drawn(products, views, disturbed=6))[0] is None


def test_a_catalogue_of_copies_has_nothing_to_turn_down() -> None:
    names, rows = drawn(30, 1, disturbed=0)
    projection, trial = fit(np.repeat(names, 4), np.repeat(rows, 4, axis=0))
    assert projection is None
    assert (trial.won, trial.lost) == (0, 0)


def test_the_same_catalogue_gives_the_same_numbers() -> None:
    first, _ = fit(*drawn(30, 5, disturbed=6))
    again, _ = fit(*drawn(30, 5, disturbed=6))
    assert first is not None
    assert again is not None
    assert first.matrix.tobytes() == again.matrix.tobytes()


def test_the_numbers_of_products_need_not_ascend() -> None:
    """A product that came later lies where its name belongs in the folder, and has a higher number."""
    names, rows = drawn(40, 6, disturbed=6)
    ascending, _ = fit(names, rows)
    later, _ = fit(np.where(names == 3, np.uint64(99), names), rows)
    assert ascending is not None
    assert later is not None
    assert np.allclose(np.abs(later.apply(rows)), np.abs(ascending.apply(rows)), atol=1e-4)


def test_a_large_catalogue_is_fitted_on_whole_products_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    names, rows = drawn(200, 6, disturbed=6)
    monkeypatch.setattr("agent.publishing.projection.SAMPLE", 300)
    projection, trial = fit(names, rows)
    assert projection is not None
    assert trial.asked == 300 // 3  # the first fold leaves no doubt


TRIALS = {
    "nothing asked": (Trial(0, 0, 0), False),
    "one more": (Trial(1, 0, 9), False),
    "many for few": (Trial(72, 4, 2640), True),
    "as chance would": (Trial(9, 4, 500), False),
    "half as many lost": (Trial(254, 208, 2640), False),
    "all lost": (Trial(0, 50, 2640), False),
}


@pytest.mark.parametrize(("trial", "helps"), TRIALS.values(), ids=TRIALS)
def test_when_it_helps(trial: Trial, helps: bool) -> None:
    assert trial.helps is helps


DOUBTS = {
    "nothing asked": (Trial(0, 0, 0), False),
    "eight won, none lost": (Trial(8, 0, 900), False),
    "many won, few lost": (Trial(32, 4, 900), True),
    "many won, half as many lost": (Trial(200, 100, 900), False),
    "as chance would": (Trial(20, 18, 900), False),
    "few won, many lost": (Trial(10, 40, 900), True),
}


@pytest.mark.parametrize(("trial", "none"), DOUBTS.values(), ids=DOUBTS)
def test_when_there_is_no_doubt(trial: Trial, none: bool) -> None:
    assert trial.no_doubt is none


def test_how_near_pictures_are_is_asked_in_whatever_order_products_lie() -> None:
    names, rows = drawn(12, 5, disturbed=3)
    places = np.tile(np.arange(5, dtype=np.uint64), 12)
    keys = (names << np.uint64(VIEW_BITS)) | places
    of_key = dict(zip(keys.tolist(), rows, strict=True))
    asked = ask_references(keys, lambda some: np.array([of_key[key] for key in some.tolist()]))
    later = np.argsort(-names.astype(np.int64), kind="stable")
    assert nearness(names[later], rows[later].__getitem__) == pytest.approx(asked.nearest)
    assert nearness(names[::5], rows[::5].__getitem__) == -1, "nobody has a second picture"
