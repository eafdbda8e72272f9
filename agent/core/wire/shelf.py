"""What is told of a shelf: its slots, and the bay they make up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from agent.core.slot_state import SlotState
from agent.core.wire.schemas import (
    COUNT,
    NAME,
    NAME_OR_NULL,
    PROBABILITY,
    TEXT,
    TIME_OR_NULL,
    message,
    object_of,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

_STATES: Final = [state.value for state in SlotState]
_SECONDS: Final = {"type": "number", "minimum": 0}
_SHARES: Final = {"type": "object", "additionalProperties": PROBABILITY}


def slot() -> dict[str, Any]:
    """One slot."""
    found = {"anyOf": [object_of({"sku": NAME, "name": NAME_OR_NULL}), {"type": "null"}]}
    measured = object_of({"source": NAME, "value": {"type": "number"}})
    return message(
        "shelf slot",
        "What a slot of a shelf shows, against its planogram. Retained.",
        {
            "camera": NAME,
            "slot": NAME,
            "sku": {**NAME, "description": "that belongs there"},
            "state": {"enum": _STATES},
            "standing": {
                "enum": _STATES,
                "description": "what was last seen of it, also while it is blocked or cannot be seen",
            },
            "since": {**TIME_OR_NULL, "description": "when the state began"},
            "found": {**found, "description": "the product that stands there, where it is known"},
            "facings": object_of({"seen": COUNT, "planned": COUNT, "minimum": COUNT}),
            "low": {"type": "boolean", "description": "fewer facings than the minimum, but some"},
            "probability": {**PROBABILITY, "description": "of the state; 0 where it cannot be seen"},
            "evidence": {
                "type": "array",
                "items": measured,
                "description": "recognised: probability of the product; similarity; unlike_empty, "
                "unlike_other_empty, unlike_stocked: share of the slot that looks otherwise than empty, than "
                "another empty place, than when its product was named; texture: by that of goods",
            },
            "reason": {**TEXT, "description": "why the state is unknown; empty when it is not"},
            "first_seen_empty": {**TIME_OR_NULL, "description": "null unless out of stock"},
            "last_seen_full": TIME_OR_NULL,
            "out_of_stock_s": {
                **_SECONDS,
                "description": "so far, as of `time`; time that nobody saw is left out",
            },
            "alert": {"type": "boolean", "description": "out of stock for longer than `alert_after_s`"},
        },
    )


def bay() -> dict[str, Any]:
    """All slots of a camera together."""
    missing = object_of({"slot": NAME, "sku": NAME, "since": TIME_OR_NULL})
    misplaced = object_of({"slot": NAME, "sku": NAME, "found": NAME})
    counts = {state.value: COUNT for state in SlotState if state is not SlotState.BLOCKED}
    return message(
        "shelf",
        "How much of a bay is as its planogram says. Retained.",
        {
            "camera": NAME,
            "bay": TEXT,
            "slots": COUNT,
            **counts,
            "share_correct": {
                "anyOf": [PROBABILITY, {"type": "null"}],
                "description": "of the slots that are correct, wrong or empty; null while none is known",
            },
            "facings": object_of({"seen": COUNT, "planned": COUNT}),
            "brands": {**_SHARES, "description": "share of the shelf: of the facings that are there"},
            "categories": {**_SHARES, "description": "likewise"},
            "missing": {"type": "array", "items": missing},
            "misplaced": {"type": "array", "items": misplaced},
            "low": {"type": "array", "items": NAME, "description": "slots with too few facings"},
        },
    )


def rounded(body: Mapping[str, Any]) -> dict[str, Any]:
    """A body with its shares and probabilities as exact as they are."""
    return {key: _rounded(value) for key, value in body.items()}


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, 4) + 0.0
    if isinstance(value, dict):
        return {key: _rounded(each) for key, each in value.items()}
    return [_rounded(each) for each in value] if isinstance(value, list) else value
