"""What each payload looks like, as JSON Schema 2020-12.

Readers of today must bear keys of tomorrow, so additional properties are allowed.
"""

from __future__ import annotations

from typing import Any, Final

from agent.core.losses import Cause

SCHEMA: Final = 1
"""Version of all payloads together. A change that old readers would misunderstand raises it."""

HEALTHS: Final = ("ok", "degraded", "failed")
CAMERA_STATES: Final = ("online", "offline", "stalled", "paused")
SINKS: Final = ("broker", "webhook")

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"

TEXT: Final = {"type": "string"}
NAME: Final = {"type": "string", "minLength": 1}
NAME_OR_NULL: Final = {"type": ["string", "null"], "minLength": 1}
COUNT: Final = {"type": "integer", "minimum": 0}
_COSINE: Final = {"type": "number", "minimum": -1, "maximum": 1}
PROBABILITY: Final = {"type": "number", "minimum": 0, "maximum": 1}
TIME: Final = {
    "type": "string",
    "format": "date-time",
    "pattern": r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z$",
    "description": "RFC 3339, UTC, milliseconds",
}
TIME_OR_NULL: Final = {"anyOf": [TIME, {"type": "null"}]}
_IDENTITY: Final = {
    "type": "string",
    "pattern": "^[0-9a-f]{32}$",
    "description": "same recording, same id: a second delivery can be told from a second fact",
}


def availability() -> dict[str, Any]:
    """Bare text."""
    return {
        "$schema": DIALECT,
        "title": "availability",
        "description": "Bare text, not JSON. `offline` is also the last will. Retained.",
        "type": "string",
        "enum": ["online", "offline"],
    }


def command_result() -> dict[str, Any]:
    """What came of a command."""
    schema = message(
        "command result",
        "What came of a command: on the response topic of MQTT 5, else here. Not retained.",
        {
            "id": {**NAME_OR_NULL, "description": "of the request; null where it could not be read"},
            "command": NAME,
            "ok": {"type": "boolean"},
            "error": {**TEXT, "description": "why it was not done; empty when it was"},
            "result": {"type": "object", "description": "depends on the command; empty when it was not done"},
        },
    )
    del schema["properties"]["time"]  # so that a repeated request is answered by the same bytes
    schema["required"].remove("time")
    return schema


def message(title: str, description: str, properties: dict[str, Any]) -> dict[str, Any]:
    """A message with what all of them have."""
    head = {
        "schema": {"const": SCHEMA, "description": "version of all payloads together"},
        "site": NAME,
        "device": NAME,
        "time": TIME,
    }
    schema = object_of({**head, **properties})
    return {
        "$schema": DIALECT,
        "title": title,
        "description": description,
        **schema,
    }


def fact(title: str, description: str, properties: dict[str, Any]) -> dict[str, Any]:
    """A message that waits until the broker has it."""
    schema = message(title, description, {"id": _IDENTITY, **properties})
    schema["properties"] |= {
        "late": {"const": True, "description": "it had to wait; absent when it was told at once"},
        "sent": {**TIME, "description": "when it was sent, beside `late`"},
    }
    return schema


def object_of(properties: dict[str, Any]) -> dict[str, Any]:
    """An object of which every property is required."""
    return {"type": "object", "properties": properties, "required": sorted(properties)}


def info() -> dict[str, Any]:
    """What runs."""
    return message(
        "info",
        "What runs on the device. Retained.",
        {
            "versions": {"type": "object", "additionalProperties": TEXT},
            "model": {**NAME_OR_NULL, "description": "null while there is none"},
            "release": {**NAME_OR_NULL, "description": "of the catalogue in use; null while there is none"},
            "capabilities": {"type": "array", "items": NAME, "uniqueItems": True},
            "identified": {
                **TIME_OR_NULL,
                "description": "when the command `identify` last asked which device this is",
            },
        },
    )


def health() -> dict[str, Any]:
    """How the device is."""
    cause = object_of({"part": NAME, "reason": TEXT})
    return message(
        "health",
        "How the device is. Retained.",
        {"state": {"enum": list(HEALTHS)}, "causes": {"type": "array", "items": cause}},
    )


def index() -> dict[str, Any]:
    """The catalogue in use."""
    return message(
        "index",
        "The catalogue that the device recognises with, and how syncing it stands. Retained.",
        {
            "release": {**NAME_OR_NULL, "description": "id of the catalogue; null while there is none"},
            "model": {**NAME_OR_NULL, "description": "that made its vectors"},
            "channel": {
                **NAME_OR_NULL,
                "description": "null when it did not come by sync; number is 0 then",
            },
            "number": {**COUNT, "description": "of the release within its channel"},
            "products": COUNT,
            "references": COUNT,
            "size_bytes": {**COUNT, "description": "on disk"},
            "last_sync": {**TIME_OR_NULL, "description": "when it was last known to be up to date"},
            "last_sync_bytes": {**COUNT, "description": "sent and received in the last round, without TLS"},
            "last_sync_result": {
                "enum": [None, "unchanged", "taken", "waiting", "failed"],
                "description": "what came of the last round; null before the first",
            },
            "next_poll": {**TIME_OR_NULL, "description": "null without sync"},
            "learned": {
                **object_of(dict.fromkeys(("references", "products", "forgotten", "taken"), COUNT)),
                "description": "by the device itself: pictures that count beside the catalogue, their "
                "products, products that do not count, and what the catalogue has taken in",
            },
            "note": {**TEXT, "description": "why a release is not taken although nothing is wrong"},
            "error": {**TEXT, "description": "empty when nothing is wrong"},
        },
    )


