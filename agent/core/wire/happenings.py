"""What applications say happened: facts with a name, and states of their own, made of plain data.

In their bodies a time is a key that ends in `_utc`, Unix seconds or None; on the wire it is RFC 3339, and the
key ends there: `{"since_utc": 0.5}` → `{"since": "1970-01-01T00:00:00.500Z"}`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from agent.core.inbound.facts import FACTS
from agent.core.payload import rfc3339
from agent.core.wire.schemas import NAME, fact

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agent.core.types import Event


@dataclass(frozen=True, slots=True)
class Told:
    """A message in the making."""

    body: dict[str, Any]
    levels: dict[str, str]  # of its topic, beside that of the camera
    identity: tuple[str, ...] = ()  # what makes it another fact; empty: its bytes do


def happening(event: Event) -> Told:
    """A fact `{camera}/event`: the same thing at the same moment is the same fact.

    Raises:
        ValueError: the body names no event.
    """
    body: Any = event.body
    if not body.get("event"):
        raise ValueError("event: expected a body with the name of the event, found none")
    about = tuple(str(body[key]) for key in ("slot", "shipment", "parcel", "line") if key in body)
    identity = ("event", event.camera, str(body["event"]), *about, str(round(event.utc * 1000)))
    return Told(timed(body), {}, identity)


def timed(body: Mapping[str, Any]) -> dict[str, Any]:
    """The body as it goes on the wire. Raises ValueError for a time that is none."""
    return {_key(key): _value(key, value) for key, value in body.items()}


def schema() -> dict[str, Any]:
    """Of `{camera}/event`."""
    return fact(
        "event",
        "Something happened before a camera. What else is said depends on the event.",
        {
            "camera": NAME,
            "event": {
                **NAME,
                "description": "shelf: out_of_stock, out_of_stock_alert, restocked, misplaced, corrected, "
                "compliance, camera_moved, camera_back, camera_accepted; inbound: " + ", ".join(FACTS),
            },
        },
    )


def _key(key: str) -> str:
    return key.removesuffix("_utc")


def _value(key: str, value: Any) -> Any:
    if key.endswith("_utc"):
        return None if value is None else rfc3339(value)
    if isinstance(value, dict):
        return timed(value)
    if isinstance(value, list):
        return [timed(each) if isinstance(each, dict) else each for each in value]
    return value
