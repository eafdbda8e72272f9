"""Barcodes on what moves: each is told once, and reading stays cheap."""

from __future__ import annotations

import numpy as np
import pytest

from agent.adapters.barcodes import read_labels
from agent.core.types import Box, Frame, Region, Track
from agent.reading import EAGER, LEAST_PX, MORE_READS, Reader
from tools.synth.barcodes import draw_barcode, ean13, gs1_128

EAN, OTHER = "4006381333931", "5901234123457"
UNIT = "106141412345678908"


def picture(*codes: tuple[np.ndarray, int, int]) -> np.ndarray:
    made = np.full((480, 900, 3), 120, np.uint8)
    for code, x, y in codes:
        made[y : y + code.shape[0], x : x + code.shape[1]] = code
    return made


def bars(text: str) -> np.ndarray:
    return draw_barcode(gs1_128(text) if len(text) > 13 else ean13(text), 2, 60)


class Camera:
    """Frames with tracks."""

    def __init__(self, limit: int = 2) -> None:
        self.looked: list[tuple[int, ...]] = []
        self.reader = Reader(self.read, limit)
        self.seq = 0

    def read(self, part: np.ndarray) -> tuple[object, ...]:
        self.looked.append(part.shape[:2])
        return read_labels(part)

    def show(self, image: np.ndarray, *, late: tuple[str, ...] = (), **boxes: Box) -> list[tuple[str, str]]:
        self.seq += 1
        at = self.seq * 0.2
        frame = Frame("cam", self.seq, at, at, image)
        tracks = [
            Track(name, "cam", Region(box), 0, 0, 0 if name in late else at, at, 1, ())
            for name, box in boxes.items()
        ]
        return [(read.track, read.text) for read in self.reader.codes(frame, tracks)]


LEFT, RIGHT = (20, 60, 400, 400), (460, 60, 860, 400)


def test_a_code_is_told_with_its_thing_and_its_place_and_looked_for_some_more_times() -> None:
    camera = Camera()
    image = picture((bars(EAN), 100, 200))
    frame = Frame("cam", 0, 1.0, 1.0, image)
    (read,) = camera.reader.codes(frame, [Track("a", "cam", Region(LEFT), 0, 0, 1.0, 1.0, 1, ())])
    assert (read.track, read.format, read.said.gtin) == ("a", "EAN13", f"0{EAN}")
    xs, ys = zip(*read.place, strict=True)
    assert 100 <= min(xs) < max(xs) <= 100 + bars(EAN).shape[1]
    assert 200 <= min(ys) <= max(ys) <= 260
    more = [camera.show(image, a=LEFT) for _ in range(9)]
    assert more == [[("a", EAN)]] * (MORE_READS - 1) + [[]] * (10 - MORE_READS)
    assert len(camera.looked) == MORE_READS


def test_a_label_of_two_codes_is_told_whole_also_where_one_is_seen_later() -> None:
    camera = Camera()
    unit, inside = bars(f"00{UNIT}"), bars("02040063813339313712")
    assert camera.show(picture((unit, 30, 100)), a=LEFT) == [("a", f"(00){UNIT}")]
    told = camera.show(picture((unit, 30, 100), (inside, 30, 220)), a=LEFT)
    assert sorted(told) == [("a", f"(00){UNIT}"), ("a", "(02)04006381333931(37)12")]


def test_a_code_belongs_to_the_thing_that_it_lies_on() -> None:
    camera = Camera(limit=2)
    wide = (20, 60, 700, 400)  # the boxes overlap: the code is deep in the one at the right
    told = camera.show(picture((bars(OTHER), 560, 200)), a=wide, b=RIGHT)
    assert told == [("b", OTHER)]


def test_a_few_regions_of_a_frame_are_looked_at_and_all_in_turn() -> None:
    camera = Camera(limit=1)
    image = picture((bars(EAN), 100, 200), (bars(OTHER), 560, 200))
    assert camera.show(image, a=LEFT, b=RIGHT) == [("a", EAN)]
    assert camera.show(image, a=LEFT, b=RIGHT) == [("b", OTHER)]
    assert len(camera.looked) == 2


def test_every_other_look_without_a_code_is_enlarged_and_counts_for_two() -> None:
    camera = Camera(limit=2)
    sizes = [camera.looked[-2:] for _ in range(4) if camera.show(picture(), a=LEFT, b=RIGHT) == []]
    whole = [shape[0] for shapes in sizes for shape in shapes]
    assert len(camera.looked) < 8
    assert max(whole) > 1.4 * min(whole)
    skewed = picture((bars(EAN), 100, 200))
    assert Camera().show(skewed, a=LEFT) == [("a", EAN)]


def test_what_is_too_small_out_of_sight_or_not_there_is_not_looked_at() -> None:
    camera = Camera()
    camera.show(picture())
    camera.show(picture(), a=(0, 0, 300, LEAST_PX - 1))
    camera.show(picture(), late=("a",), a=LEFT)
    assert camera.looked == []


def test_a_thing_without_a_code_is_looked_at_more_and_more_rarely() -> None:
    camera = Camera()
    for _ in range(600):  # two minutes
        camera.show(picture(), a=LEFT)
    assert EAGER + 10 <= len(camera.looked) <= EAGER + 60
    before = len(camera.looked)
    for _ in range(100):
        camera.show(picture(), a=LEFT)
    assert len(camera.looked) - before <= 4
    camera.show(picture(), b=RIGHT)
    assert len(camera.reader._tried) == 1, "what is gone is forgotten"


@pytest.mark.parametrize("box", [(0, 0, 900, 480), (-5, -5, 300, 300), (700, 300, 950, 520)])
def test_regions_at_the_edge_are_cut(box: Box) -> None:
    camera = Camera()
    assert camera.show(picture((bars(EAN), 30, 30)), a=box) in ([("a", EAN)], [])
