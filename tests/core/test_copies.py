"""Small copies of reference pictures are told from pictures by their paths."""

from __future__ import annotations

import pytest

from agent.core.copies import check_sizes, copy_of, is_copy, picture_of


@pytest.mark.parametrize(
    "picture", ["images/4711/front.jpg", "a@70px.png", "a@70px/b.png", "@1px.webp", "a.jpg@70px.jpg"]
)
def test_a_picture_is_no_copy_and_its_copy_leads_back_to_it(picture: str) -> None:
    assert not is_copy(picture)
    assert picture_of(picture) == picture
    copy = copy_of(picture, 70)
    assert is_copy(copy)
    assert picture_of(copy) == picture


@pytest.mark.parametrize("sizes", [(), (24,), (256, 100, 70, 50)], ids=str)
def test_sizes_that_can_be(sizes: tuple[int, ...]) -> None:
    check_sizes("small", sizes)


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ((23,), "small: expected a number from 24 to 256, found 23"),
        ((257,), "small: expected a number from 24 to 256, found 257"),
        ((70, 70), r"small: expected at most 4 different sizes, found \[70, 70\]"),
        ((30, 40, 50, 60, 70), "small: expected at most 4 different sizes"),
    ],
    ids=["too small", "too large", "twice", "too many"],
)
def test_sizes_that_cannot_be(sizes: tuple[int, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        check_sizes("small", sizes)
