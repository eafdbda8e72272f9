"""How slots look: empty, full, in another light."""

from __future__ import annotations

from functools import cache
from typing import Any

import cv2
import numpy as np
import pytest

from agent.core.planogram import as_quad
from agent.core.slot_view import SIDE, SlotView, least_unlike, looks_like, unlike, view_of
from tools.synth.scenes import Bay
from tools.synth.script import Filming, Script

BAY = Bay(rows=3, columns=5, seed=7)


@cache
def picture(shift: int | None) -> Any:
    """The bay with every product moved on by so many slots; None: empty."""
    return Filming(
        Script(BAY, tuple((slot, None if shift is None else n + shift) for n, slot in enumerate(BAY.slots)))
    ).frame(1.0)


def view(slot: str, shift: int | None, gain: float = 1.0) -> SlotView:
    image = cv2.convertScaleAbs(picture(shift), alpha=gain)
    x1, y1, x2, y2 = BAY.box(slot)
    light = tuple(float(level) for level in np.median(image[230:240].reshape(-1, 3), axis=0))
    return view_of(image, as_quad([(x1, y1), (x2, y1), (x2, y2), (x1, y2)]), light)  # type: ignore[arg-type]


@pytest.mark.parametrize("slot", BAY.slots)
def test_full_empty_and_another_product_are_apart_and_the_light_is_not(slot: str) -> None:
    full, empty, other = view(slot, 0), view(slot, None), view(slot, 4)
    assert unlike(full, empty) > 0.2
    assert unlike(other, full) > 0.2
    for gain in (0.4, 0.7, 1.2):
        assert unlike(view(slot, None, gain), empty) < 0.05
        assert unlike(view(slot, 0, gain), full) < 0.05
    others = [view(name, None) for name in BAY.slots if name != slot]
    assert least_unlike(empty, others) < 0.05 < 0.2 < least_unlike(full, others)
    assert empty.texture < 0.5 * full.texture


def test_a_dark_even_thing_is_not_an_empty_light_slot() -> None:
    empty = view("a1", None)
    thing = SlotView(np.full((SIDE, SIDE, 3), (60, 55, 50), np.uint8), empty.light)
    assert unlike(thing, empty) > 0.5


def test_without_anything_to_compare_with_it_is_all_unlike() -> None:
    assert least_unlike(view("a1", 0), []) == 1.0


def test_it_is_kept_as_it_is() -> None:
    full = view("a1", 0)
    again = SlotView.from_kept(full.kept())
    assert np.array_equal(again.pixels, full.pixels)
    assert unlike(again, full) == 0.0


def test_a_quad_that_leaves_the_picture_is_black_there() -> None:
    image = np.full((100, 100, 3), 200, np.uint8)
    half = view_of(image, ((50.0, 0.0), (150.0, 0.0), (150.0, 100.0), (50.0, 100.0)), (200, 200, 200))
    assert half.pixels[:, 0].min() > 150
    assert half.pixels[:, -1].max() < 50
    gone = view_of(image, ((150.0, 0.0), (250.0, 0.0), (250.0, 100.0), (150.0, 100.0)), (200, 200, 200))
    assert gone.pixels.max() == 0


def test_likely_below_the_middle_and_unlikely_above() -> None:
    assert looks_like(0.0, 0.1, 0.02) > 0.99 > looks_like(0.1, 0.1, 0.02) == 0.5 > looks_like(0.2, 0.1, 0.02)
    assert looks_like(9.0, 0.1, 0.02) < 1e-9
