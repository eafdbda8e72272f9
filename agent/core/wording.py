"""What somebody typed becomes what is looked for, and says how well a product's texts answer it.

A word asked for counts with its share of what sets products apart (a word that half of them have says
little), and with how nearly a product has it: as it was typed, begun, in another ending, with an edit.
Nothing that was typed becomes part of a query's syntax: only words of `core/words.py` do, in quotes.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, replace
from itertools import accumulate
from math import log
from typing import TYPE_CHECKING, Final

from agent.core.errors import InputError
from agent.core.words import asked_words, is_spaceless, squeezed, words_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

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

CROWD: Final = 5_000
"""Products that are ranked against each other. That takes 6 ms; with 48,000 that have a word, 60."""


FEW: Final = 200
"""Products that are all looked at, and not only those that are ranked best."""


@dataclass(frozen=True, slots=True, eq=False)
class Asked:
    """One word that was typed."""

    word: str
    instead: Mapping[str, float]  # words of the vocabulary, the one itself among them → how much each counts
    begun: bool  # it may go on
    weight: float  # how much it says
    rows: int  # no more products have one of these words

    @property
    def expression(self) -> str:
        """For SQLite's full-text search; empty when no product has such a word."""
        terms = [_quoted(word) for word in sorted(self.instead)]
        return " OR ".join(terms + ([_quoted(self.word) + "*"] if self.begun else []))


@dataclass(frozen=True, slots=True)
class Sought:
    """What SQLite is asked for."""

    expression: str  # empty where no product can have it
    rows: int  # no more products have it
    by_name: bool = False  # a crowd has it: those whose name does come first, and not those that rank best


@dataclass(frozen=True, slots=True)
class Question:
    """What is looked for."""

    text: str
    asked: tuple[Asked, ...]
    code: str  # all of it as one code, empty where it cannot be one
    coded: int  # no more products have a code that begins so
    words: frozenset[str]  # of the vocabulary, that count for any of it

    def __bool__(self) -> bool:
        """Whether any product can have a word of it."""
        return bool(self.code) or any(each.expression for each in self.asked)

    @property
    def known(self) -> bool:
        """Whether the catalogue has a word of it, in some spelling."""
        return any(each.rows > 0 for each in self.asked)

    @property
    def meant(self) -> str:
        """The text as the catalogue spells it."""
        return " ".join(
            max(each.instead, key=lambda word: (each.instead[word], word)) if each.instead else each.word
            for each in self.asked
        )

    @property
    def sought(self) -> list[Sought]:
        """What to ask for, one after the other until there is enough: the code, every word, any word."""
        every = self._every(self.asked)
        exact = _NOTHING
        if every.rows > CROWD:
            exact, every = self._exact, replace(every, by_name=len(self.asked) == 1)
        return [each for each in (self._coded, exact, every, self._any) if each.expression]

    @property
    def _coded(self) -> Sought:
        """Products that have a code which is, or begins with, what was asked for."""
        return Sought(f"codes : ({_quoted(self.code)}*)", self.coded) if self.code else _NOTHING

    @property
    def _exact(self) -> Sought:
        """Products that have every word just so: not to be lost in a crowd of those that nearly do."""
        if not all(each.instead.get(each.word) == 1 for each in self.asked):
            return _NOTHING
        terms = " AND ".join(_quoted(each.word) for each in self.asked)
        return Sought(terms, min((each.rows for each in self.asked), default=0), by_name=True)

    def _every(self, asked: Sequence[Asked]) -> Sought:
        """Products that have every one of these words, or all of those few that may go on with the last one:
        SQLite takes 8 ms to put together who has a word that begins with two letters.
        """
        if not asked or not all(each.expression for each in asked):
            return _NOTHING
        whole = [each for each in asked if not each.begun]
        asked = whole if min((each.rows for each in whole), default=FEW + 1) <= FEW else asked
        terms = " AND ".join(f"({each.expression})" for each in asked)
        return Sought(terms, min(each.rows for each in asked))

    @property
    def _any(self) -> Sought:
        """Products that have one of the words, the rarest first for as long as that is no crowd.

        The words beyond are common: they say something together, and one alone of them hardly anything.
        """
        found = sorted((each for each in self.asked if each.expression), key=lambda each: each.rows)
        rows = list(accumulate(each.rows for each in found))
        rare = max(1, bisect_right(rows, CROWD))
        beyond = [each for each in found[rare:] if not each.begun]
        common = self._every(beyond) if len(beyond) > 1 else _NOTHING
        terms = [*(each.expression for each in found[:rare]), common.expression]
        expression = " OR ".join(f"({term})" for term in terms if term)
        return Sought(expression, sum(rows[rare - 1 : rare]) + common.rows)


def question(text: str, vocabulary: Vocabulary, products: int) -> Question:
    """What `text` asks of a catalogue of so many products.

    Raises:
        InputError: it is too long.
    """
    if len(text) > TEXT_LIMIT:
        raise InputError(f"text: expected at most {TEXT_LIMIT} characters, found {len(text)}")
    typed = list(dict.fromkeys(asked_words(text)))[:WORDS_LIMIT]
    ends = bool(text) and text[-1].isalnum()
    asked = tuple(
        _asked(word, vocabulary, products, begun=ends and place == len(typed) - 1)
        for place, word in enumerate(typed)
    )
    code = squeezed(text)
    is_code = len(code) >= _CODE and any(letter.isdecimal() for letter in code)
    words = frozenset(word for each in asked for word in each.instead)
    return Question(text, asked, code if is_code else "", vocabulary.most(code) if is_code else 0, words)


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
    codes = fields["codes"].split()
    if question.code and any(code.startswith(question.code) for code in codes):
        return 1.0 if question.code in codes else _BEGUN
    everything = sum(each.weight for each in question.asked)
    if not everything:
        return 0.0
    best = dict.fromkeys(question.asked, 0.0)
    for field, weight in FIELDS.items():
        had = question.words.intersection(fields[field].split())
        text = f" {fields[field]}"
        for asked in question.asked:
            known = max((asked.instead.get(word, 0.0) for word in had), default=0.0)
            if known < _BEGUN and asked.begun and f" {asked.word}" in text:
                known = _BEGUN
            best[asked] = max(best[asked], weight * known)
    found = sum(each.weight * value for each, value in best.items())
    return found / everything * (1 - _REST + _REST * _asked_share(question, set(fields["name"].split())))


def _asked_share(question: Question, named: set[str]) -> float:
    """Of the words of a name, how many were asked for."""
    begun = tuple(each.word for each in question.asked if each.begun)
    asked = sum(word in question.words or word.startswith(begun) for word in named)
    return asked / len(named) if named else 0.0


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
    longer = vocabulary.most(word) if begun else 0
    having = longer + sum(
        vocabulary.count(each) for each in instead if not (longer and each.startswith(word))
    )
    return Asked(word, instead, longer > 0, log(1 + products / max(1, having)), min(having, products))


def _same_stem(word: str, other: str) -> bool:
    """Whether they differ by their last letters only."""
    shared = max(_STEM, min(len(word), len(other)) - _SUFFIX)
    return word != other and word[:shared] == other[:shared] and abs(len(word) - len(other)) <= _SUFFIX


_NOTHING: Final = Sought("", 0)


def _quoted(word: str) -> str:
    return '"' + word.replace('"', '""') + '"'
