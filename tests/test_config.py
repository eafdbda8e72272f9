"""The whole configuration: what no slice of it may say, and where the complaint points."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.config import changed_keys, parse_config
from agent.core.errors import ConfigError
from agent.core.wire import Wire
from agent.planning import make_plans

GOOD = """\
site: berlin
device: shelf-1
model:
  file: /opt/model.tflite
  threads: 1
catalogue: {path: /var/lib/spotter/catalogue}
mqtt:
  prefix: spotter
  username: ""
cameras:
  - id: bay
    source: folder:/pictures
    fps: 2
"""

REFUSED = {
    "a prefix that belongs to the broker": (
        "prefix: spotter",
        "prefix: $SYS",
        "f.yaml:8: mqtt.prefix: expected no '$' in front, found '$SYS'",
    ),
    "a prefix of two levels": ("prefix: spotter", "prefix: a/b", "f.yaml:8: mqtt.prefix: expected 1 to 64"),
    "a camera named like a topic of the device": (
        "id: bay",
        "id: command",
        "f.yaml:11: cameras[0].id: expected another name, found 'command', a topic of the device itself",
    ),
    "a camera with a capital": ("id: bay", "id: Bay", "f.yaml:11: cameras[0].id: expected 1 to 64 of a-z"),
    "a state directory that depends on where one stands": (
        "device: shelf-1",
        "device: shelf-1\nstate_dir: state",
        "f.yaml:3: state_dir: expected an absolute path, found 'state'",
    ),
    "no camera": (
        GOOD[GOOD.index("cameras") :],
        "cameras: []\n",
        "f.yaml:10: cameras: expected at least one",
    ),
    "a camera twice": (
        "    fps: 2\n",
        "    fps: 2\n  - {id: bay, source: 'folder:/b'}\n",
        "f.yaml:11: cameras: expected each id once, found 'bay' twice",
    ),
}


@pytest.mark.parametrize(("part", "instead", "says"), REFUSED.values(), ids=REFUSED.keys())
def test_refused(part: str, instead: str, says: str) -> None:
    assert part in GOOD
    with pytest.raises(ConfigError) as caught:
        parse_config(GOOD.replace(part, instead).encode(), "f.yaml", {})
    assert str(caught.value).startswith(says)
    assert "\n" not in str(caught.value)


def test_what_is_accepted_makes_topics() -> None:
    settings = parse_config(GOOD.encode(), "f.yaml", {})
    wire = Wire(settings.mqtt.prefix, settings.site, settings.device)
    status = wire.camera_status(settings.cameras[0].id, "online", "", 0.0)
    assert status.topic == "spotter/berlin/shelf-1/bay/status"


def test_changes_are_named_by_their_first_key() -> None:
    old = parse_config(GOOD.encode(), "f.yaml", {})
    new = parse_config(GOOD.replace("fps: 2", "fps: 3").replace("berlin", "bonn").encode(), "f.yaml", {})
    assert changed_keys(old, old) == frozenset()
    assert changed_keys(old, new) == {"cameras", "site"}


def test_a_key_that_was_replaced_is_told_by_what() -> None:
    text = (
        "site: a\ndevice: b\nmodel: {file: m}\ncatalogue: {path: c}\ncameras: [{id: x, source: folder:/p}]\n"
        "decision:\n  known: 0.9\n"
    )
    with pytest.raises(
        ConfigError, match=r"f.yaml:7: decision.known: .*replaced by 'false_accept': share of"
    ):
        parse_config(text.encode(), "f.yaml")


SHELF = GOOD + "    shelf:\n      planogram: plan.yaml\n"
PLAN = "slots:\n  - {name: a1, sku: oats, box: [0, 0, 50, 50]}\n"

BAD_SHELVES = {
    "no planogram": (SHELF, None, "plan.yaml: expected a readable planogram"),
    "an unknown key": (
        SHELF,
        PLAN + "depth: 3\n",
        "plan.yaml:3: depth: unknown key 'depth'; expected one of",
    ),
    "a slot twice": (SHELF, PLAN + PLAN.split("\n")[1] + "\n", "plan.yaml:2: slots: expected each name once"),
    "a list": (SHELF, "- 1\n", "plan.yaml:1: expected a planogram: a mapping with slots"),
    "regions beside it": (
        SHELF + "    regions: {mode: motion}\n",
        PLAN,
        "regions: expected none beside shelf",
    ),
    "a file and slots": (
        SHELF + "      plan: {slots: [{name: a, sku: b, box: [0, 0, 9, 9]}]}\n",
        PLAN,
        "planogram: expected a file, or the planogram itself in plan, found both",
    ),
}


@pytest.mark.parametrize(("config", "plan", "says"), BAD_SHELVES.values(), ids=BAD_SHELVES.keys())
def test_bad_planograms_are_refused_by_file_and_line(
    config: str, plan: str | None, says: str, tmp_path: Path
) -> None:
    if plan is not None:
        (tmp_path / "plan.yaml").write_text(plan)
    with pytest.raises(ConfigError) as refused:
        parse_config(config.encode(), str(tmp_path / "f.yaml"), {})
    assert says in str(refused.value)


def test_a_planogram_is_read_beside_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "plan.yaml").write_text(PLAN)
    shelf = parse_config(SHELF.encode(), str(tmp_path / "f.yaml"), {}).cameras[0].shelf
    assert shelf is not None
    assert shelf.plan is not None
    assert shelf.plan.expected == {"a1": "oats"}


def test_what_the_store_carries_is_read_beside_the_configuration(tmp_path: Path) -> None:
    file = tmp_path / "f.yaml"
    (tmp_path / "store.txt").write_text("sku-2\nsku-1\n")
    read = parse_config((GOOD + "decision: {assortment: store.txt}\n").encode(), str(file), {})
    listed = parse_config((GOOD + "decision: {carried: [sku-2, sku-1, sku-2]}\n").encode(), str(file), {})
    assert read == listed
    assert changed_keys(read, listed) == frozenset()
    plan = make_plans(read, {})["bay"]
    assert plan.carried == {"sku-1", "sku-2"}
    (tmp_path / "store.txt").write_text("sku-1\n")
    again = parse_config((GOOD + "decision: {assortment: store.txt}\n").encode(), str(file), {})
    assert changed_keys(read, again) == {"decision"}, "who re-reads the file sees it change"


@pytest.mark.parametrize(
    ("decision", "says"),
    [
        ("{assortment: nowhere}", "nowhere: expected a file that can be read"),
        ("{assortment: store.txt}", "store.txt:2: expected no slash"),
        ("{assortment: store.txt, carried: [a]}", "decision.carried: expected a list or the file"),
        ("{carried: [a, b/c]}", "decision.carried: expected no slash"),
    ],
)
def test_a_bad_assortment_is_refused_by_file_and_line(decision: str, says: str, tmp_path: Path) -> None:
    (tmp_path / "store.txt").write_text("sku-1\na/b\n")
    with pytest.raises(ConfigError) as refused:
        parse_config(f"{GOOD}decision: {decision}\n".encode(), str(tmp_path / "f.yaml"), {})
    assert says in str(refused.value)
