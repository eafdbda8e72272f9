"""Short stories of a drawn shelf as recordings: what a replay says of each is what it said before.

`golden/` has one text file for each story: a line for each fact and each change of a slot or of the bay, in
order. Numbers that another processor or another version of a library moves by a little are left out.
A change of behaviour is written down, to be read as a diff, with

    SPOTTER_GOLDEN=write python -m pytest tests/replay
"""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from agent.adapters.recording import RecordingWriter
from agent.cli.main import main
from agent.core.types import Frame
from tools.bench._shelf_device import BEGAN_UTC, CAMERA, build_catalogue, planogram
from tools.synth.flavours import LINE, flavour
from tools.synth.scenes import Bay
from tools.synth.script import Filming
from tools.synth.stories import Story, stories

GOLDEN = Path(__file__).parent / "golden"
WRITE = os.environ.get("SPOTTER_GOLDEN", "") == "write"
MODEL = Path("models/base.tflite").resolve()
BAY = Bay(rows=1, columns=5, width=800, height=240, seed=3)
EVERY_S = 5.0


def in_one_shop(story: Story) -> Story:
    """Its script, with products of the shop of flavours: one catalogue does for all."""
    script = story.script
    if script.looks is flavour:
        return story
    number = {product: LINE * product for product in range(2 * len(BAY.slots))}
    start = tuple((slot, number[product]) for slot, product in story.plan.items())
    changes = tuple(
        change if change.product is None else replace(change, product=number[change.product])
        for change in script.changes
    )
    return replace(story, script=replace(script, start=start, changes=changes, looks=flavour))


STORIES = tuple(in_one_shop(story) for story in stories(3.5, bay=BAY))

TOLD = (
    "event",
    "slot",
    "state",
    "sku",
    "before",
    "found",
    "facings",
    "out_of_stock_s",
    "share_correct",
    "missing",
    "misplaced",
    "low",
)
"""What is written down of a payload, in this order."""


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory: pytest.TempPathFactory) -> Path:
    shown = set[int]()
    for story in STORIES:
        swapped = {change.product for change in story.script.changes if change.product is not None}
        shown |= swapped | set(story.plan.values())
    return build_catalogue(tmp_path_factory.mktemp("shop"), str(MODEL), sorted(shown), BAY.seed, flavour)


def filmed(story: Story, folder: Path) -> None:
    """The recording of a story."""
    filming = Filming(story.script)
    with RecordingWriter(folder) as recording:
        for seq in range(round(story.seconds / EVERY_S)):
            at = seq * EVERY_S
            assert recording.write(Frame(CAMERA, seq, at, BEGAN_UTC + at, filming.frame(at)))


def configured(story: Story, catalogue: Path, folder: Path) -> Path:
    config = folder / "spotter.yaml"
    plan = planogram(BAY, story.plan, story.script.looks)
    settings = {
        "site": "shop",
        "device": "dev-1",
        "state_dir": str(folder / "state"),
        "model": {"file": str(MODEL)},
        "catalogue": {"path": str(catalogue)},
        "cameras": [{"id": CAMERA, "source": "folder:/nowhere", "shelf": {"plan": plan}}],
    }
    config.write_text(yaml.safe_dump(settings))
    return config


def told(output: str) -> str:
    """What of a replay's output is written down."""
    lines, before = [], dict[str, str]()
    for line in output.splitlines():
        message = json.loads(line)
        below = message["topic"].partition(f"{CAMERA}/")[2]
        if below == "recognition":
            continue
        body: dict[str, Any] = message["payload"]
        moved = str(body.get("event", "")).startswith("camera_")  # how far is not the same to the pixel
        short = json.dumps(
            {key: _plain(body[key]) for key in TOLD if key in body and not (moved and key == "before")}
        )
        if before.get(below) != short or not message["retain"]:
            before[below] = short
            lines.append(f"{body['time'][14:19]} {below} {short}\n")
    return "".join(lines)


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, 2)
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items() if key != "name"}
    return [_plain(each) for each in value] if isinstance(value, list) else value


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.name)
def test_a_recorded_story_is_told_as_it_was(
    story: Story, catalogue: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    filmed(story, tmp_path / "recording")
    config = configured(story, catalogue, tmp_path)
    capfd.readouterr()
    assert main(["replay", "-c", str(config), str(tmp_path / "recording")]) == 0
    output = capfd.readouterr().out
    if story.name == "another flavour":
        assert main(["replay", "-c", str(config), str(tmp_path / "recording")]) == 0
        assert capfd.readouterr().out == output, "the same recording gives the same bytes"
    golden = GOLDEN / f"{story.name.replace(' ', '-')}.txt"
    if WRITE:
        golden.write_text(told(output), encoding="utf-8")
    assert told(output) == golden.read_text(encoding="utf-8")


def test_each_story_has_its_file_and_each_file_its_story() -> None:
    assert {path.stem.replace("-", " ") for path in GOLDEN.iterdir()} == {story.name for story in STORIES}
