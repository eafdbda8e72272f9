"""How a shipment stands, and what a parcel is, as plain data: what is told, answered and shown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from agent.core.inbound.session import CLOSINGS, LINE_STATES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from agent.core.inbound.naming import Named, Piece
    from agent.core.inbound.parcels import Parcel
    from agent.core.inbound.session import Session

LINES_TOLD: Final = 400
"""Lines of one message, some 150 bytes each: below the 128 kB that some brokers in the cloud take, with what
stands around them."""

_UNEXPECTED_TOLD: Final = 100
_WARNINGS_TOLD: Final = 20

_COUNT: Final = {"type": "integer", "minimum": 0}
_NAME: Final = {"type": ["string", "null"], "minLength": 1}
_GTIN: Final = {"type": ["string", "null"], "pattern": r"^\d{14}$"}
_LINE: Final = {
    "line": {"type": "integer", "minimum": 1, "description": "its number, lines of one product added up"},
    "gtin": _GTIN,
    "sku": _NAME,
    "name": _NAME,
    "expected": _COUNT,
    "received": _COUNT,
    "wrong": {**_COUNT, "description": "pieces that were not received: their picture names another product"},
    "state": {"enum": list(LINE_STATES)},
}
_UNEXPECTED: Final = {"gtin": _GTIN, "sku": _NAME, "received": _COUNT}


def _list_of(item: Mapping[str, Any], about: str) -> dict[str, Any]:
    thing = {"type": "object", "properties": dict(item), "required": sorted(item)}
    return {"type": "array", "items": thing, "description": about}


REPORT: Final[dict[str, Any]] = {
    "shipment": {"type": "string", "minLength": 1},
    "state": {"enum": ["open", "closed"]},
    "closed_by": {"enum": [None, *CLOSINGS]},
    "opened": {"type": "string", "description": "RFC 3339"},
    "closed": {"type": ["string", "null"], "description": "RFC 3339"},
    "complete": {"type": "boolean", "description": "of every line at least as much came as is expected"},
    "exact": {"type": "boolean", "description": "exactly what is expected came, and nothing is in doubt"},
    "parcels": _COUNT,
    "unnamed": {**_COUNT, "description": "parcels without a barcode or a picture that is known"},
    "conflicts": {**_COUNT, "description": "parcels whose barcode and picture name different products"},
    "expected": {**_COUNT, "description": "pieces of all lines; so received"},
    "received": _COUNT,
    "lines": _list_of(_LINE, "those that are not as expected first"),
    "lines_left_out": {**_COUNT, "description": "lines that are not shown, to keep the message small"},
    "unexpected": _list_of(_UNEXPECTED, "products that nobody announced"),
    "warnings": {"type": "array", "items": {"type": "string"}, "description": "what was odd about the order"},
}
"""Field → JSON Schema of what `report` gives, its times as they are told."""


def report(session: Session, limit: int = LINES_TOLD) -> dict[str, Any]:
    """A shipment. Times are keys that end in `_utc`. Lines that are as expected are left out first."""
    order = session.order
    numbers = range(len(order.lines))
    if len(numbers) > limit:
        odd = [n for n in numbers if _is_odd(session, n)][:limit]
        numbers_told = sorted({*odd, *_fill(numbers, set(odd), limit - len(odd))})
    else:
        numbers_told = list(numbers)
    numbers_told.sort(key=lambda n: not _is_odd(session, n))
    return {
        "shipment": order.shipment,
        "state": "open" if session.is_open else "closed",
        "closed_by": session.closed_by or None,
        "opened_utc": session.opened_utc,
        "closed_utc": session.closed_utc,
        "complete": session.complete,
        "exact": session.exact,
        "parcels": session.parcels,
        "unnamed": session.unnamed,
        "conflicts": session.conflicts,
        "expected": sum(line.quantity for line in order.lines),
        "received": sum(session.received.values()),
        "lines": [_line(session, n) for n in numbers_told],
        "lines_left_out": len(order.lines) - len(numbers_told),
        "unexpected": [
            {"gtin": gtin or None, "sku": sku or None, "received": count}
            for (gtin, sku), count in sorted(session.unexpected.items())[:_UNEXPECTED_TOLD]
        ],
        "warnings": list(order.warnings[:_WARNINGS_TOLD]),
    }


def parcel_report(parcel: Parcel, named: Named) -> dict[str, Any]:
    """What a parcel is, and what says so."""
    seen = {
        "sku": named.seen_sku or None,
        "gtin": named.seen_gtin or None,
        "probability": round(named.probability, 4),
    }
    return {
        "parcel": parcel.id,
        "passed_utc": parcel.passed_utc,
        "how": named.how.value,
        "pieces": [piece_report(piece) for piece in named.pieces],
        "gtin": named.gtin or None,
        "sscc": named.sscc or None,
        "lot": named.lot or None,
        "serial": named.serial or None,
        "expiry": named.expiry or None,
        "picture": seen if named.seen_sku else None,
        "codes": [{"format": kind, "text": text} for text, (kind, _) in sorted(parcel.reads.items())],
    }


def piece_report(piece: Piece) -> dict[str, Any]:
    """So many of a product; `line` is null where nobody expects it."""
    line = None if piece.line is None else piece.line + 1
    return {"gtin": piece.gtin or None, "sku": piece.sku or None, "count": piece.count, "line": line}


def _line(session: Session, number: int) -> dict[str, Any]:
    line = session.order.lines[number]
    return {
        "line": number + 1,
        "gtin": line.gtin or None,
        "sku": line.sku or None,
        "name": line.name or None,
        "expected": line.quantity,
        "received": session.received.get(number, 0),
        "wrong": session.wrong.get(number, 0),
        "state": session.line_state(number),
    }


def _is_odd(session: Session, number: int) -> bool:
    return session.line_state(number) != "received" or number in session.wrong


def _fill(numbers: Iterable[int], taken: set[int], count: int) -> list[int]:
    return [n for n in numbers if n not in taken][:count]
