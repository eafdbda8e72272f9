"""A folder as a camera: order, cuts, new pictures, damaged ones, and none at all."""

from __future__ import annotations

import logging
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from agent.adapters.camera import CameraSettings, open_camera
from agent.adapters.system import SystemClock
from agent.core.errors import DeviceError
from tests.support.clock import ManualClock
from tests.support.pictures import coded, scene, write_pictures

if TYPE_CHECKING:
    from pathlib import Path

    from agent.adapters.camera import Camera


def camera(folder: Path, clock: ManualClock | None = None, **changes: Any) -> Camera:
    settings = CameraSettings(**({"id": "shelf", "source": f"folder:{folder}", "fps": 0.0} | changes))
    return open_camera(settings, clock or ManualClock())


def test_shows_every_picture_once_in_the_order_of_their_names(tmp_path: Path) -> None:
    write_pictures(tmp_path, [3, 1], ".png")
    write_pictures(tmp_path / "b", [2], ".jpg")
    write_pictures(tmp_path, [9], ".webp")
    (tmp_path / "notes.txt").write_text("no picture")
    (tmp_path / ".hidden.png").write_bytes(b"")
    write_pictures(tmp_path / ".trash", [0])
    (tmp_path / "UPPER.PNG").write_bytes(coded(scene(7), ".png"))
    frames = list(camera(tmp_path).frames())
    assert [frame.source for frame in frames] == ["001.png", "003.png", "009.webp", "UPPER.PNG", "b/002.jpg"]
    assert [frame.seq for frame in frames] == [0, 1, 2, 3, 4]
    assert [frame.cut for frame in frames] == [True, False, False, False, False]
    assert {frame.camera for frame in frames} == {"shelf"}
    assert (frames[1].image == scene(3)).all()
    for frame in frames:
        assert frame.image.flags.c_contiguous
        assert frame.image.flags.owndata
        assert not frame.image.flags.writeable


def test_takes_its_times_from_the_clock_at_its_rate(tmp_path: Path) -> None:
    write_pictures(tmp_path, range(4))
    frames = list(camera(tmp_path, ManualClock(at=50, utc=1000), fps=2).frames())
    assert [frame.at for frame in frames] == [50, 50.5, 51, 51.5]
    assert [frame.utc for frame in frames] == [1000, 1000.5, 1001, 1001.5]


def test_independent_pictures_are_each_another_scene(tmp_path: Path) -> None:
    write_pictures(tmp_path, range(3))
    assert [frame.cut for frame in camera(tmp_path, independent=True).frames()] == [True] * 3


def test_a_loop_begins_again_with_a_cut(tmp_path: Path) -> None:
    write_pictures(tmp_path, range(3))
    frames = list(islice(camera(tmp_path, loop=True).frames(), 7))
    assert [frame.source[:3] for frame in frames] == ["000", "001", "002", "000", "001", "002", "000"]
    assert [frame.seq for frame in frames] == list(range(7))
    assert [frame.cut for frame in frames] == [True, False, False, True, False, False, True]


def test_a_loop_sees_what_came_and_what_went(tmp_path: Path) -> None:
    write_pictures(tmp_path, [0, 1])
    frames = camera(tmp_path, loop=True).frames()
    assert [next(frames).source, next(frames).source] == ["000.jpg", "001.jpg"]
    (tmp_path / "000.jpg").unlink()
    write_pictures(tmp_path, [5])
    assert [next(frames).source, next(frames).source] == ["001.jpg", "005.jpg"]


def test_a_folder_emptied_while_it_loops_is_a_lost_camera(tmp_path: Path) -> None:
    write_pictures(tmp_path, range(3))
    source = camera(tmp_path, loop=True)
    frames = source.frames()
    next(frames)
    for path in tmp_path.glob("*.jpg"):
        path.unlink()
    with pytest.raises(DeviceError, match="holds no pictures"):
        list(frames)
    assert source.skipped == 0, "a picture that was taken away is not a damaged one"
    write_pictures(tmp_path, [8])
    assert next(source.frames()).source == "008.jpg", "opened again, it goes on"


@pytest.mark.parametrize("mode", [{}, {"loop": True}, {"watch": True}], ids=["once", "loop", "watch"])
def test_a_folder_that_shows_nothing_is_a_lost_camera(tmp_path: Path, mode: dict[str, bool]) -> None:
    with pytest.raises(DeviceError, match=r"missing: cannot be listed: No such file or directory$"):
        next(camera(tmp_path / "missing", **mode).frames())
    (tmp_path / "file").touch()
    with pytest.raises(DeviceError, match=r"file: cannot be listed: Not a directory$"):
        next(camera(tmp_path / "file", **mode).frames())
    with pytest.raises(DeviceError, match="holds no pictures"):
        next(camera(tmp_path, **mode).frames())
    (tmp_path / "a.jpg").write_bytes(b"")
    (tmp_path / "b.jpg").write_bytes(b"\xff\xd8")
    with pytest.raises(DeviceError, match="none of its 2 pictures can be read"):
        next(camera(tmp_path, **mode).frames())


