"""A video file as a camera: which of its pictures are shown, and when."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from agent.adapters.camera import CameraSettings, open_camera
from agent.core.errors import DeviceError
from tests.support.clock import ManualClock
from tests.support.pictures import scene, write_video

if TYPE_CHECKING:
    from pathlib import Path

    from agent.adapters.camera import Camera
    from agent.core.types import Frame


def camera(path: Path, clock: ManualClock | None = None, **changes: Any) -> Camera:
    settings = CameraSettings(**({"id": "table", "source": f"file:{path}", "fps": 0.0} | changes))
    return open_camera(settings, clock or ManualClock())


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three seconds of ten pictures each; picture n is `scene(n)`."""
    path = tmp_path_factory.mktemp("video") / "short.avi"
    write_video(path, frames=30, fps=10)
    return path


def numbers(frames: list[Frame]) -> list[int]:
    """Which scene each frame shows."""
    scenes = np.stack([scene(number).astype(int) for number in range(30)])
    return [int(np.abs(scenes - frame.image).mean(axis=(1, 2, 3)).argmin()) for frame in frames]


def test_shows_every_picture_as_fast_as_it_is_taken(video: Path) -> None:
    clock = ManualClock()
    frames = list(camera(video, clock).frames())
    assert numbers(frames) == list(range(30))
    assert [frame.seq for frame in frames] == list(range(30))
    assert [frame.cut for frame in frames] == [True] + [False] * 29
    assert clock.waits == []
    for frame in frames:
        assert frame.image.flags.c_contiguous
        assert frame.image.flags.owndata
        assert not frame.image.flags.writeable


def test_shows_as_many_as_asked_for_in_real_time(video: Path) -> None:
    frames = list(camera(video, ManualClock(at=100), fps=2).frames())
    assert numbers(frames) == [0, 5, 10, 15, 20, 25]
    assert [frame.at for frame in frames] == pytest.approx([100, 100.5, 101, 101.5, 102, 102.5])


def test_a_rate_that_does_not_divide_the_rate_of_the_file_does_not_drift(video: Path) -> None:
    frames = list(camera(video, fps=3).frames())
    assert numbers(frames) == [0, 4, 7, 10, 14, 17, 20, 24, 27]


def test_asked_for_more_than_there_are_it_shows_all(video: Path) -> None:
    clock = ManualClock(at=0)
    frames = list(camera(video, clock, fps=20).frames())
    assert numbers(frames) == list(range(30))


def test_a_loop_begins_again_with_a_cut(video: Path) -> None:
    frames = list(islice(camera(video, loop=True).frames(), 65))
    assert numbers(frames) == [number % 30 for number in range(65)]
    assert [frame.seq for frame in frames if frame.cut] == [0, 30, 60]


def test_says_why_there_is_no_video(tmp_path: Path) -> None:
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "text.mp4").write_text("not a video\n" * 100)
    for name, says in {
        "missing.mp4": "cannot be opened: No such file or directory",
        "": "cannot be opened: Is a directory",
        "empty.mp4": "expected a video, found an empty file",
        "text.mp4": "expected a video, found a file that FFmpeg cannot open",
    }.items():
        with pytest.raises(DeviceError, match=says):
            next(camera(tmp_path / name).frames())


def test_a_video_cut_short_ends_early_or_is_refused(video: Path, tmp_path: Path) -> None:
    data = video.read_bytes()
    for share in (0.02, 0.3, 0.6, 0.9):
        path = tmp_path / "cut.avi"
        path.write_bytes(data[: int(len(data) * share)])
        try:
            shown = len(list(camera(path).frames()))
        except DeviceError:
            shown = 0
        assert shown < 30


def test_ends_when_the_process_is_to_stop(video: Path) -> None:
    clock = ManualClock()
    frames = camera(video, clock).frames()
    next(frames)
    clock.stop()
    assert list(frames) == []


def test_may_be_given_up_at_any_picture(video: Path) -> None:
    frames = camera(video).frames()
    next(frames)
    frames.close()
    assert list(frames) == []


def test_shows_the_real_video(shared_data: Path) -> None:
    path = shared_data / "video" / "bottle-detection.mp4"
    frames = list(camera(path, ManualClock(at=0), fps=2).frames())
    assert len(frames) == 80, "1,189 pictures at 29.8 a second are 39.9 s"
    assert frames[0].image.shape == (360, 640, 3)
    assert frames[0].source == "bottle-detection.mp4"
    assert frames[-1].at == pytest.approx(39.5)
