"""What stands before a shelf, and what is only goods that change."""

from __future__ import annotations

from functools import cache
from typing import Any

import cv2
import numpy as np
import pytest

from agent.core.foreground import ABSORB_S, Foreground
from agent.core.types import Frame
from tools.synth.scenes import Bay
from tools.synth.script import Change, Filming, Nudge, Script, Stand

BAY = Bay(rows=3, columns=5, width=640, height=360, seed=3)
START = tuple((slot, number) for number, slot in enumerate(BAY.slots))
QUADS = np.array(
    [[(x1, y1), (x2, y1), (x2, y2), (x1, y2)] for x1, y1, x2, y2 in map(BAY.box, BAY.slots)], np.float64
)
STAND = (Stand(50.0, 100.0, 0.5),)


@cache
def shelf(**more: Any) -> Any:
    return Filming(Script(BAY, START, **more)).frame(100.0)


class Camera:
    """Shows pictures to a foreground, one a second."""

    def __init__(self) -> None:
        self.foreground = Foreground()
        self.at = 0.0

    def show(self, image: Any, seconds: int = 1, step: float = 1.0, *, cut: bool = False) -> Any:
        for _ in range(seconds):
            self.at += step
            before = self.foreground.look(Frame("cam", 0, self.at, self.at, image, cut=cut), QUADS)
        return before


def hidden(before: Any) -> set[str]:
    return {slot for slot, share in zip(BAY.slots, before.hidden, strict=True) if share > 0.1}


@pytest.fixture
def camera() -> Camera:
    made = Camera()
    assert hidden(made.show(shelf(), 3)) == set()
    return made


def test_whoever_stands_there_hides_what_is_behind_and_nothing_else(camera: Camera) -> None:
    behind = Script(BAY, START, stands=STAND).covered(100.0)
    found = hidden(camera.show(shelf(stands=STAND)))
    assert found <= behind
    assert {"a3", "b3", "c3"} <= found
    assert hidden(camera.show(shelf(stands=STAND), 120)) == found, "also when they stand still"
    assert hidden(camera.show(shelf())) == set()


def test_whoever_stands_there_when_a_lost_camera_comes_back_is_no_shelf(camera: Camera) -> None:
    found = hidden(camera.show(shelf(stands=STAND), 5))
    assert hidden(camera.show(shelf(stands=STAND), step=2 * ABSORB_S, cut=True)) == found
    assert hidden(camera.show(shelf(stands=STAND), 5)) == found, "nobody saw them stand still for so long"
    assert hidden(camera.show(shelf(), cut=True)) == set()
    assert hidden(camera.show(shelf(stands=STAND), cut=True)) == found


def test_goods_that_change_stand_before_nothing(camera: Camera) -> None:
    for product in (None, 9, 4, None):
        changed = shelf(changes=(Change(0.0, "b2", product), Change(0.0, "b4", product)))
        assert hidden(camera.show(changed, 3)) == set()


def test_a_shopper_who_was_there_from_the_start_hides_nothing_when_they_left() -> None:
    camera = Camera()
    camera.show(shelf(stands=STAND), 3)
    seems = hidden(camera.show(shelf()))
    assert {"a3", "b3", "c3"} <= seems, "what they hid stands out from them as they from it"
    camera.foreground.in_sight([BAY.slots.index("b3")])
    assert hidden(camera.show(shelf())) == seems, "one may be mistaken"
    camera.foreground.in_sight([BAY.slots.index(slot) for slot in ("a3", "b3", "c3")])
    assert hidden(camera.show(shelf())) == set()
    assert hidden(camera.show(shelf(stands=STAND))) != set()


def test_a_camera_that_was_nudged_keeps_its_background(camera: Camera) -> None:
    nudged = (Nudge(0.0, 8, 3),)
    camera.foreground.follow(np.array([[1.0, 0, 8], [0, 1.0, 3], [0, 0, 1.0]]))
    assert hidden(camera.show(shelf(nudges=nudged))) == set()
    assert hidden(camera.show(shelf(nudges=nudged, stands=STAND))) != set()


@pytest.mark.parametrize("gain", [0.3, 0.6, 1.3])
def test_the_light_stands_before_nothing(camera: Camera, gain: float) -> None:
    dim = cv2.convertScaleAbs(shelf(), alpha=gain)
    before = camera.show(dim)
    assert hidden(before) == set()
    assert before.light[1] == pytest.approx(min(255, gain * camera.show(shelf()).light[1]), rel=0.15)


def test_what_stays_for_ever_becomes_furniture(camera: Camera) -> None:
    camera.show(shelf(stands=STAND))
    assert hidden(camera.show(shelf(stands=STAND), 3, step=ABSORB_S)) == set()


def test_a_hand_in_a_slot_moves(camera: Camera) -> None:
    hand = shelf().copy()
    x1, y1, x2, y2 = BAY.box("b2")
    hand[y1 + 20 : y2 - 20, x1 + 20 : x2 - 20] = (120, 150, 200)
    before = camera.show(hand)
    assert before.moving[BAY.slots.index("b2")] > 0.2
    assert before.moving[BAY.slots.index("c4")] == 0
