"""What is told of slots and bay, as plain data. Times end in `_utc`: Unix seconds, or None."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from agent.core.slot_state import Shown, SlotState

if TYPE_CHECKING:
    from agent.apps.shelf.slot import SlotMemory

_SILENT: Final = Shown(SlotState.UNKNOWN)


def slot_report(slot: SlotMemory) -> dict[str, Any]:
    """All of a slot."""
    standing = slot.standing
    shown = standing.shown if standing is not None else _SILENT
    away = bool(slot.away) or standing is None
    state = slot.state
    empty = not away and shown.state is SlotState.EMPTY
    return {
        "slot": slot.planned.name,
        "sku": slot.planned.sku,
        "state": state.value,
        "standing": shown.state.value,  # what was last seen of it, also while it is blocked or not seen
        "since_utc": _since_utc(slot),
        "found": {"sku": shown.sku or None, "name": shown.name or None} if shown.sku else None,
        "facings": {
            "seen": standing.facings if standing is not None else 0,
            "planned": slot.planned.facings,
            "minimum": slot.planned.minimum,
        },
        "low": slot.low,
        "probability": 0.0 if away else shown.probability,
        "evidence": [] if away else [{"source": source, "value": value} for source, value in shown.evidence],
        "reason": slot.away or ("" if state is not SlotState.UNKNOWN else shown.reason),
        "first_seen_empty_utc": slot.first_empty_utc if shown.state is SlotState.EMPTY else None,
        "last_seen_full_utc": slot.last_full_utc,
        "out_of_stock_s": slot.out_s if shown.state is SlotState.EMPTY else 0.0,
        "alert": empty and slot.alerted,
    }


def change(slot: SlotMemory, before: SlotState, out_s: float) -> tuple[str, dict[str, Any]] | None:
    """The fact that a slot now stands otherwise than before, with its name; None: it is none.

    `out_s`: how long it had been out of stock before.
    """
    standing = slot.standing
    if standing is None:
        return None
    shown = standing.shown
    about: dict[str, Any] = {
        "slot": slot.planned.name,
        "sku": slot.planned.sku,
        "before": before.value,
        "since_utc": standing.since_utc,
        "probability": shown.probability,
    }
    if shown.state is SlotState.EMPTY:
        return "out_of_stock", {**about, "last_seen_full_utc": slot.last_full_utc}
    if shown.state is SlotState.WRONG:
        return "misplaced", {**about, "found": {"sku": shown.sku, "name": shown.name or None}}
    if shown.state is SlotState.CORRECT and before is SlotState.EMPTY:
        return "restocked", {**about, "out_of_stock_s": out_s}
    if shown.state is SlotState.CORRECT and before is SlotState.WRONG:
        return "corrected", about
    return None


def _since_utc(slot: SlotMemory) -> float | None:
    if slot.away:
        return slot.away_utc
    began = slot.hidden if slot.blocked else slot.standing
    return None if began is None else began.since_utc
