"""A planogram: what it may say, and where its facings are in a picture."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest

from agent.core.planogram import Fixture, PlannedSlot, Planogram
from agent.core.regions import MAX_REGIONS

if TYPE_CHECKING:
    from collections.abc import Callable

SQUARE = ((0.0, 0.0), (100.0, 0.0), (100.0, 50.0), (0.0, 50.0))


def slot(name: str = "a1", **more: Any) -> PlannedSlot:
    place = {} if {"box", "quad", "cm"} & more.keys() else {"box": (10.0, 10.0, 60.0, 90.0)}
    return PlannedSlot(name=name, **{"sku": "oats", **place, **more})


def fixture(**more: Any) -> Fixture:
    return Fixture(**{"name": "bay", "points_cm": SQUARE, "points": SQUARE, **more})


REFUSED: dict[str, tuple[Callable[[], Any], str]] = {
    "no slots": (lambda: Planogram(slots=()), "slots: expected at least one, found none"),
    "a slot twice": (lambda: Planogram(slots=(slot(), slot())), "slots: expected each name once, found 'a1'"),
    "a name with a slash": (lambda: slot("a/1"), "name: expected 1 to 64 characters"),
    "no product": (lambda: slot(sku=""), "slot 'a1': sku: expected 1 to 200 characters, found 0"),
    "no place": (lambda: PlannedSlot(name="a1", sku="x"), "expected one of box, quad and cm, found none"),
    "two places": (
        lambda: slot(box=(0, 0, 9, 9), quad=SQUARE),
        "slot 'a1': expected one of box, quad and cm, found box and quad",
    ),
    "a box inside out": (lambda: slot(box=(9, 0, 0, 9)), "slot 'a1': box: expected x1 < x2"),
    "no number": (lambda: slot(box=(0, 0, float("nan"), 9)), "slot 'a1': expected finite numbers"),
    "a crossed quad": (
        lambda: slot(quad=((0, 0), (9, 9), (9, 0), (0, 9))),
        "slot 'a1': quad: expected four corners clockwise",
    ),
    "centimetres of nothing": (lambda: slot(cm=(0, 0, 9, 9)), "expected fixture together with cm"),
    "a width of nothing": (lambda: slot(cm=(0, 0, 0, 9), fixture="bay"), "cm: expected a width and a height"),
    "a fixture that is not there": (
        lambda: Planogram(slots=(slot(cm=(0, 0, 9, 9), fixture="bay"),)),
        "slots: slot 'a1': expected a fixture of one in fixtures, which is empty, found 'bay'",
    ),
    "a fixture twice": (
        lambda: Planogram(slots=(slot(),), fixtures=(fixture(), fixture())),
        "fixtures: expected each name once, found 'bay' twice",
    ),
    "points on a line": (
        lambda: fixture(points=((0, 0), (1, 1), (2, 2), (0, 5))),
        "fixture 'bay': points: expected four points of which no three lie on a line",
    ),
    "no facings": (lambda: slot(facings=0), "slot 'a1': facings: expected a number from 1 to 20, found 0"),
    "a minimum that never is": (lambda: slot(minimum=2), "slot 'a1': minimum: expected a number from 1 to 1"),
    "slots on one another": (
        lambda: Planogram(slots=(slot(), slot("a2", box=(40.0, 10.0, 100.0, 90.0)))),
        "slots: slot 'a1' and slot 'a2': expected at most 20 % of the smaller in common, found 40 %",
    ),
    "slots on one another in centimetres": (
        lambda: Planogram(
            fixtures=(fixture(),),
            slots=(slot(cm=(0, 0, 10, 10), fixture="bay"), slot("a2", cm=(2, 0, 9, 9), fixture="bay")),
        ),
        "slots: slot 'a1' and slot 'a2': expected at most 20 %",
    ),
    "a share above one": (
        lambda: Planogram(unit="share", slots=(slot(box=(0.5, 0, 1.2, 1)),)),
        "slots: slot 'a1': expected x from 0 to 1 within the picture, found 1.2",
    ),
    "too many facings": (
        lambda: Planogram(
            slots=tuple(
                slot(f"s{n}", box=(n * 500.0, 0.0, n * 500 + 400.0, 50.0), facings=20)
                for n in range(MAX_REGIONS // 20 + 1)
            )
        ),
        "slots: expected at most 1024 facings together, found 1040",
    ),
    "outside the picture": (
        lambda: Planogram(slots=(slot(),)).cells(50, 100),
        "slots: slot 'a1': expected x from 0 to 50 within the picture, found 60",
    ),
    "facings too small to tell": (
        lambda: Planogram(slots=(slot(facings=10),)).cells(640, 360),
        "slot 'a1': expected facings with sides of at least 8 px, found 5.0 px",
    ),
}


@pytest.mark.parametrize(("make", "says"), REFUSED.values(), ids=REFUSED.keys())
def test_refused(make: Callable[[], Any], says: str) -> None:
    with pytest.raises(ValueError, match=says.replace("(", r"\(").replace("[", r"\[")):
        make()


def test_neighbours_that_touch_or_lie_a_little_on_one_another_are_taken() -> None:
    beside = slot("a2", box=(55.0, 10.0, 105.0, 90.0))
    assert [cell.name for cell in Planogram(slots=(slot(), beside)).cells(640, 360)] == ["a1", "a2"]


def test_one_facing_is_the_slot_itself_and_more_are_numbered_from_the_left() -> None:
    plan = Planogram(slots=(slot(), slot("b", box=(100.0, 0.0, 160.0, 40.0), facings=3)))
    cells = plan.cells(640, 360)
    assert [cell.name for cell in cells] == ["a1", "b/1", "b/2", "b/3"]
    assert [round(cell.quad[0][0]) for cell in cells[1:]] == [100, 120, 140]
    assert plan.expected == dict.fromkeys(["a1", "b/1", "b/2", "b/3"], "oats")


def test_shares_are_of_the_picture() -> None:
    plan = Planogram(unit="share", slots=(slot(box=(0.5, 0.25, 1.0, 0.5)),))
    assert plan.cells(640, 360)[0].quad == ((320, 90), (640, 90), (640, 180), (320, 180))


def test_centimetres_on_a_fixture_that_is_seen_from_the_side() -> None:
    seen = ((100.0, 50.0), (500.0, 80.0), (500.0, 300.0), (100.0, 330.0))
    plan = Planogram(
        fixtures=(fixture(points=seen),), slots=(slot(cm=(20, 10, 30, 40), fixture="bay", facings=2),)
    )
    onto = cv2.getPerspectiveTransform(np.array(SQUARE, np.float32), np.array(seen, np.float32))
    expected = cv2.perspectiveTransform(
        np.array([[(20, 10), (35, 10), (35, 50), (20, 50)]], np.float64), onto
    )[0]
    left, right = plan.cells(640, 360)
    assert np.allclose(left.quad, expected, atol=1e-3)
    assert left.quad[1] == pytest.approx(right.quad[0])


def test_a_shelf_of_many_slots_is_checked_in_no_time() -> None:
    slots = tuple(
        slot(f"r{row}c{column}", box=(column * 30.0, row * 30.0, column * 30 + 30.0, row * 30 + 30.0))
        for row in range(20)
        for column in range(20)
    )
    assert len(Planogram(slots=slots).cells(640, 640)) == 400
