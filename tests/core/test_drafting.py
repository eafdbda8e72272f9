"""Rows and candidates of a drawn bay, and the slots that recognised candidates become."""

from __future__ import annotations

import numpy as np
import pytest

from agent.core.boards import Candidate, Line, Row, candidates_of, rows_of
from agent.core.drafting import Seen, draft
from tools.synth.camera import noisy
from tools.synth.scenes import Bay, draw_bay
from tools.synth.script import lit_by_shop

LEVEL = Row(Line(10.0, 0.0, 500.0), Line(210.0, 0.0, 500.0))
SIZE = (1000, 300)


def seen(left: int, right: int, sku: str, similarity: float = 0.9, known: float = 1.0) -> Seen:
    return Seen(Candidate(0, left, right, (left, 20, right, 210)), sku, sku, known, 0.9, similarity)


def slots(*what: Seen, row: Row = LEVEL) -> list[dict[str, object]]:
    return [each.slot for each in draft([row], what, SIZE)]


@pytest.mark.parametrize(
    "bay",
    [Bay(rows=3, columns=5, seed=3), Bay(rows=4, columns=6, seed=5, skew=-0.02), Bay(2, 3, 640, 360, 3)],
    ids=["three boards", "four, from the other side", "a small picture"],
)
def test_the_rows_of_a_bay_end_on_its_boards(bay: Bay) -> None:
    image = noisy(lit_by_shop(draw_bay(bay, {slot: n for n, slot in enumerate(bay.slots)})), 1)
    rows = rows_of(image)
    assert len(rows) == bay.rows
    for number, row in enumerate(rows):
        for slot in (f"{chr(97 + number)}1", f"{chr(97 + number)}{bay.columns}"):
            x1, top, x2, floor = bay.box(slot)
            middle = (x1 + x2) / 2
            assert row.floor.at(middle) == pytest.approx(floor, abs=0.015 * bay.height)
            assert row.top.at(middle) == pytest.approx(top, abs=0.035 * bay.height)
    candidates = candidates_of(image, rows)
    assert {candidate.row for candidate in candidates} == set(range(bay.rows))
    height, width = image.shape[:2]
    assert all(0 <= x1 < x2 <= width and 0 <= y1 < y2 <= height
               for x1, y1, x2, y2 in (candidate.box for candidate in candidates))  # fmt: skip


@pytest.mark.parametrize("size", [(40, 60), (2, 2), (300, 1)])
@pytest.mark.parametrize("level", [0, 255])
def test_a_picture_of_nothing_is_one_row_without_candidates(size: tuple[int, int], level: int) -> None:
    image = np.full((*size, 3), level, np.uint8)
    rows = rows_of(image)
    assert len(rows) == 1
    assert len(candidates_of(image, rows)) <= 1  # from edge to edge


def test_what_explains_a_row_best_is_kept() -> None:
    good, loose, half = seen(100, 200, "oats"), seen(80, 230, "oats", 0.7), seen(100, 150, "rye", 0.6)
    other, nothing = seen(300, 380, "rye"), seen(500, 600, "rye", 0.9, known=0.1)
    found = slots(half, loose, nothing, other, good)
    assert [(slot["name"], slot["sku"]) for slot in found] == [("a1", "oats"), ("a2", "rye")]


def test_neighbours_of_one_product_are_facings_and_slots_meet_half_way() -> None:
    found = slots(
        seen(100, 200, "oats"), seen(210, 305, "oats"), seen(345, 445, "rye"), seen(700, 800, "rye")
    )
    assert [(slot["sku"], slot.get("facings", 1)) for slot in found] == [("oats", 2), ("rye", 1), ("rye", 1)]
    assert found[0]["box"] == [80, 10, 325, 210]
    assert found[1]["box"] == [325, 10, 465, 210]
    assert found[2]["box"] == [650, 10, 850, 210]


def test_a_slot_on_a_tilted_board_has_four_corners() -> None:
    tilted = Row(Line(10.0, 0.04, 500.0), Line(210.0, 0.04, 500.0))
    (slot,) = slots(seen(100, 400, "oats"), row=tilted)
    assert "box" not in slot
    left, right = 0, 500  # the picture ends there
    assert slot["quad"] == [[left, 0], [right, 10], [right, 210], [left, 190]]
