"""EPCIS 2.0 events (GS1, JSON-LD binding), and the identity that an event has by what it says.

The identity is the hash of CBV 2.0, section 8.9: the event's fields as `name=value`, one after the other
without anything between, in the order of the standard, lists sorted, words of the CBV written out as web
addresses; of that SHA-256, as `ni:///sha-256;…?ver=CBV2.0`. When it was recorded, its identity and an error
declaration are not part of it: an event that is taken back keeps its identity.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from agent.core.gs1 import digital_link
from agent.core.inbound.naming import How
from agent.core.payload import rfc3339

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from agent.core.inbound.naming import Named
    from agent.core.inbound.session import Session

CONTEXT: Final = "https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld"
CBV: Final = "https://ref.gs1.org/cbv/"
QUANTITIES_LIMIT: Final = 1_000
"""Products of one event, 80 bytes each: a shipment with more of them is verified in several."""

_WORDS: Final = {
    "bizStep": "BizStep-",
    "disposition": "Disp-",
    "set": "Disp-",
    "unset": "Disp-",
    "type": "BTT-",
}


@dataclass(frozen=True, slots=True)
class Keeper:
    """Makes the events of one read point."""

    place: str  # URI of where parcels are read
    device: str  # URI below which shipments are named

    def parcel(self, named: Named, shipment: str, utc: float) -> Iterator[dict[str, Any]]:
        """What was received with one parcel; nothing where it has no number of GS1."""
        doubt = named.how is How.CONFLICT
        if named.sscc:
            which: dict[str, Any] = {"epcList": [digital_link(("00", named.sscc))]}
        elif named.gtin and named.serial:
            which = {"epcList": [digital_link(("01", named.gtin), ("21", named.serial))]}
        else:
            which = _listed("quantityList", _amounts(named))
        if which:
            disposition = "mismatch_class" if doubt else "in_progress"
            yield self._event("ObjectEvent", utc, shipment, which, disposition)
        inside = _listed("childQuantityList", _amounts(named))
        if named.sscc and inside:
            odd = bool(named.labelled and named.packed and named.labelled != named.packed)
            disposition = "mismatch_class" if doubt else "mismatch_quantity" if odd else "in_progress"
            parent = {"parentID": digital_link(("00", named.sscc)), **inside}
            yield self._event("AggregationEvent", utc, shipment, parent, disposition)

    def closed(self, session: Session, utc: float) -> Iterator[dict[str, Any]]:
        """That a shipment was counted, and whether it is as announced."""
        lines = range(len(session.order.lines))
        wrong_number = any(session.line_state(n) in ("short", "over") for n in lines)
        wrong_kind = bool(session.unexpected or session.wrong or session.conflicts)
        words = [
            word
            for word, holds in (
                ("completeness_verified", not wrong_number and not wrong_kind and not session.unnamed),
                ("mismatch_quantity", wrong_number),
                ("mismatch_class", wrong_kind),
            )
            if holds
        ]
        amounts = [
            (line.gtin, session.received.get(n, 0)) for n, line in enumerate(session.order.lines) if line.gtin
        ]
        amounts += [(gtin, count) for (gtin, _), count in sorted(session.unexpected.items()) if gtin]
        for start in range(0, len(amounts), QUANTITIES_LIMIT):
            which = _listed("quantityList", amounts[start : start + QUANTITIES_LIMIT])
            # A parcel of which nothing is known is no mismatch of a kind: what it is remains open.
            more = {"persistentDisposition": {"set": words}} if words else {}
            yield self._event(
                "ObjectEvent", utc, session.shipment, which, words[0] if words else "unknown", more
            )

    def _event(
        self,
        kind: str,
        utc: float,
        shipment: str,
        which: Mapping[str, Any],
        disposition: str,
        more: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        event: dict[str, Any] = {
            "@context": [CONTEXT],
            "type": kind,
            "eventTime": rfc3339(utc),
            "eventTimeZoneOffset": "+00:00",
            **which,
            "action": "OBSERVE",
            "bizStep": "receiving",
            "disposition": disposition,
            **(more or {}),
            "readPoint": {"id": self.place},
        }
        if shipment:
            event["bizTransactionList"] = [
                {"type": "desadv", "bizTransaction": uri(self.device, "shipment", shipment)}
            ]
        event["eventID"] = event_id(event)
        return event


def uri(*names: str) -> str:
    """Names that are nobody else's, as one URN: `uri("urn:x-spotter", "berlin 12")`."""
    head, *rest = names
    return ":".join([head, *(quote(name, safe="-._~") for name in rest)])


def taken_back(event: Mapping[str, Any], utc: float) -> dict[str, Any]:
    """The same event, declared not to have happened."""
    return {**event, "errorDeclaration": {"declarationTime": rfc3339(utc), "reason": "did_not_occur"}}


def document(events: Iterable[Mapping[str, Any]], utc: float) -> dict[str, Any]:
    """An EPCISDocument, as a file or a capture interface has it."""
    plain = [{key: value for key, value in event.items() if key != "@context"} for event in events]
    return {
        "@context": [CONTEXT],
        "type": "EPCISDocument",
        "schemaVersion": "2.0",
        "creationDate": rfc3339(utc),
        "epcisBody": {"eventList": plain},
    }


def event_id(event: Mapping[str, Any]) -> str:
    """The identity of an event of the kinds that are made here."""
    digest = hashlib.sha256(canonical(event).encode()).hexdigest()
    return f"ni:///sha-256;{digest}?ver=CBV2.0"


def canonical(event: Mapping[str, Any]) -> str:
    """What the identity is the hash of."""
    parts = [f"eventType={event['type']}", f"eventTime={event['eventTime']}"]
    parts.append(f"eventTimeZoneOffset={event['eventTimeZoneOffset']}")
    if "parentID" in event:
        parts.append(f"parentID={event['parentID']}")
    if "epcList" in event:
        parts.append("epcList" + "".join(sorted(f"epc={epc}" for epc in event["epcList"])))
    parts += [
        name + "".join(sorted(_quantity(each) for each in event[name]))
        for name in ("quantityList", "childQuantityList")
        if name in event
    ]
    parts += [
        f"{name}={_word(name, event[name])}" for name in ("action", "bizStep", "disposition") if name in event
    ]
    lasting = event.get("persistentDisposition", {})
    words = "".join(
        "".join(sorted(f"{name}={_word(name, word)}" for word in lasting[name]))
        for name in ("set", "unset")
        if name in lasting
    )
    if words:
        parts.append(f"persistentDisposition{words}")
    parts += [f"{name}id={event[name]['id']}" for name in ("readPoint", "bizLocation") if name in event]
    if event.get("bizTransactionList"):
        each = (
            f"type={_word('type', t['type'])}bizTransaction={t['bizTransaction']}"
            for t in event["bizTransactionList"]
        )
        parts.append("bizTransactionList" + "".join(sorted(each)))
    return "".join(parts)


def _word(name: str, word: str) -> str:
    head = _WORDS.get(name)
    return f"{CBV}{head}{word}" if head and ":" not in word else word


def _quantity(element: Mapping[str, Any]) -> str:
    return f"quantityElementepcClass={element['epcClass']}quantity={element['quantity']}"


def _amounts(named: Named) -> list[tuple[str, int]]:
    return [(piece.gtin, piece.count) for piece in named.pieces if piece.gtin]


def _listed(name: str, amounts: Iterable[tuple[str, int]]) -> dict[str, Any]:
    found = [{"epcClass": digital_link(("01", gtin)), "quantity": count} for gtin, count in amounts]
    return {name: found} if found else {}
