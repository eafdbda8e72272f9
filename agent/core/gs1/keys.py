"""Numbers of the GS1 system: their check digits and their one form inside.

GS1 General Specifications, section 7.9.1: from the right, the digits of the body count 3, 1, 3, 1, …; the
check digit fills the sum up to a multiple of ten. GTIN, SSCC and GLN have it alike.
"""

from __future__ import annotations

from typing import Final

from agent.core.errors import quoted

GTIN_LENGTHS: Final = (8, 12, 13, 14)
SSCC_LENGTH: Final = 18
GLN_LENGTH: Final = 13


def check_digit(body: str) -> str:
    """The digit that belongs behind `body`: `check_digit("629104150021")` → `"3"`.

    Raises:
        ValueError: `body` is empty or holds something else than the digits 0 to 9.
    """
    if not is_digits(body):
        raise ValueError(f"expected digits, found {quoted(body)}")
    total = sum(int(digit) * (3, 1)[place % 2] for place, digit in enumerate(reversed(body)))
    return str(-total % 10)


def checked(digits: str) -> str:
    """The same digits, when the last one fits the others.

    Raises:
        ValueError: it does not, or something else than digits is there.
    """
    expected = check_digit(digits[:-1])
    if digits[-1] != expected:
        raise ValueError(f"expected check digit {expected}, found {digits[-1]} in {quoted(digits)}")
    return digits


def gtin14(text: str) -> str:
    """A GTIN-8, -12 (UPC-A), -13 (EAN) or -14 as 14 digits; spaces and hyphens are dropped.

    `gtin14("4006381-333931")` → `"04006381333931"`

    Raises:
        ValueError: another length, other characters, or a check digit that does not fit.
    """
    digits = _bare(text)
    if not is_digits(digits) or len(digits) not in GTIN_LENGTHS:
        raise ValueError(f"expected 8, 12, 13 or 14 digits, found {quoted(text)}")
    expected = check_digit(digits[:-1])
    if digits[-1] != expected:
        raise ValueError(f"expected check digit {expected}, found {digits[-1]} in {quoted(text)}")
    return digits.zfill(14)


def sscc(text: str) -> str:
    """The 18 digits of a logistic unit; spaces and hyphens are dropped, and `(00)` in front.

    Raises:
        ValueError: as `gtin14`.
    """
    return _of_length(_bare(text).removeprefix("(00)"), SSCC_LENGTH, text)


def gln(text: str) -> str:
    """The 13 digits of a party or place; spaces and hyphens are dropped.

    Raises:
        ValueError: as `gtin14`.
    """
    return _of_length(_bare(text), GLN_LENGTH, text)


def same_item(one: str, other: str) -> bool:
    """Whether two GTINs of 14 digits are of one item, a carton of it among them.

    The indicator in front of the 12 digits says the level of packing (General Specifications, section 2.1.1),
    the check digit behind them follows from both. Who numbers cartons on their own is not found out.
    """
    return one[1:13] == other[1:13]


def is_digits(text: str) -> bool:
    """Whether there are digits, 0 to 9, and nothing else."""
    return text.isascii() and text.isdigit()  # isdigit alone accepts ² and ٣


def _of_length(digits: str, length: int, text: str) -> str:
    if not is_digits(digits) or len(digits) != length:
        raise ValueError(f"expected {length} digits, found {quoted(text)}")
    return checked(digits)


def _bare(text: str) -> str:
    return text.replace(" ", "").replace("-", "")
