"""Whether a region changed: noise does not count, a small real change does."""

from __future__ import annotations

import numpy as np
import pytest

from agent.core.changes import ChangeSettings, changed, replaced, signature
from agent.core.types import Region
from tests.support.tiny_pictures import drawn_picture

TOLERANCE = ChangeSettings().tolerance
REGION = Region((20, 10, 180, 150))


@pytest.mark.parametrize(
    ("name", "value"), [("tolerance", float("nan")), ("tolerance", -2), ("refresh_s", -1), ("refresh_s", 1e9)]
)
def test_settings_that_make_no_sense_are_refused(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"{name}: expected a number from"):
        ChangeSettings(**{name: value})


def test_a_region_outside_the_picture_is_refused() -> None:
    with pytest.raises(ValueError, match="region 'a': expected a box within 200 × 160 px"):
        signature(drawn_picture(1), Region((200, 0, 220, 20), "a"))


@pytest.mark.parametrize(
    ("box", "shape"),
    [
        ((0, 0, 1, 1), (1, 1, 3)),
        ((0, 0, 40, 20), (5, 10, 3)),
        ((0, 0, 200, 160), (16, 16, 3)),
        ((190, 150, 900, 900), (2, 2, 3)),
    ],
    ids=str,
)
def test_a_signature_has_16_cells_a_side_or_one_for_4_pixels(
    box: tuple[int, int, int, int], shape: tuple[int, int, int]
) -> None:
    found = signature(drawn_picture(1), Region(box))
    assert found.shape == shape
    assert found.dtype == np.uint8


def test_the_same_pixels_are_unchanged_at_any_tolerance_but_minus_one() -> None:
    one, other = signature(drawn_picture(1), REGION), signature(drawn_picture(1), REGION)
    assert not changed(one, other, 0.0)
    assert changed(one, other, -1.0)


def test_regions_of_other_sizes_always_differ() -> None:
    picture = drawn_picture(1)
    assert changed(signature(picture, REGION), signature(picture, Region((20, 10, 50, 40))), 255.0)


@pytest.mark.parametrize("sigma", [3, 5])
def test_sensor_noise_is_no_change(sigma: float) -> None:
    rng = np.random.default_rng(1)
    first, *others = (signature(noisy(drawn_picture(1), sigma, rng), REGION) for _ in range(50))
    assert not any(changed(first, other, TOLERANCE) for other in others)


def test_strong_noise_is_rarely_taken_for_a_change() -> None:
    rng = np.random.default_rng(2)
    first, *others = (signature(noisy(drawn_picture(1), 8, rng), REGION) for _ in range(100))
    assert sum(changed(first, other, TOLERANCE) for other in others) <= 10


@pytest.mark.parametrize("seed", range(10))
def test_a_patch_of_an_eighth_of_the_side_is_seen_through_noise(seed: int) -> None:
    rng = np.random.default_rng(seed)
    picture = drawn_picture(1)
    patched = picture.copy()
    x, y = rng.integers(20, 160), rng.integers(10, 132)
    patched[y : y + 18, x : x + 20] = 255 - patched[y : y + 18, x : x + 20]
    before, after = signature(noisy(picture, 4, rng), REGION), signature(noisy(patched, 4, rng), REGION)
    assert changed(before, after, TOLERANCE)


def test_what_changes_outside_the_region_does_not_count() -> None:
    picture = drawn_picture(1)
    beside = picture.copy()
    beside[:, 180:] = 0
    assert not changed(signature(picture, REGION), signature(beside, REGION), 0.0)


def noisy(picture: np.ndarray, sigma: float, rng: np.random.Generator) -> np.ndarray:
    return np.clip(picture + rng.normal(0, sigma, picture.shape), 0, 255).astype(np.uint8)


def test_another_thing_in_the_same_place_is_told_from_another_light() -> None:
    before = np.random.default_rng(3).integers(40, 180, (16, 16, 3)).astype(np.uint8)
    dimmed = (before * 0.5).astype(np.uint8)
    label = before.copy()
    label[4:8, 4:8] = 220
    assert not replaced(before, before)
    assert not replaced(before, dimmed)
    assert replaced(before, label)
    assert replaced(before, (label * 0.5).astype(np.uint8))
    assert not replaced(before, before[:8]), "of another size: nothing can be said"
