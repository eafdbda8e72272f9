"""What is said of the slots of a shelf: the words that the application and its messages share."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


class SlotState(StrEnum):
    """What a slot shows."""

    CORRECT = "correct"
    WRONG = "wrong"
    EMPTY = "empty"
    BLOCKED = "blocked"  # somebody or something stands before it
    UNKNOWN = "unknown"  # cannot be said, and why


@dataclass(frozen=True, slots=True)
class Shown:
    """What one facing, or a slot, shows in one frame."""

    state: SlotState
    probability: float = 0.0  # that it is so
    sku: str = ""  # of what is there; empty: nothing, or not known
    name: str = ""
    brand: str = ""
    category: str = ""
    reason: str = ""  # of UNKNOWN
    evidence: tuple[tuple[str, float], ...] = ()  # what was measured → value, see core/wire/shelf.py
    plain: bool = False  # EMPTY without ever having seen what empty looks like here


def remembered(shown: Shown) -> dict[str, Any]:
    """What of it is kept over a restart, as plain data."""
    return {
        "probability": round(shown.probability, 4),
        "sku": shown.sku,
        "name": shown.name,
        "brand": shown.brand,
        "category": shown.category,
        "reason": shown.reason,
    }


def recalled(state: SlotState, kept: Mapping[str, Any]) -> Shown:
    """From what `remembered` gave. ValueError, KeyError, TypeError: it is something else."""
    return Shown(
        state,
        float(kept["probability"]),
        sku=str(kept["sku"]),
        name=str(kept["name"]),
        brand=str(kept["brand"]),
        category=str(kept["category"]),
        reason=str(kept["reason"]),
    )
