"""What the texts of a product may be, in the table of head office and in what a device learns itself."""

from __future__ import annotations

from dataclasses import fields
from typing import Final

from agent.core.errors import InputError, quoted
from agent.core.gs1 import gtin14
from agent.core.types import Product

SKU_LIMIT: Final = 200
"""Characters. File systems end at 255 bytes a name."""

NAME_LIMIT: Final = 1000
"""Characters: a recognition names six products, and must stay far below the 128 KB of a message."""

TEXT_FIELDS: Final = tuple(
    field.name for field in fields(Product) if field.name not in {"no", "sku", "extra"}
)
"""The columns that we have a word for, beside the sku."""


def sku_problem(sku: str) -> str:
    """Why this cannot be an SKU, which is also the name of a folder; empty when it can."""
    if not sku:
        return "expected an sku, found none"
    if len(sku) > SKU_LIMIT:
        return f"expected at most {SKU_LIMIT} characters, found {len(sku)}"
    if not is_text(sku):
        return "expected UTF-8 without NUL"
    if "/" in sku or "\\" in sku or sku.startswith(".") or not sku.isprintable():
        return "expected no slash, no control character and no dot in front"
    return ""


def is_text(text: str) -> bool:
    """Whether this was UTF-8 without NUL where it came from: bytes that were not are lone surrogates here."""
    return "\0" not in text and (text.isascii() or not any("\ud800" <= letter <= "\udfff" for letter in text))


def checked_sku(sku: str) -> str:
    """The SKU.

    Raises:
        InputError: it cannot be one.
    """
    if reason := sku_problem(sku):
        raise InputError(f"sku: {reason}: {quoted(sku)}")
    return sku


def checked_texts(texts: dict[str, str]) -> dict[str, str]:
    """The fields of a product that are not empty, the gtin with its 14 digits.

    Raises:
        InputError: naming the field, what was expected and what was found.
    """
    checked = {}
    for name, text in texts.items():
        if name not in TEXT_FIELDS:
            raise InputError(f"{quoted(name)[1:-1]}: expected one of {', '.join(TEXT_FIELDS)}")
        if len(text) > NAME_LIMIT:
            raise InputError(f"{name}: expected at most {NAME_LIMIT} characters, found {len(text)}")
        if not (is_text(text) and text.isprintable()):
            raise InputError(f"{name}: expected one line of text, found {quoted(text)}")
        if text:
            checked[name] = text
    if "gtin" in checked:
        try:
            checked["gtin"] = gtin14(checked["gtin"])
        except ValueError as error:
            raise InputError(f"gtin: {error}") from None
    return checked
