"""A bay as a whole: how much of it is as planned, what is missing or misplaced, and whose products show."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from agent.core.slot_state import SlotState

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from agent.apps.shelf.slot import SlotMemory


def compliance(slots: Sequence[SlotMemory], bay: str) -> dict[str, Any]:
    """Of the slots as they stand; whoever is before one does not change it. Shares are of what was seen."""
    states = {slot.planned.name: _standing(slot) for slot in slots}
    counts = Counter(states.values())
    judged = counts[SlotState.CORRECT] + counts[SlotState.WRONG] + counts[SlotState.EMPTY]
    facings = sum(slot.planned.facings for slot in slots)
    there = [slot for slot in slots if states[slot.planned.name] in {SlotState.CORRECT, SlotState.WRONG}]
    return {
        "bay": bay,
        "slots": len(slots),
        **{state.value: counts[state] for state in SlotState if state is not SlotState.BLOCKED},
        "share_correct": counts[SlotState.CORRECT] / judged if judged else None,
        "facings": {"seen": sum(_facings(slot) for slot in there), "planned": facings},
        "brands": _shares((_of(slot, "brand"), _facings(slot)) for slot in there),
        "categories": _shares((_of(slot, "category"), _facings(slot)) for slot in there),
        "missing": [
            {"slot": slot.planned.name, "sku": slot.planned.sku, "since_utc": slot.first_empty_utc}
            for slot in slots
            if states[slot.planned.name] is SlotState.EMPTY
        ],
        "misplaced": [
            {"slot": slot.planned.name, "sku": slot.planned.sku, "found": _of(slot, "sku")}
            for slot in slots
            if states[slot.planned.name] is SlotState.WRONG
        ],
        "low": [slot.planned.name for slot in slots if slot.low and not slot.away],
    }


def _standing(slot: SlotMemory) -> SlotState:
    return SlotState.UNKNOWN if slot.away or slot.standing is None else slot.standing.shown.state


def _facings(slot: SlotMemory) -> int:
    """Of whatever stands there: a stranger takes one at least."""
    return max(1, slot.standing.facings if slot.standing is not None else 1)


def _of(slot: SlotMemory, key: str) -> str:
    return "" if slot.standing is None else str(getattr(slot.standing.shown, key))


def _shares(counted: Iterable[tuple[str, int]]) -> dict[str, float]:
    """Brand or category → share of the facings that are there; those that have none stay out of the list."""
    found: Counter[str] = Counter()
    for name, facings in counted:
        found[name] += facings
    whole = sum(found.values())
    return {name: found[name] / whole for name in sorted(found) if name}
