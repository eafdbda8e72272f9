"""What is expected of a shipment: lines of products and quantities, and what is packed in which logistic
unit.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Protocol

from agent.core.errors import InputError, quoted
from agent.core.gs1 import gtin14, sscc
from agent.core.product_rules import sku_problem
from agent.core.topics import check_topic_part

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from agent.core.types import Product

LINES_LIMIT: Final = 50_000
QUANTITY_LIMIT: Final = 10_000_000
_TOLD: Final = 10
"""Bad rows that an error names; the rest are counted."""


class Products(Protocol):
    """What is known of products: a catalogue with what was learned beside it."""

    def by_sku(self, sku: str) -> Product | None:
        """The product with this SKU."""

    def by_gtin(self, gtin: str) -> Product | None:
        """The product with this GTIN, 14 digits."""


@dataclass(frozen=True, slots=True)
class Line:
    """One product that is expected. It has a GTIN, an SKU, or both."""

    gtin: str  # 14 digits or empty
    sku: str
    quantity: int  # pieces
    name: str = ""
    shown: bool = False  # the catalogue has it: how it looks is known


@dataclass(frozen=True, slots=True)
class Order:
    """A shipment that is expected."""

    shipment: str
    lines: tuple[Line, ...]
    units: Mapping[str, tuple[tuple[int, int], ...]]  # SSCC → number of a line, and how many are in this unit
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Row:
    """A row as it was written."""

    where: str  # "row 4", "lines[3]"
    gtin: str
    sku: str
    quantity: object
    sscc: str = ""
    name: str = ""


def made_order(shipment: str, rows: Sequence[Row], products: Products | None, *, strict: bool) -> Order:
    """Rows of one product are added up.

    Args:
        shipment: its name; it becomes a level of topics.
        rows: in their order.
        products: where products are looked up; None: nowhere.
        strict: refuse a product that is not found, which is a warning otherwise.

    Raises:
        InputError: names every row that cannot be used (the first ten, where there are more).
    """
    try:
        check_topic_part("shipment", shipment)
    except ValueError as error:
        raise InputError(str(error)) from None
    if not 1 <= len(rows) <= LINES_LIMIT:
        raise InputError(f"shipment {quoted(shipment)}: expected 1 to {LINES_LIMIT} lines, found {len(rows)}")
    problems: list[str] = []
    warnings: list[str] = []
    lines: list[Line] = []
    places: dict[str, int] = {}
    units: dict[str, dict[int, int]] = {}
    for row in rows:
        try:
            line, unit, warning = _read(row, products)
        except ValueError as error:
            problems.append(f"{row.where}: {error}")
            continue
        if warning:
            (problems if strict else warnings).append(f"{row.where}: {warning}")
        at = _placed(line, lines, places)
        if lines[at] is not line:
            lines[at] = replace(lines[at], quantity=lines[at].quantity + line.quantity)
        if unit:
            units.setdefault(unit, {})
            units[unit][at] = units[unit].get(at, 0) + line.quantity
    if problems:
        more = f"; and {len(problems) - _TOLD} more" if len(problems) > _TOLD else ""
        raise InputError(
            f"shipment {quoted(shipment)}: {len(problems)} of {len(rows)} rows cannot be used: "
            f"{'; '.join(problems[:_TOLD])}{more}"
        )
    packed = {unit: tuple(sorted(held.items())) for unit, held in units.items()}
    return Order(shipment, tuple(lines), packed, tuple(warnings))


def _read(row: Row, products: Products | None) -> tuple[Line, str, str]:
    """The line, its logistic unit, and what is odd about it. ValueError: it cannot be used."""
    if not row.gtin and not row.sku:
        raise ValueError("gtin: expected it, or sku, found neither")
    gtin = _named("gtin", gtin14, row.gtin) if row.gtin else ""
    if row.sku and (problem := sku_problem(row.sku)):
        raise ValueError(f"sku: {problem}: {quoted(row.sku)}")
    unit = _named("sscc", sscc, row.sscc) if row.sscc else ""
    quantity = _quantity(row.quantity)
    line = Line(gtin, row.sku, quantity, row.name)
    if products is None:
        return line, unit, ""
    known = (products.by_sku(row.sku) if row.sku else None) or (products.by_gtin(gtin) if gtin else None)
    if known is None:
        found = f"sku {quoted(row.sku)}" if row.sku else f"gtin {quoted(gtin)}"
        return line, unit, f"expected a product of the catalogue, found {found}: only its barcode can be read"
    if gtin and known.gtin and known.gtin != gtin and row.sku:
        return line, unit, f"gtin: expected {known.gtin}, that of sku {quoted(row.sku)}, found {gtin}"
    name = row.name or known.name
    return Line(gtin or known.gtin, known.sku, quantity, name, shown=True), unit, ""


def _placed(line: Line, lines: list[Line], places: dict[str, int]) -> int:
    """Number of the line of the same product; of this one, which is put behind the others, if there is
    none.
    """
    keys = [key for key in (f"g{line.gtin}" if line.gtin else "", f"s{line.sku}" if line.sku else "") if key]
    at = next((places[key] for key in keys if key in places), None)
    if at is None:
        at = len(lines)
        lines.append(line)
    for key in keys:
        places.setdefault(key, at)
    return at


def _named(field: str, read: object, text: str) -> str:
    try:
        return str(read(text))  # type: ignore[operator]
    except ValueError as error:
        raise ValueError(f"{field}: {error}") from None


def _quantity(given: object) -> int:
    number: object = given
    if isinstance(given, str):
        text = given.strip()
        number = (
            int(text) if text.removeprefix("-").isdecimal() and text.isascii() and len(text) < 12 else given
        )
    elif isinstance(given, float) and given.is_integer() and abs(given) <= QUANTITY_LIMIT:
        number = int(given)
    if isinstance(number, bool) or not isinstance(number, int) or not 1 <= number <= QUANTITY_LIMIT:
        raise ValueError(
            f"quantity: expected a whole number from 1 to {QUANTITY_LIMIT}, found {quoted(given)}"
        )
    return number
