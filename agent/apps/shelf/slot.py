"""One slot over time: a state is told once it has lasted, and what is out of stock is counted from its start.

A shopper who takes a product in and out of the picture changes what a slot shows for seconds; the slot keeps
its state meanwhile. Somebody who stands before it blocks it: behind them the state of before goes on.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from agent.core.slot_state import Shown, SlotState, recalled, remembered

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from agent.apps.shelf.settings import ShelfSettings
    from agent.core.planogram import PlannedSlot

GAP_S: Final = 60.0
"""Longest time between two frames that counts as out of stock: nobody looked for longer than that."""

PLAIN_TIMES: Final = 2.0
"""How many times the dwell is asked of a slot that is taken for empty because it is plain."""


@dataclass(frozen=True, slots=True)
class Standing:
    """A state that a slot is in, or may be entering."""

    shown: Shown
    facings: int  # of the right product
    since_at: float
    since_utc: float


@dataclass(frozen=True, slots=True)
class Step:
    """What a frame changed of a slot."""

    before: SlotState | None = None  # what was last known of it, where something else is known from now on
    told: bool = False  # something that is told of it is different
    alert: bool = False  # it has been out of stock for long, as of now


@dataclass(slots=True)
class SlotMemory:
    """Of one slot. `update` for each frame that shows it, `unseen` for each that does not."""

    planned: PlannedSlot
    standing: Standing | None = None  # what stands, whoever is before it
    coming: Standing | None = None  # what it seems to become
    hidden: Standing | None = None  # since when something is before it
    blocked: bool = False  # and that is told
    away: str = "it was not looked at yet"  # why it is not seen now; empty: it is
    away_utc: float | None = None
    known: Standing | None = None  # the last that stood and said what is there, or that nothing is
    first_empty_utc: float | None = None
    last_full_utc: float | None = None
    out_s: float = 0.0  # out of stock so far, times that nobody saw left out
    alerted: bool = False
    _at: float | None = None

    @property
    def state(self) -> SlotState:
        """What is told of it."""
        if self.away or self.standing is None:
            return SlotState.UNKNOWN
        return SlotState.BLOCKED if self.blocked else self.standing.shown.state

    @property
    def low(self) -> bool:
        """Whether fewer facings are there than must be, but some."""
        standing = self.standing
        return (
            standing is not None
            and standing.shown.state is SlotState.CORRECT
            and standing.facings < self.planned.minimum
        )

    def update(self, shown: Shown, facings: int, at: float, utc: float, settings: ShelfSettings) -> Step:
        """It shows this now, with so many facings of the right product."""
        before, state, back = self.standing, self.state, bool(self.away)
        self.away, self.away_utc = "", None
        self._count(at)
        self._at = at
        now = Standing(shown, facings, at, utc)
        if shown.state is SlotState.BLOCKED:
            self.hidden = self.hidden or now
            self.blocked = self.blocked or at - self.hidden.since_at >= settings.blocked_after_s
            self.coming = None
            return Step(told=back or self.state is not state)
        self.hidden, self.blocked = None, False
        if shown.state in {SlotState.CORRECT, SlotState.WRONG}:
            self.last_full_utc = utc
        self._settle(now, settings)
        alert = self._alert(settings)
        changed = _differs(before, self.standing)
        was = self._entered(self.standing, utc) if changed and self.standing is not None else None
        return Step(was, changed or alert or back or self.state is not state, alert)

    def unseen(self, reason: str, utc: float) -> Step:
        """It cannot be seen: the camera is lost, or shows something else."""
        if self.away == reason:
            return Step()
        self.away, self.coming, self.hidden, self.blocked = reason, None, None, False
        self.away_utc = self.away_utc or utc
        self._at = None
        return Step(told=True)

    def _settle(self, now: Standing, settings: ShelfSettings) -> None:
        standing = self.standing
        if standing is not None and not _differs(standing, now):
            self.coming = None
            self.standing = replace(standing, shown=now.shown)  # the latest measurements of the same state
            return
        if self.coming is None or _differs(self.coming, now):
            self.coming = now
        else:
            self.coming = replace(self.coming, shown=now.shown)
        if now.since_at - self.coming.since_at >= _dwell_s(now.shown, settings):
            self.standing, self.coming = self.coming, None

    def _entered(self, now: Standing, utc: float) -> SlotState | None:
        """It stands so from now on; what was known before, where that is another thing."""
        if now.shown.state is SlotState.UNKNOWN:
            return None
        before, self.known = self.known, now
        was = before.shown.state if before is not None else SlotState.UNKNOWN
        if was is now.shown.state and (before is None or before.shown.sku == now.shown.sku):
            return None
        if now.shown.state is SlotState.EMPTY:
            self.first_empty_utc = now.since_utc
            self.out_s = max(0.0, utc - now.since_utc)
        self.alerted = False
        return was

    def _count(self, at: float) -> None:
        standing = self.standing
        if standing is not None and standing.shown.state is SlotState.EMPTY and self._at is not None:
            self.out_s += min(GAP_S, max(0.0, at - self._at))

    def _alert(self, settings: ShelfSettings) -> bool:
        standing = self.standing
        due = (
            standing is not None
            and standing.shown.state is SlotState.EMPTY
            and 0 < settings.alert_after_s <= self.out_s
        )
        first = due and not self.alerted
        self.alerted = self.alerted or due
        return first

    def kept(self) -> dict[str, Any]:
        """As plain data, for after a restart."""
        standing = self.standing
        return {
            "sku": self.planned.sku,
            "standing": None
            if standing is None
            else {
                "state": standing.shown.state.value,
                **remembered(standing.shown),
                "facings": standing.facings,
                "since_utc": standing.since_utc,
            },
            "first_empty_utc": self.first_empty_utc,
            "last_full_utc": self.last_full_utc,
            "out_s": round(self.out_s, 3),
            "alerted": self.alerted,
        }

    def recall(self, kept: Mapping[str, Any]) -> None:
        """Go on from what `kept` gave. ValueError, KeyError, TypeError: it is something else."""
        if kept["sku"] != self.planned.sku:
            return
        told = kept["standing"]
        if told is not None:
            shown = recalled(SlotState(told["state"]), told)
            self.standing = Standing(shown, int(told["facings"]), 0.0, float(told["since_utc"]))
            self.known = self.standing if shown.state is not SlotState.UNKNOWN else None
        self.first_empty_utc = _number_or_none(kept["first_empty_utc"])
        self.last_full_utc = _number_or_none(kept["last_full_utc"])
        self.out_s, self.alerted = float(kept["out_s"]), bool(kept["alerted"])


def together(cells: Sequence[Shown]) -> tuple[Shown, int]:
    """What a slot shows by its facings, and how many show the right product.

    Something before one facing hides the slot; a stranger in one makes it wrong; it is empty when all are.
    """
    right = [each for each in cells if each.state is SlotState.CORRECT]
    for state in (SlotState.BLOCKED, SlotState.WRONG):
        found = [each for each in cells if each.state is state]
        if found:
            return max(found, key=lambda each: each.probability), len(right)
    if right:
        return max(right, key=lambda each: each.probability), len(right)
    empty = [each for each in cells if each.state is SlotState.EMPTY]
    if len(empty) == len(cells):
        least = min(empty, key=lambda each: each.probability)
        return replace(least, plain=any(each.plain for each in empty)), 0
    unknown = next(each for each in cells if each.state is SlotState.UNKNOWN)
    return unknown, 0


def _differs(one: Standing | None, other: Standing | None) -> bool:
    if one is None or other is None:
        return one is not other
    mine, its = one.shown, other.shown
    return (mine.state, mine.sku, one.facings) != (its.state, its.sku, other.facings)


def _dwell_s(shown: Shown, settings: ShelfSettings) -> float:
    if shown.state is SlotState.CORRECT:
        return min(settings.restock_s, settings.dwell_s)
    return settings.dwell_s * (PLAIN_TIMES if shown.plain else 1.0)


def _number_or_none(value: Any) -> float | None:
    return None if value is None else float(value)
