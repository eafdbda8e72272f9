"""Which key a picture has in the next index: tables of cases, and what must hold for any folder."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.matching import key_of, product_of
from agent.publishing.renewal import View, renew

NUMBER = 5
A, B, C = View("a.jpg", b"aa"), View("b.jpg", b"bb"), View("c.jpg", b"cc")


def key(view: int) -> int:
    return key_of(NUMBER, view)


CASES: dict[str, tuple[dict[int, View], list[View], list[int], list[bool], list[int]]] = {
    "nothing was there and nothing comes": ({}, [], [], [], []),
    "new pictures count from 0": ({}, [A, B], [0, 1], [False, False], []),
    "pictures that stay keep their keys": ({0: A, 1: B}, [A, B], [0, 1], [True, True], []),
    "also in another order": ({0: A, 1: B}, [B, A], [1, 0], [True, True], []),
    "a picture that goes leaves its key": ({0: A, 1: B}, [B], [1], [True], [0]),
    "a new one takes the lowest free key": ({1: B, 2: C}, [A, B, C], [0, 1, 2], [False, True, True], []),
    "a renamed picture keeps its key": ({0: A, 1: B}, [View("z.jpg", b"bb"), A], [1, 0], [True, True], []),
    "a picture taken anew keeps its key, not its vector": (
        {0: A, 1: B},
        [View("a.jpg", b"xx"), B],
        [0, 1],
        [False, True],
        [],
    ),
    "two names that were swapped keep each its picture": (
        {0: A, 1: B},
        [View("a.jpg", b"bb"), View("b.jpg", b"aa")],
        [1, 0],
        [True, True],
        [],
    ),
    "the same picture twice keeps both keys": (
        {0: A, 1: View("copy.jpg", b"aa")},
        [A, View("copy.jpg", b"aa")],
        [0, 1],
        [True, True],
        [],
    ),
    "of two that are alike the renamed one takes the lowest key": (
        {0: A, 1: View("copy.jpg", b"aa")},
        [View("z.jpg", b"aa")],
        [0],
        [True],
        [1],
    ),
    "without vectors the path alone decides": (
        {0: View("a.jpg"), 1: View("b.jpg")},
        [View("c.jpg"), View("b.jpg")],
        [0, 1],
        [False, False],
        [],
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_keys_stay_with_their_pictures(case: str) -> None:
    held, pictures, views, stored, removed = CASES[case]
    renewal = renew(NUMBER, {key(view): what for view, what in held.items()}, pictures)
    gone = [view for view in held if view not in views]
    assert renewal.keys == tuple(map(key, views))
    assert renewal.stored == tuple(stored)
    assert gone == removed


views = st.builds(View, st.sampled_from("abcdef"), st.sampled_from([b"1", b"2", b"3", b""]))
folders = st.lists(views, max_size=8, unique_by=lambda view: view.path)


@given(folders, folders)
def test_whatever_changes_every_picture_has_a_key_of_its_own(before: list[View], now: list[View]) -> None:
    first = renew(NUMBER, {}, before)
    held = dict(zip(first.keys, before, strict=True))
    second = renew(NUMBER, held, now)
    assert len(set(second.keys)) == len(now) == len(second.stored)
    assert {product_of(key) for key in second.keys} <= {NUMBER}
    for key_now, stored, view in zip(second.keys, second.stored, now, strict=True):
        assert stored == bool(view.codes and key_now in held and held[key_now].codes == view.codes)
    again = renew(NUMBER, dict(zip(second.keys, now, strict=True)), now)
    assert again.keys == second.keys
