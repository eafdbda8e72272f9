"""Meter, views and the other threshold: what the set-up page is told, from pictures and decisions alone."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from agent.core.meter import read_meter
from agent.core.types import Phase, Product, Recognition, Region, Track, Verdict
from agent.core.views import cut_out, judge
from agent.core.what_if import changes

RNG = np.random.default_rng(1)
TEXTURE = cv2.GaussianBlur(RNG.integers(0, 256, (240, 320, 3)).astype(np.uint8), (0, 0), 0.8)


@pytest.mark.parametrize(
    ("level", "brightness", "dark", "bright"),
    [(0, 0, 1, 0), (4, 4 / 255, 1, 0), (5, 5 / 255, 0, 0), (128, 128 / 255, 0, 0), (251, 251 / 255, 0, 1)],
)
def test_an_even_picture(level: int, brightness: float, dark: float, bright: float) -> None:
    reading = read_meter(np.full((48, 64, 3), level, np.uint8))
    assert reading.sharpness == 0
    assert (reading.brightness, reading.dark, reading.bright) == pytest.approx((brightness, dark, bright))


def test_a_lens_that_is_turned() -> None:
    blurred = [cv2.GaussianBlur(TEXTURE, (0, 0), sigma) for sigma in (0.5, 1, 2, 4, 8)]
    readings = [read_meter(image).sharpness for image in blurred]
    assert readings == sorted(readings, reverse=True)
    half = np.full_like(TEXTURE, 200)
    half[:60, :80] = TEXTURE[:60, :80]  # a sixteenth is in focus, beside a wall
    assert read_meter(half).sharpness > 20


def test_a_picture_of_next_to_nothing() -> None:
    with pytest.raises(ValueError, match="expected at least 4 × 4 pixels, found 3 × 9"):
        read_meter(np.zeros((9, 3, 3), np.uint8))


def unit(*numbers: float) -> np.ndarray:
    row = np.array(numbers, np.float32)
    return np.asarray(row / np.linalg.norm(row), np.float32)


@pytest.mark.parametrize(
    ("image", "others", "fault"),
    [
        pytest.param(TEXTURE, [], "", id="the first one"),
        pytest.param(TEXTURE[:95], [], "small", id="too few pixels"),
        pytest.param(cv2.GaussianBlur(TEXTURE, (0, 0), 8), [], "blurred", id="out of focus"),
        pytest.param(TEXTURE, [unit(0, 1), unit(1, 0.01)], "alike", id="as one before"),
        pytest.param(TEXTURE, [unit(0, 1), unit(1, 1)], "", id="from another side"),
    ],
)
def test_views(image: np.ndarray, others: list[np.ndarray], fault: str) -> None:
    rows = np.stack(others) if others else np.empty((0, 2), np.float32)
    view = judge(image, unit(1, 0), rows)
    assert view.fault == fault
    assert (view.similarity is None) == (not others)


def test_a_quad_is_seen_straight() -> None:
    image = np.zeros((100, 100, 3), np.uint8)
    cv2.rectangle(image, (20, 30), (59, 49), (255, 255, 255), -1)
    upright = cut_out(image, Region((20, 30, 60, 50)))
    quad = ((20.0, 30.0), (60.0, 30.0), (60.0, 50.0), (20.0, 50.0))
    assert upright.shape == (20, 40, 3)
    assert np.array_equal(cut_out(image, Region((20, 30, 60, 50), "", quad)), upright)
    turned = (quad[1], quad[2], quad[3], quad[0])
    assert cut_out(image, Region((20, 30, 60, 50), "", turned)).shape == (40, 20, 3)
    with pytest.raises(ValueError, match="expected a box within"):
        cut_out(image, Region((200, 200, 210, 210)))


TRACK = Track("t", "cam", Region((0, 0, 9, 9), "a1"), 0, 0, 0, 0, 1, ())
KNOWN = Recognition(
    TRACK, Phase.NEW, 0, Verdict.KNOWN, Product(1, "x"), 0.9, 0.9, 0.1, "", (), "r", 0, 0, false_accept=0.004
)
AMBIGUOUS = replace(KNOWN, verdict=Verdict.AMBIGUOUS, product=None, reason="?", false_accept=0.03)
TORN = replace(AMBIGUOUS, false_accept=0.002)  # allowed, and still not named: its looks do not agree


@pytest.mark.parametrize(
    ("rate", "changed"),
    [
        pytest.param(0.01, [], id="as it is"),
        pytest.param(0.001, [(KNOWN, False)], id="stricter"),
        pytest.param(0.004, [], id="just as strict as one needs"),
        pytest.param(0.05, [(AMBIGUOUS, True)], id="looser"),
    ],
)
def test_another_threshold(rate: float, changed: list[tuple[Recognition, bool]]) -> None:
    found = changes([KNOWN, AMBIGUOUS, TORN], rate, now=0.01)
    assert [(each.decision, each.named) for each in found] == changed
