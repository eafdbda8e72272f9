"""What the status topics say when a camera is lost, and that pictures flow again when it returns."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.http_camera import HttpCamera
from tests.support.mosquitto import Mosquitto, Subscriber
from tests.support.pictures import write_pictures, write_video
from tests.support.road import ONE_LOOK, Road, photos_camera, until
from tests.support.rtsp_server import RtspServer

RETURN_S = 5.0
"""Frames flow again within this time of the camera's return."""


@pytest.fixture
def road(tmp_path: Path) -> Iterator[tuple[Road, Subscriber]]:
    with Mosquitto(tmp_path / "broker") as broker:
        device = Road(tmp_path, broker.port)
        device.build()
        with Subscriber(broker.port, "spotter/#") as witness:
            yield device, witness


def states(witness: Subscriber, camera: str) -> list[tuple[str, str]]:
    payloads = [json.loads(m.payload) for m in witness.heard if m.topic.endswith(f"/{camera}/status")]
    return [(payload["state"], payload["reason"]) for payload in payloads]


def wait_state(witness: Subscriber, camera: str, state: str, timeout_s: float = 20.0) -> str:
    until(lambda: states(witness, camera)[-1:] and states(witness, camera)[-1][0] == state, timeout_s,
          lambda: (state, states(witness, camera)))  # fmt: skip
    return states(witness, camera)[-1][1]


def wait_flow(witness: Subscriber, camera: str) -> None:
    """Until a recognition of this camera arrives that is newer than now."""
    topic = f"spotter/test/dev-1/{camera}/recognition"
    before = len(witness.on(topic))
    until(lambda: len(witness.on(topic)) > before, RETURN_S, lambda: states(witness, camera))


def other(road: Road) -> dict[str, Any]:
    """A second camera that nothing happens to."""
    return {**photos_camera(road.draw_photos("other"), loop=True, fps=5), "id": "other"}


def test_a_folder_that_is_emptied_and_filled_again(road: tuple[Road, Subscriber]) -> None:
    device, witness = road
    photos = device.draw_photos()
    device.configure(photos_camera(photos, loop=True, fps=10), other(device), decision=ONE_LOOK)
    with device.start() as daemon:
        wait_state(witness, "cam", "online")
        for file in photos.iterdir():
            file.unlink()
        assert str(photos) in wait_state(witness, "cam", "offline")
        device.draw_photos()
        wait_flow(witness, "cam")
        shutil.rmtree(photos)
        wait_state(witness, "cam", "offline")
        assert {state for state, _ in states(witness, "other")} == {"online"}, "nothing happened to the other"
        assert daemon.stop() == 0


def test_a_video_that_ends(road: tuple[Road, Subscriber]) -> None:
    device, witness = road
    write_video(device.folder / "short.avi", frames=20)
    source = f"file:{device.folder / 'short.avi'}"
    device.configure({"id": "film", "source": source, "fps": 0}, other(device), decision=ONE_LOOK)
    with device.start() as daemon:
        assert "ended" in wait_state(witness, "film", "offline")
        assert daemon.stop() == 0


@pytest.mark.parametrize("kind", ["stream", "snapshot"])
@pytest.mark.timeout(400)
def test_an_http_camera_that_is_killed_and_restarted(road: tuple[Road, Subscriber], kind: str) -> None:
    device, witness = road
    pictures = device.folder / "served"
    write_pictures(pictures, range(6))
    server = HttpCamera(pictures)
    try:
        url = server.url("stream") if kind == "stream" else f"snapshot:{server.url('picture')}"
        device.configure({"id": "net", "source": url, "fps": 5}, other(device), decision=ONE_LOOK)
        with device.start() as daemon:
            wait_state(witness, "net", "online")
            server.kill()
            assert wait_state(witness, "net", "offline")
            time.sleep(2.0)
            server.start()
            wait_flow(witness, "net")
            assert states(witness, "net")[-1][0] == "online"
            assert {state for state, _ in states(witness, "other")} == {"online"}
            assert daemon.stop() == 0
    finally:
        server.kill()


@pytest.mark.timeout(400)
def test_an_rtsp_camera_that_is_killed_and_restarted(road: tuple[Road, Subscriber]) -> None:
    if missing := RtspServer.missing():
        pytest.skip(missing)
    device, witness = road
    server = RtspServer()
    try:
        device.configure({"id": "net", "source": server.url, "fps": 5}, other(device), decision=ONE_LOOK)
        with device.start() as daemon:
            wait_state(witness, "net", "online")
            server.kill()
            assert wait_state(witness, "net", "offline")
            time.sleep(2.0)
            server.start()
            wait_flow(witness, "net")
            assert states(witness, "net")[-1][0] == "online"
            assert {state for state, _ in states(witness, "other")} == {"online"}
            assert daemon.stop() == 0
    finally:
        server.kill()
