"""Drawn products for training: flavours differ in one thing, pictures repeat exactly, no product is measured."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tools.synth.designs import design
from tools.synth.flavours import LINE, differences, flavour, near_identical
from tools.synth.packages import draw_package
from tools.synth.training import TrainingPictures


@pytest.mark.parametrize(("member", "field"), [(1, "accent"), (2, "variant"), (3, "motif")])
@pytest.mark.parametrize("line", range(8))
def test_a_flavour_differs_in_one_thing_that_can_be_seen(line: int, member: int, field: str) -> None:
    first, other = flavour(LINE * line, seed=3), flavour(LINE * line + member, seed=3)
    assert differences(first, other) == (field,)
    assert near_identical(first, other)
    assert not np.array_equal(draw_package(first, 120), draw_package(other, 120))


def test_the_first_of_a_line_looks_like_the_product_that_it_is_a_flavour_of() -> None:
    first = flavour(LINE * 5, seed=3)
    assert first == replace(design(5, seed=3), index=LINE * 5)
    assert np.array_equal(draw_package(first, 120), draw_package(design(5, seed=3), 120))


def test_products_of_two_lines_are_not_near_identical() -> None:
    assert not near_identical(flavour(0), flavour(LINE))


def test_pictures_are_the_same_in_any_order_and_in_any_object() -> None:
    one, two = TrainingPictures(40, 96), TrainingPictures(40, 96, kept=1)
    wanted = [(0, 0), (39, 7), (4, 1), (0, 1)]
    for draw in ("studio", "scene"):
        first = {which: getattr(one, draw)(*which) for which in wanted}
        second = {which: getattr(two, draw)(*which) for which in reversed(wanted)}
        for which in wanted:
            assert first[which].shape == (96, 96, 3)
            assert first[which].dtype == np.uint8
            assert np.array_equal(first[which], second[which])


def test_numbers_are_other_pictures_and_products_other_products() -> None:
    pictures = TrainingPictures(40, 96)
    for draw in (pictures.studio, pictures.scene):
        assert not np.array_equal(draw(0, 0), draw(0, 1))
        assert not np.array_equal(draw(0, 0), draw(1, 0))


def test_a_shop_of_training_is_not_the_shop_of_the_demo() -> None:
    assert flavour(0, TrainingPictures(1).seed) != flavour(0)


@pytest.mark.parametrize("size", [32, 160, 224])
def test_pictures_have_the_size_that_was_asked_for(size: int) -> None:
    pictures = TrainingPictures(8, size)
    for number in range(12):
        assert pictures.scene(5, number).shape == (size, size, 3)