def test_a_damaged_picture_is_passed_over_with_one_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_pictures(tmp_path, range(3))
    (tmp_path / "001.jpg").write_bytes(b"damaged")
    source = camera(tmp_path, loop=True)
    with caplog.at_level(logging.DEBUG):
        frames = list(islice(source.frames(), 6))
    assert [frame.source for frame in frames] == ["000.jpg", "002.jpg"] * 3
    assert source.skipped == 1
    assert len(caplog.records) == 1
    assert caplog.records[0].levelno == logging.WARNING
    assert "camera shelf: picture passed over: " in caplog.text
    assert "001.jpg: expected a JPEG" in caplog.text


class Scripted(ManualClock):
    """A clock that does something to the folder at each pause between two listings."""

    def __init__(self, *actions: Any) -> None:
        super().__init__()
        self.actions = list(actions)

    def wait(self, seconds: float) -> bool:
        if seconds > 0:
            if not self.actions:
                self.stop()
            else:
                self.actions.pop(0)()
        return super().wait(seconds)


def test_a_watched_folder_shows_pictures_as_they_arrive(tmp_path: Path) -> None:
    write_pictures(tmp_path, [5])
    clock = Scripted(
        lambda: write_pictures(tmp_path, [2]), lambda: None, lambda: write_pictures(tmp_path, [7, 6])
    )
    frames = list(camera(tmp_path, clock, watch=True).frames())
    assert [frame.source for frame in frames] == ["005.jpg", "002.jpg", "006.jpg", "007.jpg"]
    assert [frame.cut for frame in frames] == [True, False, False, False]
    assert [frame.seq for frame in frames] == [0, 1, 2, 3]


def test_a_watched_folder_waits_for_a_picture_that_is_being_written(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    whole = coded(scene(2))
    write_pictures(tmp_path, [1])
    path = tmp_path / "002.jpg"
    clock = Scripted(lambda: path.write_bytes(whole[:300]), lambda: path.write_bytes(whole))
    source = camera(tmp_path, clock, watch=True)
    frames = list(source.frames())
    assert [frame.source for frame in frames] == ["001.jpg", "002.jpg"]
    assert source.skipped == 0
    assert not caplog.records


def test_a_watched_folder_gives_up_on_a_picture_that_stays_damaged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_pictures(tmp_path, [1])
    (tmp_path / "002.jpg").write_bytes(b"damaged")
    source = camera(tmp_path, Scripted(*[lambda: None] * 5), watch=True)
    assert len(list(source.frames())) == 1
    assert source.skipped == 1
    assert len(caplog.records) == 1


def test_a_watched_picture_written_again_is_shown_again(tmp_path: Path) -> None:
    write_pictures(tmp_path, [1])
    clock = Scripted(lambda: (tmp_path / "001.jpg").write_bytes(coded(scene(9), ".png")), lambda: None)
    frames = list(camera(tmp_path, clock, watch=True).frames())
    assert [frame.source for frame in frames] == ["001.jpg", "001.jpg"]
    assert (frames[1].image == scene(9)).all()


def test_a_watched_folder_that_is_emptied_is_a_lost_camera(tmp_path: Path) -> None:
    write_pictures(tmp_path, [1])
    with pytest.raises(DeviceError, match="holds no pictures"):
        list(camera(tmp_path, Scripted((tmp_path / "001.jpg").unlink), watch=True).frames())


def test_ends_when_the_process_is_to_stop(tmp_path: Path) -> None:
    write_pictures(tmp_path, range(3))
    clock = SystemClock()
    settings = CameraSettings(id="shelf", source=f"folder:{tmp_path}", fps=0.01)
    frames = open_camera(settings, clock).frames()
    next(frames)
    clock.stop()
    assert list(frames) == []


def test_links_to_pictures_are_followed_and_links_to_nowhere_are_not_there(tmp_path: Path) -> None:
    write_pictures(tmp_path / "store", [1])
    shown = tmp_path / "shown"
    shown.mkdir()
    (shown / "a.jpg").symlink_to(tmp_path / "store" / "001.jpg")
    (shown / "b.jpg").symlink_to(tmp_path / "store" / "gone.jpg")
    frames = list(camera(shown).frames())
    assert [frame.source for frame in frames] == ["a.jpg"]
    assert np.abs(frames[0].image.astype(int) - scene(1)).mean() < 6
