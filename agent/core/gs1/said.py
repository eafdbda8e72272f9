"""What one barcode says about the thing that it is on, whatever its symbology."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from agent.core.gs1.elements import Elements, parse_element_string
from agent.core.gs1.keys import gtin14
from agent.core.gs1.link import parse_digital_link

if TYPE_CHECKING:
    from collections.abc import Mapping

GTIN_FORMATS: Final[Mapping[str, int]] = {
    "EAN13": 13, "EAN8": 8, "UPCA": 13, "UPCE": 13, "ITF": 14, "ITF14": 14
}  # fmt: skip
"""Formats whose digits are a GTIN, if there are as many. UPC comes written out, with a zero before it."""


@dataclass(frozen=True, slots=True)
class Said:
    """As numbers without their brackets; empty, or 0, where nothing is said of it."""

    gtin: str = ""  # 14 digits: what the thing is
    content: str = ""  # 14 digits: what is in it
    count: int = 0  # how many of these
    sscc: str = ""  # 18 digits: which logistic unit it is
    lot: str = ""
    serial: str = ""
    best_before: str = ""  # YYMMDD
    expiry: str = ""  # YYMMDD
    weight_kg: float = 0.0  # net

    @property
    def empty(self) -> bool:
        """It names neither what the thing is, nor what is in it, nor which one it is."""
        return not (self.gtin or self.content or self.sscc)


NOTHING: Final = Said()


def said_by(kind: str, text: str, elements: str = "") -> Said:
    """What a barcode says.

    Args:
        kind: its format, as `GTIN_FORMATS` has them.
        text: as it was read.
        elements: the same as an element string, where the symbol says by itself that it is one (FNC1 in its
            first place); a number on a label that only looks like one is none.
    """
    try:
        if elements:
            return _of(parse_element_string(elements))
        if GTIN_FORMATS.get(kind) == len(text):
            return Said(gtin=gtin14(text))
        if text[:4].lower() == "http":
            return _of(parse_digital_link(text))
    except ValueError:
        pass  # a code of somebody else, or a damaged one: it says nothing of ours
    return NOTHING


def _of(elements: Elements) -> Said:
    return Said(
        gtin=elements.get("01"),
        content=elements.get("02"),
        count=int(elements.get("37") or 0),
        sscc=elements.get("00"),
        lot=elements.get("10"),
        serial=elements.get("21"),
        best_before=elements.get("15"),
        expiry=elements.get("17"),
        weight_kg=_weight(elements),
    )


def _weight(elements: Elements) -> float:
    for identifier, value in elements.values:
        if identifier[:3] == "310" and len(identifier) == 4:
            return int(value) / float(10 ** int(identifier[3]))
    return 0.0
