"""What barcodes say: element strings, Digital Links, logistic units; numbers as in the GS1 specifications."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.gs1 import (
    Said,
    check_digit,
    digital_link,
    gln,
    parse_digital_link,
    parse_element_string,
    said_by,
    same_item,
    sscc,
)

GS = "\x1d"

STRINGS = {
    "with brackets": ("(01)04006381333931(10)LOT-7", {"01": "04006381333931", "10": "LOT-7"}),
    "as a reader sends it": ("0104006381333931" + "10LOT-7", {"01": "04006381333931", "10": "LOT-7"}),
    "a symbology identifier in front": ("]C1" + "00106141412345678908", {"00": "106141412345678908"}),
    "FNC1 first, as DataMatrix has it": (GS + "0104006381333931", {"01": "04006381333931"}),
    "a separator behind what has no length of its own": (
        f"10LOT{GS}0104006381333931{GS}17270228", {"10": "LOT", "01": "04006381333931", "17": "270228"}
    ),
    "the last of a month": ("(01)04006381333931(17)270200", {"01": "04006381333931", "17": "270200"}),
    "the 29th of February": ("(01)04006381333931(15)280229", {"01": "04006381333931", "15": "280229"}),
    "what is in a carton": (
        f"02040063813339313712{GS}10B", {"02": "04006381333931", "37": "12", "10": "B"}
    ),
    "a weight": ("0104006381333931" + "3103001750", {"01": "04006381333931", "3103": "001750"}),
    "a place": ("(414)4006381333931(254)DOCK", {"414": "4006381333931", "254": "DOCK"}),
    "an AI that nobody needs here, in brackets": ("(8005)000199", {"8005": "000199"}),
    "the same twice": ("(00)106141412345678908(00)106141412345678908", {"00": "106141412345678908"}),
    "brackets are no part of set 82 but these are": ("(01)04006381333931(21)a_%/'", {"01": "04006381333931", "21": "a_%/'"}),
}  # fmt: skip

BAD_STRINGS = {
    "nothing": ("", "expected an element string"),
    "check digit of a GTIN": ("(01)04006381333932", r"\(01\): expected check digit 1, found 2"),
    "check digit of an SSCC": ("00106141412345678909", r"\(00\): expected check digit 8, found 9"),
    "too short": ("010400638133393", r"\(01\): expected 14 digits"),
    "a letter in a GTIN": ("(01)0400638133393A", r"\(01\): expected 14 digits"),
    "too long": ("(10)" + "A" * 21, r"\(10\): expected 1 to 20 characters"),
    "a 13th month": ("(11)271301", r"\(11\): expected a date YYMMDD, found '271301'"),
    "the 31st of April": ("(11)270431", r"\(11\): expected a date"),
    "the 29th of February of another year": ("(11)270229", r"\(11\): expected a date"),
    "an unknown AI": ("0510", "expected a known AI"),
    "a carton without a count": ("(02)04006381333931", r"\(02\): expected \(37\)"),
    "a count of nothing": ("(37)12", r"\(37\): expected \(02\)"),
    "an item that is its own content": ("(01)04006381333931(02)04006381333931(37)2", r"\(01\): expected it without"),
    "two that differ": ("(10)A(10)B", r"\(10\): expected it once"),
    "text in front": ("x(01)04006381333931", "expected a known AI"),
    "a sign that is not in set 82": ("(10)LÖT", r"\(10\): expected letters, digits and signs"),
    "far too much": ("(10)" + "A" * 5000, "expected at most 4096 characters"),
    "many": ("90A" + f"{GS}90A" * 200, "expected at most 64 elements"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), STRINGS.values(), ids=STRINGS.keys())
def test_element_strings_are_taken_apart(text: str, expected: dict[str, str]) -> None:
    assert dict(parse_element_string(text).values) == expected


@pytest.mark.parametrize(("text", "reason"), BAD_STRINGS.values(), ids=BAD_STRINGS.keys())
def test_bad_element_strings_name_what_does_not_fit(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        parse_element_string(text)


LINKS = {
    "of GS1": ("https://id.gs1.org/01/04006381333931/10/LOT/21/7?17=270131", "(01)04006381333931(10)LOT(21)7(17)270131"),
    "of a brand, below a path": ("https://example.com/shop/01/9506000134352", "(01)09506000134352"),
    "a parameter that is not of GS1": ("http://example.com/01/04006381333931?lang=de&10=A", "(01)04006381333931(10)A"),
    "written out": ("https://id.gs1.org/01/04006381333931/10/A%2FB", "(01)04006381333931(10)A/B"),
    "a logistic unit": ("https://id.gs1.org/00/106141412345678908", "(00)106141412345678908"),
    "a place": ("https://id.gs1.org/414/4006381333931/254/dock-1", "(414)4006381333931(254)dock-1"),
    "a slash at its end": ("https://id.gs1.org/01/04006381333931/", "(01)04006381333931"),
}  # fmt: skip

BAD_LINKS = {
    "no address": ("04006381333931", "expected a GS1 Digital Link"),
    "of a mail": ("mailto:a@b", "expected a GS1 Digital Link"),
    "no key": ("https://example.com/shop/cart", "expected the AI of a key"),
    "no such address": ("http://[", "expected a GS1 Digital Link"),
    "check digit": ("https://id.gs1.org/01/04006381333932", r"\(01\): expected check digit"),
    "qualifiers the wrong way round": ("https://id.gs1.org/01/04006381333931/21/7/10/LOT", "expected qualifiers in the order"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), LINKS.values(), ids=LINKS.keys())
def test_digital_links_say_the_same_as_element_strings(text: str, expected: str) -> None:
    assert str(parse_digital_link(text)) == expected


@pytest.mark.parametrize(("text", "reason"), BAD_LINKS.values(), ids=BAD_LINKS.keys())
def test_bad_digital_links_are_refused(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        parse_digital_link(text)


SERIAL = st.text("ABab09-_./%'", min_size=1, max_size=20)


@given(st.text("0123456789", min_size=13, max_size=13), SERIAL)
def test_what_is_made_is_read_as_it_was_meant(body: str, serial: str) -> None:
    gtin = body + check_digit(body)
    link = digital_link(("01", gtin), ("21", serial))
    assert dict(parse_digital_link(link).values) == {"01": gtin, "21": serial}
    assert dict(parse_element_string(f"01{gtin}21{serial}").values) == {"01": gtin, "21": serial}


@given(st.text(st.characters(codec="utf-8"), max_size=60))
def test_anything_is_read_or_refused(text: str) -> None:
    for read in (parse_element_string, parse_digital_link):
        with suppress(ValueError):
            assert read(text).values
    said_by("QRCode", text)


def test_numbers_of_units_and_places() -> None:
    assert sscc("(00) 1 0614141 234567890 8") == "106141412345678908"
    assert gln("4006381-33393-1") == "4006381333931"
    for read, text in ((sscc, "106141412345678909"), (gln, "4006381333932")):
        with pytest.raises(ValueError, match="expected check digit"):
            read(text)
    with pytest.raises(ValueError, match="expected 18 digits"):
        sscc("4006381333931")


def test_a_carton_of_an_item_is_the_same_item() -> None:
    assert same_item("04006381333931", "14006381333938")
    assert not same_item("04006381333931", "04006381333948")


SAID = {
    "an EAN": (("EAN13", "4006381333931", ""), Said(gtin="04006381333931")),
    "an ITF-14": (("ITF14", "14006381333938", ""), Said(gtin="14006381333938")),
    "an ITF of another length": (("ITF", "400638", ""), Said()),
    "a text that only looks like an element string": (("Code128", "(01)04006381333931", ""), Said()),
    "a carton": (
        ("Code128", "…", "00106141412345678908020400638133393137" + f"12{GS}10B"),
        Said(sscc="106141412345678908", content="04006381333931", count=12, lot="B"),
    ),
    "an item with dates and weight": (
        ("DataMatrix", "…", "01040063813339313103001750" + f"15270131{GS}17270228{GS}21S"),
        Said(gtin="04006381333931", weight_kg=1.75, best_before="270131", expiry="270228", serial="S"),
    ),
    "a link": (("QRCode", "https://id.gs1.org/01/04006381333931", ""), Said(gtin="04006381333931")),
    "a link to somewhere": (("QRCode", "https://example.com", ""), Said()),
    "a damaged element string": (("Code128", "…", "0104006381333932"), Said()),
}  # fmt: skip


@pytest.mark.parametrize(("given_", "expected"), SAID.values(), ids=SAID.keys())
def test_a_barcode_says_what_it_is_on(given_: tuple[str, str, str], expected: Said) -> None:
    assert said_by(*given_) == expected
    assert expected.empty == (expected == Said())
