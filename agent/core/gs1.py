"""Numbers of the GS1 system: their check digits and their one form inside, 14 digits.

GS1 General Specifications, section 7.9: from the right, the digits of the body count 3, 1, 3, 1, …; the check
digit fills the sum up to a multiple of ten.
"""

from __future__ import annotations

from agent.core.errors import quoted

GTIN_LENGTHS = (8, 12, 13, 14)


def check_digit(body: str) -> str:
    """The digit that belongs behind `body`: `check_digit("629104150021")` → `"3"`.

    Raises:
        ValueError: `body` is empty or holds something else than the digits 0 to 9.
    """
    if not _is_digits(body):
        raise ValueError(f"expected digits, found {quoted(body)}")
    total = sum(int(digit) * (3, 1)[place % 2] for place, digit in enumerate(reversed(body)))
    return str(-total % 10)


def gtin14(text: str) -> str:
    """A GTIN-8, -12 (UPC-A), -13 (EAN) or -14 as 14 digits; spaces and hyphens are dropped.

    `gtin14("4006381-333931")` → `"04006381333931"`

    Raises:
        ValueError: another length, other characters, or a check digit that does not fit.
    """
    digits = text.replace(" ", "").replace("-", "")
    if not _is_digits(digits) or len(digits) not in GTIN_LENGTHS:
        raise ValueError(f"expected 8, 12, 13 or 14 digits, found {quoted(text)}")
    expected = check_digit(digits[:-1])
    if digits[-1] != expected:
        raise ValueError(f"expected check digit {expected}, found {digits[-1]} in {quoted(text)}")
    return digits.zfill(14)


def _is_digits(text: str) -> bool:
    return text.isascii() and text.isdigit()  # isdigit alone accepts ² and ٣
