"""Misspelt words find the right ones: every word within the edits, and no other."""

from __future__ import annotations

import random
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.spelling import LETTERS, Near, Vocabulary


def edits(one: str, other: str) -> int:
    """Optimal string alignment, as the textbook has it."""
    rows = [[0] * (len(other) + 1) for _ in range(len(one) + 1)]
    for i, j in product(range(len(one) + 1), range(len(other) + 1)):
        if not i or not j:
            rows[i][j] = i + j
            continue
        differ = one[i - 1] != other[j - 1]
        rows[i][j] = min(rows[i - 1][j] + 1, rows[i][j - 1] + 1, rows[i - 1][j - 1] + differ)
        if i > 1 and j > 1 and one[i - 1] == other[j - 2] and one[i - 2] == other[j - 1]:
            rows[i][j] = min(rows[i][j], rows[i - 2][j - 2] + 1)
    return rows[-1][-1]


CASES = {
    "a letter left out": ("yoghrt", ["yoghurt"]),
    "a letter put in": ("yogghurt", ["yoghurt"]),
    "a letter changed": ("yoghort", ["yoghurt"]),
    "two letters swapped": ("yohgurt", ["yoghurt"]),
    "two edits in a long word": ("pomgranaet", ["pomegranate"]),
    "two edits in a short word are too many": ("lmmn", []),
    "three letters, of which one was left out": ("lme", ["lime"]),
    "three letters, of which one was changed, may be anything": ("lim", ["lime"]),
    "numbers are not misspelt": ("500", []),
    "nor are pairs of Chinese letters": ("牛乳", []),
    "another script": ("мулоко", ["молоко"]),
}
WORDS = Vocabulary(
    (word, 1) for word in ("yoghurt", "pomegranate", "lime", "lam", "500", "5000", "牛奶", "молоко")
)


@pytest.mark.parametrize(("typed", "meant"), CASES.values(), ids=CASES.keys())
def test_a_slip_of_the_pen_finds_what_was_meant(typed: str, meant: list[str]) -> None:
    assert [near.word for near in WORDS.near(typed, 10)] == meant


def test_no_words_and_words_of_any_length() -> None:
    empty = Vocabulary([])
    assert (len(empty), empty.count("milk"), empty.near("milk", 5), empty.beginning("m", 5)) == (0, 0, [], [])
    long = "x" * (LETTERS + 1)
    words = Vocabulary([(long, 3), (long[1:], 2)])
    assert words.count(long) == 3
    assert words.beginning("xx", 5) == [long[1:], long]
    assert words.near(long, 5) == []
    assert words.near(long[2:] + "y", 5) == [Near(long[1:], 1)]


def test_the_nearest_come_first_and_then_the_most_used() -> None:
    words = Vocabulary([("chocolate", 1), ("chocolata", 5), ("chocalete", 9)])
    assert [near.word for near in words.near("chocolat", 2)] == ["chocolata", "chocolate"]


@given(
    st.lists(st.text("abcd", min_size=1, max_size=10), unique=True, max_size=30),
    st.text("abcd", min_size=4, max_size=11),
)
def test_all_within_the_edits_are_found_and_no_others(words: list[str], typed: str) -> None:
    most = 1 if len(typed) < 8 else 2
    expected = {word: edits(typed, word) for word in words if 0 < edits(typed, word) <= most}
    assert {near.word: near.edits for near in Vocabulary((w, 1) for w in words).near(typed, 100)} == expected


def test_beginnings_are_those_of_a_sorted_list() -> None:
    draw = random.Random(5)
    words = sorted({"".join(draw.choices("abc", k=draw.randint(1, 6))) for _ in range(200)})
    vocabulary = Vocabulary((word, 1) for word in words)
    for start in ("", "a", "ab", "cc", "zz"):
        assert vocabulary.beginning(start, 7) == [word for word in words if word.startswith(start)][:7]
        assert vocabulary.most(start) == sum(word.startswith(start) for word in words)
