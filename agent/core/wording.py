"""What somebody typed becomes what is looked for, and says how well a product's texts answer it.

A word asked for counts with its share of what sets products apart (a word that half of them have says
little), and with how nearly a product has it: as it was typed, begun, in another ending, with an edit.
Nothing that was typed becomes part of a query's syntax: only words of `core/words.py` do, in quotes.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import log
from typing import TYPE_CHECKING, Final

from agent.core.errors import InputError
from agent.core.words import asked_words, is_spaceless, squeezed, words_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from agent.core.spelling import Vocabulary
    from agent.core.types import Product

TEXT_LIMIT: Final = 200
"""Characters that may be asked for: a name and a sentence."""

WORDS_LIMIT: Final = 12
"""Words of it that count, the first ones."""

FIELDS: Final[Mapping[str, float]] = {
    "name": 1.0,
    "brand": 0.8,
    "tags": 0.8,
    "category": 0.7,
    "description": 0.5,
    "codes": 1.0,
}
"""What is searched, and how much a word counts there: a description speaks of many things beside it."""

_BEGUN: Final = 0.9
_ENDING: Final = 0.8
_EDITED: Final = {1: 0.8, 2: 0.6}
"""How much a word counts that begins as it was typed, has another ending, or is so many edits away."""

_STEM: Final = 4
_SUFFIX: Final = 2
"""Letters in front that two endings of one word share, and letters behind in which they may differ: apple and
apples, tomato and tomatoes."""

_CODE: Final = 4
"""Letters and digits from which all of a text is also looked for as the beginning of an SKU or GTIN."""

_BEGINNINGS: Final = 256
_OTHERS: Final = 8
"""Words that are looked for in place of one that was typed."""

_REST: Final = 0.1
"""Of the score says how much of the name was asked for: orange is the fruit before it is its juice."""

_COMMON: Final = 0.2
"""Share of products with a word from which it is not looked for alone, where a rarer one was asked for too.
Ranking 86,000 of 100,000 products took 71 ms, and 37,000 took 29."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One word that was typed."""

    word: str
    instead: Mapping[str, float]  # words of the vocabulary, the one itself among them → how much each counts
    begun: bool  # it may go on
    weight: float  # how much it says
    share: float  # of the products have one of these words

    def counts(self, word: str) -> float:
        """How much a word of a product counts for it, in [0, 1]."""
        known = self.instead.get(word, 0.0)
        return max(known, _BEGUN) if self.begun and known < 1 and word.startswith(self.word) else known

    @property
    def expression(self) -> str:
        """For SQLite's full-text search; empty when no product has such a word."""
        terms = [_quoted(word) for word in sorted(self.instead)]
        return " OR ".join(terms + ([_quoted(self.word) + "*"] if self.begun else []))


@dataclass(frozen=True, slots=True)
class Question:
    """What is looked for."""

    text: str
    asked: tuple[Asked, ...]
    code: str  # all of it as one code, empty where it cannot be one

    def __bool__(self) -> bool:
        """Whether any product can have a word of it."""
        return bool(self.code) or any(each.expression for each in self.asked)

    @property
    def known(self) -> bool:
        """Whether the catalogue has a word of it, in some spelling."""
        return any(each.share > 0 for each in self.asked)

    @property
    def meant(self) -> str:
        """The text as the catalogue spells it."""
        return " ".join(
            max(each.instead, key=lambda word: (each.instead[word], word)) if each.instead else each.word
            for each in self.asked
        )

    @property
    def all_of_it(self) -> str:
        """Products that have every word; empty where none can."""
        terms = [each.expression for each in self.asked]
        return " AND ".join(f"({term})" for term in terms) if terms and all(terms) else ""

    @property
    def any_of_it(self) -> str:
        """Products that have one of the words, of those that set products apart."""
        found = [each for each in self.asked if each.expression]
        rare = [each for each in found if each.share <= _COMMON]
        return " OR ".join(f"({each.expression})" for each in rare or found)

    @property
    def code_of_it(self) -> str:
        """Products that have a code which is, or begins with, what was asked for; empty where it is none."""
        return f"codes : ({_quoted(self.code)}*)" if self.code else ""


