"""Pixels to tensor values and back: against plain arithmetic, and in place."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest

from agent.core.model_spec import InputSpec
from agent.core.tensors import Preparation, unit_rows, value_table, visible
from agent.core.types import Box, Quad, Region
from tests.support.tiny_pictures import drawn_picture

PICTURE = drawn_picture(3, 200, 160)
HALF = (128.0, 128.0, 128.0)
SIZE = 32


def spec(**changes: Any) -> InputSpec:
    return InputSpec(
        **({"height": SIZE, "width": SIZE, "dtype": "uint8", "mean": HALF, "std": HALF} | changes)
    )


def prepared(
    region: Region, given: InputSpec | None = None, scale: float = 1 / 128, zero_point: int = 128
) -> np.ndarray:
    given = given or spec()
    tensor = np.zeros((given.height, given.width, 3), given.dtype)
    Preparation(given, scale, zero_point).write(PICTURE, region, tensor)
    return tensor


# --- pixel values


@pytest.mark.parametrize(
    ("given", "scale", "zero_point", "expected"),
    [
        pytest.param(spec(), 1 / 128, 128, lambda p: p, id="uint8 as most are: the pixel itself"),
        pytest.param(spec(dtype="int8"), 1 / 128, 0, lambda p: p - 128, id="int8 as most are: minus 128"),
        pytest.param(
            spec(dtype="float32", mean=(127.5,) * 3, std=(127.5,) * 3),
            0.0,
            0,
            lambda p: p / 127.5 - 1,
            id="float32 from -1 to 1",
        ),
        pytest.param(
            spec(mean=(0.0,) * 3, std=(255.0,) * 3),
            1 / 255,
            0,
            lambda p: p,
            id="uint8 from 0 to 1: the pixel itself",
        ),
        pytest.param(
            spec(dtype="int8", mean=(0.0,) * 3, std=(255.0,) * 3),
            1 / 127,
            0,
            lambda p: np.rint(p / 255 * 127),
            id="int8 that uses half of its range",
        ),
    ],
)
def test_a_pixel_becomes_the_value_that_the_model_means(
    given: InputSpec, scale: float, zero_point: int, expected: Any
) -> None:
    table = value_table(given, scale, zero_point)
    assert table.shape == (256, 3)
    assert table.dtype == given.dtype
    assert np.allclose(table[:, 0], expected(np.arange(256.0)), atol=1e-6)


def test_values_beyond_the_type_are_bounded() -> None:
    table = value_table(spec(dtype="int8", mean=(0.0,) * 3, std=(128.0,) * 3), 1 / 128, 0)
    assert table[:, 1].tolist() == [*range(128), *([127] * 128)]


@pytest.mark.parametrize("dtype", ["uint8", "int8"])
def test_a_mean_and_std_of_another_model_are_refused(dtype: str) -> None:
    with pytest.raises(
        ValueError, match=rf"input\.mean, input\.std: expected at least 64 different {dtype} values"
    ):
        Preparation(spec(dtype=dtype, mean=(0.0,) * 3, std=(1.0,) * 3), 1 / 128, 0)


# --- in place


@pytest.mark.parametrize(
    "tensor",
    [
        np.zeros((SIZE, SIZE + 1, 3), np.uint8),
        np.zeros((1, SIZE, SIZE, 3), np.uint8),
        np.zeros((SIZE, SIZE, 3), np.int8),
        np.zeros((SIZE, 2 * SIZE, 3), np.uint8)[:, ::2],
    ],
    ids=["another size", "another rank", "another type", "not contiguous"],
)
def test_a_tensor_that_opencv_would_silently_ignore_is_refused(tensor: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"tensor: expected contiguous \(32, 32, 3\) uint8, found"):
        Preparation(spec(), 1 / 128, 128).write(PICTURE, Region((0, 0, 50, 50)), tensor)


@pytest.mark.parametrize("box", [(200, 0, 210, 10), (0, 160, 10, 170), (-9, -9, 0, 0)], ids=str)
def test_a_region_that_shows_nothing_of_the_picture_is_refused(box: Box) -> None:
    with pytest.raises(ValueError, match="region 'a': expected a box within 200 × 160 px, found"):
        prepared(Region(box, "a"))


def test_what_lies_outside_the_picture_is_left_out() -> None:
    assert visible(Region((-5, 150, 400, 170)), PICTURE) == (0, 150, 200, 160)
    assert np.array_equal(prepared(Region((-5, 100, 40, 170))), prepared(Region((0, 100, 40, 160))))


@pytest.mark.parametrize("dtype", ["uint8", "int8", "float32"])
@pytest.mark.parametrize("colour", ["RGB", "BGR"])
@pytest.mark.parametrize("mean", [HALF, (120.0, 110.0, 100.0)], ids=["channels alike", "each its own"])
def test_every_type_and_order_of_colours_holds_what_plain_arithmetic_says(
    dtype: str, colour: str, mean: tuple[float, float, float]
) -> None:
    given = spec(dtype=dtype, colour=colour, mean=mean)
    zero = {"uint8": 128, "int8": 0, "float32": 0}[dtype]
    found = prepared(Region((10, 20, 60, 90)), given, 1 / 128, zero)
    pixels = cv2.resize(PICTURE[20:90, 10:60], (SIZE, SIZE), interpolation=cv2.INTER_LINEAR).astype(
        np.float64
    )
    real = ((pixels[..., ::-1] if colour == "RGB" else pixels) - np.array(mean)) / 128
    if dtype == "float32":
        assert np.allclose(found, real, atol=1e-6)
    else:
        limits = np.iinfo(dtype)
        assert np.array_equal(found, np.clip(np.rint(real * 128) + zero, limits.min, limits.max))


def test_the_picture_is_not_written_to_and_scratch_leaves_no_trace() -> None:
    before = PICTURE.copy()
    preparation = Preparation(spec(), 1 / 128, 128)
    tensor = np.zeros((SIZE, SIZE, 3), np.uint8)
    regions = [Region((0, 0, 200, 160)), Region((5, 5, 40, 44)), Region((0, 0, 100, 100))]
    first = []
    for region in regions:
        preparation.write(PICTURE, region, tensor)
        first.append(tensor.copy())
    for region, expected in zip(reversed(regions), reversed(first), strict=True):
        preparation.write(PICTURE, region, tensor)
        assert np.array_equal(tensor, expected)
    assert np.array_equal(PICTURE, before)


# --- sizes and shapes


def test_a_far_region_is_halved_before_the_linear_step() -> None:
    rng = np.random.default_rng(0)
    picture = rng.integers(0, 256, (SIZE * 4, SIZE * 4, 3), dtype=np.uint8)
    tensors = {}
    for how in ("auto", "linear", "area"):
        tensors[how] = np.zeros((SIZE, SIZE, 3), np.uint8)
        preparation = Preparation(spec(colour="BGR", interpolation=how), 1 / 128, 128)
        preparation.write(picture, Region((0, 0, SIZE * 4, SIZE * 4)), tensors[how])
    mean = picture.reshape(SIZE, 4, SIZE, 4, 3).mean(axis=(1, 3))
    error = {how: float(np.abs(tensor - mean).mean()) for how, tensor in tensors.items()}
    assert error["auto"] < 1
    assert error["area"] < 1
    assert error["linear"] > 5


@pytest.mark.parametrize("side", [2 * SIZE + 1, 3 * SIZE - 1, 5 * SIZE + 3, 160])
def test_halving_odd_sizes_keeps_the_place_of_things(side: int) -> None:
    found = prepared(Region((0, 0, side, side)))
    smooth = cv2.resize(PICTURE[:side, :side], (SIZE, SIZE), interpolation=cv2.INTER_AREA)[..., ::-1]
    assert np.abs(found.astype(int) - smooth).max() <= 12


def test_stretch_shows_all_of_a_region_whatever_its_shape() -> None:
    wide = prepared(Region((0, 0, 200, 40)))
    assert np.abs(wide[0, 0].astype(int) - PICTURE[0, 0, ::-1]).max() < 25
    assert np.abs(wide[-1, -1].astype(int) - PICTURE[39, 199, ::-1]).max() < 25


def test_crop_takes_the_largest_centred_part_of_the_shape_of_the_input() -> None:
    given = spec(resize="crop")
    assert np.array_equal(prepared(Region((0, 0, 100, 40)), given), prepared(Region((30, 0, 70, 40))))
    assert np.array_equal(prepared(Region((0, 0, 40, 100)), given), prepared(Region((0, 30, 40, 70))))


def test_pad_fits_all_and_fills_with_the_mean_colour() -> None:
    given = spec(resize="pad", mean=(10.0, 20.0, 30.0))
    found = prepared(Region((0, 0, 100, 50)), given, 1 / 128, 0)
    inner = prepared(Region((0, 0, 100, 50)), spec(height=SIZE // 2, mean=(10.0, 20.0, 30.0)), 1 / 128, 0)
    assert np.array_equal(found[8:24], inner)
    assert not found[:8].any()  # the mean colour is the real value 0
    assert not found[24:].any()


def test_an_input_that_is_not_square_keeps_rows_and_columns_apart() -> None:
    found = prepared(Region((0, 0, 200, 160)), spec(height=16, width=48))
    assert found.shape == (16, 48, 3)
    again = cv2.resize(PICTURE, (48, 16), interpolation=cv2.INTER_AREA)[..., ::-1]
    assert np.abs(found.astype(int) - again).max() <= 12


# --- quads

UPRIGHT: Quad = ((20, 30), (84, 30), (84, 94), (20, 94))


def test_an_upright_quad_shows_what_its_box_shows() -> None:
    box = (20, 30, 84, 94)
    for how in ("linear", "auto"):
        given = spec(interpolation=how)
        as_quad = prepared(Region(box, quad=UPRIGHT), given).astype(int)
        assert np.abs(as_quad - prepared(Region(box), given)).max() <= 2


@pytest.mark.parametrize("turn", range(4))
def test_the_first_corner_of_a_quad_becomes_top_left(turn: int) -> None:
    corners = UPRIGHT[turn:] + UPRIGHT[:turn]
    turned = prepared(Region((20, 30, 84, 94), quad=corners)).astype(int)  # type: ignore[arg-type]
    straight = prepared(Region((20, 30, 84, 94), quad=UPRIGHT))
    assert np.abs(turned - np.rot90(straight, turn)).max() <= 2


@pytest.mark.parametrize("times", [1, 3, 6])
def test_a_sign_seen_askew_is_rectified_near_and_far(times: int) -> None:
    sign = drawn_picture(9, 64 * times, 64 * times)
    corners = np.array([[30, 10], [150, 30], [140, 150], [20, 120]], np.float32) * times
    square = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], np.float32) * 64 * times
    matrix = cv2.getPerspectiveTransform(square - 0.5, corners - 0.5)
    scene = cv2.warpPerspective(sign, matrix, (160 * times, 160 * times), borderMode=cv2.BORDER_REPLICATE)
    quad = tuple((float(x), float(y)) for x, y in corners)
    low, high = corners.min(axis=0).astype(int), corners.max(axis=0).astype(int)
    region = Region((int(low[0]), int(low[1]), int(high[0]), int(high[1])), quad=quad)  # type: ignore[arg-type]
    tensor = np.zeros((SIZE, SIZE, 3), np.uint8)
    Preparation(spec(), 1 / 128, 128).write(scene, region, tensor)
    expected = cv2.resize(sign, (SIZE, SIZE), interpolation=cv2.INTER_AREA)[..., ::-1]
    error = np.abs(tensor.astype(int) - expected)
    assert error.mean() < 2
    assert error[2:-2, 2:-2].max() < 16


# --- rows


def test_no_rows_stay_no_rows() -> None:
    assert unit_rows(np.empty((0, 5), np.float32)).shape == (0, 5)


@pytest.mark.parametrize(
    "row",
    [
        pytest.param([3.0, 4.0], id="ordinary"),
        pytest.param([3e30, 4e30], id="squares overflow in float32"),
        pytest.param([3e-30, 4e-30], id="squares vanish in float32"),
        pytest.param([-3.0, -4.0], id="negative"),
    ],
)
def test_rows_become_one_long(row: list[float]) -> None:
    raw = np.array([row], np.float32)
    unit = unit_rows(raw)
    assert unit.dtype == np.float32
    assert np.abs(unit) == pytest.approx(np.array([[0.6, 0.8]]), abs=1e-6)
    assert raw.tolist() == np.array([row], np.float32).tolist()


def test_a_row_of_zeros_stays_one_and_is_similar_to_nothing() -> None:
    unit = unit_rows(np.array([[0, 0], [0, 5]], np.float32))
    assert unit.tolist() == [[0, 0], [0, 1]]


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf")], ids=str)
def test_numbers_that_are_none_are_refused(bad: float) -> None:
    with pytest.raises(ValueError, match="raw output: expected finite numbers, found NaN or infinity"):
        unit_rows(np.array([[1, 2], [bad, 1]], np.float32))


def test_rows_need_two_axes() -> None:
    with pytest.raises(ValueError, match=r"raw output: expected shape \(N, D\), found \(3,\)"):
        unit_rows(np.ones(3, np.float32))
