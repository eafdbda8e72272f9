"""What is told of a track, and when."""

from __future__ import annotations

from dataclasses import replace

from agent.core.announcing import Announcer
from agent.core.evidence import DecisionSettings
from agent.core.types import Decision, Look, Option, Phase, Region, Track, Verdict


def announcer(looks: int) -> Announcer:
    return Announcer(DecisionSettings(looks=looks, window=8, patience_s=2.0))


def track(frames: int, *, ended: bool = False, name: str = "slot", at: float = 0.0) -> Track:
    looks = (Look(()),) * min(frames, 8)
    return Track("t", "cam", Region((0, 0, 9, 9), name=name), 0, 0, at, at, frames, looks, ended)


def known(product: int) -> Decision:
    return Decision(Verdict.KNOWN, product, 0.95, 0.9, 0.1, 3, "")


def undecided(product: int) -> Decision:
    option = Option(product, 1, 0.9, 0.6)
    return Decision(Verdict.AMBIGUOUS, None, 0.6, 0.9, 0.0, 3, "2 look alike", (option,), settled=False)


UNKNOWN = Decision(Verdict.UNKNOWN, None, 0.1, 0.3, 0.0, 3, "far from everything")


def told(a: Announcer, t: Track, d: Decision) -> list[tuple[Phase, int]]:
    due = a.due(t, d)
    assert a.due(t, d) == due, "asking changes nothing"
    a.tell(t, d, due)
    return [(each.phase, each.revision) for each in due]


def test_a_life_is_new_updates_end_with_rising_revisions() -> None:
    a = announcer(looks=2)
    assert told(a, track(1), known(1)) == []
    assert told(a, track(2), known(1)) == [(Phase.NEW, 0)]
    assert told(a, track(3), known(1)) == []
    assert told(a, track(4), known(2)) == [(Phase.UPDATE, 1)]
    assert told(a, track(5), UNKNOWN) == [(Phase.UPDATE, 2)]
    assert told(a, track(6, ended=True), UNKNOWN) == [(Phase.END, 3)]


def test_a_watched_place_that_ends_early_is_told_of_all_the_same() -> None:
    assert told(announcer(looks=3), track(1, ended=True), known(1)) == [(Phase.NEW, 0), (Phase.END, 1)]


def test_a_proposed_box_that_flickers_up_is_not() -> None:
    assert told(announcer(looks=3), track(1, ended=True, name=""), known(1)) == []


def test_a_decision_is_not_asked_for_before_it_could_be_told() -> None:
    a = announcer(looks=3)
    assert not a.wants(track(2))
    assert a.wants(track(3))
    assert a.wants(track(1, ended=True))


def test_a_track_whose_looks_began_anew_waits_for_as_many_before_it_is_told_again() -> None:
    a = announcer(looks=2)
    told(a, track(2), known(1))
    renewed = replace(track(3), looks=(Look(()),))
    assert not a.wants(renewed)
    assert a.wants(replace(renewed, looks=(Look(()),) * 2))
    assert a.wants(replace(renewed, ended=True))


def test_what_is_undecided_is_told_when_time_is_up() -> None:
    a = announcer(looks=2)
    assert told(a, track(2, at=0.5), undecided(1)) == []
    assert a.waits(track(2))
    assert told(a, track(3, at=1.9), undecided(1)) == []
    assert told(a, track(4, at=2.0), undecided(1)) == [(Phase.NEW, 0)]
    assert not a.waits(track(2))


def test_what_is_undecided_is_told_when_no_more_looks_count() -> None:
    assert told(announcer(looks=2), track(8, at=0.1), undecided(1)) == [(Phase.NEW, 0)]


def test_what_is_decided_in_time_was_never_undecided() -> None:
    a = announcer(looks=2)
    assert told(a, track(2, at=0.5), undecided(1)) == []
    assert told(a, track(3, at=1.0), known(1)) == [(Phase.NEW, 0)]


def test_a_name_stays_while_nothing_speaks_against_it() -> None:
    a = announcer(looks=2)
    told(a, track(2), known(1))
    assert [told(a, track(n, at=float(n)), undecided(1)) for n in range(3, 9)] == [[]] * 6


def test_a_name_that_is_in_doubt_is_taken_back_when_time_is_up() -> None:
    a = announcer(looks=2)
    told(a, track(2, at=10.0), known(1))
    assert told(a, track(8, at=11.0), undecided(2)) == []
    assert told(a, track(9, at=12.9), undecided(2)) == []
    assert told(a, track(10, at=13.0), undecided(2)) == [(Phase.UPDATE, 1)]
    assert told(a, track(11, at=13.1), known(2)) == [(Phase.UPDATE, 2)]


def test_an_answer_that_is_undecided_at_the_end_is_told() -> None:
    a = announcer(looks=2)
    assert told(a, track(2, at=0.5), undecided(1)) == []
    assert told(a, track(2, at=0.6, ended=True), undecided(1)) == [(Phase.NEW, 0), (Phase.END, 1)]


def test_another_thing_in_the_same_place_is_told_of_whatever_the_answer() -> None:
    a = announcer(looks=2)
    assert told(a, track(2), known(1)) == [(Phase.NEW, 0)]
    assert told(a, track(3, at=9.0), undecided(1)) == [], "looks were forgotten, it is still named"
    other = replace(track(2, at=10.0), turn=1)
    assert told(a, other, undecided(1)) == [], "it is looked at a while first"
    assert told(a, replace(other, last_at=13.0), undecided(1)) == [(Phase.UPDATE, 1)]
    assert told(a, replace(other, last_at=14.0), undecided(1)) == []
    assert told(a, replace(other, turn=2, last_at=15.0), known(1)) == [(Phase.UPDATE, 2)]
    assert told(a, replace(other, turn=3, last_at=16.0), known(1)) == [(Phase.UPDATE, 3)], "the same again"
