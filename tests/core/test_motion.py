"""What stands out from a background: nothing, a thing that comes, stays and goes, and light that changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest

from agent.core.boxes import iou
from agent.core.errors import InputError
from agent.core.motion import Motion, MotionSettings
from agent.core.tracking import Tracker, TrackingSettings
from agent.core.types import Box, Detection, Frame, Look
from agent.core.zone import Zone

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

WIDTH, HEIGHT = 640, 360
THING = (200, 100, 300, 260)


def scene(seed: int = 0) -> NDArray[np.uint8]:
    """A room of soft blotches, as out of focus behind a belt."""
    coarse = np.random.default_rng(seed).integers(60, 200, (9, 16, 3)).astype(np.uint8)
    return np.asarray(cv2.resize(coarse, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC), np.uint8)


def with_thing(image: NDArray[np.uint8], box: Box = THING, seed: int = 7) -> NDArray[np.uint8]:
    """A package of stripes in front of it."""
    made = image.copy()
    x1, y1, x2, y2 = box
    stripes = np.random.default_rng(seed).integers(0, 2, (1, 6, 3)).astype(np.uint8) * 255
    made[y1:y2, x1:x2] = cv2.resize(stripes, (x2 - x1, y2 - y1), interpolation=cv2.INTER_NEAREST)
    return made


def noisy(image: NDArray[np.uint8], seed: int, light: float = 1.0) -> NDArray[np.uint8]:
    lit = cv2.convertScaleAbs(image, alpha=light)
    brighter = np.random.default_rng(seed).integers(0, 12, image.shape, np.uint8)
    return np.asarray(cv2.subtract(cv2.add(lit, brighter), np.full_like(lit, 6)), np.uint8)


class Watching:
    """A background, shown frames four times a second."""

    def __init__(self, zone: Zone | None = None, absorb_s: float = 10.0) -> None:
        self._motion = Motion(MotionSettings(absorb_s=absorb_s), zone or Zone(min_px=20))
        self.seq = 0

    def show(self, image: NDArray[np.uint8], *, cut: bool = False) -> list[Box]:
        self.seq += 1
        at = self.seq * 0.25
        frame = Frame("cam", self.seq, at=at, utc=at, image=noisy(image, self.seq), cut=cut)
        return [region.box for region in self._motion.regions(frame)]


def overlap(a: Box, b: Box) -> float:
    return float(iou(np.array([a]), np.array([b]))[0, 0])


def test_the_first_picture_is_the_background() -> None:
    assert Watching().show(with_thing(scene())) == []


def test_noise_is_nothing() -> None:
    watching = Watching()
    assert [watching.show(scene()) for _ in range(8)] == [[]] * 8


def test_a_thing_is_found_where_it_is() -> None:
    watching = Watching()
    watching.show(scene())
    (box,) = watching.show(with_thing(scene()))
    assert overlap(box, THING) > 0.8


def test_two_things_are_two_and_the_larger_comes_first() -> None:
    watching = Watching()
    watching.show(scene())
    small = (450, 200, 510, 270)
    first, second = watching.show(with_thing(with_thing(scene()), small))
    assert overlap(first, THING) > 0.8
    assert overlap(second, small) > 0.7


@pytest.mark.parametrize("light", [0.5, 0.8, 1.2], ids=str)
def test_light_that_goes_up_or_down_everywhere_is_nothing(light: float) -> None:
    watching = Watching()
    watching.show(scene())
    assert watching.show(noisy(scene(), 1, light)) == []


def test_a_thing_is_found_while_the_light_changes() -> None:
    watching = Watching()
    watching.show(scene())
    (box,) = watching.show(noisy(with_thing(scene()), 1, 0.7))
    assert overlap(box, THING) > 0.7


def test_light_from_one_side_begins_anew() -> None:
    watching = Watching()
    watching.show(scene())
    falling = np.linspace(0.3, 1.6, WIDTH)[None, :, None]
    lit = np.clip(scene() * falling, 0, 255).astype(np.uint8)
    assert [watching.show(lit) for _ in range(3)] == [[]] * 3
    assert len(watching.show(with_thing(lit))) == 1


def test_a_thing_held_before_the_camera_is_a_thing() -> None:
    watching = Watching()
    watching.show(scene())
    close = (60, 20, 580, 340)
    (box,) = watching.show(with_thing(scene(), close))
    assert overlap(box, close) > 0.8


def test_what_stands_still_becomes_background() -> None:
    watching = Watching(absorb_s=5.0)
    watching.show(scene())
    counts = [len(watching.show(with_thing(scene()))) for _ in range(40)]
    assert counts[:19] == [1] * 19
    assert counts[-1] == 0


def test_what_moves_does_not_become_background() -> None:
    watching = Watching(absorb_s=2.0)
    watching.show(scene())
    for step in range(30):
        box = (20 + 15 * step, 100, 120 + 15 * step, 260)
        found = watching.show(with_thing(scene(), box, seed=3))
        assert any(overlap(each, box) > 0.7 for each in found), step


def test_a_place_that_was_left_is_background_at_once() -> None:
    watching = Watching()
    watching.show(with_thing(scene()))
    assert [watching.show(scene()) for _ in range(4)] == [[]] * 4
    (box,) = watching.show(with_thing(scene()))
    assert overlap(box, THING) > 0.8, "and a thing that comes back is found again"


def test_after_a_cut_or_in_another_size_it_begins_anew() -> None:
    watching = Watching()
    watching.show(scene())
    assert watching.show(with_thing(scene()), cut=True) == []
    assert watching.show(cv2.resize(scene(), (320, 180))) == []


def test_only_the_zone_is_watched() -> None:
    watching = Watching(Zone(corners=(0.5, 0, 1, 1), shares=True))
    watching.show(scene())
    inside = (400, 100, 500, 260)
    (box,) = watching.show(with_thing(with_thing(scene()), inside))
    assert overlap(box, inside) > 0.8


def test_a_zone_outside_the_picture_is_named() -> None:
    with pytest.raises(InputError, match="zone: expected a box within 640 × 360 px, found"):
        Watching(Zone(corners=(0, 0, 641, 100))).show(scene())


def test_there_are_never_more_than_the_limit() -> None:
    watching = Watching(Zone(min_px=8, limit=3))
    watching.show(scene())
    crowded = scene()
    for row in range(3):
        for column in range(6):
            crowded = with_thing(
                crowded, (20 + 100 * column, 20 + 110 * row, 80 + 100 * column, 90 + 110 * row)
            )
    assert len(watching.show(crowded)) == 3


@pytest.mark.parametrize("size", [(1, 1), (2, 500), (500, 2), (7, 7)], ids=str)
def test_tiny_pictures_are_survived(size: tuple[int, int]) -> None:
    watching = Watching(Zone(min_px=1))
    grey = np.full((*size, 3), 100, np.uint8)
    for step in range(4):
        watching.show(np.full_like(grey, 250) if step % 2 else grey)


def test_hands_and_bottles_on_a_table(shared_data: Path) -> None:
    """A real camera: three bottles stand there, two are taken away; later two come back, one after the other."""
    video = cv2.VideoCapture(str(shared_data / "video" / "bottle-detection.mp4"))
    motion = Motion(MotionSettings(), Zone(min_px=24))
    tracker = Tracker("cam", TrackingSettings(), window=4)
    seq = 0
    while video.grab():
        if seq % 6 == 0:
            at = seq / 29.8
            frame = Frame("cam", seq, at=at, utc=at, image=video.retrieve()[1])
            tracker.update(frame, [Detection(region, Look(())) for region in motion.regions(frame)])
        seq += 1
    standing = sorted(track.region.box for track in tracker.live if track.frames > 10)
    assert len(standing) == 3
    for box, bottle in zip(
        standing, [(45, 100, 115, 320), (288, 102, 352, 320), (511, 98, 583, 325)], strict=True
    ):
        assert overlap(box, bottle) > 0.7
