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
