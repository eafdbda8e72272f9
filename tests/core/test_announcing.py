"""What is told of a track, and when."""

from __future__ import annotations

from dataclasses import replace

from agent.core.announcing import Announcer
from agent.core.types import Decision, Phase, Region, Track, Verdict


def track(frames: int, *, ended: bool = False, name: str = "slot") -> Track:
    return Track("t", "cam", Region((0, 0, 9, 9), name=name), 0, 0, 1, 1, frames, ((),) * frames, ended)


def known(product: int) -> Decision:
    return Decision(Verdict.KNOWN, product, 0.95, 0.9, 0.1, 3, "")


UNKNOWN = Decision(Verdict.UNKNOWN, None, 0.1, 0.3, 0.0, 3, "far from everything")


def told(announcer: Announcer, t: Track, d: Decision) -> list[tuple[Phase, int]]:
    due = announcer.due(t, d)
    assert announcer.due(t, d) == due, "asking changes nothing"
    announcer.tell(t, d, due)
    return [(a.phase, a.revision) for a in due]


def test_a_life_is_new_updates_end_with_rising_revisions() -> None:
    a = Announcer(looks=2)
    assert told(a, track(1), known(1)) == []
    assert told(a, track(2), known(1)) == [(Phase.NEW, 0)]
    assert told(a, track(3), known(1)) == []
    assert told(a, track(4), known(2)) == [(Phase.UPDATE, 1)]
    assert told(a, track(5), UNKNOWN) == [(Phase.UPDATE, 2)]
    assert told(a, track(6, ended=True), UNKNOWN) == [(Phase.END, 3)]


def test_a_watched_place_that_ends_early_is_told_of_all_the_same() -> None:
    assert told(Announcer(looks=3), track(1, ended=True), known(1)) == [(Phase.NEW, 0), (Phase.END, 1)]


def test_a_proposed_box_that_flickers_up_is_not() -> None:
    assert told(Announcer(looks=3), track(1, ended=True, name=""), known(1)) == []


def test_a_decision_is_not_asked_for_before_it_could_be_told() -> None:
    a = Announcer(looks=3)
    assert not a.wants(track(2))
    assert a.wants(track(3))
    assert a.wants(track(1, ended=True))


def test_a_track_whose_looks_began_anew_waits_for_as_many_before_it_is_told_again() -> None:
    a = Announcer(looks=2)
    told(a, track(2), known(1))
    renewed = replace(track(3), looks=((),))
    assert not a.wants(renewed)
    assert a.wants(replace(renewed, looks=((), ())))
    assert a.wants(replace(renewed, ended=True))
