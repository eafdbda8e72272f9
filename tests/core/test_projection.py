"""A projection is applied as it was fitted, and read exactly as it was written, or refused."""

from __future__ import annotations

import numpy as np
import pytest

from agent.core.projection import Projection, dump_projection, parse_projection, rounded


def drawn(inputs: int = 12, outputs: int = 5, seed: int = 0) -> Projection:
    rng = np.random.default_rng(seed)
    return rounded(rng.normal(size=inputs), rng.normal(size=(inputs, outputs)))


def units(count: int, side: int, seed: int = 1) -> np.ndarray:
    rows = np.random.default_rng(seed).normal(size=(count, side))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def test_a_row_is_centred_multiplied_and_scaled_to_length_one() -> None:
    centre, matrix = np.float32([0.5, 0.0]), np.float32([[2.0, 0.0, 0.0], [0.0, 0.0, 4.0]])
    moved = Projection(centre, matrix).apply(np.float32([[1.0, 0.0], [0.5, 0.5]]))
    assert moved.tolist() == [[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]


def test_no_row_and_a_row_of_zeros_stay_what_they_are() -> None:
    projection = drawn()
    assert projection.apply(np.empty((0, 12), np.float32)).shape == (0, 5)
    moved = projection.apply(np.concatenate([np.zeros((1, 12), np.float32), units(1, 12)]))
    assert not moved[0].any()
    assert np.linalg.norm(moved[1]) == pytest.approx(1.0, abs=1e-6)


def test_a_row_gives_the_same_bits_whatever_stands_beside_it() -> None:
    projection, rows = drawn(300, 70), units(40, 300)
    together = projection.apply(rows)
    assert together.tobytes() == b"".join(projection.apply(row[None]).tobytes() for row in rows)


def test_the_scale_of_the_matrix_changes_no_similarity() -> None:
    rng = np.random.default_rng(3)
    centre, matrix = rng.normal(size=12), rng.normal(size=(12, 5))
    one, other = rounded(centre, matrix), rounded(centre, matrix * 1e-6)
    assert np.allclose(one.apply(units(8, 12)), other.apply(units(8, 12)), atol=1e-3)


def test_rows_of_another_length_are_refused() -> None:
    with pytest.raises(ValueError, match=r"expected \(N, 12\), found \(3, 11\)"):
        drawn().apply(units(3, 11))


def test_what_is_written_is_read() -> None:
    projection = drawn()
    again = parse_projection(dump_projection(projection))
    assert (again.inputs, again.outputs) == (12, 5)
    assert again.matrix.tobytes() == projection.matrix.tobytes()
    assert again.centre.tobytes() == projection.centre.tobytes()


GOOD = dump_projection(drawn())
BAD = {
    "empty": (b"", "expected a projection, found 0 other bytes"),
    "only its first word": (GOOD[:8], "expected a projection"),
    "another file": (b"usearch!" * 20, "expected a projection"),
    "cut": (GOOD[:-1], "expected 160 bytes for 12 × 5 numbers, found 159"),
    "something behind it": (GOOD + b"\0", "expected 160 bytes"),
    "no inputs": (GOOD[:8] + b"\0\0\0\0" + GOOD[12:], "inputs: expected a whole number of at least 1"),
    "sides that would fill the memory": (GOOD[:8] + b"\xff" * 8, "inputs: expected a whole number"),
    "NaN in it": (GOOD[:-2] + b"\x00\x7e", "expected finite numbers"),
}


@pytest.mark.parametrize(("data", "reason"), BAD.values(), ids=BAD)
def test_other_bytes_are_refused(data: bytes, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        parse_projection(data)


@pytest.mark.parametrize(("centre", "matrix"), [((3,), (4, 2)), ((4,), (4,)), ((0,), (0, 2)), ((4,), (4, 0))])
def test_shapes_that_do_not_fit_are_refused(centre: tuple[int, ...], matrix: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="expected"):
        Projection(np.zeros(centre, np.float32), np.zeros(matrix, np.float32))
