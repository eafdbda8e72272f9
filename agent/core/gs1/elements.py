"""Element strings: application identifiers (AI) and what follows each, as barcodes and labels have them.

GS1 General Specifications: section 3.2 lists the identifiers, 7.8 says how a string of them is taken apart
(what has a length of its own needs no separator behind it, all else ends at a separator or at the end),
7.9.1 check digits, 7.11 the characters, 7.12 the century of a date. Identifiers that receiving does not
need are not here: such an element is kept as text where its end can be told, and refused where not.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from agent.core.errors import quoted
from agent.core.gs1.keys import checked, is_digits

if TYPE_CHECKING:
    from collections.abc import Iterator

SEPARATOR: Final = "\x1d"
"""What a reader sends for FNC1 between two elements: the control character GS (section 7.8)."""

TEXT_LIMIT: Final = 4_096
_PARTS_LIMIT: Final = 64


@dataclass(frozen=True, slots=True)
class _Kind:
    low: int
    high: int  # characters
    digits: bool = True
    key: bool = False  # ends with a check digit
    date: bool = False
    fixed: bool = False  # of the lengths of section 7.8: no separator is needed


def _fixed(length: int, *, key: bool = False, date: bool = False) -> _Kind:
    return _Kind(length, length, key=key, date=date, fixed=True)


def _text(most: int) -> _Kind:
    return _Kind(1, most, digits=False)


def _count(most: int) -> _Kind:
    return _Kind(1, most)


_KINDS: Final[dict[str, _Kind]] = {
    "00": _fixed(18, key=True),  # SSCC
    "01": _fixed(14, key=True),  # GTIN
    "02": _fixed(14, key=True),  # GTIN of what is inside
    **dict.fromkeys(("11", "12", "13", "15", "16", "17"), _fixed(6, date=True)),
    "20": _fixed(2),
    "10": _text(20),
    "21": _text(20),
    "22": _text(20),
    "235": _text(28),
    **dict.fromkeys(("240", "241", "250", "251", "400"), _text(30)),
    "242": _count(6),
    "243": _text(20),
    "254": _text(20),
    "30": _count(8),
    "37": _count(8),
    "401": _text(30),
    "402": _Kind(17, 17, key=True),
    "403": _text(30),
    **{f"41{n}": _fixed(13, key=True) for n in range(8)},  # GLN: ship to, bill to, …
    "420": _text(20),
    "421": _text(12),
    "422": _count(3),
    **{str(n): _text(90) for n in range(91, 100)},  # agreed between two, or inside a company
    "90": _text(30),
}
_MEASURES: Final = re.compile(r"3[1-6]\d[0-5]")
"""Weights and lengths, six digits; the last digit of the AI says how many of them are decimals."""

_CHARACTERS: Final = re.compile(r"[!\"%-?A-Z_a-z]+")
"""Character set 82, section 7.11."""

_BRACKETED: Final = re.compile(r"\((\d{2,4})\)")


@dataclass(frozen=True, slots=True)
class Elements:
    """What was said, in its order; each AI at most once."""

    values: tuple[tuple[str, str], ...]

    def get(self, identifier: str) -> str:
        """The value of an AI; empty where it is not there."""
        return next((value for ai, value in self.values if ai == identifier), "")

    def __str__(self) -> str:
        """As it is printed below bars: `(01)04006381333931(10)LOT`."""
        return "".join(f"({ai}){value}" for ai, value in self.values)


def parse_element_string(text: str) -> Elements:
    """Taken apart, check digits and dates verified.

    Either with brackets, as it is printed, or as a reader sends it: GS between elements, perhaps with a
    symbology identifier (`]C1`, `]d2`, `]Q3`, `]e0`) in front.

    Raises:
        ValueError: names the AI, what was expected and what was found.
    """
    if len(text) > TEXT_LIMIT:
        raise ValueError(f"expected at most {TEXT_LIMIT} characters, found {len(text)}")
    text = re.sub(r"^\][CdQeJ][0-6]", "", text)
    parts = list(_bracketed(text) if text.startswith("(") else _raw(text))
    if not parts:
        raise ValueError(f"expected an element string such as (01)04006381333931, found {quoted(text)}")
    held: dict[str, str] = {}
    for identifier, value in parts:
        if held.setdefault(identifier, value) != value:
            raise ValueError(
                f"({identifier}): expected it once, found {quoted(held[identifier])} and {quoted(value)}"
            )
    _check_together(held)
    return Elements(tuple(held.items()))


def _bracketed(text: str) -> Iterator[tuple[str, str]]:
    pieces = _BRACKETED.split(text)
    if pieces[0]:
        raise ValueError(f"expected an AI in brackets, found {quoted(text)}")
    for identifier, value in zip(pieces[1::2], pieces[2::2], strict=True):
        yield identifier, _valid(identifier, _kind(identifier, text), value.removesuffix(SEPARATOR))


def _raw(text: str) -> Iterator[tuple[str, str]]:
    at = 1 if text.startswith(SEPARATOR) else 0
    for _ in range(_PARTS_LIMIT):
        if at >= len(text):
            return
        identifier = _identifier(text, at)
        kind = _kind(identifier, text[at:])
        at += len(identifier)
        end = text.find(SEPARATOR, at)
        end = len(text) if end < 0 else end
        if kind.fixed:
            end = min(end, at + kind.high)
        yield identifier, _valid(identifier, kind, text[at:end])
        at = end + (text[end : end + 1] == SEPARATOR)
    if at < len(text):
        raise ValueError(f"expected at most {_PARTS_LIMIT} elements, found more")


def _identifier(text: str, at: int) -> str:
    for length in (2, 3, 4):
        found = text[at : at + length]
        if found in _KINDS or (length == 4 and _MEASURES.fullmatch(found)):
            return found
    raise ValueError(f"expected a known AI at {quoted(text[at : at + 8])}, found none")


def _kind(identifier: str, text: str) -> _Kind:
    kind = _KINDS.get(identifier)
    if kind is not None:
        return kind
    if _MEASURES.fullmatch(identifier):
        return _fixed(6)
    if len(identifier) in (3, 4):  # in brackets: its end is known, and what it means is not needed here
        return _text(90)
    raise ValueError(f"expected a known AI, found {quoted(identifier)} in {quoted(text)}")


def _valid(identifier: str, kind: _Kind, value: str) -> str:
    where = f"({identifier})"
    unit = "digits" if kind.digits else "characters"
    if not kind.low <= len(value) <= kind.high or (kind.digits and not is_digits(value)):
        many = f"{kind.low}" if kind.low == kind.high else f"{kind.low} to {kind.high}"
        raise ValueError(f"{where}: expected {many} {unit}, found {quoted(value)}")
    if not kind.digits and not _CHARACTERS.fullmatch(value):
        raise ValueError(f"{where}: expected letters, digits and signs of set 82, found {quoted(value)}")
    if kind.key:
        try:
            checked(value)
        except ValueError as error:
            raise ValueError(f"{where}: {error}") from None
    if kind.date and not (1 <= int(value[2:4]) <= 12 and int(value[4:]) <= _days(value)):
        raise ValueError(f"{where}: expected a date YYMMDD, found {quoted(value)}")
    return value


def _days(date: str) -> int:
    """Of a month; the day may be 00, which means its last one (section 3.4)."""
    month, year = int(date[2:4]), int(date[:2])
    return 30 + (month + month // 8) % 2 - (month == 2) * (1 if year % 4 == 0 else 2)


def _check_together(held: dict[str, str]) -> None:
    """What belongs together (section 4.13, data relationships)."""
    if "02" in held and "37" not in held:
        raise ValueError("(02): expected (37), how many are inside, beside it, found none")
    if "37" in held and "02" not in held:
        raise ValueError("(37): expected (02), what is inside, beside it, found none")
    if "01" in held and "02" in held:
        raise ValueError("(01): expected it without (02), found both")
