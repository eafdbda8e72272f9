"""Where a camera stands: nudged, knocked away, covered, in the dark."""

from __future__ import annotations

from functools import cache
from typing import Any

import cv2
import numpy as np
import pytest

from agent.core.corners import Corners
from agent.core.standpoint import RENEW_S, Standpoint, View, ViewSettings
from agent.core.types import Frame
from tools.synth.scenes import Bay
from tools.synth.script import Filming, Nudge, Script, Stand

BAY = Bay(rows=3, columns=5, seed=3)
SCRIPT = Script(BAY, tuple((slot, number) for number, slot in enumerate(BAY.slots)))


@cache
def shelf(**more: Any) -> Any:
    return Filming(Script(BAY, SCRIPT.start, **more)).frame(100.0)


def frame(at: float, image: Any) -> Frame:
    return Frame("cam", round(at), at, at, image)


def seen(standpoint: Standpoint, image: Any, since: float = 3.0, looks: int = 3) -> Any:
    """The pose after some looks at the same picture."""
    return [standpoint.pose(frame(since + 2.0 * n, image)) for n in range(looks)][-1]


@pytest.fixture
def standpoint() -> Standpoint:
    made = Standpoint(ViewSettings())
    assert made.pose(frame(0.0, shelf())).view is View.SAME
    return made


