"""The table of what a device says: for each kind of message its topic, how it is sent, and its schema.

A new kind is one entry here, one schema, and one method of `Wire` that makes it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from agent.core.topics import RESERVED_CAMERAS
from agent.core.wire import epcis, happenings, inbound, shelf
from agent.core.wire import schemas as describe
from agent.core.wire.kiosk import kiosk
from agent.core.wire.things import unknown

if TYPE_CHECKING:
    from collections.abc import Sequence

COMMAND: Final = "command"
"""The level below which commands are sent to a device."""

RESULT: Final = "result"
"""The level below a command where its answer goes when nobody said where to."""

_LEVELS: Final = {"{camera}": (1,), "{command}": (1, 2), "{shipment}": (1,), "{slot}": (1,)}
"""How many levels a parameter stands for: commands may be grouped, as `shipment/open` is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """One kind of message."""

    kind: str
    address: str  # below the root of the device; `{camera}` and `{command}` stand for levels
    retain: bool
    schema: dict[str, Any]  # of its content, see `core.payload.content`
    qos: int = 1
    content_type: str = "application/json"
    expiry_s: int = 0  # s from its making until nobody wants it any more; 0: never
    event: bool = True  # whether it is a CloudEvent where these are wanted

    def matches(self, levels: Sequence[str]) -> bool:
        """Whether a topic with these levels below the root is of this kind."""
        return _matches(self.address.split("/"), levels)


def _matches(pattern: Sequence[str], levels: Sequence[str]) -> bool:
    if not pattern or not levels:
        return not pattern and not levels
    head, rest = pattern[0], pattern[1:]
    if head == "{camera}" and levels[0] in RESERVED_CAMERAS:
        return False
    counts = _LEVELS.get(head, (1,) if head == levels[0] else ())
    return any(len(levels) >= count and _matches(rest, levels[count:]) for count in counts)


METRICS_EXPIRY_S: Final = 300
ANSWER_EXPIRY_S: Final = 600
"""Numbers of five minutes ago are no longer those of now, and who asked ten minutes ago has asked again."""

_ALL: Final = (
    Definition(
        kind="availability",
        address="availability",
        retain=True,
        schema=describe.availability(),
        content_type="text/plain",
        event=False,  # a broker sends the last will long after it was written, as it was written
    ),
    Definition(kind="info", address="info", retain=True, schema=describe.info()),
    Definition(kind="health", address="health", retain=True, schema=describe.health()),
    Definition(kind="index", address="index", retain=True, schema=describe.index()),
    Definition(
        kind="metrics",
        address="metrics",
        retain=False,
        qos=0,
        schema=describe.metrics(),
        expiry_s=METRICS_EXPIRY_S,
    ),
    Definition(kind="unknown", address="unknown", retain=True, schema=unknown()),
    Definition(kind="lost", address="lost", retain=False, schema=describe.lost()),
    Definition(
        kind="command_result",
        address=f"{COMMAND}/{{command}}/{RESULT}",
        retain=False,
        schema=describe.command_result(),
        expiry_s=ANSWER_EXPIRY_S,
        event=False,  # nothing happened: somebody asked
    ),
    Definition(kind="camera_status", address="{camera}/status", retain=True, schema=describe.camera_status()),
    Definition(
        kind="recognition", address="{camera}/recognition", retain=False, schema=describe.recognition()
    ),
    Definition(kind="kiosk", address="{camera}/kiosk", retain=False, schema=kiosk()),
    Definition(kind="event", address="{camera}/event", retain=False, schema=happenings.schema()),
    Definition(kind="shelf", address="{camera}/shelf", retain=True, schema=shelf.bay()),
    Definition(kind="shelf_slot", address="{camera}/shelf/{slot}", retain=True, schema=shelf.slot()),
    Definition(kind="inbound", address="{camera}/inbound/{shipment}", retain=True, schema=inbound.shipment()),
    Definition(kind="epcis", address="{camera}/epcis", retain=False, schema=epcis.schema()),
)

DEFINITIONS: Final[dict[str, Definition]] = {each.kind: each for each in _ALL}
"""By kind."""


def schemas() -> dict[str, dict[str, Any]]:
    """Kind of message (see `Wire.kind`) → JSON Schema of its content (see `core.payload.content`)."""
    return {kind: each.schema for kind, each in DEFINITIONS.items()}


def kind_of(below: str) -> str:
    """Which kind of message goes to a topic, given what stands below the root; empty for none."""
    levels = below.split("/")
    return next((kind for kind, each in DEFINITIONS.items() if each.matches(levels)), "")