def question(text: str, vocabulary: Vocabulary, products: int) -> Question:
    """What `text` asks of a catalogue of so many products.

    Raises:
        InputError: it is too long.
    """
    if len(text) > TEXT_LIMIT:
        raise InputError(f"text: expected at most {TEXT_LIMIT} characters, found {len(text)}")
    words = list(dict.fromkeys(asked_words(text)))[:WORDS_LIMIT]
    ends = bool(text) and text[-1].isalnum()
    asked = tuple(
        _asked(word, vocabulary, products, begun=ends and place == len(words) - 1)
        for place, word in enumerate(words)
    )
    code = squeezed(text)
    is_code = len(code) >= _CODE and any(letter.isdecimal() for letter in code)
    return Question(text, asked, code if is_code else "")


def indexed(product: Product) -> dict[str, str]:
    """The words of a product to index, by field, with a space between them."""
    texts = {name: " ".join(words_of(getattr(product, name))) for name in FIELDS if name != "codes"}
    codes = [squeezed(code) for code in (product.sku, product.gtin) if code]
    parts = words_of(product.sku)
    return texts | {"codes": " ".join(dict.fromkeys([*parts, *codes]))}


def score(question: Question, fields: Mapping[str, str]) -> float:
    """How well a product answers, in [0, 1]; `fields` are its words as of `indexed`.

    1 is a product whose name is what was asked for, 0 one that has no word of it.
    """
    words = {name: set(text.split()) for name, text in fields.items()}
    if question.code and any(code.startswith(question.code) for code in words["codes"]):
        return 1.0 if question.code in words["codes"] else _BEGUN
    everything = sum(each.weight for each in question.asked)
    if not everything:
        return 0.0
    found = sum(each.weight * _best(each, words) for each in question.asked)
    named = words["name"]
    asked_name = sum(any(each.counts(word) > 0 for each in question.asked) for word in named)
    rest = asked_name / len(named) if named else 0.0
    return found / everything * (1 - _REST + _REST * rest)


def _best(asked: Asked, words: Mapping[str, Iterable[str]]) -> float:
    return max(
        (FIELDS[field] * asked.counts(word) for field, found in words.items() for word in found),
        default=0.0,
    )


def _asked(word: str, vocabulary: Vocabulary, products: int, *, begun: bool) -> Asked:
    held = vocabulary.count(word)
    # A letter of a script without spaces is the beginning of a pair; a word that nobody has may go on.
    begun = (begun or held == 0 or (len(word) == 1 and is_spaceless(word))) and (
        len(word) > 1 or is_spaceless(word)
    )
    instead = {word: 1.0} if held else {}
    if len(word) >= _STEM:
        stem = word[: max(_STEM, len(word) - _SUFFIX)]
        endings = [each for each in vocabulary.beginning(stem, _BEGINNINGS) if _same_stem(word, each)]
        endings.sort(key=lambda each: (-vocabulary.count(each), each))
        instead = dict.fromkeys(endings[:_OTHERS], _ENDING) | instead
    if not held:
        edited = {near.word: _EDITED[near.edits] for near in vocabulary.near(word, _OTHERS)}
        instead = edited | instead
    longer = vocabulary.beginning(word, _BEGINNINGS) if begun else []
    having = sum(vocabulary.count(each) for each in {*instead, *longer})
    share = min(1.0, having / max(1, products))
    return Asked(word, instead, begun and bool(longer), log(1 + products / max(1, having)), share)


def _same_stem(word: str, other: str) -> bool:
    """Whether they differ by their last letters only."""
    shared = max(_STEM, min(len(word), len(other)) - _SUFFIX)
    return word != other and word[:shared] == other[:shared] and abs(len(word) - len(other)) <= _SUFFIX


def _quoted(word: str) -> str:
    return '"' + word.replace('"', '""') + '"'
