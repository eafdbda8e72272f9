"""The drawn shop: the same seed gives the same pictures, and the ground truth is what the pixels show."""

from __future__ import annotations

import numpy as np
import pytest

from tools.synth.camera import NOISE_SIGMA
from tools.synth.designs import Kind, design
from tools.synth.packages import draw_package
from tools.synth.scenes import Bay, draw_bay
from tools.synth.script import Change, Filming, Passage, Script, eventful
from tools.synth.views import studio_view

BAY = Bay(rows=2, columns=3, width=480, height=270)


def test_the_same_number_gives_the_same_product_and_another_seed_another_one() -> None:
    assert design(4, seed=1) == design(4, seed=1)
    assert design(4, seed=1) != design(4, seed=2)
    assert np.array_equal(draw_package(design(4), 200), draw_package(design(4), 200))


def test_fifty_products_of_one_shop_all_have_different_names_and_faces() -> None:
    designs = [design(number) for number in range(50)]
    assert len({item.name for item in designs}) == 50
    small = [studio_view(item, 0, 48).astype(np.int16) for item in designs]
    nearest = min(
        float(np.abs(small[a] - small[b]).mean()) for a in range(len(small)) for b in range(a + 1, len(small))
    )
    assert nearest > 5, "two products look alike"


@pytest.mark.parametrize("kind", list(Kind))
def test_every_kind_of_body_is_a_sprite_with_an_outline(kind: Kind) -> None:
    number = list(Kind).index(kind)
    item = design(number)
    assert item.kind is kind
    sprite = draw_package(item, 160)
    assert sprite.shape == (160, round(160 * item.aspect), 4)
    assert sprite.dtype == np.uint8
    seen = (sprite[:, :, 3] > 127).mean()
    assert 0.4 < seen <= 1.0


@pytest.mark.parametrize("height", [16, 33, 700])
def test_products_can_be_drawn_small_and_large(height: int) -> None:
    for number in range(len(Kind)):
        assert draw_package(design(number), height).shape[0] == height


def test_studio_views_show_the_product_on_a_plain_ground_and_differ() -> None:
    views = [studio_view(design(1), number, 160) for number in range(4)]
    for view in views:
        assert view.shape == (160, 160, 3)
        assert np.ptp(view[:3, :3].reshape(-1, 3), axis=0).max() <= 3, "the corner is not plain"
    assert all(not np.array_equal(views[0], other) for other in views[1:])


def test_slots_are_named_row_by_row_and_lie_inside_the_picture_without_overlap() -> None:
    assert BAY.slots == ("a1", "a2", "a3", "b1", "b2", "b3")
    taken = np.zeros((BAY.height, BAY.width), np.uint8)
    for slot in BAY.slots:
        x1, y1, x2, y2 = BAY.box(slot)
        assert 0 <= x1 < x2 <= BAY.width
        assert 0 <= y1 < y2 <= BAY.height
        taken[y1 + 2 : y2 - 2, x1 + 2 : x2 - 2] += 1
    assert taken.max() == 1


@pytest.mark.parametrize(("rows", "columns"), [(0, 1), (1, 0), (27, 1), (1, 100)])
def test_a_bay_that_cannot_be_named_is_refused(rows: int, columns: int) -> None:
    with pytest.raises(ValueError, match="bay: expected"):
        Bay(rows=rows, columns=columns)


def test_a_product_changes_the_pixels_of_its_own_slot_alone() -> None:
    empty = draw_bay(BAY, {}).astype(np.int16)
    for slot in BAY.slots:
        difference = np.abs(draw_bay(BAY, {slot: 0}).astype(np.int16) - empty).max(axis=2)
        x1, y1, x2, y2 = BAY.box(slot)
        assert (difference[y1:y2, x1:x2] > 30).mean() > 0.1
        difference[max(0, y1 - 3) : y2 + 3, max(0, x1 - 3) : x2 + 3] = 0
        assert difference.max() == 0


def test_the_script_says_what_stands_where_at_every_moment() -> None:
    script = Script(
        BAY, (("a1", 0), ("a2", 1)), (Change(5.0, "a1", None), Change(7.0, "a1", 1), Change(7.0, "a2", 0))
    )
    assert [script.shown(t)["a1"] for t in (0.0, 4.9, 5.0, 6.9, 7.0)] == [0, 0, None, None, 1]
    assert [script.shown(t)["a2"] for t in (0.0, 6.9, 7.0)] == [1, 1, 0]
    assert script.shown(0.0)["b3"] is None


def test_a_shopper_covers_slots_from_left_to_right_and_is_gone_afterwards() -> None:
    script = Script(BAY, (), passages=(Passage(10.0, 4.0),))
    assert script.covered(9.9) == frozenset()
    assert script.covered(14.0) == frozenset()
    assert "a1" in script.covered(11.0)
    assert "a3" not in script.covered(11.0)
    assert "a3" in script.covered(13.5)
    assert "a1" not in script.covered(13.5)


def test_frames_repeat_exactly_and_pixels_follow_the_script() -> None:
    script = Script(BAY, (("a1", 0), ("b2", 3)), (Change(5.0, "a1", None),), (Passage(10.0, 4.0),))
    one, two = Filming(script), Filming(script)
    for at in (0.0, 6.0, 12.0):
        assert np.array_equal(one.frame(at), two.frame(at))
    assert one.frame(0.0).shape == (BAY.height, BAY.width, 3)

    def differs(slot: str, first: float, second: float) -> float:
        x1, y1, x2, y2 = BAY.box(slot)
        a, b = (one.frame(at)[y1:y2, x1:x2].astype(np.int16) for at in (first, second))
        return float(np.abs(a - b).mean())

    quiet = 2.5 * NOISE_SIGMA
    assert differs("a1", 0.0, 4.0) < quiet
    assert differs("a1", 4.0, 6.0) > quiet
    assert differs("b2", 4.0, 6.0) < quiet
    assert differs("b2", 6.0, 12.0) > quiet, "the shopper hides the middle"


def test_an_eventful_shelf_is_stocked_as_planned_and_comes_back_to_it_every_round() -> None:
    script = eventful(BAY, products=6, begin_s=8.0)
    home = dict(zip(BAY.slots, range(6), strict=True))
    assert script.shown(0.0) == home
    assert list(script.shown(9.0).values()).count(None) == 1
    assert sum(script.shown(12.0)[slot] != home[slot] for slot in BAY.slots) == 3
    assert script.shown(24.5) == home


def test_an_eventful_shelf_needs_a_product_for_every_slot() -> None:
    with pytest.raises(ValueError, match="expected at least 6, one per slot, found 5"):
        eventful(BAY, products=5)
