"""Where products are looked for: what is refused first, then what comes out."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from agent.core.motion import MotionSettings
from agent.core.proposals import DetectorSettings, TileSettings
from agent.core.regions import GridSettings, RegionSettings, SlotSettings, kept_centre, propose

QUAD = ((10.0, 10.0), (90.0, 20.0), (80.0, 60.0), (20.0, 50.0))


def slots(*given: SlotSettings, **more: Any) -> RegionSettings:
    return RegionSettings(mode="slots", slots=given, **more)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        pytest.param(slots, "slots: expected at least one slot, found 0", id="slots without slots"),
        pytest.param(
            lambda: RegionSettings(slots=(SlotSettings(name="a", box=(0, 0, 9, 9)),)),
            "slots: expected none with mode whole, found 1",
            id="slots without the mode that uses them",
        ),
        pytest.param(
            lambda: RegionSettings(mode="detector"),
            "detector: expected the model, found none",
            id="detector without a model",
        ),
        pytest.param(
            lambda: RegionSettings(detector=DetectorSettings(file="d.tflite")),
            "detector: expected none with mode whole, found one",
            id="a detector without the mode that uses it",
        ),
        pytest.param(
            lambda: RegionSettings(zone=(0, 0, 9, 9)), "with mode whole", id="a zone that nothing watches"
        ),
        pytest.param(
            lambda: RegionSettings(mode="motion", zone=(9, 0, 9, 9)), "zone: expected pixels", id="empty zone"
        ),
        pytest.param(
            lambda: RegionSettings(mode="motion", unit="share", zone=(0, 0, 2, 1)),
            "zone: expected numbers from 0 to 1",
            id="a zone of more than all",
        ),
        pytest.param(lambda: RegionSettings(min_px=2), "min_px: expected a number from 8", id="tiny regions"),
        pytest.param(lambda: RegionSettings(limit=0), "limit: expected a number from 1", id="no regions"),
        pytest.param(
            lambda: propose(RegionSettings(mode="motion"), 9, 9),
            "mode: expected one whose",
            id="no fixed mode",
        ),
        pytest.param(lambda: MotionSettings(contrast=0), "contrast: expected a number", id="no contrast"),
        pytest.param(lambda: DetectorSettings(file="d.onnx"), "file: expected a path", id="another format"),
        pytest.param(lambda: TileSettings(rows=9), "rows: expected a number from 1 to 8", id="many tiles"),
        pytest.param(
            lambda: RegionSettings(mode="centre", centre=0.0), "centre: expected a number", id="no centre"
        ),
        pytest.param(lambda: GridSettings(rows=0), "rows: expected a number from 1", id="no row"),
        pytest.param(
            lambda: GridSettings(overlap=1.0), "overlap: expected a number from 0 to 0.9", id="all overlap"
        ),
        pytest.param(
            lambda: GridSettings(rows=64, columns=64), "expected at most 1024 cells", id="too many cells"
        ),
        pytest.param(
            lambda: SlotSettings(name="a"),
            "slot 'a': expected either a box or a quad, found neither",
            id="no place",
        ),
        pytest.param(
            lambda: SlotSettings(name="a", box=(0, 0, 9, 9), quad=QUAD),
            "slot 'a': expected either a box or a quad, found both",
            id="two places",
        ),
        pytest.param(
            lambda: SlotSettings(name="a", box=(9, 0, 9, 9)),
            "slot 'a': box: expected x1 < x2",
            id="empty box",
        ),
        pytest.param(
            lambda: SlotSettings(name="a", box=(0, 0, float("nan"), 9)), "slot 'a': expected finite", id="NaN"
        ),
        pytest.param(lambda: SlotSettings(name="", box=(0, 0, 9, 9)), "name: expected 1 to 64", id="no name"),
        pytest.param(
            lambda: SlotSettings(name="a/b", box=(0, 0, 9, 9)),
            "name: expected 1 to 64",
            id="a name of two levels",
        ),
        pytest.param(
            lambda: SlotSettings(name="a", quad=(QUAD[0], QUAD[2], QUAD[1], QUAD[3])),
            "slot 'a': quad: expected four corners clockwise around a convex shape",
            id="a quad that crosses itself",
        ),
        pytest.param(
            lambda: SlotSettings(name="a", quad=QUAD[::-1]),
            "slot 'a': quad: expected four corners clockwise",
            id="a mirrored quad",
        ),
        pytest.param(
            lambda: SlotSettings(name="a", quad=((0, 0), (50, 0), (10, 10), (0, 50))),
            "slot 'a': quad: expected four corners clockwise around a convex shape",
            id="a quad with a dent",
        ),
        pytest.param(
            lambda: SlotSettings(name="a", quad=((0, 0), (10, 10), (20, 20), (30, 30))),
            "slot 'a': quad: expected four corners clockwise",
            id="a quad that is a line",
        ),
        pytest.param(
            lambda: slots(SlotSettings(name="a", box=(0, 0, 9, 9)), SlotSettings(name="a", quad=QUAD)),
            "slots: expected each name once, found 'a' 2 times",
            id="one name for two slots",
        ),
        pytest.param(
            lambda: slots(SlotSettings(name="a", box=(0, 0, 9, 9)), unit="share"),
            "slot 'a': expected x from 0 to 1 (unit: share), found 9",
            id="pixels where shares were announced",
        ),
    ],
)
def test_settings_that_make_no_sense_are_refused_at_birth(build: Any, message: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        build()
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        pytest.param(
            slots(SlotSettings(name="a", box=(0, 0, 101, 50))),
            "slot 'a': expected x from 0 to the picture's width 100, found 101",
            id="a box beyond the right side",
        ),
        pytest.param(
            slots(SlotSettings(name="b", quad=((0, 0), (50, 0), (50, 81), (0, 50)))),
            "slot 'b': expected y from 0 to the picture's height 80, found 81",
            id="a quad below the bottom",
        ),
        pytest.param(
            slots(SlotSettings(name="c", box=(-1, 0, 50, 50))),
            "slot 'c': expected x from 0",
            id="left of the picture",
        ),
        pytest.param(
            slots(SlotSettings(name="d", box=(0, 0, 50, 7))),
            "slot 'd': expected sides of at least 8 px, found 7.0 px",
            id="a box too low",
        ),
        pytest.param(
            slots(SlotSettings(name="e", box=(0.1, 0.1, 0.15, 0.9)), unit="share"),
            "slot 'e': expected sides of at least 8 px, found 5.0 px",
            id="a share too narrow for this picture",
        ),
        pytest.param(
            slots(SlotSettings(name="f", quad=((0, 0), (50, 0), (50, 50), (46, 50)))),
            "slot 'f': expected sides of at least 8 px, found 4.0 px",
            id="a quad with a side too short",
        ),
        pytest.param(
            RegionSettings(mode="grid", grid=GridSettings(rows=2, columns=20)),
            "grid: expected cells of at least 8 px, found 2 rows and 20 columns on 100 × 80 px",
            id="a grid too fine",
        ),
    ],
)
def test_what_does_not_fit_a_picture_of_100_by_80_is_named(settings: RegionSettings, message: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        propose(settings, 100, 80)
    assert message in str(caught.value)


def test_the_default_is_the_whole_picture() -> None:
    (region,) = propose(RegionSettings(), 100, 80)
    assert (region.box, region.name, region.quad) == ((0, 0, 100, 80), "whole", None)


def test_the_centre_keeps_a_share_of_each_side() -> None:
    (region,) = propose(RegionSettings(mode="centre", centre=0.75), 100, 80)
    assert (region.box, region.name) == ((12, 10, 87, 70), "centre")


@given(st.integers(1, 4000), st.integers(1, 4000), st.floats(0.05, 1))
def test_the_centre_of_any_picture_is_within_it(width: int, height: int, share: float) -> None:
    (region,) = propose(RegionSettings(mode="centre", centre=share), width, height)
    x1, y1, x2, y2 = region.box
    assert 0 <= x1 < x2 <= width
    assert 0 <= y1 < y2 <= height


def test_slots_come_in_their_order_with_quads_bounded_by_a_box() -> None:
    settings = slots(SlotSettings(name="b", quad=QUAD), SlotSettings(name="a", box=(1, 2, 30, 40)))
    first, second = propose(settings, 100, 80)
    assert (first.name, first.box, first.quad) == ("b", (10, 10, 90, 60), QUAD)
    assert (second.name, second.box, second.quad) == ("a", (1, 2, 30, 40), None)


def test_shares_are_of_width_and_height() -> None:
    quad = ((0.1, 0.1), (0.5, 0.1), (0.5, 1.0), (0.1, 1.0))
    settings = slots(
        SlotSettings(name="box", box=(0.5, 0.25, 1.0, 0.75)),
        SlotSettings(name="quad", quad=quad),
        unit="share",
    )
    box, rectified = propose(settings, 200, 80)
    assert box.box == (100, 20, 200, 60)
    assert rectified.box == (20, 8, 100, 80)
    assert rectified.quad == ((20, 8), (100, 8), (100, 80), (20, 80))


def test_a_grid_covers_the_picture_and_names_its_cells() -> None:
    regions = propose(RegionSettings(mode="grid", grid=GridSettings(rows=2, columns=3)), 90, 40)
    assert [region.name for region in regions] == ["r1c1", "r1c2", "r1c3", "r2c1", "r2c2", "r2c3"]
    assert regions[0].box == (0, 0, 30, 20)
    assert regions[5].box == (60, 20, 90, 40)


def test_cells_of_a_grid_share_what_they_were_told_to() -> None:
    settings = RegionSettings(mode="grid", grid=GridSettings(rows=1, columns=2, overlap=0.5))
    left, right = propose(settings, 90, 40)
    assert (left.box, right.box) == ((0, 0, 60, 40), (30, 0, 90, 40))


@example(rows=1, columns=4, overlap=2.220446049250313e-16, width=110, height=64)
@given(st.integers(1, 8), st.integers(1, 8), st.floats(0, 0.9), st.integers(64, 2000), st.integers(64, 2000))
def test_any_grid_reaches_every_side_and_leaves_no_gap(
    rows: int, columns: int, overlap: float, width: int, height: int
) -> None:
    settings = RegionSettings(mode="grid", grid=GridSettings(rows=rows, columns=columns, overlap=overlap))
    boxes = [region.box for region in propose(settings, width, height)]
    assert len(boxes) == rows * columns
    assert min(box[0] for box in boxes) == 0
    assert min(box[1] for box in boxes) == 0
    assert max(box[2] for box in boxes) == width
    assert max(box[3] for box in boxes) == height
    row = boxes[:columns]
    assert all(a[2] >= b[0] for a, b in pairwise(row))


@pytest.mark.parametrize("crop", [0.0, 0.09, 1.01, 5, -1.0, float("nan"), float("inf")])
def test_a_crop_that_is_no_share_of_a_picture_is_refused(crop: float) -> None:
    with pytest.raises(ValueError, match=r"^crop: expected a number from 0\.1 to 1, found"):
        kept_centre(crop)


def test_a_crop_keeps_the_centre_and_1_keeps_all() -> None:
    assert kept_centre(1.0) == RegionSettings()
    assert kept_centre(0.5) == RegionSettings(mode="centre", centre=0.5)