@pytest.mark.parametrize("right", [-12, 5, 10, 30])
@pytest.mark.parametrize("stands", [(), (Stand(90.0, 30.0, 0.4),)], ids=["alone", "with a shopper"])
def test_a_small_move_is_followed_to_a_pixel_or_two(
    standpoint: Standpoint, right: int, stands: tuple[Stand, ...]
) -> None:
    pose = seen(standpoint, shelf(nudges=(Nudge(0.0, right, right // 2),), stands=stands))
    assert pose.view is View.FOLLOWED
    points = np.array([(200.0, 100.0), (1100.0, 600.0)])
    assert np.abs(pose.placed(points) - points - (right, right // 2)).max() < 2.0


def test_nothing_is_followed_while_nothing_moves(standpoint: Standpoint) -> None:
    pose = seen(standpoint, shelf(stands=(Stand(90.0, 30.0, 0.7),)))
    assert (pose.view, pose.matrix) == (View.SAME, (1.0, 0, 0, 0, 1.0, 0, 0, 0, 1.0))


def test_the_light_moves_no_camera(standpoint: Standpoint) -> None:
    assert seen(standpoint, cv2.convertScaleAbs(shelf(), alpha=0.3)).view is View.SAME


def test_a_camera_that_was_knocked_away_is_told_at_once_and_once_sure(standpoint: Standpoint) -> None:
    away = shelf(nudges=(Nudge(0.0, 80, 20),))
    first = standpoint.pose(frame(1.0, away))
    assert (first.view, first.usable) == (View.UNSURE, True), "it is looked for as soon as it happens"
    second = standpoint.pose(frame(2.0, away))
    assert (second.view, second.usable) == (View.MOVED, False)
    assert "+80 px across, +20 px down" in second.reason
    assert standpoint.pose(frame(9.0, away)) is second, "told once"
    assert seen(standpoint, shelf(), since=12.0).view is View.SAME, "and put back"


@pytest.mark.parametrize(
    ("picture", "why"),
    [
        (np.full((720, 1280, 3), 2, np.uint8), "dark, covered or turned away"),
        (np.random.default_rng(1).integers(0, 256, (720, 1280, 3), np.uint8), "something covers it"),
    ],
    ids=["dark", "something else"],
)
def test_nothing_of_the_view_is_found(standpoint: Standpoint, picture: Any, why: str) -> None:
    pose = seen(standpoint, picture)
    assert pose.view is View.LOST
    assert why in pose.reason
    assert seen(standpoint, shelf(), since=30.0).view is View.SAME


def test_a_glance_at_something_else_is_forgiven(standpoint: Standpoint) -> None:
    assert standpoint.pose(frame(3.0, np.zeros((720, 1280, 3), np.uint8))).usable
    assert standpoint.pose(frame(6.0, shelf())).view is View.SAME


def test_the_reference_is_not_taken_in_the_dark() -> None:
    made = Standpoint(ViewSettings())
    made.pose(frame(0.0, np.zeros((720, 1280, 3), np.uint8)))
    assert made.kept() is None
    made.pose(frame(3.0, shelf()))
    assert made.kept() is not None


def test_it_is_remembered_over_a_restart(standpoint: Standpoint) -> None:
    kept = standpoint.kept()
    assert kept is not None
    again = Standpoint(ViewSettings(), Corners.from_kept(kept))
    assert seen(again, shelf(nudges=(Nudge(0.0, 80, 0),))).view is View.MOVED


def test_other_products_wear_the_reference_out_and_it_is_taken_anew(standpoint: Standpoint) -> None:
    before = standpoint.reference
    other = Script(BAY, tuple((slot, number + 15) for number, slot in enumerate(BAY.slots)))
    restocked = Filming(other).frame(100.0)
    assert seen(standpoint, restocked).view is View.SAME, "by rails, labels and the wall"
    assert standpoint.reference is before
    assert seen(standpoint, restocked, since=RENEW_S + 10).view is View.SAME
    assert standpoint.reference is not before


def test_it_can_be_switched_off() -> None:
    made = Standpoint(ViewSettings(every_s=0))
    made.pose(frame(0.0, shelf()))
    assert made.pose(frame(9.0, np.zeros((720, 1280, 3), np.uint8))).view is View.SAME


def test_the_same_frame_asked_twice_is_one_look(standpoint: Standpoint) -> None:
    away = frame(1.0, shelf(nudges=(Nudge(0.0, 80, 20),)))
    assert standpoint.pose(away) is standpoint.pose(away)


class Bottles:
    """A bare wall with three things before it, and where they stand."""

    QUADS = np.array([[(x, 60), (x + 90, 60), (x + 90, 330), (x, 330)] for x in (60, 270, 480)], np.float64)

    @staticmethod
    def picture(*shifts: int, whole: int = 0) -> Any:
        scene = np.full((360, 640, 3), 170, np.uint8)
        print_ = np.random.default_rng(4).integers(0, 256, (40, 12, 3)).astype(np.uint8)
        thing = cv2.resize(print_, (60, 200), interpolation=cv2.INTER_NEAREST)
        for x, shift in zip((75, 285, 495), shifts, strict=True):
            left = x + shift + whole
            scene[100:300, left : left + 60] = np.roll(thing, x, axis=0)
        return scene


def bottles() -> Standpoint:
    made = Standpoint(ViewSettings(), goods=Bottles.QUADS)
    made.pose(frame(0.0, Bottles.picture(0, 0, 0)))
    assert made.reference is not None
    assert made.reference.of_goods
    return made


@pytest.mark.parametrize("shifts", [(30, 0, 0), (30, 25, -20), (28, 28, 0)])
def test_goods_that_were_put_down_elsewhere_moved_no_camera(shifts: tuple[int, ...]) -> None:
    assert seen(bottles(), Bottles.picture(*shifts)).view is View.SAME


def test_goods_that_all_moved_alike_did() -> None:
    assert seen(bottles(), Bottles.picture(0, 0, 0, whole=30)).view is View.MOVED
    assert seen(bottles(), Bottles.picture(0, 0, 0, whole=8)).view is View.FOLLOWED


def test_goods_are_left_out_where_there_is_furniture() -> None:
    quads = np.array([[(x1, y1), (x2, y1), (x2, y2), (x1, y2)] for x1, y1, x2, y2 in map(BAY.box, BAY.slots)])
    made = Standpoint(ViewSettings(), goods=quads.astype(np.float64))
    made.pose(frame(0.0, shelf()))
    assert made.reference is not None
    assert not made.reference.of_goods
    empty = Filming(Script(BAY, tuple((slot, None) for slot in BAY.slots))).frame(100.0)
    assert seen(made, empty).view is View.SAME
    away = Filming(
        Script(BAY, tuple((slot, None) for slot in BAY.slots), nudges=(Nudge(0.0, 80, 20),))
    ).frame(100.0)
    assert seen(made, away, since=20.0).view is View.MOVED


def test_where_it_was_moved_to_may_be_accepted_and_outlasts_a_restart(standpoint: Standpoint) -> None:
    away = shelf(nudges=(Nudge(0.0, 80, 20),))
    assert seen(standpoint, away).view is View.MOVED
    assert standpoint.accept() == pytest.approx(82.5, abs=2.0)
    points = np.array([(200.0, 100.0), (1100.0, 600.0)])
    again = Standpoint(ViewSettings())
    again.recall(standpoint.kept() or {})
    for each in (standpoint, again):
        pose = seen(each, away, since=10.0)
        assert pose.view is View.FOLLOWED
        assert np.abs(pose.placed(points) - points - (80, 20)).max() < 2.0
        assert seen(each, shelf(), since=20.0).view is View.MOVED, "it is put back: that is another move"


def test_what_did_not_move_or_is_not_found_cannot_be_accepted(standpoint: Standpoint) -> None:
    with pytest.raises(ValueError, match="found one that stands where it stood"):
        standpoint.accept()
    seen(standpoint, np.zeros((720, 1280, 3), np.uint8))
    with pytest.raises(ValueError, match="corners of the reference view are found"):
        standpoint.accept()


@pytest.mark.parametrize("accepted", [[1.0], [float("nan")] * 9, ["a"] * 9, None])
def test_what_was_kept_of_another_kind_is_refused(standpoint: Standpoint, accepted: Any) -> None:
    with pytest.raises((ValueError, TypeError)):
        Standpoint(ViewSettings()).recall({**(standpoint.kept() or {}), "accepted": accepted})
