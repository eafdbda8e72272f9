"""Trajectories in, ids and ages out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from agent.core.tracking import Tracker, TrackingSettings
from agent.core.types import Box, Candidate, Detection, Frame, Look, Region, Track

PICTURE = np.zeros((4, 4, 3), np.uint8)
SETTINGS = TrackingSettings(iou=0.3, patience_s=1.0)


def frame(at: float, cut: bool = False) -> Frame:
    return Frame("cam", int(at * 10), at, 1_700_000_000 + at, PICTURE, cut=cut)


BELT = np.zeros((400, 1000, 3), np.uint8)


def at_belt(at: float) -> Frame:
    return Frame("cam", int(at * 10), at, 1_700_000_000 + at, BELT)


def looking(box: Box, direction: int) -> Detection:
    """A thing that looks like none with another `direction`."""
    vector = np.zeros(8, np.float32)
    vector[direction] = 1.0
    return Detection(Region(box), Look((Candidate(direction, 0.9, 1 << 24),), embedding=vector))


def carton(x: float, length: int = 200) -> Box:
    """On a belt, from `x` on, as far as the picture shows it."""
    return max(0, round(x)), 100, min(1000, round(x + length)), 300


def seen(*boxes: Box, names: tuple[str, ...] = ()) -> list[Detection]:
    return [
        Detection(Region(box, name=names[n] if names else ""), Look((Candidate(1, 0.9, 1 << 24),)))
        for n, box in enumerate(boxes)
    ]


def ids(tracks: tuple[Track, ...]) -> list[str]:
    return [track.id for track in tracks]


def new() -> Tracker:
    return Tracker("cam", SETTINGS, window=3)


def test_nothing_seen_is_nothing_followed() -> None:
    assert new().update(frame(0), []) == ()


def test_a_moving_box_keeps_its_id() -> None:
    tracker = new()
    first = tracker.update(frame(0), seen((0, 0, 100, 100)))
    for step in range(1, 10):
        (track,) = tracker.update(frame(step * 0.1), seen((step * 20, 0, step * 20 + 100, 100)))
        assert track.id == first[0].id
        assert track.frames == step + 1
    assert len(track.looks) == 3, "older looks are forgotten"


def test_two_boxes_that_pass_each_other_are_told_apart_by_overlap() -> None:
    tracker = new()
    a, b = tracker.update(frame(0), seen((0, 0, 100, 100), (0, 200, 100, 300)))
    b2, a2 = tracker.update(frame(0.1), seen((0, 190, 100, 290), (0, 10, 100, 110)))
    assert (a2.id, b2.id) == (a.id, b.id)


def test_the_better_overlap_wins() -> None:
    tracker = new()
    (old,) = tracker.update(frame(0), seen((0, 0, 100, 100)))
    poor, good = tracker.update(frame(0.1), seen((50, 0, 150, 100), (5, 0, 105, 100)))
    assert good.id == old.id
    assert poor.id != old.id


def test_a_thing_hidden_for_less_than_the_patience_is_the_same_thing() -> None:
    tracker = new()
    (before,) = tracker.update(frame(0), seen((0, 0, 100, 100)))
    assert tracker.update(frame(0.9), []) == ()
    (after,) = tracker.update(frame(1.0), seen((0, 0, 100, 100)))
    assert after.id == before.id


def test_a_thing_gone_for_longer_ends_once() -> None:
    tracker = new()
    (before,) = tracker.update(frame(0), seen((0, 0, 100, 100)))
    (ended,) = tracker.update(frame(1.2), [])
    assert (ended.id, ended.ended) == (before.id, True)
    assert tracker.update(frame(1.3), []) == ()
    assert tracker.live == ()


def test_a_cut_ends_everything_before_it() -> None:
    tracker = new()
    (before,) = tracker.update(frame(0), seen((0, 0, 100, 100), names=("slot",)))
    ended, after = tracker.update(frame(0.1, cut=True), seen((0, 0, 100, 100), names=("slot",)))
    assert (ended.id, ended.ended) == (before.id, True)
    assert after.id != before.id


def test_a_named_place_is_followed_by_name_even_where_places_overlap() -> None:
    tracker = new()
    boxes: tuple[Box, Box] = ((0, 0, 100, 100), (2, 0, 102, 100))
    a, b = tracker.update(frame(0), seen(*boxes, names=("a", "b")))
    b2, a2 = tracker.update(frame(0.1), seen(boxes[0], boxes[1], names=("b", "a")))
    assert (a2.id, b2.id) == (a.id, b.id)


def test_the_same_recording_gives_the_same_ids() -> None:
    runs = []
    for _ in range(2):
        tracker = new()
        runs.append(
            [
                ids(tracker.update(frame(t * 0.5), seen((t, 0, t + 50, 50), (200, 0, 260, 60))))
                for t in range(8)
            ]
        )
    assert runs[0] == runs[1]


def test_things_born_in_one_frame_have_ids_of_their_own() -> None:
    tracks = new().update(frame(0), seen(*[(0, 0, 50, 50)] * 20))
    assert len(set(ids(tracks))) == 20


@pytest.mark.parametrize("field", [{"iou": 0.0}, {"iou": float("nan")}, {"patience_s": -1.0}])
def test_settings_out_of_range_are_refused(field: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(field))):
        TrackingSettings(**field)


def test_looks_begin_anew_with_the_next_one_and_the_track_goes_on() -> None:
    tracker = new()
    old, fresh = Look((Candidate(1, 0.9, 1),)), Look((Candidate(2, 0.9, 2),))
    region = Region((0, 0, 10, 10), name="slot")
    for at in (0.0, 0.1, 0.2):
        (before,) = tracker.update(frame(at), [Detection(region, old)])
    tracker.renew()
    (after,) = tracker.update(frame(0.3), [Detection(region, fresh)])
    assert (after.id, after.frames, after.looks) == (before.id, 4, (fresh,))
    (later,) = tracker.update(frame(0.4), [Detection(region, fresh)])
    assert later.looks == (fresh, fresh)
    tracker.renew()
    assert tracker.end()[0].looks == (fresh, fresh), "it ends with what was known of it"


def test_another_thing_in_a_watched_place_begins_its_looks_anew() -> None:
    tracker = new()
    there = seen((0, 0, 9, 9), names=("a1",))
    for step in range(3):
        (track,) = tracker.update(frame(step * 0.1), there)
    assert (len(track.looks), track.turn) == (3, 0)
    other = [replace(there[0], anew=True)]
    (after,) = tracker.update(frame(0.4), other)
    assert (after.id, len(after.looks), after.turn) == (track.id, 1, 1)
    (after,) = tracker.update(frame(0.5), there)
    assert (len(after.looks), after.turn) == (2, 1)


def test_what_leaves_is_not_taken_over_by_what_comes_behind_it() -> None:
    tracker = Tracker("cam", TrackingSettings(patience_s=1.5), window=3)
    owner: dict[str, set[str]] = {"first": set(), "second": set()}
    for step in range(40):
        x = 100 + 40 * step  # the second one is where the first was last seen, half a second later
        places = {"first": carton(x), "second": carton(x - 220)}
        shown = {name: box for name, box in places.items() if box[2] > box[0] + 20}
        tracks = tracker.update(at_belt(step * 0.1), seen(*shown.values()))
        for track in tracks:
            for name, box in shown.items():
                if track.region.box == box and not track.ended:
                    owner[name].add(track.id)
    assert [len(ids) for ids in owner.values()] == [1, 1]
    assert owner["first"] != owner["second"]


ARMS = {
    "the belt goes on": 1.0,
    "the belt stops": 0.0,
    "the belt stops halfway": 0.5,
}


@pytest.mark.parametrize("share", ARMS.values(), ids=ARMS.keys())
def test_an_arm_over_two_things_exchanges_neither(share: float) -> None:
    tracker = new()
    for step in range(6):
        before = tracker.update(at_belt(step * 0.2), seen(carton(100 + 60 * step), carton(340 + 60 * step)))
    for step in range(6, 9):
        assert tracker.update(at_belt(step * 0.2), seen((300, 0, 960, 320))) == (), (
            "it is no thing of its own"
        )
    moved = 400 + share * 60 * 4
    after = tracker.update(at_belt(1.8), seen(carton(moved), carton(moved + 240)))
    assert ids(after) == ids(before)


def test_what_hides_things_for_longer_than_the_patience_is_a_thing() -> None:
    tracker = new()
    blob = (80, 90, 560, 310)
    tracker.update(at_belt(0.0), seen(carton(100), carton(340)))
    for step in range(1, 8):
        tracks = tracker.update(at_belt(0.2 * step), seen(blob))
        assert [track.region.box for track in tracks if not track.ended] == ([blob] if step > 6 else [])
    assert [track.region.box for track in tracker.live] == [blob]


def test_of_two_that_overlap_alike_the_one_that_looks_like_it_is_the_same() -> None:
    tracker = new()
    a, b = tracker.update(at_belt(0.0), [looking((0, 100, 200, 300), 1), looking((100, 100, 300, 300), 2)])
    (later,) = tracker.update(at_belt(0.1), [looking((50, 100, 250, 300), 2)])
    assert (later.id, a.id == b.id) == (b.id, False)


def test_another_look_at_the_same_place_goes_on() -> None:
    tracker = new()
    (before,) = tracker.update(at_belt(0.0), [looking((100, 100, 300, 300), 1)])
    (after,) = tracker.update(at_belt(0.1), [looking((100, 100, 300, 300), 2)])
    assert after.id == before.id, "a thing that is turned in a hand"


def test_what_the_edge_cuts_off_counts_until_all_of_it_was_seen() -> None:
    tracker = Tracker("cam", SETTINGS, window=8)
    found = []
    for step, x in enumerate((-120, -60, 0, 60, 120, 700, 760, 850, 900)):
        if step == 5:
            tracker.end()
        (*_, track) = tracker.update(at_belt(step * 0.1), [looking(carton(x), min(step, 7))])
        found.append([int(np.argmax(look.embedding)) for look in track.looks if look.embedding is not None])
    assert found[4] == [0, 1, 2, 3, 4], "what was seen of it as it came in"
    assert found[8] == [5, 6], "and not what is left of it as it goes"


def test_what_a_hand_holds_is_looked_at_also_where_the_arm_is_cut_off() -> None:
    tracker = Tracker("cam", SETTINGS, window=8)
    tracker.update(at_belt(0.0), [looking((300, 100, 500, 300), 1)])
    (track,) = tracker.update(at_belt(0.1), [looking((300, 100, 500, 300), 1)])
    for step in range(2, 4):
        (track,) = tracker.update(at_belt(step * 0.1), [looking((300, 100, 500, 400), 2)])
    assert [int(np.argmax(look.embedding)) for look in track.looks if look.embedding is not None] == [
        1,
        1,
        2,
        2,
    ]


def look(number: int, clear: bool = False) -> Look:
    return Look((Candidate(number, 0.9, 1 << 24),), clear=clear)


def test_clear_looks_take_the_place_of_those_at_a_label_once_there_are_two() -> None:
    tracker = new()
    box = (100, 100, 300, 300)
    (track,) = tracker.update(at_belt(0), [Detection(Region(box), look(1))])
    first = tracker.look_clearly(track.id, look(2, clear=True))
    assert first is not None
    assert [each.candidates[0].product for each in first.looks] == [1, 2]
    (track,) = tracker.update(at_belt(0.1), [Detection(Region(box), look(3))])
    assert [each.candidates[0].product for each in track.looks] == [1, 2, 3], "one may be of a bad moment"
    second = tracker.look_clearly(track.id, look(4, clear=True))
    assert second is not None
    assert [each.candidates[0].product for each in second.looks] == [2, 4]
    assert tracker.live == (second,)
    (track,) = tracker.update(at_belt(0.2), [Detection(Region(box), look(5))])
    assert [each.candidates[0].product for each in track.looks] == [2, 4]
    assert (track.frames, track.last_at) == (3, 0.2), "it is followed all the same"


def test_clear_looks_are_as_many_as_others_at_most() -> None:
    tracker = new()
    (track,) = tracker.update(at_belt(0), [Detection(Region((100, 100, 300, 300)), look(1))])
    for number in range(2, 8):
        tracker.look_clearly(track.id, look(number, clear=True))
    assert [each.candidates[0].product for each in tracker.live[0].looks] == [5, 6, 7]


def test_another_thing_in_a_place_is_looked_at_as_it_is() -> None:
    tracker = new()
    box = (100, 100, 300, 300)
    (track,) = tracker.update(at_belt(0), [Detection(Region(box, name="s"), look(1))])
    for number in (2, 3):
        tracker.look_clearly(track.id, look(number, clear=True))
    (track,) = tracker.update(at_belt(0.1), [Detection(Region(box, name="s"), look(4), anew=True)])
    assert [each.candidates[0].product for each in track.looks] == [4]
    tracker.look_clearly(track.id, look(5, clear=True))
    tracker.look_clearly(track.id, look(6, clear=True))
    tracker.renew()
    (track,) = tracker.update(at_belt(0.2), [Detection(Region(box, name="s"), look(7))])
    assert [each.candidates[0].product for each in track.looks] == [7]


def test_nobody_looks_clearly_at_what_is_gone() -> None:
    assert new().look_clearly("gone", look(1, clear=True)) is None
