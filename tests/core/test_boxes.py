"""Arithmetic on boxes: nothing first, then cases worked by hand, then laws."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from agent.core.boxes import area, clip, iou, nms, pad

NONE = np.empty((0, 4), np.float32)

some_boxes = arrays(np.int32, st.tuples(st.integers(0, 6), st.just(4)), elements=st.integers(-50, 50))


def test_no_boxes_give_no_answers() -> None:
    one = np.array([[0, 0, 1, 1]])
    assert area(NONE).shape == (0,)
    assert clip(NONE, 10, 10).shape == (0, 4)
    assert pad(NONE, 0.1).shape == (0, 4)
    assert iou(NONE, NONE).shape == (0, 0)
    assert iou(one, NONE).shape == (1, 0)
    assert iou(NONE, one).shape == (0, 1)
    assert nms(NONE, np.empty(0), 0.5).shape == (0,)
    assert area(np.array([])).shape == (0,)


@pytest.mark.parametrize("shape", [(4,), (2, 5), (1, 2, 4)], ids=str)
def test_another_shape_is_refused_and_named(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"boxes: expected shape \(N, 4\), found"):
        area(np.zeros(shape))


def test_scores_of_another_number_are_refused() -> None:
    with pytest.raises(ValueError, match=r"scores: expected shape \(1,\), found \(2,\)"):
        nms(np.array([[0, 0, 1, 1]]), np.ones(2), 0.5)


@pytest.mark.parametrize(
    ("box", "expected"),
    [
        pytest.param([0, 0, 2, 3], 6, id="half open: the sides are differences"),
        pytest.param([5, 5, 5, 9], 0, id="empty"),
        pytest.param([5, 5, 1, 9], 0, id="inside out"),
        pytest.param([0, 0, 100_000, 100_000], 1e10, id="larger than 32 bits"),
    ],
)
def test_area(box: list[int], expected: float) -> None:
    assert area(np.array([box], np.int64)).tolist() == [expected]


@pytest.mark.parametrize(
    ("box", "expected"),
    [
        pytest.param([1, 2, 3, 4], [1, 2, 3, 4], id="inside"),
        pytest.param([-5, -5, 5, 5], [0, 0, 5, 5], id="over the top left corner"),
        pytest.param([5, 5, 50, 50], [5, 5, 20, 10], id="over the bottom right corner"),
        pytest.param([30, 30, 40, 40], [20, 10, 20, 10], id="outside: empty"),
    ],
)
def test_clip_to_20_by_10(box: list[int], expected: list[int]) -> None:
    boxes = np.array([box], np.int32)
    clipped = clip(boxes, 20, 10)
    assert clipped.tolist() == [expected]
    assert clipped.dtype == np.int32
    assert boxes.tolist() == [box]


def test_pad_grows_every_side_by_a_share() -> None:
    assert pad(np.array([[10, 10, 20, 30]]), 0.1).tolist() == [[9, 8, 21, 32]]
    assert pad(np.array([[0, 0, 10, 10]]), -0.2).tolist() == [[2, 2, 8, 8]]


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        pytest.param([0, 0, 2, 2], [0, 0, 2, 2], 1.0, id="the same"),
        pytest.param([0, 0, 2, 2], [2, 0, 4, 2], 0.0, id="side by side share no pixel"),
        pytest.param([0, 0, 2, 2], [1, 1, 3, 3], 1 / 7, id="one of seven pixels"),
        pytest.param([0, 0, 4, 4], [1, 1, 3, 3], 0.25, id="one within the other"),
        pytest.param([1, 1, 1, 1], [1, 1, 1, 1], 0.0, id="two empty ones"),
        pytest.param([3, 3, 1, 1], [0, 0, 4, 4], 0.0, id="inside out"),
    ],
)
def test_iou_of_two(a: list[int], b: list[int], expected: float) -> None:
    assert iou(np.array([a]), np.array([b]))[0, 0] == pytest.approx(expected)


@given(some_boxes, some_boxes)
def test_iou_is_symmetric_and_within_0_and_1(a: np.ndarray, b: np.ndarray) -> None:
    matrix = iou(a, b)
    assert matrix.shape == (len(a), len(b))
    assert matrix.dtype == np.float32
    assert ((matrix >= 0) & (matrix <= 1)).all()
    assert np.array_equal(matrix, iou(b, a).T)


def test_nms_keeps_the_best_of_what_overlaps_and_all_that_stands_apart() -> None:
    boxes = np.array([[0, 0, 10, 10], [1, 0, 11, 10], [50, 50, 60, 60], [0, 0, 10, 10]])
    assert nms(boxes, np.array([0.5, 0.9, 0.1, 0.5]), 0.5).tolist() == [1, 2]
    assert nms(boxes, np.array([0.5, 0.9, 0.1, 0.5]), 1.0).tolist() == [1, 0, 3, 2]


@given(some_boxes, st.floats(0, 1))
def test_nms_leaves_nothing_that_overlaps_too_much_and_drops_nothing_without_cause(
    boxes: np.ndarray, overlap: float
) -> None:
    scores = np.arange(len(boxes)) % 3
    keep = nms(boxes, scores, overlap)
    kept = iou(boxes[keep], boxes[keep])
    assert (kept[~np.eye(len(keep), dtype=bool)] <= overlap).all()
    for dropped in set(range(len(boxes))) - set(keep.tolist()):
        assert (iou(boxes[[dropped]], boxes[keep]) > overlap).any()
