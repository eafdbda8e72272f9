"""Shipments as files: CSV, JSON, and the JSON that despatch advices (GS1 DESADV, X12 856) are turned into.

CSV: a header, then one row a product; columns gtin or sku (or both) and quantity, sscc and name if wanted.
JSON: `{"shipment": "A-17", "lines": [{"gtin": …, "sku": …, "quantity": …, "sscc": …}]}`. A despatch advice
of GS1: `despatchAdviceLogisticUnit[].despatchAdviceLineItem[]`, by the names of the GS1 XML standard. An
856: a list `HL` of levels as it is sent, each with its segments by name: `{"03": "I", "LIN": {"UP": …},
"SN1": {"02": …}}`.
"""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING, Any, Final

from agent.core.errors import InputError, quoted
from agent.core.inbound.orders import LINES_LIMIT, Order, Products, Row, made_order
from agent.core.strict_json import parse_object

if TYPE_CHECKING:
    from collections.abc import Iterator

ORDER_LIMIT_BYTES: Final = 8_000_000
_COLUMNS: Final = ("gtin", "sku", "quantity", "sscc", "name")
_ITEM_CODES: Final = {
    "UK": "gtin",
    "UP": "gtin",
    "UI": "gtin",
    "EN": "gtin",
    "UA": "gtin",
    "SK": "sku",
    "VN": "sku",
}
"""Qualifiers of LIN in an 856 → what it is. UK and the others are GTINs of several lengths."""


def read_order(
    data: bytes, name: str, shipment: str = "", products: Products | None = None, *, strict: bool = False
) -> Order:
    """What a file expects.

    Args:
        data: all of it.
        name: stands in the errors.
        shipment: its name, where the file has none (CSV).
        products: where products are looked up.
        strict: refuse a product that is not found.

    Raises:
        InputError: names the file, and every row that cannot be used.
    """
    if len(data) > ORDER_LIMIT_BYTES:
        raise InputError(f"{name}: expected at most {ORDER_LIMIT_BYTES} bytes, found {len(data)}")
    try:
        if data.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"{":
            found, rows = _from_json(parse_object(data.removeprefix(b"\xef\xbb\xbf"), ORDER_LIMIT_BYTES))
        else:
            found, rows = "", list(_from_csv(data))
        return made_order(_one_of(found, shipment), rows, products, strict=strict)
    except (ValueError, InputError) as error:
        raise InputError(f"{name}: {error}") from None


def _one_of(found: str, given: str) -> str:
    if found and given and found != given:
        raise ValueError(f"shipment: expected {quoted(given)}, found {quoted(found)}")
    return found or given


def _from_csv(data: bytes) -> Iterator[Row]:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError("expected UTF-8, found other bytes") from None
    head = text.partition("\n")[0]
    reader = csv.DictReader(
        text.splitlines(keepends=True), delimiter=max(",;\t", key=head.count), restkey="more"
    )
    columns = {(each or "").strip().lower(): each for each in reader.fieldnames or ()}
    if "quantity" not in columns or not {"gtin", "sku"} & set(columns):
        raise ValueError(f"expected columns gtin or sku, and quantity, found {quoted(head.strip())}")
    try:
        for number, cells in enumerate(reader):
            if number >= LINES_LIMIT:
                raise ValueError(f"expected at most {LINES_LIMIT} rows, found more")
            given = {
                each: str(cells.get(columns[each]) or "").strip() if each in columns else ""
                for each in _COLUMNS
            }
            if any(given.values()):
                yield Row(where=f"line {reader.line_num}", **given)
    except csv.Error as error:
        raise ValueError(f"line {reader.line_num}: expected CSV, found: {error}") from None


def _from_json(document: dict[str, Any]) -> tuple[str, list[Row]]:
    advice = document.get("despatchAdvice")
    if isinstance(advice, list) and len(advice) == 1:
        advice = advice[0]
    if isinstance(advice, dict):
        return _advised(advice)
    if "HL" in document:
        return _of_856(document)
    for key in document:
        if key not in ("shipment", "lines"):
            raise ValueError(f"{quoted(key)[1:-1]}: expected one of shipment, lines, found an unknown field")
    lines = _list("lines", document.get("lines"))
    return _text("shipment", document.get("shipment", "")), [
        _plain(f"lines[{n}]", line) for n, line in enumerate(lines)
    ]


