"""What stood in a place before is remembered for a while, and never speaks for itself."""

from __future__ import annotations

from dataclasses import replace

from agent.core.last_known import LASTS_S, LastKnown
from agent.core.types import Region, Track


def track(name: str = "left", at: float = 0.0, which: str = "a", turn: int = 0) -> Track:
    return Track(which, "cam", Region((0, 0, 9, 9), name), at, at, at, at, 1, (), turn=turn)


def test_what_is_there_does_not_speak_for_itself() -> None:
    last = LastKnown()
    last.answered(track(), "sku-1")
    assert last.before(track()) == ""
    assert last.before(track(turn=1)) == "sku-1"
    assert last.before(track(which="b")) == "sku-1"
    assert last.before(track("right", which="b")) == ""
    last.answered(track(turn=1), "sku-2")
    last.answered(track(turn=1), "sku-3")  # of the same thing, another name: what was before it stays
    assert last.before(track(turn=1)) == "sku-1"
    assert last.before(track(turn=2)) == "sku-3"


def test_it_counts_from_when_it_was_seen_last() -> None:
    last = LastKnown()
    last.answered(track(), "sku-1")
    last.saw(track(at=1000.0))
    last.saw(track(at=5000.0, which="b"))  # another thing there: nothing is known of it
    later = 1000.0 + LASTS_S
    assert last.before(track(at=later - 1, which="b")) == "sku-1"
    assert last.before(track(at=later, which="b")) == ""


def test_a_region_without_a_name_is_no_place() -> None:
    last = LastKnown()
    last.answered(track(""), "sku-1")
    assert last.before(replace(track(""), id="b")) == ""


def test_a_name_that_was_taken_back_is_expected_of_nothing() -> None:
    last = LastKnown()
    last.answered(track(), "sku-1")
    last.answered(track(which="b"), "")  # another thing without a name: what was before it stays
    assert last.before(track(which="b")) == "sku-1"
    last.answered(track(), "")
    assert last.before(track(which="b")) == ""
