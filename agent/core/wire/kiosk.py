"""What is told of a kiosk: the content of the message, and what that looks like. Never a picture."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from agent.core.wire.schemas import fact, object_of

if TYPE_CHECKING:
    from collections.abc import Mapping

OFFERED: Final = 16
"""Products of a list that are told of."""


def kiosk_body(said: Mapping[str, Any]) -> dict[str, Any]:
    """All of it but its id, its camera and what every message has. `said`: as `apps.kiosk` makes it."""
    product, held_s = said["product"], said["held_s"]
    return {
        "asked": said["asked"],
        "text": said["text"] or None,
        "answer": said["answer"],
        "track": said["track"] or None,
        "sku": product["sku"] if product else None,
        "gtin": (product["gtin"] or None) if product else None,
        "name": (product["name"] or None) if product else None,
        "options": [_option(each) for each in said["options"]],
        "held_s": None if held_s is None else round(float(held_s), 3),
    }


def kiosk_about(camera: str, said: Mapping[str, Any], utc: float) -> tuple[str, ...]:
    """What tells one of them from every other of the device."""
    sku = said["product"]["sku"] if said["product"] else ""
    moment = str(round(utc * 1000))
    return "kiosk", camera, said["asked"], said["answer"], said["track"], sku, said["text"], moment


def _option(option: Mapping[str, Any]) -> dict[str, Any]:
    probability = option["probability"]
    return {
        "sku": option["sku"],
        "name": option["name"] or None,
        "probability": None if probability is None else round(float(probability), 4) + 0.0,
    }


def kiosk() -> dict[str, Any]:
    """What was asked at a kiosk, and what it answered."""
    name = {"type": "string", "minLength": 1}
    name_or_null = {"type": ["string", "null"], "minLength": 1}
    option = object_of(
        {
            "sku": name,
            "name": {**name_or_null, "description": "null also where only what was listed is told"},
            "probability": {
                "type": ["number", "null"],
                "minimum": 0,
                "maximum": 1,
                "description": "null where words found it",
            },
        }
    )
    return fact(
        "kiosk",
        "What somebody asked at a kiosk, by holding a thing up or by typing, and what came of it.",
        {
            "camera": name,
            "asked": {"enum": ["item", "text"]},
            "text": {**name_or_null, "description": "that was typed; null where an item was held up"},
            "answer": {
                "enum": ["known", "ambiguous", "unknown", "chosen", "left"],
                "description": "of an item; `chosen`: somebody picked one of the options, `left`: none",
            },
            "track": {**name_or_null, "description": "as on /recognition; null where text was typed"},
            "sku": {**name_or_null, "description": "answered or chosen; null for neither; so gtin and name"},
            "gtin": {"type": ["string", "null"], "pattern": r"^\d{14}$"},
            "name": name_or_null,
            "options": {
                "type": "array",
                "items": option,
                "maxItems": OFFERED,
                "description": "products shown, best first",
            },
            "held_s": {
                "type": ["number", "null"],
                "minimum": 0,
                "description": "seconds from when the item was held still to the answer; null for a choice",
            },
        },
    )
