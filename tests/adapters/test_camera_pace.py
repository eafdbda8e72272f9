"""When to look, when a source hangs, and what a Frame may hold."""

from __future__ import annotations

import numpy as np
import pytest

from agent.adapters.camera.pace import Frozen, Pace, as_image
from agent.core.errors import DeviceError
from tests.support.pictures import scene


def looks(fps: float, moments: list[float]) -> list[float]:
    pace, taken = Pace(fps), []
    for now in moments:
        if pace.is_due(now):
            pace.looked(now)
            taken.append(now)
    return taken


def test_without_a_rate_every_picture_is_taken() -> None:
    assert looks(0, [0.0, 0.1, 0.2]) == [0.0, 0.1, 0.2]


def test_a_rate_takes_its_share_without_drifting() -> None:
    taken = looks(2, [n / 30 for n in range(300)])
    assert len(taken) == 20, "10 s at 2 a second, though 30 a second do not meet the grid"


def test_a_pause_is_not_followed_by_a_burst() -> None:
    assert looks(10, [0.0, 5.0, 5.01, 5.02, 5.11]) == [0.0, 5.0, 5.11]


def test_a_source_of_just_this_rate_is_shown_whole_though_it_jitters() -> None:
    moments = [n / 10 + (0.008 if n % 3 == 0 else -0.008) for n in range(100)]
    assert looks(10, moments) == moments


def test_says_how_long_to_wait() -> None:
    pace = Pace(4)
    assert pace.wait_s(7.0) == 0
    pace.looked(7.0)
    assert pace.wait_s(7.1) == pytest.approx(0.15)


def test_the_same_picture_for_too_long_is_a_hanging_source() -> None:
    frozen = Frozen(30)
    frozen.check(scene(1), 100)
    frozen.check(scene(1), 115)
    with pytest.raises(DeviceError, match="the picture has not changed for 30 s: the source hangs"):
        frozen.check(scene(1), 130)


def test_a_picture_that_changes_in_time_is_alive() -> None:
    frozen = Frozen(30)
    for second in range(0, 300, 10):
        frozen.check(scene(second // 20), second)


def test_two_looks_are_too_few_to_tell() -> None:
    frozen = Frozen(30)
    frozen.check(scene(1), 0)
    frozen.check(scene(1), 100)


def test_a_picture_of_another_size_is_another_picture() -> None:
    frozen = Frozen(1)
    for second in range(10):
        frozen.check(np.zeros((100 + 16 * (second % 2), 100, 3), np.uint8), second)


def test_may_be_switched_off() -> None:
    frozen = Frozen(0)
    for second in range(0, 1000, 100):
        frozen.check(scene(1), second)


@pytest.mark.parametrize(
    "pixels",
    [scene(1), scene(1)[:, :, 0], scene(1)[:, :, :1], np.dstack([scene(1)[:, :, :1]] * 4), scene(1)[:, ::2]],
    ids=["BGR", "grey", "one channel", "with alpha", "not contiguous"],
)  # fmt: skip
def test_a_frame_owns_what_nobody_writes_to(pixels: np.ndarray) -> None:
    image = as_image(pixels)
    assert image.shape == (*pixels.shape[:2], 3)
    assert image.flags.c_contiguous
    assert image.flags.owndata
    assert not image.flags.writeable


@pytest.mark.parametrize(
    "pixels", [np.zeros((4, 4, 3), np.uint16), np.zeros((4, 4, 2), np.uint8), np.zeros((0, 4, 3), np.uint8)]
)
def test_refuses_what_is_no_picture(pixels: np.ndarray) -> None:
    with pytest.raises(DeviceError, match=r"expected .*, found"):
        as_image(pixels)
