"""What is told of things without a name: the content of the message, and what that looks like."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from agent.core.payload import rfc3339
from agent.core.sightings import listed
from agent.core.wire.schemas import COUNT, TIME, TIME_OR_NULL, message, object_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agent.core.sightings import Thing

THINGS_TOLD: Final = 20
"""Of things without a name, those most seen: 3 KB. `spotter unknown list` has the rest."""


def unknown_body(things: Sequence[Thing]) -> dict[str, Any]:
    """What is kept of things without a name.

    Raises:
        ValueError: a time that is no time.
    """
    return {
        "things": len(things),
        "seen": sum(thing.seen for thing in things),
        "since": rfc3339(min(thing.first_utc for thing in things)) if things else None,
        "most_seen": [thing_body(thing) for thing in listed(things)[:THINGS_TOLD]],
    }


def thing_body(thing: Thing) -> dict[str, Any]:
    """One of them."""
    return {
        "unknown": thing.id,
        "seen": thing.seen,
        "first": rfc3339(thing.first_utc),
        "last": rfc3339(thing.last_utc),
        "cameras": dict(sorted(thing.cameras.items())),
        "pictures": len(thing.pictures),
    }


def unknown() -> dict[str, Any]:
    """Things without a name."""
    thing = object_of(
        {
            "unknown": {"type": "integer", "minimum": 1, "description": "its number on this device"},
            "seen": {"type": "integer", "minimum": 1},
            "first": TIME,
            "last": TIME,
            "cameras": {
                "type": "object",
                "additionalProperties": {"type": "integer", "minimum": 1},
                "description": "camera → sightings",
            },
            "pictures": {**COUNT, "description": "kept of it; it can be enrolled where there are any"},
        }
    )
    return message(
        "unknown",
        "Things that were seen and are not in the catalogue, put together by what they look like. Retained.",
        {
            "things": COUNT,
            "seen": {**COUNT, "description": "sightings of all of them"},
            "since": {**TIME_OR_NULL, "description": "the first of these; null where there is none"},
            "most_seen": {"type": "array", "items": thing, "description": "the most seen first"},
        },
    )
