"""One text gives one list of words, whoever wrote it: case, accents, scripts and numbers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.words import WORD_LIMIT, asked_words, folded, squeezed, words_of

TEXTS = {
    "nothing at all": ("", []),
    "signs alone": ("-- ,.!?*\"'", []),
    "case and accents": ("Crème BRÛLÉE", ["creme", "brulee"]),
    "a number and its unit, with a space and without": ("500 g, 500g", ["500", "g", "500", "g"]),
    "zeros in front of a number": ("SKU-007 00", ["sku", "7", "0"]),
    "letters that Unicode does not take apart": ("Łódź Straße Smørrebrød", ["lodz", "strasse", "smorrebrod"]),
    "the Turkish i": ("İzmir ışık", ["izmir", "isik"]),
    "full width": ("ＣＡＦＥ　７", ["cafe", "7"]),
    "Greek and Russian": ("Φέτα Ёжик", ["φετα", "ежик"]),
    "Hebrew and Arabic points": ("שָׁלוֹם مُحَمَّد", ["שלום", "محمد"]),
    "signs of Hindi stay within the word": ("हिन्दी चाय", ["हिन्दी", "चाय"]),
    "Chinese in pairs": ("低脂牛奶", ["低脂", "脂牛", "牛奶", "奶"]),
    "one Chinese letter": ("奶", ["奶"]),
    "Japanese keeps its voicing marks": ("ガラナ", ["ガラ", "ラナ", "ナ"]),
    "scripts beside each other": ("7up牛奶", ["7", "up", "牛奶", "奶"]),
    "Thai": ("ชาไทย", ["ชา", "าไ", "ไท", "ทย", "ย"]),
    "NUL and a lone surrogate": ("a\0b\ud800c", ["a", "b", "c"]),
}


@pytest.mark.parametrize(("text", "words"), TEXTS.values(), ids=TEXTS.keys())
def test_words_are_those_that_were_meant(text: str, words: list[str]) -> None:
    assert words_of(text) == words


@pytest.mark.parametrize("longer", ["低脂牛奶粉", "牛奶", "鲜牛奶"])
def test_a_part_of_a_text_without_spaces_is_found_in_it(longer: str) -> None:
    assert set(asked_words("牛奶")) <= set(words_of(longer))
    assert any(word.startswith("奶") for word in words_of(longer))


def test_a_gtin_is_the_same_with_any_number_of_digits() -> None:
    assert squeezed("07622210449283") == squeezed("7622210449283") == squeezed(" 7-622210-449283 ")
    assert squeezed("SKU-00/7a") == "sku007a"
    assert squeezed("000") == ""


@given(st.text())
def test_words_are_folded_letters_and_digits_of_any_text(text: str) -> None:
    for word in words_of(text):
        assert 0 < len(word) <= WORD_LIMIT
        assert not any(letter.isspace() or letter in '"*:^()' for letter in word)
    assert set(asked_words(text)) <= set(words_of(text))
    assert words_of(text) == words_of(text)


@given(st.text())
def test_folding_twice_changes_nothing(text: str) -> None:
    assert folded(folded(text)) == folded(text)
