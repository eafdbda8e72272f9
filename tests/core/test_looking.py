"""How well a region could be seen: its side and its sharpness."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from agent.core.looking import looks_at, sharpness, side_px
from agent.core.types import Candidate, Region

NOISE = np.random.default_rng(0).integers(0, 256, (200, 300, 3)).astype(np.uint8)


def test_the_shorter_side_that_is_in_the_picture_counts() -> None:
    assert side_px(NOISE, Region((10, 20, 110, 60))) == 40
    assert side_px(NOISE, Region((280, 0, 400, 100))) == 20


def test_an_even_area_has_no_sharpness_and_every_blur_takes_some() -> None:
    whole = Region((0, 0, 300, 200))
    assert sharpness(np.full_like(NOISE, 90), whole) == 0
    blurred = [np.asarray(cv2.GaussianBlur(NOISE, (0, 0), sigma), np.uint8) for sigma in (2, 4, 8)]
    values = [sharpness(image, whole) for image in (NOISE, *blurred)]
    assert values == sorted(values, reverse=True)
    assert values[0] > 2 * values[-1]


def test_a_region_outside_the_picture_is_refused() -> None:
    with pytest.raises(ValueError, match="within 300 × 200 px"):
        sharpness(NOISE, Region((300, 0, 310, 10)))


def test_each_look_has_its_region_its_answer_and_its_embedding() -> None:
    regions = [Region((0, 0, 50, 80)), Region((0, 0, 30, 80))]
    rows = np.eye(2, 4, dtype=np.float32)
    found = [(Candidate(1, 0.9, 1 << 24),), ()]
    first, second = looks_at(NOISE, regions, rows, found)
    assert (first.side_px, second.side_px) == (50, 30)
    assert (first.candidates, second.candidates) == (found[0], ())
    assert first.embedding is not None
    assert first.embedding.tolist() == [1, 0, 0, 0]
    assert looks_at(NOISE, [], rows[:0], []) == []
