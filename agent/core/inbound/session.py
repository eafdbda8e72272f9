"""A shipment that is received: counted against what is expected, until it is closed.

It can be written as plain data and read back, so that a count goes on after a restart.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal

from agent.core.inbound.naming import How, Lines
from agent.core.inbound.orders import Line, Order

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agent.core.inbound.naming import Named, Piece

ClosedBy = Literal["command", "timeout", "complete"]

CLOSINGS: Final = ("command", "timeout", "complete")
LINE_STATES: Final = ("open", "received", "short", "over")


@dataclass(slots=True)
class Session:
    """One shipment at one dock. The application changes it."""

    order: Order
    opened_utc: float
    active_utc: float  # when the last parcel came, or when it was opened
    closed_utc: float | None = None
    closed_by: str = ""
    received: dict[int, int] = field(default_factory=dict)  # number of a line → pieces
    wrong: dict[int, int] = field(default_factory=dict)  # … whose picture or second barcode says otherwise
    unexpected: dict[tuple[str, str], int] = field(default_factory=dict)  # GTIN, SKU → pieces
    labelled: dict[int, int] = field(default_factory=dict)  # number of a line → pieces that labels announce
    parcels: int = 0
    unnamed: int = 0  # parcels of which nothing is known
    conflicts: int = 0
    identities: set[str] = field(default_factory=set)  # of parcels that came, where they have one
    complete_utc: float | None = None  # since when everything is there
    lines: Lines = field(init=False)

    def __post_init__(self) -> None:
        self.lines = Lines(self.order.lines)

    @property
    def shipment(self) -> str:
        """Its name."""
        return self.order.shipment

    @property
    def is_open(self) -> bool:
        """Whether it still counts."""
        return self.closed_utc is None

    @property
    def complete(self) -> bool:
        """Whether of every line at least as much came as is expected."""
        return all(self.received.get(n, 0) >= line.quantity for n, line in enumerate(self.order.lines))

    @property
    def exact(self) -> bool:
        """Whether exactly what is expected came, and nothing is in doubt."""
        right = all(self.received.get(n, 0) == line.quantity for n, line in enumerate(self.order.lines))
        return right and not (self.wrong or self.unexpected or self.unnamed or self.conflicts)

    def count(self, named: Named, utc: float, *, times: int = 1) -> None:
        """Take a parcel in; `times=-1`: it went back."""
        self.parcels += times
        if times > 0:
            self.active_utc = utc
            if named.identity:
                self.identities.add(named.identity)
        else:
            self.identities.discard(named.identity)
        if named.how is How.NOTHING:
            self.unnamed += times
        if named.how is How.CONFLICT:
            self.conflicts += times
        for piece in named.pieces:
            self._count_piece(piece, piece.count * times, wrong=named.how is How.CONFLICT)
        self.complete_utc = (
            (self.complete_utc if self.complete_utc is not None else utc) if self.complete else None
        )

    def announce(self, piece: Piece, times: int = 1) -> None:
        """A label says that so many cartons come one by one."""
        if piece.line is not None:
            _add(self.labelled, piece.line, piece.count * times)

    def close(self, by: ClosedBy, utc: float) -> None:
        """It counts no longer."""
        self.closed_by, self.closed_utc = by, utc

    def line_state(self, number: int) -> str:
        """One of `LINE_STATES`."""
        expected, found = self.order.lines[number].quantity, self.received.get(number, 0)
        if found == expected:
            return "received"
        if found > expected:
            return "over"
        return "open" if self.is_open else "short"

    def miscounted(self) -> tuple[int, ...]:
        """Lines of which labels announce another number than came."""
        return tuple(sorted(n for n, told in self.labelled.items() if told != self.received.get(n, 0)))

    def _count_piece(self, piece: Piece, count: int, *, wrong: bool) -> None:
        if piece.line is None:
            if not wrong:
                # Named by a barcode or by a picture, it is one product.
                _add(self.unexpected, (piece.gtin, "" if piece.gtin else piece.sku), count)
        else:
            _add(self.wrong if wrong else self.received, piece.line, count)


def _add(to: dict[Any, int], key: Any, count: int) -> None:
    number = to.get(key, 0) + count
    if number:
        to[key] = number
    else:
        to.pop(key, None)


def plain(session: Session) -> dict[str, Any]:
    """As plain data."""
    order = session.order
    return {
        "shipment": order.shipment,
        "lines": [[line.gtin, line.sku, line.quantity, line.name, line.shown] for line in order.lines],
        "units": {unit: [list(pair) for pair in held] for unit, held in order.units.items()},
        "warnings": list(order.warnings),
        "opened": session.opened_utc,
        "active": session.active_utc,
        "closed": session.closed_utc,
        "closed_by": session.closed_by,
        "received": _pairs(session.received),
        "wrong": _pairs(session.wrong),
        "labelled": _pairs(session.labelled),
        "unexpected": [[*key, count] for key, count in sorted(session.unexpected.items())],
        "parcels": session.parcels,
        "unnamed": session.unnamed,
        "conflicts": session.conflicts,
        "identities": sorted(session.identities),
        "complete": session.complete_utc,
    }


def from_plain(data: Mapping[str, Any]) -> Session:
    """What `plain` made.

    Raises:
        ValueError, KeyError, TypeError: it is something else.
    """
    order = Order(
        str(data["shipment"]),
        tuple(
            Line(str(g), str(s), int(q), str(n), *map(bool, shown)) for g, s, q, n, *shown in data["lines"]
        ),
        {str(unit): tuple((int(n), int(c)) for n, c in held) for unit, held in data["units"].items()},
        tuple(str(warning) for warning in data["warnings"]),
    )
    session = Session(order, float(data["opened"]), float(data["active"]))
    session.closed_utc = None if data["closed"] is None else float(data["closed"])
    session.closed_by = str(data["closed_by"])
    for name in ("received", "wrong", "labelled"):
        setattr(session, name, {int(n): int(count) for n, count in data[name]})
    session.unexpected = {(str(g), str(s)): int(count) for g, s, count in data["unexpected"]}
    session.parcels, session.unnamed = int(data["parcels"]), int(data["unnamed"])
    session.conflicts = int(data["conflicts"])
    session.identities = {str(each) for each in data["identities"]}
    session.complete_utc = None if data["complete"] is None else float(data["complete"])
    return session


def _pairs(counts: Mapping[int, int]) -> list[list[int]]:
    return [[number, count] for number, count in sorted(counts.items())]
