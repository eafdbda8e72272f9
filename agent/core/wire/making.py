"""How the events of applications become messages: by kind, one function each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from agent.core.topics import check_topic_part
from agent.core.wire.happenings import Told, happening, timed
from agent.core.wire.kiosk import kiosk_about, kiosk_body
from agent.core.wire.shelf import rounded

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from agent.core.types import Event


def _inbound(event: Event) -> Told:
    body = timed(_plain(event))
    check_topic_part("shipment", body["shipment"])
    return Told(body, {"shipment": body["shipment"]})


def _epcis(event: Event) -> Told:
    """An event of EPCIS has an identity of its own, and what is told of it is what it says."""
    body = _plain(event)
    return Told({"epcis": body["epcis"]}, {}, ("epcis", event.camera, str(body["identity"])))


def _shelf(event: Event) -> Told:
    return Told(rounded(timed(_plain(event))), {})


def _shelf_slot(event: Event) -> Told:
    body = _plain(event)
    check_topic_part("slot", body["slot"])
    return Told(rounded(timed(body)), {"slot": body["slot"]})


def _happening(event: Event) -> Told:
    told = happening(event)
    return Told(rounded(told.body), told.levels, told.identity)


def _kiosk(event: Event) -> Told:
    said = _plain(event)
    return Told(kiosk_body(said), {}, kiosk_about(event.camera, said, event.utc))


def _plain(event: Event) -> Mapping[str, Any]:
    body: Any = event.body
    return dict(body)


MAKERS: Final[dict[str, Callable[[Event], Told]]] = {
    "event": _happening,
    "shelf": _shelf,
    "shelf_slot": _shelf_slot,
    "inbound": _inbound,
    "epcis": _epcis,
    "kiosk": _kiosk,
}