def metrics() -> dict[str, Any]:
    """Numbers."""
    return message(
        "metrics",
        "Numbers of the running daemon, now and then. Not retained, QoS 0: the next ones come soon.",
        {
            "uptime_s": {"type": "number", "minimum": 0, "description": "since the daemon started"},
            "values": {
                "type": "object",
                "additionalProperties": {"type": "number"},
                "description": "name → number; counters count from the start of the daemon, the unit stands "
                "at the end of the name, the camera behind it",
            },
        },
    )


def camera_status() -> dict[str, Any]:
    """One camera."""
    return message(
        "camera status",
        "Whether pictures come from a camera. Retained.",
        {
            "camera": NAME,
            "state": {"enum": list(CAMERA_STATES)},
            "reason": {**TEXT, "description": "empty when online"},
        },
    )


def recognition() -> dict[str, Any]:
    """A fact about one track."""
    weight = object_of({"source": NAME, "log_odds": {"type": "number", "description": "natural logarithm"}})
    option = object_of(
        {
            "sku": NAME,
            "name": NAME_OR_NULL,
            "similarity": _COSINE,
            "probability": PROBABILITY,
            "reference": {**TEXT, "description": "path of the nearest picture in the product folder"},
            "clues": {
                "type": "array",
                "items": weight,
                "description": "what else counted for it, or against it",
            },
        }
    )
    return fact(
        "recognition",
        "What is known of one thing followed over frames, when that is new, has changed, or it went away.",
        {
            "camera": NAME,
            "track": NAME,
            "phase": {"enum": ["new", "update", "end"]},
            "revision": {**COUNT, "description": "counts up within the track, 0 for new"},
            "verdict": {"enum": ["known", "ambiguous", "unknown"]},
            "sku": {**NAME_OR_NULL, "description": "null unless known; so gtin and name"},
            "gtin": {"type": ["string", "null"], "pattern": r"^\d{14}$"},
            "name": NAME_OR_NULL,
            "probability": {**PROBABILITY, "description": "that the best option is right"},
            "similarity": {**_COSINE, "description": "of the best option; -1 without options"},
            "margin": {
                "type": "number",
                "description": "similarity above that of the next product",
            },
            "false_accept": {
                **PROBABILITY,
                "description": "the least `decision.false_accept` at which the best option would be named",
            },
            "looks": {**COUNT, "description": "frames in which the thing was looked at"},
            "independent_looks": {
                "type": "number",
                "minimum": 0,
                "description": "what the latest looks are worth: those that are alike say the same",
            },
            "evidence": {
                "type": "array",
                "items": weight,
                "description": "what counted how much for the best option: that most things are known, "
                "the pictures, what they lack where they are small or blurred, other clues, and that it is "
                "not one of its rivals",
            },
            "reason": {**TEXT, "description": "why it is not known; empty when it is"},
            "box": {
                "type": "array",
                "items": {"type": "integer"},
                "minItems": 4,
                "maxItems": 4,
                "description": "x1 y1 x2 y2, pixels of the frame, half open",
            },
            "region": {**TEXT, "description": "name of the configured region; empty for a proposed one"},
            "options": {"type": "array", "items": option, "description": "products weighed, best first"},
            "release": {**NAME_OR_NULL, "description": "of the catalogue that answered"},
            "first_seen": TIME,
            "seen_s": {"type": "number", "minimum": 0, "description": "seconds since it was first seen"},
        },
    )


def lost() -> dict[str, Any]:
    """Facts that were given up."""
    return fact(
        "lost",
        "Facts that were dropped before they could be sent: the sum of all counts is what a reader misses.",
        {
            "to": {"enum": list(SINKS), "description": "whose readers miss them"},
            "topic": {**NAME_OR_NULL, "description": "that they would have gone to; null: nobody knows"},
            "kind": {**NAME_OR_NULL, "description": "of message"},
            "cause": {"enum": [cause.value for cause in Cause]},
            "count": {"type": ["integer", "null"], "minimum": 1, "description": "null: nobody knows"},
            "first": {**TIME_OR_NULL, "description": "when the earliest of them happened"},
            "last": {**TIME_OR_NULL, "description": "when the latest of them happened"},
        },
    )
