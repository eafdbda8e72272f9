"""What is remembered of a camera whose regions are proposed: cost follows change, and boxes keep still."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from agent.core.changes import ChangeSettings
from agent.core.evidence import DecisionSettings
from agent.core.tracking import Tracker, TrackingSettings
from agent.core.types import Candidate, Frame, Look, Region
from agent.telling import Teller
from agent.viewing import CameraPlan, View

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from agent.core.types import Box

LOOK = Look((Candidate(1, 0.9, 1 << 24),))


class Script:
    """Proposes what the test says."""

    def __init__(self) -> None:
        self.boxes: list[Box] = []

    def regions(self, frame: Frame) -> tuple[Region, ...]:
        """In the order of the test; `frame` decides nothing."""
        assert frame.camera == "cam"
        return tuple(Region(box) for box in self.boxes)


@pytest.fixture
def script() -> Script:
    return Script()


@pytest.fixture
def view(script: Script) -> View:
    plan = CameraPlan(script, ChangeSettings(refresh_s=10.0))
    return View(plan, Tracker("cam", TrackingSettings(), 4), Teller(DecisionSettings()))


def frame(at: float, image: NDArray[np.uint8], *, cut: bool = False) -> Frame:
    return Frame("cam", round(at * 10), at=at, utc=at, image=image, cut=cut)


def picture(left: int = 40, level: int = 220) -> NDArray[np.uint8]:
    image = np.full((120, 200, 3), 30, np.uint8)
    image[30:90, left : left + 40] = level
    return image


def look(view: View, shown: Frame, looks: int = 1) -> list[tuple[Box, bool]]:
    """Each region's box, and whether it had to be embedded."""
    seen = []
    for place in view.places(shown):
        kept = view.kept(place, shown.at, looks)
        if kept is None:
            view.remember(place, shown.at, LOOK)
        seen.append((place.region.box, kept is None))
    return seen


def test_nothing_proposed_is_nothing_to_look_at(view: View) -> None:
    assert look(view, frame(0, picture())) == []


def test_a_box_that_trembles_on_a_thing_that_stands_is_looked_at_once(view: View, script: Script) -> None:
    script.boxes = [(40, 30, 80, 90)]
    assert look(view, frame(0, picture())) == [((40, 30, 80, 90), True)]
    for step in range(1, 8):
        script.boxes = [(40 + step % 3, 30 - step % 2, 80 + step % 3, 90)]
        assert look(view, frame(step, picture())) == [((40, 30, 80, 90), False)]


def test_it_has_as_many_real_looks_as_an_answer_needs(view: View, script: Script) -> None:
    script.boxes = [(40, 30, 80, 90)]
    assert [look(view, frame(step, picture()), looks=2)[0][1] for step in range(4)] == [
        True,
        True,
        False,
        False,
    ]


def test_what_moves_is_looked_at_again(view: View, script: Script) -> None:
    for step in range(4):
        script.boxes = [(40 + 8 * step, 30, 80 + 8 * step, 90)]
        assert look(view, frame(step, picture(40 + 8 * step)))[0][1]
    assert len(view.found) == 1, "the latest look at its place takes the place of the one before"


def test_another_thing_in_the_same_place_is_looked_at(view: View, script: Script) -> None:
    script.boxes = [(40, 30, 80, 90)]
    look(view, frame(0, picture()))
    assert look(view, frame(1, picture(level=120))) == [((40, 30, 80, 90), True)]


def test_after_some_time_it_is_looked_at_where_it_is_proposed_now(view: View, script: Script) -> None:
    script.boxes = [(40, 30, 80, 90)]
    look(view, frame(0, picture()))
    script.boxes = [(42, 30, 82, 90)]
    assert look(view, frame(11, picture())) == [((42, 30, 82, 90), True)]


def test_a_place_that_was_not_proposed_for_a_moment_is_remembered(view: View, script: Script) -> None:
    script.boxes = [(40, 30, 80, 90)]
    look(view, frame(0, picture()))
    script.boxes = []
    look(view, frame(1, picture()))
    script.boxes = [(41, 30, 81, 90)]
    assert look(view, frame(2, picture())) == [((40, 30, 80, 90), False)]


def test_two_boxes_on_one_place_are_two_places(view: View, script: Script) -> None:
    script.boxes = [(40, 30, 80, 90)]
    look(view, frame(0, picture()))
    script.boxes = [(42, 30, 82, 90), (40, 34, 80, 94)]
    assert sorted(fresh for _, fresh in look(view, frame(1, picture()))) == [False, True]


def test_a_cut_forgets(view: View, script: Script) -> None:
    script.boxes = [(40, 30, 80, 90)]
    look(view, frame(0, picture()))
    assert look(view, frame(1, picture(), cut=True)) == [((40, 30, 80, 90), True)]


def test_a_smaller_picture_than_before_is_survived(view: View, script: Script) -> None:
    script.boxes = [(140, 60, 190, 110)]
    look(view, frame(0, picture()))
    small = picture()[:100, :150]
    script.boxes = [(120, 50, 150, 100)]
    assert look(view, frame(1, small)) == [((120, 50, 150, 100), True)]
    script.boxes = [(139, 60, 150, 100)]
    look(view, frame(2, small))


def test_what_is_remembered_stays_bounded(view: View, script: Script) -> None:
    for step in range(100):
        script.boxes = [(step, 0, step + 20, 20), (step, 60, step + 20, 80)]
        look(view, frame(step * 0.01, np.full((120, 200, 3), step * 2, np.uint8)))
    assert len(view.found) <= 64
