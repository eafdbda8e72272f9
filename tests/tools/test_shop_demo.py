"""The demo: what it prints, how it judges, what it serves, and that nothing of it stays behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from tests.support.mosquitto import find_mosquitto
from tools.shop_demo import props, report
from tools.shop_demo.ear import Heard
from tools.shop_demo.processes import DemoError
from tools.shop_demo.stream import ShelfCamera
from tools.synth.scenes import Bay
from tools.synth.script import Change, Passage, Script

ROOT = Path(__file__).resolve().parents[2]
BAY = Bay(rows=1, columns=3, width=320, height=180)
ROOT_TOPIC = "spotter/demo/till-1"


def recognition(**fields: Any) -> Heard:
    body = {"phase": "new", "track": "t", "region": "a1", "verdict": "known", "sku": "SP-001", "name": "Tea"}
    return Heard(f"{ROOT_TOPIC}/shelf-1/recognition", {**body, "probability": 0.987, **fields}, retain=False)


LINES = {
    "a product that is known": (
        recognition(),
        "12:00:00  shelf-1    a1   known        Tea" + " " * 42 + " 98.7%",
    ),
    "a product without a name": (
        recognition(name=None, probability=1.0),
        "12:00:00  shelf-1    a1   known        SP-001" + " " * 39 + "100.0%",
    ),
    "something unknown says why": (
        recognition(verdict="unknown", sku=None, name=None, reason="nothing is near", probability=0.01),
        "12:00:00  shelf-1    a1   unknown      nothing is near" + " " * 30 + "  1.0%",
    ),
    "a thing that left": (recognition(phase="end"), "12:00:00  shelf-1    a1   gone         Tea"),
    "bare text": (
        Heard(f"{ROOT_TOPIC}/availability", "online", retain=True),
        "12:00:00" + " " * 18 + "availability online",
    ),
    "the status of a camera": (
        Heard(f"{ROOT_TOPIC}/shelf-1/status", {"state": "offline", "reason": "no answer"}, retain=True),
        "12:00:00  shelf-1         status       offline, no answer",
    ),
}


@pytest.mark.parametrize("case", LINES)
def test_messages_become_aligned_lines(case: str) -> None:
    heard, expected = LINES[case]
    assert report.line(heard, "12:00:00") == expected


def heard_all(*messages: Heard) -> report.Scoreboard:
    board = report.Scoreboard(props.sku_of)
    for message in messages:
        board.hear(message)
    return board


def test_the_board_keeps_the_latest_answer_of_each_slot() -> None:
    board = heard_all(
        recognition(),
        recognition(region="a2", track="u", sku="SP-002"),
        recognition(phase="update", verdict="unknown", sku=None),
        recognition(track="v", sku="SP-003"),
        recognition(track="t", phase="end"),  # the older track of a1 ends after the newer one began
        recognition(region="a2", track="u", phase="end"),
        Heard(f"{ROOT_TOPIC}/availability", "online", retain=True),
    )
    assert board.recognitions == 6
    assert board.answer("a1") == "SP-003"
    assert board.answer("a2") is None
    assert board.answer("a3") is None


STOCKED: tuple[tuple[str, int | None], ...] = (("a1", 0), ("a2", 1), ("a3", None))
JUDGEMENTS: dict[str, tuple[Script, float, int, int, int]] = {  # script, moment, right, wrong, hidden
    "all stands still: a3 is empty and nothing was named there": (Script(BAY, STOCKED), 10.0, 2, 1, 0),
    "a product that left a moment ago may still be named": (
        Script(BAY, STOCKED, (Change(9.0, "a1", None),)), 10.0, 2, 1, 0,
    ),
    "a product that left long ago may not": (Script(BAY, STOCKED, (Change(1.0, "a1", None),)), 10.0, 1, 2, 0),
    "slots hidden a moment ago are not judged": (
        Script(BAY, STOCKED, (), (Passage(6.0, 4.0),)), 10.0, 0, 0, 3,
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", JUDGEMENTS)
def test_answers_are_judged_by_what_the_shelf_shows(case: str) -> None:
    script, at_s, right, wrong, hidden = JUDGEMENTS[case]
    board = heard_all(recognition(), recognition(region="a2", sku="SP-009"))
    judgement = board.judge(script, at_s)
    assert (judgement.right, len(judgement.wrong), judgement.hidden) == (right, wrong, hidden)


def test_a_wrong_answer_is_told_with_the_truth() -> None:
    judgement = heard_all(recognition(sku="SP-002")).judge(Script(BAY, (("a1", 0),)), 5.0)
    assert judgement.wrong == ("a1: shows SP-001, the agent says SP-002",)
    assert judgement.text == "slots right at the end: 2/3"


def test_the_shelf_is_served_as_motion_jpeg_from_its_first_viewer_on() -> None:
    script = Script(BAY, STOCKED)
    with ShelfCamera(script) as camera:
        assert camera.elapsed_s() == 0.0
        with urllib.request.urlopen(camera.url, timeout=10) as answer:
            assert answer.headers["Content-Type"] == "multipart/x-mixed-replace; boundary=frame"
            for _ in range(2):
                assert answer.readline() == b"--frame\r\n"
                assert answer.readline() == b"Content-Type: image/jpeg\r\n"
                length = int(answer.readline().split(b":")[1])
                assert answer.readline() == b"\r\n"
                picture = cv2.imdecode(np.frombuffer(answer.read(length), np.uint8), cv2.IMREAD_COLOR)
                assert picture is not None
                assert picture.shape == (BAY.height, BAY.width, 3)
                assert answer.readline() == b"\r\n"
        assert camera.elapsed_s() > 0.0
        with pytest.raises(urllib.error.HTTPError, match="404"):
            urllib.request.urlopen(camera.url.replace("stream", "other"), timeout=10)


def test_a_missing_model_is_said_with_the_places_that_were_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(props, "ROOT", tmp_path / "clone")
    monkeypatch.setenv("SPOTTER_DATA", str(tmp_path / "data"))
    with pytest.raises(DemoError, match="no embedding model: looked for") as error:
        props.find_model(tmp_path)
    assert str(tmp_path / "clone" / "models") in str(error.value)
    assert str(tmp_path / "data" / props.REFERENCE_MODEL) in str(error.value)


def test_a_shipped_model_is_preferred_and_the_base_one_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    models = tmp_path / "models"
    models.mkdir()
    monkeypatch.setattr(props, "ROOT", tmp_path)
    for name in (
        "a-small.tflite",
        "a-small.json",
        "spotter-base.tflite",
        "spotter-base.json",
        "b-base.tflite",
    ):
        (models / name).touch()
    assert props.find_model(tmp_path) == models / "spotter-base.tflite"


# The whole of it, in processes of their own.


@pytest.fixture
def model_is_here(request: pytest.FixtureRequest) -> None:
    if not list((ROOT / "models").glob("*.tflite")):
        request.getfixturevalue("shared_data")
    if not find_mosquitto():
        pytest.skip("mosquitto is not installed (apt-get install mosquitto)")


def demo(folder: Path, *words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tools.shop_demo", *words],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(folder)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def still_running(folder: Path) -> list[str]:
    """Command lines of processes that were started with something in the folder."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
        except OSError:
            continue
        if str(folder) in command and int(entry.name) != os.getpid():
            found.append(command)
    return found


