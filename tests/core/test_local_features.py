"""Points of a picture: they are found again where the picture is turned, and survive being stored."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from agent.core.local_features import NUMBERS, POINTS, describe, distances, pack, unpack
from tools.synth.flavours import flavour
from tools.synth.views import studio_view

PICTURE = studio_view(flavour(0), 0)


def test_an_even_picture_has_no_points_and_stays_storable() -> None:
    none = describe(np.full((40, 60, 3), 200, np.uint8))
    assert len(none) == 0
    assert none.rows.shape == (0, NUMBERS)
    assert len(unpack(pack(none))) == 0
    assert distances(none, np.empty((0, NUMBERS), np.float32)).shape == (0, 0)


@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (3, 5), (3000, 2)])
def test_pictures_of_any_shape_are_looked_at(shape: tuple[int, int]) -> None:
    dice = np.random.default_rng(1)
    found = describe(dice.integers(0, 255, (*shape, 3), np.uint8))
    assert len(found) <= POINTS
    assert ((found.places >= 0) & (found.places <= 1)).all()


def test_a_point_is_found_again_after_the_picture_was_turned_and_made_smaller() -> None:
    turned = cv2.resize(np.ascontiguousarray(np.rot90(PICTURE)), (200, 200), interpolation=cv2.INTER_AREA)
    before, after = describe(PICTURE), describe(turned)
    nearest = distances(before, after.rows).argmin(axis=1)
    there = np.stack(
        [before.places[:, 1], 1 - before.places[:, 0]], axis=1
    )  # where a quarter turn takes them
    off = np.linalg.norm(after.places[nearest] - there, axis=1)
    assert (off < 0.03).mean() > 0.4


def test_colour_tells_points_of_one_form_apart() -> None:
    other = PICTURE[:, :, ::-1].copy()
    same, swapped = describe(PICTURE), describe(other)
    assert np.diag(distances(same, same.rows)).max() < 1e-3
    moved = np.linalg.norm(same.rows[:, -2:].mean(axis=0) - swapped.rows[:, -2:].mean(axis=0))
    assert moved > 0.1


def test_what_is_stored_is_nearly_what_was_seen() -> None:
    seen = describe(PICTURE)
    stored = unpack(pack(seen))
    assert len(pack(seen)) == 70 * len(seen)
    assert np.abs(stored.places - seen.places).max() < 1e-4
    assert np.linalg.norm(stored.rows - seen.rows, axis=1).mean() < 0.1
    assert pack(stored) == pack(seen), "storing again changes nothing"


def test_bytes_that_are_no_points_are_refused() -> None:
    with pytest.raises(ValueError, match="expected points of 70 bytes, found 71 bytes"):
        unpack(bytes(71))
