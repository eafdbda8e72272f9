"""`spotter record`: one recording in one directory, as long as it was asked to be."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from agent.adapters.recording import read_recording
from tests.cli.conftest import Command
from tests.support.http_camera import HttpCamera
from tests.support.pictures import write_pictures
from tests.support.road import Road


def configured(device: Road, tmp_path: Path, **camera: Any) -> Path:
    settings = yaml.safe_load(device.config.read_text())
    settings["cameras"] = [{"id": "cam", **camera}]
    config = tmp_path / "spotter.yaml"
    config.write_text(yaml.safe_dump(settings))
    return config


USAGE = {
    "no frames": (["--frames", "0"], "--frames: expected a number from 1 to "),
    "fewer frames than none": (["--frames", "-3"], "--frames: expected a number from 1 to "),
    "no seconds": (["--seconds", "0"], "--seconds: expected a number from 0.1 to 604800, found 0"),
    "a time in the past": (["--seconds", "-1"], "--seconds: expected a number from 0.1 to 604800, found -1"),
    "a time that is no number": (["--seconds", "nan"], "--seconds: expected a number from 0.1 to"),
    "a time without end": (["--seconds", "inf"], "--seconds: expected a number from 0.1 to"),
}


@pytest.mark.parametrize(("arguments", "says"), USAGE.values(), ids=USAGE.keys())
def test_a_length_that_is_none_is_refused_before_anything_is_made(
    arguments: list[str], says: str, device: Road, command: Command, tmp_path: Path
) -> None:
    done = command("record", "-c", device.config, *arguments, tmp_path / "out")
    assert (done.code, len(done.lines)) == (2, 1)
    assert done.err.startswith(f"spotter: {says}")
    assert not (tmp_path / "out").exists()


def test_a_directory_that_holds_a_recording_is_refused(
    device: Road, command: Command, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    assert command("record", "-c", device.config, out).err == f"4 frames in {out}\n"
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    done = command("record", "-c", device.config, out)
    assert (done.code, done.err) == (
        2,
        f"spotter: {out}: expected a directory without a recording, found one\n",
    )
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before


def test_a_camera_that_shows_nothing_is_a_failure_and_may_be_tried_again(
    device: Road, command: Command, tmp_path: Path
) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    (photos / "torn.png").write_bytes(b"\x89PNG")
    config = configured(device, tmp_path, source=f"folder:{photos}", watch=True)
    for _ in range(2):
        done = command("record", "-c", config, "--seconds", "0.3", tmp_path / "out")
        assert done.code == 1
        assert done.err == (
            f"spotter: {tmp_path}/out: expected frames of camera 'cam', found none: the camera showed nothing\n"
        )


def test_the_time_is_that_of_the_clock_also_for_what_was_recorded_long_ago(
    device: Road, command: Command, tmp_path: Path
) -> None:
    first = tmp_path / "first"
    assert command("record", "-c", device.config, first).code == 0
    config = configured(device, tmp_path, source=f"recording:{first}", fps=20, loop=True)
    began = time.monotonic()
    done = command("record", "-c", config, "--seconds", "1", tmp_path / "second")
    assert done.code == 0
    assert time.monotonic() - began >= 1
    assert len(list(read_recording(tmp_path / "second"))) > 4, "more than one turn"


def test_the_first_picture_follows_on_nothing(device: Road, command: Command, tmp_path: Path) -> None:
    write_pictures(tmp_path / "pictures", range(5))
    camera = HttpCamera(tmp_path / "pictures")
    try:
        config = configured(device, tmp_path, source=f"snapshot:{camera.url('picture.jpg')}", fps=50)
        assert command("record", "-c", config, "--frames", "3", tmp_path / "out").code == 0
    finally:
        camera.kill()
    assert [frame.cut for frame in read_recording(tmp_path / "out")] == [True, False, False]
