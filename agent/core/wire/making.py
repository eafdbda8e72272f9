"""How the events of applications become messages: by kind, one function each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from agent.core.topics import check_topic_part
from agent.core.wire.happenings import Told, happening, timed
from agent.core.wire.kiosk import kiosk_about, kiosk_body

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


def _kiosk(event: Event) -> Told:
    said = _plain(event)
    return Told(kiosk_body(said), {}, kiosk_about(event.camera, said, event.utc))


def _plain(event: Event) -> Mapping[str, Any]:
    body: Any = event.body
    return dict(body)


MAKERS: Final[dict[str, Callable[[Event], Told]]] = {
    "event": happening,
    "inbound": _inbound,
    "epcis": _epcis,
    "kiosk": _kiosk,
}
