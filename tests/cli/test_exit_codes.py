"""What the end of a command means to the shell: 2 for arguments that are wrong, 1 for output that is lost."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Command
from tests.support.road import ROOT, Road

WRONG = {
    "no candidates": (["find", "-k", "0", "x.jpg"], "-k: expected a number from 1 to 50, found 0"),
    "a crop of more than all": (
        ["find", "--crop", "5", "x.jpg"],
        "--crop: expected a number from 0.1 to 1, found 5",
    ),
    "a crop that is no number": (["find", "--crop", "nan", "x.jpg"], "--crop: expected a number from 0.1"),
    "a crop of next to nothing": (["find", "--crop", ".06", "x.jpg"], "--crop: expected a number from 0.1"),
    "a photo and nothing to compare it with": (["find", "x.jpg"], "expected either --config FILE, or both"),
    "too few rounds": (
        ["bench", "--model", "m.tflite", "--rounds", "1"],
        "--rounds: expected a number from 3 to 1000, found 1",
    ),
    "nothing to measure": (["bench"], "expected --config FILE or --model FILE"),
    "no processes": (
        ["catalog", "build", "p", "-o", "o", "--model", "m.tflite", "--jobs", "0"],
        "--jobs: expected a number from 1 to 1024, found 0",
    ),
    "a camera to record that is not configured": (
        ["record", "-c", "CONFIG", "--camera", "x", "OUT"],
        "--camera: expected one of cam, found 'x'",
    ),
    "a camera to replay as that is not configured": (
        ["replay", "-c", "CONFIG", "--camera", "x", "OUT"],
        "--camera: expected one of cam, found 'x'",
    ),
}


@pytest.mark.parametrize(("arguments", "says"), WRONG.values(), ids=WRONG.keys())
def test_arguments_that_are_wrong_are_a_matter_of_usage(
    arguments: list[str], says: str, device: Road, command: Command, tmp_path: Path
) -> None:
    places = {"CONFIG": str(device.config), "OUT": str(tmp_path / "out")}
    done = command(*(places.get(argument, argument) for argument in arguments))
    assert (done.code, done.lines) == (2, [done.err.rstrip("\n")])
    assert done.err.startswith(f"spotter: {says}")


def spotter(*arguments: str, **more: object) -> subprocess.CompletedProcess[str]:
    options = {"cwd": ROOT, "stderr": subprocess.PIPE, "text": True, "timeout": 60, **more}
    return subprocess.run([sys.executable, "-m", "agent", *arguments], **options)  # type: ignore[call-overload,no-any-return]


@pytest.mark.parametrize("arguments", [["version"], ["check", "--schema"]], ids=" ".join)
def test_output_that_nobody_can_store_is_said_in_one_line(arguments: list[str]) -> None:
    with Path("/dev/full").open("w") as full:
        done = spotter(*arguments, stdout=full)
    assert done.returncode == 1
    assert done.stderr == "spotter: standard output: cannot be written: No space left on device\n"


def test_a_complaint_that_nobody_can_store_keeps_its_exit_code() -> None:
    with Path("/dev/full").open("w") as full:
        assert spotter("check", "-c", "/nowhere.yaml", stderr=full).returncode == 78
        assert spotter("find", "x.jpg", stderr=full).returncode == 2


def test_a_reader_that_goes_away_ends_it_quietly() -> None:
    read, write = os.pipe()
    os.close(read)
    done = spotter("check", "--schema", stdout=write)
    os.close(write)
    assert (done.returncode, done.stderr) == (1, "")


def test_a_name_that_is_not_text_can_be_printed(device: Road, tmp_path: Path) -> None:
    photo = os.fsencode(tmp_path) + b"/shot-\xff.png"
    Path(os.fsdecode(photo)).write_bytes(next(device.folder.glob("photos/*")).read_bytes())
    release = ["--model", str(device.model), "--release", str(device.catalogue)]
    for more in ([], ["--json"]):
        done = spotter("find", *release, *more, os.fsdecode(photo), stdout=subprocess.PIPE)
        assert done.returncode == 0, done.stderr
        assert r"shot-\udcff.png" in done.stdout
