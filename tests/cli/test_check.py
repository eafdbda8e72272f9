"""`spotter check` meets what `spotter run` would meet, and leaves nothing behind."""

from __future__ import annotations

import importlib.util
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cli.conftest import Command
from tests.support.road import Road


@pytest.fixture
def write(device: Road, tmp_path: Path) -> Any:
    """`write(mqtt={…})`: the device's configuration with other top-level keys, and a state of its own."""

    def configure(**more: Any) -> Path:
        settings = yaml.safe_load(device.config.read_text())
        config = tmp_path / "spotter.yaml"
        config.write_text(yaml.safe_dump({**settings, "state_dir": str(tmp_path / "state"), **more}))
        return config

    return configure


def tls(**files: Path) -> dict[str, str]:
    return {"url": "mqtts://127.0.0.1:8883", **{key: str(path) for key, path in files.items()}}


def test_what_is_well_is_ok_and_no_file_is_left(write: Any, command: Command, tmp_path: Path) -> None:
    done = command("check", "-c", write(mqtt={"url": "mqtts://127.0.0.1:8883"}))
    assert (done.code, done.err) == (0, "ok\n")
    assert [path.name for path in tmp_path.iterdir()] == ["spotter.yaml"]


def test_a_certificate_that_is_not_there(write: Any, command: Command, tmp_path: Path) -> None:
    config = write(mqtt=tls(ca=tmp_path / "ca.pem"))
    done = command("check", "-c", config)
    assert (done.code, len(done.lines)) == (78, 1)
    assert done.err.startswith(f"spotter: {config}: mqtt: {tmp_path}/ca.pem: expected a readable certificate")


def test_a_certificate_that_is_none(write: Any, command: Command, tmp_path: Path) -> None:
    (tmp_path / "cert.pem").write_text("-----BEGIN NOTHING-----\n")
    done = command("check", "-c", write(mqtt=tls(cert=tmp_path / "cert.pem")))
    assert (done.code, len(done.lines)) == (78, 1)
    assert f"mqtt: {tmp_path}/cert.pem: expected a readable certificate" in done.err


def test_an_edge_node_without_protobuf(write: Any, command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    config = write(sparkplug={"group": "berlin"})
    assert command("check", "-c", config).code == 0
    monkeypatch.setitem(sys.modules, "google.protobuf", None)
    done = command("check", "-c", config)
    assert (done.code, len(done.lines)) == (78, 1)
    assert done.err.startswith(f"spotter: {config}: sparkplug: expected protobuf, found ")


@pytest.mark.skipif(importlib.util.find_spec("picamera2") is not None, reason="picamera2 is installed")
def test_a_plan_of_the_shop_that_is_none(write: Any, command: Command, tmp_path: Path) -> None:
    plan = tmp_path / "plan.svg"
    plan.write_text("<html/>")
    kiosk = {
        "id": "till",
        "source": "/dev/video0",
        "regions": {"mode": "motion"},
        "kiosk": {"map": str(plan)},
    }
    done = command("check", "-c", write(cameras=[kiosk]))
    assert (done.code, done.err) == (78, f"spotter: {plan}: expected an SVG drawing, found 'html'\n")


def test_a_camera_whose_package_is_not_installed(write: Any, command: Command) -> None:
    config = write(cameras=[{"id": "front", "source": "csi:0"}])
    done = command("check", "-c", config)
    assert (done.code, len(done.lines)) == (78, 1)
    assert done.err.startswith(f"spotter: {config}: camera 'front': source: csi:0 needs picamera2")


@pytest.mark.parametrize("below", ["", "state", "deep/er/state"], ids=["itself", "within", "far within"])
def test_a_state_directory_where_a_file_is(below: str, write: Any, command: Command, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    done = command("check", "-c", write(state_dir=str(tmp_path / "file" / below)))
    assert (done.code, len(done.lines)) == (1, 1)
    assert f"found {tmp_path}/file: Not a directory" in done.err


def test_a_state_directory_where_nothing_can_be_made(write: Any, command: Command) -> None:
    done = command("check", "-c", write(state_dir="/proc/spotter"))
    assert (done.code, len(done.lines)) == (1, 1)
    assert done.err.startswith("spotter: state_dir: expected /proc/spotter to be writable for user ")


@pytest.mark.skipif(os.getuid() == 0, reason="nothing is closed to root")
def test_a_state_directory_of_somebody_else(write: Any, command: Command, tmp_path: Path) -> None:
    state = tmp_path / "state"
    state.mkdir()
    (state / "outbox.db").touch(0o444)
    done = command("check", "-c", write())
    assert (done.code, len(done.lines)) == (1, 1)
    assert f"found {state}/outbox.db: Permission denied" in done.err


def test_a_file_of_the_state_that_is_none(write: Any, command: Command, tmp_path: Path) -> None:
    (tmp_path / "state" / "lock").mkdir(parents=True)
    done = command("check", "-c", write())
    assert (done.code, len(done.lines)) == (1, 1)
    assert f"found {tmp_path}/state/lock: Is a directory" in done.err


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        ("mqtt", {"prefix": "$SYS"}, "mqtt.prefix: expected no '$' in front"),
        ("cameras", [{"id": "command", "source": "folder:/x"}], "cameras[0].id: expected another name"),
    ],
)
def test_names_that_the_topics_refuse(key: str, value: Any, says: str, write: Any, command: Command) -> None:
    done = command("check", "-c", write(**{key: value}))
    assert (done.code, len(done.lines)) == (78, 1)
    assert says in done.err


def test_how_much_of_the_assortment_the_catalogue_has(write: Any, command: Command) -> None:
    assert "assortment" not in command("check", "-c", write()).out
    done = command("check", "-c", write(decision={"carried": ["sku-01", "of another store"]}), "--json")
    assert json.loads(done.out)["assortment"] == "1 of 2 SKUs are in the catalogue"
