"""`spotter replay`: what it says of a recording that does not fit the configuration, and that it repeats."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from tests.cli.conftest import Command
from tests.support.road import Road


@pytest.fixture(scope="module")
def recording(device: Road, tmp_path_factory: pytest.TempPathFactory) -> Path:
    from agent.cli.main import main

    out = tmp_path_factory.mktemp("recorded") / "out"
    assert main(["record", "-c", str(device.config), str(out)]) == 0
    return out


def test_a_slot_outside_the_picture_is_named_with_its_camera(
    device: Road, recording: Path, command: Command, tmp_path: Path
) -> None:
    settings = yaml.safe_load(device.config.read_text())
    slots = [{"name": "far", "box": [5000, 0, 5100, 100]}]
    settings["cameras"][0]["regions"] = {"mode": "slots", "slots": slots}
    config = tmp_path / "far.yaml"
    config.write_text(yaml.safe_dump(settings))
    done = command("replay", "-c", config, recording)
    assert (done.code, len(done.lines)) == (78, 1)
    assert done.err.startswith(f"spotter: {config}: camera 'cam': regions: slot 'far': expected x from 0 to ")


def test_the_same_recording_gives_the_same_bytes(device: Road, recording: Path, command: Command) -> None:
    first = command("replay", "-c", device.config, recording)
    assert (first.code, first.err) == (0, "")
    phases = [json.loads(line)["payload"]["phase"] for line in first.out.splitlines()]
    assert phases.count("new") == phases.count("end") == 4
    assert command("replay", "-c", device.config, recording) == first


def test_an_order_is_for_a_dock_and_has_to_be_one(
    device: Road, recording: Path, command: Command, tmp_path: Path
) -> None:
    order = tmp_path / "A-1.csv"
    order.write_text("gtin,quantity\n4006381333932,1\n")
    done = command("replay", "-c", device.config, "--order", order, recording)
    assert (done.code, "expected a camera with inbound in the configuration" in done.err) == (2, True)
    settings = yaml.safe_load(device.config.read_text())
    settings["cameras"][0] |= {"inbound": {}, "regions": {"mode": "motion"}}
    config = tmp_path / "dock.yaml"
    config.write_text(yaml.safe_dump(settings))
    done = command("replay", "-c", config, "--order", order, recording)
    assert done.code == 78
    assert "A-1.csv: shipment 'A-1': 1 of 1 rows cannot be used: line 2: gtin" in done.err, done.err
    order.write_text("gtin,quantity\n4006381333931,1\n")
    lines = command("replay", "-c", config, "--order", order, recording).out.splitlines()
    states = [each["payload"] for each in map(json.loads, lines) if each["topic"].endswith("/inbound/A-1")]
    assert [(state["state"], state["closed_by"]) for state in states] == [
        ("open", None),
        ("closed", "command"),
    ]
