"""Text as it is searched: words without case and accents, in any language, the same at head office and here.

`words_of("Crème BRÛLÉE, 500g")` → `["creme", "brulee", "500", "g"]`

Scripts that put no spaces between words are cut into pairs of letters, as Lucene's CJK analyser does: what is
asked for then is found inside a longer text. Each letter of such a text begins one word, so that a single one
is found as the beginning of a word.

`words_of("低脂牛奶")` → `["低脂", "脂牛", "牛奶", "奶"]`
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

WORD_LIMIT: Final = 40
"""Letters of a word that count: longer ones are numbers and addresses."""

_SPACELESS: Final = (
    "\u0e00-\u0eff"  # Thai, Lao
    "\u1000-\u109f\u1780-\u17ff"  # Burmese, Khmer
    "\u3005\u3007\u3040-\u30ff\u31f0-\u31ff"  # Japanese syllables
    "\u3400-\u4dbf\u4e00-\u9fff"  # Chinese characters
    "\uac00-\ud7af"  # Korean has spaces, but joins words to long ones
    "\U00020000-\U0003ffff"
)
_SPACELESS_RUN: Final = re.compile(f"[{_SPACELESS}]+")
_PIECES: Final = re.compile(f"([{_SPACELESS}]+)|([0-9]+)|([^0-9{_SPACELESS}]+)")
_ASCII_PIECES: Final = re.compile("[0-9]+|[a-z]+")
_SPELT: Final = str.maketrans(
    {"ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "ı": "i", "ħ": "h", "ŧ": "t"}
)
"""Letters that Unicode does not take apart, as people type them who do not have them."""


def words_of(text: str) -> list[str]:
    """The words to index, in their order."""
    return _words(text, asked=False)


def asked_words(text: str) -> list[str]:
    """The words to look for: pairs of letters only, where there is more than one letter."""
    return _words(text, asked=True)


def squeezed(text: str) -> str:
    """Letters and digits alone, and no zeros in front of a number: `squeezed("SKU-00/7a")` → `"sku007a"`.

    A GTIN is the same with 13 digits and with 14.
    """
    joined = "".join(_chunks(text))
    return (joined.lstrip("0") if joined.isdecimal() else joined)[:WORD_LIMIT]


def folded(text: str) -> str:
    """Without case and accents, each letter in one way: `folded("ＣＡＦÉ Straße")` → `"cafe strasse"`.

    Marks that make another letter in their script (Japanese, Indic, Thai) stay.
    """
    if text.isascii():
        return text.lower()
    apart = unicodedata.normalize("NFKD", text.casefold())
    bare = "".join(letter for letter in apart if not _is_accent(letter))
    return unicodedata.normalize("NFC", bare).casefold().translate(_SPELT)


def is_spaceless(word: str) -> bool:
    """Whether it is of a script without spaces between words."""
    return _SPACELESS_RUN.fullmatch(word) is not None


def _words(text: str, *, asked: bool) -> list[str]:
    plain = folded(text)
    if plain.isascii():
        return [
            found if found >= "a" and len(found) <= WORD_LIMIT else _piece(found)
            for found in _ASCII_PIECES.findall(plain)
        ]  # `_piece` alone gives the same: most words do not need it
    found: list[str] = []
    for chunk in _chunks(plain):
        for spaceless, digits, letters in _PIECES.findall(chunk):
            if not spaceless:
                found.append(_piece(digits or letters))
                continue
            found += [spaceless[place : place + 2] for place in range(len(spaceless) - 1)]
            if not asked or len(spaceless) == 1:
                found.append(spaceless[-1])
    return found


def _piece(word: str) -> str:
    """A number is the same with zeros in front."""
    return ((word.lstrip("0") or "0") if word.isdecimal() else word)[:WORD_LIMIT]


def _chunks(text: str) -> list[str]:
    """What stands between spaces and signs."""
    kept = (letter if letter.isalnum() or _is_mark(letter) else " " for letter in folded(text))
    return "".join(kept).split()


def _is_mark(letter: str) -> bool:
    return unicodedata.category(letter)[0] == "M"


def _is_accent(letter: str) -> bool:
    """By its combining class: 1 lies over the letter, 10 to 35 are Hebrew and Arabic points, from 200 on come
    those around Latin, Greek and Cyrillic letters.
    """
    place = unicodedata.combining(letter)
    return place == 1 or 10 <= place <= 35 or place >= 200
