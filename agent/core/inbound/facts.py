"""What a dock tells: facts about parcels and shipments, and how a shipment stands, as events."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from agent.core.inbound.epcis import taken_back
from agent.core.inbound.naming import How
from agent.core.inbound.report import parcel_report, report
from agent.core.types import Event

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agent.core.inbound.epcis import Keeper
    from agent.core.inbound.naming import Named
    from agent.core.inbound.parcels import Parcel
    from agent.core.inbound.session import Session

PARCEL: Final = "parcel"
FACTS: Final = {
    PARCEL: "a parcel came in, once for each",
    "returned": "a parcel that came in went back: its `parcel` counts no longer",
    "duplicate": "a parcel with the SSCC or serial number of one that came before; it is not counted",
    "conflict": "barcode and picture, or two barcodes, name different products; it is not received",
    "unexpected": "a parcel of a product that nobody announced",
    "over": "more of a product came than was announced",
    "count_mismatch": "a label says another number of pieces than was announced, or than passed",
    "enrol_offer": "a known barcode on something that the catalogue has no picture of",
    "shipment_opened": "a shipment is received from now on",
    "shipment_closed": "it is received no longer; the result is on its own topic",
}
"""Name → what it says."""


class Teller:
    """Makes the events of one dock at one moment."""

    def __init__(self, camera: str, at: float, utc: float, keeper: Keeper | None = None) -> None:
        """`at` s, monotonic; `utc` s, Unix; `keeper`: makes EPCIS events, where they are wanted."""
        self._camera = camera
        self._keeper = keeper
        self._at = at
        self._utc = utc

    def fact(self, what: str, shipment: str, **body: Any) -> Event:
        """One of `FACTS`."""
        return self._event("event", {"event": what, "shipment": shipment or None, **body})

    def about(self, what: str, shipment: str, parcel: Parcel, named: Named, **body: Any) -> Event:
        """One of `FACTS`, of a parcel."""
        return self.fact(what, shipment, **parcel_report(parcel, named), **body)

    def state(self, session: Session) -> Event:
        """How a shipment stands."""
        return self._event("inbound", report(session))

    def gone(self, shipment: str) -> Event:
        """Nothing is told of a shipment any more."""
        return self._event("gone", {"kind": "inbound", "shipment": shipment})

    def doubts(self, parcel: Parcel, named: Named, session: Session | None) -> Iterator[Event]:
        """What is odd about a parcel that was counted."""
        shipment = session.shipment if session is not None else ""
        if named.how is How.CONFLICT:
            yield self.about("conflict", shipment, parcel, named)
        if named.labelled and named.packed and named.labelled != named.packed:
            yield self.about(
                "count_mismatch", shipment, parcel, named, labelled=named.labelled, counted=named.packed
            )
        if session is not None and named.how is not How.CONFLICT:
            if any(piece.line is None for piece in named.pieces):
                yield self.about("unexpected", shipment, parcel, named)
            for line in sorted({piece.line for piece in named.pieces if piece.line is not None}):
                if session.line_state(line) == "over":
                    yield self.about("over", shipment, parcel, named, line=line + 1)
        if named.how is How.CODE and named.unknown:
            yield self.about("enrol_offer", shipment, parcel, named)

    def kept(self, named: Named, shipment: str, passed_utc: float) -> Iterator[Event]:
        """A parcel that was counted, for keepers of events."""
        for event in self._keeper.parcel(named, shipment, passed_utc) if self._keeper else ():
            yield self._epcis(event)

    def kept_back(self, named: Named, shipment: str, passed_utc: float) -> Iterator[Event]:
        """The same, taken back."""
        for event in self._keeper.parcel(named, shipment, passed_utc) if self._keeper else ():
            yield self._epcis(taken_back(event, self._utc))

    def kept_result(self, session: Session) -> Iterator[Event]:
        """A shipment that was closed, for keepers of events."""
        for event in self._keeper.closed(session, self._utc) if self._keeper else ():
            yield self._epcis(event)

    def miscounted(self, session: Session) -> Iterator[Event]:
        """Lines of which labels announced another number than passed."""
        for number in session.miscounted():
            told, counted = session.labelled[number], session.received.get(number, 0)
            yield self.fact(
                "count_mismatch", session.shipment, line=number + 1, labelled=told, counted=counted
            )

    def opened(self, session: Session) -> Event:
        """A shipment is received from now on."""
        return self.fact("shipment_opened", session.shipment, sums=_sums(session))

    def closed(self, session: Session) -> Event:
        """It is received no longer."""
        return self.fact(
            "shipment_closed", session.shipment, closed_by=session.closed_by, sums=_sums(session)
        )

    def _epcis(self, event: dict[str, Any]) -> Event:
        back = "back" if "errorDeclaration" in event else ""
        return self._event("epcis", {"identity": f"{event['eventID']}{back}", "epcis": event})

    def _event(self, kind: str, body: dict[str, Any]) -> Event:
        return Event(kind, self._camera, self._at, self._utc, body)


def _sums(session: Session) -> dict[str, int]:
    """A shipment in four numbers."""
    return {
        "lines": len(session.order.lines),
        "expected": sum(line.quantity for line in session.order.lines),
        "received": sum(session.received.values()),
        "parcels": session.parcels,
    }
