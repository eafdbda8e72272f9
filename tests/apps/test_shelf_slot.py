"""One slot over time: dwell, whoever stands before it, out of stock, restart."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from agent.apps.shelf.settings import ShelfSettings
from agent.apps.shelf.slot import SlotMemory, Step, together
from agent.core.planogram import PlannedSlot, Planogram
from agent.core.slot_state import Shown, SlotState

PLANNED = PlannedSlot(name="a1", sku="oats", box=(0, 0, 50, 50), facings=2, minimum=2)
SETTINGS = ShelfSettings(plan=Planogram(slots=(PLANNED,)), dwell_s=10, restock_s=2, alert_after_s=60)
UTC = 1_767_225_600.0

FULL = Shown(SlotState.CORRECT, 0.95, sku="oats")
EMPTY = Shown(SlotState.EMPTY, 0.97)
PLAIN = Shown(SlotState.EMPTY, 0.75, plain=True)
STRANGER = Shown(SlotState.WRONG, 0.9, sku="rice")
HIDDEN = Shown(SlotState.BLOCKED, 1.0)
DOUBT = Shown(SlotState.UNKNOWN, reason="it cannot be told")


class Watched:
    """A slot that is shown things second by second."""

    def __init__(self, slot: SlotMemory | None = None) -> None:
        self.slot = slot or SlotMemory(PLANNED)
        self.at = 0.0
        self.steps: list[Step] = []

    def show(self, shown: Shown, seconds: int, facings: int = 2) -> SlotState:
        for _ in range(seconds):
            self.at += 1.0
            count = facings if shown.state is SlotState.CORRECT else 0
            self.steps.append(self.slot.update(shown, count, self.at, UTC + self.at, SETTINGS))
        return self.slot.state

    @property
    def entered(self) -> list[SlotState]:
        """What stood before each change."""
        return [step.before for step in self.steps if step.before is not None]


@pytest.fixture
def watched() -> Watched:
    made = Watched()
    assert made.show(FULL, 3) is SlotState.CORRECT
    made.steps.clear()
    return made


def test_it_is_unknown_until_it_has_lasted() -> None:
    watched = Watched()
    assert watched.show(EMPTY, 10) is SlotState.UNKNOWN
    assert watched.show(EMPTY, 1) is SlotState.EMPTY
    assert watched.entered == [SlotState.UNKNOWN]


@pytest.mark.parametrize("passing", [EMPTY, STRANGER, DOUBT, PLAIN])
def test_what_does_not_last_changes_nothing(watched: Watched, passing: Shown) -> None:
    for _ in range(3):
        assert watched.show(passing, 10) is SlotState.CORRECT
        assert watched.show(FULL, 1) is SlotState.CORRECT
    assert watched.entered == []
    assert not any(step.told for step in watched.steps)


def test_out_of_stock_counts_from_when_it_was_first_seen_empty(watched: Watched) -> None:
    assert watched.show(EMPTY, 11) is SlotState.EMPTY
    slot = watched.slot
    assert (slot.first_empty_utc, slot.last_full_utc) == (UTC + 4, UTC + 3)
    assert slot.out_s == 10.0
    watched.show(EMPTY, 49)
    assert not any(step.alert for step in watched.steps)
    watched.show(EMPTY, 30)
    assert sum(step.alert for step in watched.steps) == 1, "once"
    assert watched.show(FULL, 3) is SlotState.CORRECT
    assert watched.entered == [SlotState.CORRECT, SlotState.EMPTY]
    assert not watched.slot.alerted


def test_what_is_only_plain_must_last_twice_as_long(watched: Watched) -> None:
    assert watched.show(PLAIN, 20) is SlotState.CORRECT
    assert watched.show(PLAIN, 1) is SlotState.EMPTY


def test_somebody_before_it_blocks_it_and_behind_them_the_state_goes_on(watched: Watched) -> None:
    assert watched.show(HIDDEN, 2) is SlotState.CORRECT, "somebody passes"
    assert watched.show(FULL, 1) is SlotState.CORRECT
    assert not any(step.told for step in watched.steps)
    assert watched.show(HIDDEN, 20) is SlotState.BLOCKED
    assert watched.show(EMPTY, 10) is SlotState.CORRECT, "what they left is judged from when it is seen"
    assert watched.show(EMPTY, 1) is SlotState.EMPTY
    assert [step.told for step in watched.steps].count(True) == 3
    assert watched.show(HIDDEN, 20) is SlotState.BLOCKED
    assert watched.show(EMPTY, 1) is SlotState.EMPTY
    assert watched.slot.out_s == 31.0, "nobody refilled it behind their back"


def test_a_shopper_restarts_the_dwell(watched: Watched) -> None:
    watched.show(EMPTY, 8)
    watched.show(HIDDEN, 1)
    assert watched.show(EMPTY, 8) is SlotState.CORRECT


def test_fewer_facings_are_told_and_low(watched: Watched) -> None:
    assert not watched.slot.low
    watched.show(FULL, 3, facings=1)
    assert watched.slot.low
    assert watched.entered == [], "the state is the same"
    assert [step.told for step in watched.steps].count(True) == 1


def test_time_that_nobody_saw_is_not_out_of_stock(watched: Watched) -> None:
    watched.show(EMPTY, 11)
    assert watched.slot.unseen("no pictures", UTC + 20).told
    assert not watched.slot.unseen("no pictures", UTC + 30).told
    assert (watched.slot.state, watched.slot.away_utc) == (SlotState.UNKNOWN, UTC + 20)
    watched.at += 5000
    assert watched.show(EMPTY, 1) is SlotState.EMPTY
    assert watched.slot.out_s == 10.0
    assert watched.steps[-1].told


def test_another_stranger_is_another_finding(watched: Watched) -> None:
    watched.show(STRANGER, 11)
    watched.show(replace(STRANGER, sku="tea"), 11)
    standing = watched.slot.standing
    assert standing is not None
    assert standing.shown.sku == "tea"
    assert watched.entered == [SlotState.CORRECT, SlotState.WRONG]


def test_what_could_not_be_told_for_a_while_is_no_event(watched: Watched) -> None:
    watched.show(EMPTY, 20)
    watched.show(DOUBT, 20)
    watched.show(EMPTY, 20)
    assert watched.entered == [SlotState.CORRECT]
    assert watched.slot.out_s > 30
    watched.show(DOUBT, 20)
    watched.show(FULL, 3)
    assert watched.entered == [SlotState.CORRECT, SlotState.EMPTY], "filled again"


def test_it_goes_on_after_a_restart(watched: Watched) -> None:
    watched.show(EMPTY, 41)
    kept = json.loads(json.dumps(watched.slot.kept()))
    again = Watched(SlotMemory(PLANNED))
    again.slot.recall(kept)
    assert again.slot.state is SlotState.UNKNOWN, "it was not seen yet"
    again.at = 7.0
    assert again.show(EMPTY, 1) is SlotState.EMPTY
    assert again.slot.first_empty_utc == UTC + 4
    assert again.slot.out_s == 40.0
    assert again.entered == []
    again.show(EMPTY, 25)
    assert sum(step.alert for step in again.steps) == 1


def test_what_was_kept_of_another_product_is_not_taken(watched: Watched) -> None:
    other = SlotMemory(replace(PLANNED, sku="rice"))
    other.recall(watched.slot.kept())
    assert other.standing is None


TOGETHER: dict[str, tuple[list[Shown], SlotState, int]] = {
    "all right": ([FULL, FULL], SlotState.CORRECT, 2),
    "one gone": ([FULL, EMPTY], SlotState.CORRECT, 1),
    "all gone": ([EMPTY, PLAIN], SlotState.EMPTY, 0),
    "a stranger among them": ([FULL, STRANGER], SlotState.WRONG, 1),
    "one is hidden": ([FULL, HIDDEN], SlotState.BLOCKED, 1),
    "one cannot be told": ([EMPTY, DOUBT], SlotState.UNKNOWN, 0),
}


@pytest.mark.parametrize(("cells", "state", "facings"), TOGETHER.values(), ids=TOGETHER.keys())
def test_facings_make_a_slot(cells: list[Shown], state: SlotState, facings: int) -> None:
    shown, count = together(cells)
    assert (shown.state, count) == (state, facings)


def test_plain_in_one_facing_is_plain_in_all() -> None:
    assert together([EMPTY, PLAIN])[0].plain


BROKEN: list[Any] = [{}, {"sku": "oats"}, {**SlotMemory(PLANNED).kept(), "out_s": "x"}]


@pytest.mark.parametrize("kept", BROKEN)
def test_what_is_damaged_says_so(kept: Any) -> None:
    with pytest.raises((KeyError, ValueError, TypeError)):
        SlotMemory(PLANNED).recall(kept)
