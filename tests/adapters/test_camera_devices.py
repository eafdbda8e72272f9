"""Cameras at a connector: what is said where there is none, and picamera2 through its real interface."""

from __future__ import annotations

import os
import sys
import tempfile
import types
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pytest

from agent.adapters.camera import CameraSettings, open_camera
from agent.core.errors import ConfigError, DeviceError
from tests.support.clock import ManualClock
from tests.support.pictures import scene

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agent.core.types import Frame


def frames_of(source: str, clock: ManualClock | None = None, **changes: Any) -> Iterator[Frame]:
    settings = CameraSettings(**({"id": "top", "source": source} | changes))
    return open_camera(settings, clock or ManualClock()).frames()


def lost(frames: Iterator[Frame]) -> str:
    with pytest.raises(DeviceError) as error:
        next(frames)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_a_device_that_is_not_there_says_which_are() -> None:
    present = ", ".join(sorted(str(path) for path in Path("/dev").glob("video*"))) or "no camera at all"
    assert lost(frames_of("/dev/video99")) == f"/dev/video99: no such device; present: {present}"


def test_a_device_that_is_no_camera() -> None:
    assert lost(frames_of("/dev/null")).startswith("/dev/null: expected a camera that delivers pictures")
    assert lost(frames_of("/dev/shm")).startswith("/dev/shm: cannot be opened: Is a directory")


def test_a_file_is_no_camera(tmp_path: Path) -> None:
    (tmp_path / "video0").touch()
    source = f"/dev/..{tmp_path}/video0"
    assert lost(frames_of(source)) == f"{source}: expected a camera device, found a file"


@pytest.fixture
def nobody() -> Iterator[None]:
    """Root may open everything, so this test is run as somebody else."""
    if root := os.geteuid() == 0:
        os.seteuid(65534)
    yield
    if root:
        os.seteuid(0)


def test_a_device_that_is_not_permitted_names_its_group(nobody: None) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "video0")
        path.touch(mode=0)
        said = lost(frames_of(f"/dev/..{path}"))
        assert said.endswith(
            f"video0: not permitted; its group is {path.group()}: "
            "add the user to it, or use DeviceAllow= in systemd"
        )


class FakePicamera2:
    """Delivers scenes as picamera2 does: jobs that are waited for, pictures that are numpy arrays."""

    calls: ClassVar[list[str]] = []
    pictures = 5
    opening: Exception | None = None
    repeats = False

    def __init__(self, camera_num: int = 0) -> None:
        if self.opening is not None:
            raise self.opening
        self.calls.append(f"open {camera_num}")
        self.size = (0, 0)
        self.taken = 0

    def create_video_configuration(self, main: dict[str, Any]) -> dict[str, Any]:
        return {"main": main}

    def configure(self, camera_config: dict[str, Any]) -> None:
        self.calls.append(f"configure {camera_config['main']}")
        self.size = camera_config["main"]["size"]

    def start(self) -> None:
        self.calls.append("start")

    def capture_array(self, name: str = "main", wait: bool | None = None) -> object:
        assert (name, wait) == ("main", False)
        return "job"

    def wait(self, job: object, timeout: float | None = None) -> np.ndarray:
        assert job == "job"
        assert timeout == 2.0
        if self.taken >= self.pictures:
            raise TimeoutError
        self.taken += 1
        return scene(1 if self.repeats else self.taken, self.size[1], self.size[0])

    def close(self) -> None:
        self.calls.append("close")


@pytest.fixture
def picamera2(monkeypatch: pytest.MonkeyPatch) -> type[FakePicamera2]:
    """A Raspberry Pi."""

    class Fresh(FakePicamera2):
        calls: ClassVar[list[str]] = []

    module = types.ModuleType("picamera2")
    module.Picamera2 = Fresh  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "picamera2", module)
    return Fresh


def test_without_picamera2_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "picamera2", None)
    with pytest.raises(ConfigError) as error:
        frames_of("csi:0")
    for part in (
        "source: csi:0 needs picamera2",
        "sudo apt install python3-picamera2",
        "--system-site-packages",
    ):
        assert part in str(error.value)


def test_a_pi_camera_shows_pictures(picamera2: type[FakePicamera2]) -> None:
    frames = frames_of("csi:1", ManualClock(at=10), width=160, height=96)
    shown = list(islice(frames, 3))
    assert [frame.at for frame in shown] == [10, 10.5, 11]
    assert [frame.seq for frame in shown] == [0, 1, 2]
    assert (shown[2].image == scene(3, 96, 160)).all()
    assert not shown[0].image.flags.writeable
    frames.close()
    configured = "configure {'size': (160, 96), 'format': 'RGB888'}"
    assert picamera2.calls == ["open 1", configured, "start", "close"]


def test_a_pi_camera_that_stops_is_lost_and_closed(picamera2: type[FakePicamera2]) -> None:
    frames = frames_of("csi:0")
    assert len(list(islice(frames, 5))) == 5
    assert lost(frames) == "csi:0: lost: no picture for 2 s"
    assert picamera2.calls[-1] == "close"


def test_a_pi_camera_that_repeats_itself_is_lost(picamera2: type[FakePicamera2]) -> None:
    picamera2.repeats, picamera2.pictures = True, 1000
    with pytest.raises(DeviceError, match="csi:0: the picture has not changed for 30 s"):
        list(frames_of("csi:0"))
    assert picamera2.calls[-1] == "close"


@pytest.mark.parametrize(
    "error",
    [IndexError("list index out of range"), RuntimeError("Camera __init__ sequence did not complete.")],
)
def test_a_pi_camera_that_is_missing_or_busy_is_lost(
    picamera2: type[FakePicamera2], error: Exception
) -> None:
    picamera2.opening = error
    assert lost(frames_of("csi:0")) == f"csi:0: cannot be opened: {str(error)!r}"


def test_a_pi_camera_ends_when_the_process_is_to_stop(picamera2: type[FakePicamera2]) -> None:
    clock = ManualClock()
    frames = frames_of("csi:0", clock)
    next(frames)
    clock.stop()
    assert list(frames) == []
    assert picamera2.calls[-1] == "close"
