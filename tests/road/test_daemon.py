"""The daemon as systemd and an operator see it: ready, watched, re-reading its configuration, exit codes."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.mosquitto import Mosquitto, Subscriber
from tests.support.road import ONE_LOOK, ROOT, Road, photos_camera, until


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Road, Mosquitto]]:
    folder = tmp_path_factory.mktemp("daemon")
    with Mosquitto(folder / "broker") as broker:
        road = Road(folder, broker.port)
        road.build()
        road.draw_photos()
        yield road, broker


@pytest.fixture
def road(built: tuple[Road, Mosquitto], tmp_path: Path) -> Road:
    road, _ = built
    road.state = tmp_path / "state"
    return road


def camera(road: Road, name: str, **more: Any) -> dict[str, Any]:
    return {**photos_camera(road.folder / "photos", loop=True, fps=10), "id": name, **more}


def status(broker: Mosquitto, name: str) -> str:
    """What a newcomer is told of a camera; empty when nothing is retained."""
    with Subscriber(broker.port, f"spotter/test/dev-1/{name}/status") as late:
        try:
            until(lambda: late.heard, 0.3)
        except AssertionError:
            return ""
        return str(json.loads(late.heard[0].payload)["state"])


def test_systemd_hears_ready_the_watchdog_and_stopping(road: Road, tmp_path: Path) -> None:
    road.configure(camera(road, "cam"), decision=ONE_LOOK)
    path = f"/tmp/spotter-notify-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        notify.bind(path)
        notify.settimeout(20)
        environment = {**os.environ, "NOTIFY_SOCKET": path, "WATCHDOG_USEC": "2000000"}
        process = subprocess.Popen(
            [sys.executable, "-m", "agent", "run", "-c", str(road.config)],
            cwd=ROOT, env=environment, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            heard = [notify.recv(4096).decode()]
            while not any("READY=1" in text for text in heard):
                heard.append(notify.recv(4096).decode())
            for _ in range(3):
                assert "WATCHDOG=1" in notify.recv(4096).decode()
            process.send_signal(signal.SIGTERM)
            while "STOPPING=1" not in heard[-1]:
                heard.append(notify.recv(4096).decode())
            assert process.wait(120) == 0
        finally:
            process.kill()
            process.wait()
            Path(path).unlink()


def test_a_storm_of_signals_holds_nothing_up(road: Road) -> None:
    road.configure(camera(road, "cam"), decision=ONE_LOOK, log={"level": "debug"})
    with road.start() as daemon:
        daemon.wait_for(" decided ")
        for _ in range(20_000):
            daemon.process.send_signal(signal.SIGHUP)
        before = daemon.text().count(" decided ")
        until(lambda: daemon.text().count(" decided ") > before + 5, 20)
        for _ in range(1_000):
            daemon.process.send_signal(signal.SIGTERM)
        assert daemon.process.wait(120) == 0


def test_a_new_camera_is_taken_over_and_an_old_one_forgotten(
    built: tuple[Road, Mosquitto], road: Road
) -> None:
    broker = built[1]
    road.configure(camera(road, "first"), decision=ONE_LOOK)
    with road.start() as daemon:
        until(lambda: status(broker, "first") == "online", 20)
        road.configure(camera(road, "second"), decision=ONE_LOOK)
        daemon.process.send_signal(signal.SIGHUP)
        daemon.wait_for("configuration taken over: cameras")
        until(lambda: status(broker, "second") == "online", 20)
        until(lambda: status(broker, "first") == "", 20)
        assert daemon.stop() == 0


def test_an_invalid_configuration_leaves_everything_as_it_is(road: Road) -> None:
    road.configure(camera(road, "cam"), decision=ONE_LOOK, log={"level": "debug"})
    with road.start() as daemon:
        daemon.wait_for(" decided ")
        road.config.write_text(road.config.read_text().replace("fps: 10", "fps: fast"))
        daemon.process.send_signal(signal.SIGHUP)
        daemon.wait_for("fps: expected a number, found text")
        before = daemon.text().count(" decided ")
        until(lambda: daemon.text().count(" decided ") > before + 5, 20)
        assert daemon.stop() == 0


def test_a_detector_that_is_not_there_leaves_everything_as_it_is(road: Road) -> None:
    road.configure(camera(road, "cam"), decision=ONE_LOOK)
    with road.start() as daemon:
        daemon.wait_for("ready")
        detecting = {"mode": "detector", "detector": {"file": "/nowhere/detector.tflite"}}
        road.configure({**camera(road, "cam"), "regions": detecting}, decision=ONE_LOOK)
        daemon.process.send_signal(signal.SIGHUP)
        daemon.wait_for("configuration not taken over: /nowhere/detector.json: expected the description")
        assert daemon.stop() == 0


def test_what_cannot_change_while_running_is_named(road: Road) -> None:
    road.configure(camera(road, "cam"), decision=ONE_LOOK)
    with road.start() as daemon:
        daemon.wait_for("ready")
        road.configure(camera(road, "cam"), decision=ONE_LOOK, outbox={"sync_s": 1.0}, site="elsewhere")
        daemon.process.send_signal(signal.SIGHUP)
        daemon.wait_for("these need a restart: outbox, site")
        assert daemon.stop() == 0


def test_a_camera_that_cannot_work_hurts_no_other(built: tuple[Road, Mosquitto], road: Road) -> None:
    broker = built[1]
    lost = {"id": "lost", "source": "/dev/video99", "fps": 1}
    road.configure(lost, camera(road, "good"), decision=ONE_LOOK)
    with road.start() as daemon:
        until(lambda: status(broker, "lost") == "offline", 20)
        until(lambda: status(broker, "good") == "online", 20)
        assert daemon.stop() == 0


def test_a_second_daemon_with_the_same_state_is_refused(road: Road) -> None:
    road.configure(camera(road, "cam"), decision=ONE_LOOK)
    with road.start() as first:
        first.wait_for("ready")
        with road.start("second.log") as second:
            assert second.process.wait(120) == 78
            assert "in use by another" in second.text()
        assert first.stop() == 0


def test_a_model_that_is_missing_is_exit_code_78(road: Road) -> None:
    road.configure(camera(road, "cam"), model={"file": "/nowhere/model.tflite"})
    with road.start() as daemon:
        assert daemon.process.wait(120) == 78
        assert daemon.text().startswith("spotter: /nowhere/model")


def test_record_and_replay_give_the_same_bytes_twice(road: Road, tmp_path: Path) -> None:
    from tests.support.road import spotter

    road.configure(camera(road, "cam", loop=False, fps=0), decision=ONE_LOOK)
    done = spotter("record", "-c", str(road.config), str(tmp_path / "recording"))
    assert done.returncode == 0, done.stderr
    replays = [spotter("replay", "-c", str(road.config), str(tmp_path / "recording")) for _ in range(2)]
    assert [replay.returncode for replay in replays] == [0, 0], replays[0].stderr
    assert replays[0].stdout == replays[1].stdout
    lines = [json.loads(line) for line in replays[0].stdout.splitlines()]
    assert [line["payload"]["sku"] for line in lines if line["payload"]["phase"] == "new"] == [
        f"sku-{number:02d}" for number in range(12)
    ]
    assert {"topic", "payload", "retain"} <= set(lines[0])
