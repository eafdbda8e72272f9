"""What an EPCIS 2.0 event looks like: the part of the GS1 standard's JSON binding that a dock uses.

It is written from the standard (EPCIS 2.0, section 7.3, and CBV 2.0, section 7) and stricter than that: no
fields beside those that are made, and the words of the CBV that a dock can say.
"""

from __future__ import annotations

from typing import Any, Final

from agent.core.wire.schemas import NAME, TIME, fact, object_of

_URI: Final = {"type": "string", "pattern": r"^[a-z][a-z0-9+.-]*:\S+$"}
_DISPOSITION: Final = {
    "enum": ["in_progress", "unknown", "completeness_verified", "mismatch_quantity", "mismatch_class"]
}
_QUANTITIES: Final = {
    "type": "array",
    "minItems": 1,
    "items": {
        **object_of({"epcClass": _URI, "quantity": {"type": "number", "minimum": 0}}),
        "additionalProperties": False,
    },
}
_EPCS: Final = {"type": "array", "items": _URI, "minItems": 1, "uniqueItems": True}


def schema() -> dict[str, Any]:
    """The message: an event, and of which camera."""
    return fact(
        "epcis",
        "An EPCIS 2.0 event, with its context: what was received. `eventID` is its hash by CBV 2.0; an event "
        "that is taken back comes again with an `errorDeclaration`.",
        {"camera": NAME, "epcis": {"oneOf": [_object_event(), _aggregation_event()]}},
    )


def _object_event() -> dict[str, Any]:
    event = _event("ObjectEvent", {"epcList": _EPCS, "quantityList": _QUANTITIES})
    return {**event, "anyOf": [{"required": ["epcList"]}, {"required": ["quantityList"]}]}


def _aggregation_event() -> dict[str, Any]:
    event = _event("AggregationEvent", {"parentID": _URI, "childQuantityList": _QUANTITIES})
    return {**event, "required": [*event["required"], "parentID", "childQuantityList"]}


def _event(kind: str, which: dict[str, Any]) -> dict[str, Any]:
    needed = object_of(
        {
            "@context": {"type": "array", "items": _URI, "minItems": 1},
            "type": {"const": kind},
            "eventTime": TIME,
            "eventTimeZoneOffset": {"type": "string", "pattern": r"^[+-](0\d|1[0-3]):[0-5]\d$|^[+-]14:00$"},
            "eventID": {"type": "string", "pattern": r"^ni:///sha-256;[0-9a-f]{64}\?ver=CBV2\.0$"},
            "action": {"const": "OBSERVE"},
            "bizStep": {"const": "receiving"},
            "disposition": _DISPOSITION,
            "readPoint": {**object_of({"id": _URI}), "additionalProperties": False},
        }
    )
    deal = {**object_of({"type": {"const": "desadv"}, "bizTransaction": _URI}), "additionalProperties": False}
    reason = {"enum": ["did_not_occur", "incorrect_data"]}
    needed["properties"] |= {
        **which,
        "persistentDisposition": {
            **object_of({"set": {"type": "array", "items": _DISPOSITION, "minItems": 1}})
        },
        "bizTransactionList": {"type": "array", "items": deal, "minItems": 1},
        "errorDeclaration": {
            **object_of({"declarationTime": TIME, "reason": reason}),
            "additionalProperties": False,
        },
    }
    return {**needed, "additionalProperties": False}
