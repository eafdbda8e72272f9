"""What detectors say of tiles becomes regions: nothing first, then seams worked by hand, then laws."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from agent.core.proposals import Boxes, DetectorSettings, TileSettings, believed, merged, tiles
from agent.core.types import Box, Region

ZONE = (0, 0, 200, 100)
LEFT, RIGHT = Region((0, 0, 120, 100)), Region((80, 0, 200, 100))
WHOLE = Region(ZONE)


def found(*rows: tuple[float, float, float, float, float]) -> Boxes:
    table = np.array(rows, np.float32).reshape(-1, 5)
    return Boxes(table[:, :4], table[:, 4])


def boxes(parts: list[tuple[Region, Boxes]], zone: Box = ZONE) -> list[Box]:
    return [region.box for region in merged(parts, zone, 0.5)]


def test_one_tile_is_all_of_the_zone() -> None:
    assert [tile.box for tile in tiles(TileSettings(), ZONE)] == [ZONE]


def test_tiles_overlap_and_cover_the_zone_beside_a_look_at_all_of_it() -> None:
    made = tiles(TileSettings(rows=1, columns=2, overlap=0.5), (10, 20, 160, 120))
    assert [tile.box for tile in made] == [(10, 20, 160, 120), (10, 20, 110, 120), (60, 20, 160, 120)]


def test_a_zone_smaller_than_its_tiles_has_fewer() -> None:
    assert len(tiles(TileSettings(rows=8, columns=8), (0, 0, 3, 3))) <= 1 + 64


def test_nothing_found_is_nothing_proposed() -> None:
    assert boxes([]) == []
    assert boxes([(LEFT, found()), (RIGHT, found())]) == []


def test_the_best_score_comes_first() -> None:
    parts = [(WHOLE, found((0, 0, 20, 20, 0.4), (50, 50, 90, 90, 0.8)))]
    assert boxes(parts) == [(50, 50, 90, 90), (0, 0, 20, 20)]


def test_a_thing_in_two_tiles_is_proposed_once() -> None:
    parts = [(LEFT, found((85, 10, 110, 60, 0.7))), (RIGHT, found((86, 11, 111, 61, 0.6)))]
    assert boxes(parts) == [(85, 10, 110, 60)]


def test_a_thing_cut_by_a_seam_is_put_together() -> None:
    parts = [(LEFT, found((60, 20, 120, 80, 0.5))), (RIGHT, found((80, 22, 150, 79, 0.7)))]
    (region,) = merged(parts, ZONE, 0.5)
    assert region.box == (60, 20, 150, 80)
    assert region.score == pytest.approx(0.7)


def test_a_thing_cut_by_two_seams_is_put_together() -> None:
    zone = (0, 0, 200, 200)
    corners = [(0, 0, 110, 110), (90, 0, 200, 110), (0, 90, 110, 200), (90, 90, 200, 200)]
    pieces = [(60, 60, 110, 110), (90, 60, 140, 110), (60, 90, 110, 140), (90, 90, 140, 140)]
    parts = [(Region(tile), found((*piece, 0.5))) for tile, piece in zip(corners, pieces, strict=True)]
    assert boxes(parts, zone) == [(60, 60, 140, 140)]


def test_neighbours_on_both_sides_of_a_seam_stay_two() -> None:
    parts = [(LEFT, found((60, 0, 120, 40, 0.5))), (RIGHT, found((80, 50, 150, 100, 0.5)))]
    assert len(boxes(parts)) == 2


def test_a_piece_of_what_another_tile_shows_whole_is_dropped() -> None:
    parts = [(WHOLE, found((70, 20, 140, 80, 0.4))), (LEFT, found((70, 20, 120, 80, 0.9)))]
    assert boxes(parts) == [(70, 20, 140, 80)]


def test_the_edge_of_the_picture_cuts_nothing() -> None:
    parts = [(WHOLE, found((0, 0, 50, 50, 0.5), (150, 50, 200, 100, 0.5)))]
    assert len(boxes(parts)) == 2


def test_what_covers_the_picture_is_no_thing_on_it() -> None:
    assert boxes([(WHOLE, found((0, 0, 200, 95, 0.9), (10, 10, 60, 60, 0.5)))]) == [(10, 10, 60, 60)]


def test_ignored_classes_and_low_scores_do_not_count() -> None:
    settings = DetectorSettings(file="d.tflite", score=0.5, ignore=(0,))
    answer = np.tile([0.2, 0.2, 0.8, 0.8], (3, 1))
    kept = believed(answer, np.array([0, 1, 2]), np.array([0.9, 0.49, 0.5]), 3, ZONE, settings)
    assert kept.scores.tolist() == [0.5]


def test_boxes_are_shares_of_their_tile() -> None:
    settings = DetectorSettings(file="d.tflite")
    kept = believed(np.array([[0, 0, 1, 0.5]]), np.zeros(1), np.ones(1), 1, RIGHT.box, settings)
    assert kept.boxes.tolist() == [[80, 0, 140, 100]]


numbers = st.floats(width=32, allow_nan=True, allow_infinity=True)


@given(arrays(np.float32, (5, 4), elements=numbers), arrays(np.float32, 5, elements=numbers), numbers)
def test_whatever_a_detector_says_becomes_regions_of_the_picture(
    said: np.ndarray, scores: np.ndarray, count: float
) -> None:
    settings = DetectorSettings(file="d.tflite")
    parts = [
        (tile, believed(said, np.zeros(5), scores, count, tile.box, settings))
        for tile in (WHOLE, LEFT, RIGHT)
    ]
    for region in merged(parts, ZONE, 0.5):
        x1, y1, x2, y2 = region.box
        assert 0 <= x1 < x2 <= 200
        assert 0 <= y1 < y2 <= 100