def _plain(where: str, line: Any) -> Row:
    if not isinstance(line, dict):
        raise ValueError(f"{where}: expected an object of fields, found {quoted(line)}")  # noqa: TRY004
    for key in line:
        if key not in _COLUMNS:
            raise ValueError(f"{where}.{quoted(key)[1:-1]}: expected one of {', '.join(_COLUMNS)}")
    texts = {each: _text(f"{where}.{each}", line.get(each, "")) for each in _COLUMNS if each != "quantity"}
    return Row(where=where, quantity=line.get("quantity"), **texts)


def _advised(advice: dict[str, Any]) -> tuple[str, list[Row]]:
    """A despatch advice by the names of GS1 XML."""
    named = advice.get("despatchAdviceIdentification") or advice.get("entityIdentification")
    if isinstance(named, dict):
        named = named.get("entityIdentification")
    rows = []
    units = _list("despatchAdviceLogisticUnit", advice.get("despatchAdviceLogisticUnit", []))
    parts = [("", "despatchAdvice", advice)]
    for n, unit in enumerate(units):
        where = f"despatchAdviceLogisticUnit[{n}]"
        if not isinstance(unit, dict):
            raise ValueError(f"{where}: expected an object of fields, found {quoted(unit)}")  # noqa: TRY004
        identity = unit.get("logisticUnitIdentification")
        code = identity.get("sscc") if isinstance(identity, dict) else unit.get("sscc")
        parts.append((_text(f"{where}.sscc", code or ""), where, unit))
    for code, where, part in parts:
        items = _list(f"{where}.despatchAdviceLineItem", part.get("despatchAdviceLineItem", []))
        for n, item in enumerate(items):
            rows.append(_advised_row(f"{where}.despatchAdviceLineItem[{n}]", item, code))
    return _text("despatchAdviceIdentification", named or ""), rows


def _advised_row(where: str, item: Any, code: str) -> Row:
    if not isinstance(item, dict):
        raise ValueError(f"{where}: expected an object of fields, found {quoted(item)}")  # noqa: TRY004
    thing = item.get("transactionalTradeItem")
    thing = thing if isinstance(thing, dict) else {}
    quantity = item.get("despatchedQuantity")
    if isinstance(quantity, dict):
        quantity = quantity.get("value", quantity.get("quantity"))
    sku = thing.get("additionalTradeItemIdentification", "")
    if isinstance(sku, dict):
        sku = sku.get("value", "")
    return Row(
        where=where,
        gtin=_text(f"{where}.gtin", thing.get("gtin", "")),
        sku=_text(f"{where}.additionalTradeItemIdentification", sku),
        quantity=quantity,
        sscc=code,
    )


def _of_856(document: dict[str, Any]) -> tuple[str, list[Row]]:
    """Levels of an X12 856: shipment S, order O, tare T and pack P with their SSCC in MAN, item I."""
    head = document.get("BSN")
    shipment = head.get("02", "") if isinstance(head, dict) else ""
    units: dict[str, str] = {}  # number of a level → the SSCC that it is in
    rows = []
    for n, level in enumerate(_list("HL", document["HL"])):
        where = f"HL[{n}]"
        if not isinstance(level, dict):
            raise ValueError(f"{where}: expected an object of segments, found {quoted(level)}")  # noqa: TRY004
        mark = level.get("MAN")
        own = _text(f"{where}.MAN.GM", mark.get("GM", "")) if isinstance(mark, dict) else ""
        unit = own or units.get(str(level.get("02", "")), "")
        units[str(level.get("01", ""))] = unit
        if level.get("03") != "I":
            continue
        item, amount = level.get("LIN"), level.get("SN1")
        given = {"gtin": "", "sku": ""}
        for qualifier, value in (item if isinstance(item, dict) else {}).items():
            if field := _ITEM_CODES.get(qualifier):
                given[field] = given[field] or _text(f"{where}.LIN.{qualifier}", value)
        quantity = amount.get("02") if isinstance(amount, dict) else None
        rows.append(Row(where=where, quantity=quantity, sscc=unit, **given))
    return _text("BSN.02", shipment), rows


def _list(where: str, value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise ValueError(f"{where}: expected a list, found {quoted(value)}")  # noqa: TRY004
    if len(value) > LINES_LIMIT:
        raise ValueError(f"{where}: expected at most {LINES_LIMIT}, found {len(value)}")
    return value


def _text(where: str, value: Any) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)  # a GTIN that a program wrote as a number
    if not isinstance(value, str) or not value.isprintable():
        raise ValueError(f"{where}: expected a text in one line, found {quoted(value)}")
    return value.strip()