@pytest.mark.slow
@pytest.mark.timeout(400)
@pytest.mark.usefixtures("model_is_here")
def test_recognitions_come_back_through_the_broker_as_json_lines(tmp_path: Path) -> None:
    process = demo(tmp_path, "--seconds", "5", "--json")
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    messages = [json.loads(words) for words in out.splitlines()]
    assert all(set(message) == {"topic", "payload", "retain"} for message in messages)
    assert messages[0] == {"topic": f"{ROOT_TOPIC}/availability", "payload": "online", "retain": False}
    assert messages[-1]["payload"] == "offline"
    named = [m["payload"] for m in messages if m["topic"].endswith("/recognition")]
    slots = Bay().slots
    assert {payload["region"] for payload in named} == set(slots)
    known = [payload for payload in named if payload["phase"] == "new" and payload["verdict"] == "known"]
    assert len(known) >= len(slots) / 2
    wrong = [p["region"] for p in known if p["sku"] != props.sku_of(slots.index(p["region"]))]
    assert len(wrong) <= 1, f"answered wrongly: {wrong}"
    assert "recognitions through the broker; slots right at the end: " in err
    assert list(tmp_path.iterdir()) == []
    assert still_running(tmp_path) == []


@pytest.mark.slow
@pytest.mark.timeout(400)
@pytest.mark.usefixtures("model_is_here")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_signal_ends_the_demo_and_everything_that_it_started(
    tmp_path: Path, number: signal.Signals
) -> None:
    process = demo(tmp_path)
    assert process.stdout is not None
    while " known " not in process.stdout.readline():
        assert process.poll() is None, process.communicate()[1]
    process.send_signal(number)
    _, err = process.communicate(timeout=300)
    if number is not signal.SIGKILL:
        assert process.returncode == 0, err
        assert list(tmp_path.iterdir()) == []
    end = time.monotonic() + 120
    while (left := still_running(tmp_path)) and time.monotonic() < end:
        time.sleep(0.1)
    assert left == []
