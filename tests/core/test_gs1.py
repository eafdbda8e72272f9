"""Check digits and the one form of a GTIN, against numbers printed in public documents."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.gs1 import check_digit, gtin14

GOOD = {
    "the example of the GS1 specifications": ("6291041500213", "06291041500213"),
    "EAN-13": ("4006381333931", "04006381333931"),
    "EAN-8": ("96385074", "00000096385074"),
    "UPC-A": ("036000291452", "00036000291452"),
    "GTIN-14 of a carton": ("10614141000415", "10614141000415"),
    "with spaces and hyphens": ("4 006381-333931", "04006381333931"),
}
BAD = {
    "empty": ("", "expected 8, 12, 13 or 14 digits"),
    "check digit wrong": ("4006381333932", "expected check digit 1, found 2"),
    "two digits swapped": ("4006381339331", "expected check digit 9, found 1"),
    "leading zero lost in a spreadsheet": ("36000291452", "expected 8, 12, 13 or 14 digits"),
    "written as a float by a spreadsheet": ("4.00638E+12", "expected 8, 12, 13 or 14 digits"),
    "letters": ("40063813339AB", "expected 8, 12, 13 or 14 digits"),
    "digits of another script": ("٤٠٠٦٣٨١٣٣٣٩٣١", "expected 8, 12, 13 or 14 digits"),
    "superscript": ("9638507²", "expected 8, 12, 13 or 14 digits"),
}


@pytest.mark.parametrize(("text", "expected"), GOOD.values(), ids=GOOD.keys())
def test_good_numbers_become_14_digits(text: str, expected: str) -> None:
    assert gtin14(text) == expected


@pytest.mark.parametrize(("text", "reason"), BAD.values(), ids=BAD.keys())
def test_bad_numbers_are_refused_with_the_reason(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        gtin14(text)


@pytest.mark.parametrize("body", ["", "12a", " 1"])
def test_a_check_digit_needs_digits(body: str) -> None:
    with pytest.raises(ValueError, match="expected digits"):
        check_digit(body)


@given(st.text("0123456789", min_size=13, max_size=13), st.integers(0, 13), st.integers(1, 9))
def test_one_wrong_digit_never_passes(body: str, place: int, change: int) -> None:
    number = body + check_digit(body)
    assert gtin14(number) == number
    wrong = number[:place] + str((int(number[place]) + change) % 10) + number[place + 1 :]
    with pytest.raises(ValueError, match="expected check digit"):
        gtin14(wrong)
