"""A running device does what it is told over MQTT, and tells its numbers."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import yaml

from agent.core.commands import COMMANDS
from tests.support.mosquitto import Mosquitto, Subscriber
from tests.support.road import ONE_LOOK, Road, photos_camera, recognitions, until

ROOT_TOPIC = "spotter/test/dev-1"


class Office:
    """Asks one device, and waits for its answers."""

    def __init__(self, ear: Subscriber) -> None:
        self.ear = ear

    def ask(self, name: str, **fields: Any) -> dict[str, Any]:
        return self.ear.ask(ROOT_TOPIC, name, **fields)

    def state(self, topic: str) -> dict[str, Any]:
        return dict(json.loads(self.ear.on(f"{ROOT_TOPIC}/{topic}")[-1].payload))


def test_a_device_is_looked_after_from_afar(tmp_path: Path) -> None:
    with Mosquitto(tmp_path / "broker") as m, Subscriber(m.port, "spotter/#", "back/#") as ear:
        road = Road(tmp_path, m.port)
        road.build(products=4, views=2)
        camera = photos_camera(road.draw_photos(count=4), loop=True, fps=20)
        more = {"decision": ONE_LOOK, "commands": {"allow": [*COMMANDS]}, "metrics": {"interval_s": 1}}
        road.configure(camera, **more)
        office = Office(ear)
        with road.start() as daemon:
            until(lambda: recognitions(ear.heard), 30, daemon.text)
            said = office.ask("snapshot", camera="cam", side_px=48)["result"]
            data = np.frombuffer(base64.b64decode(said["image"]), np.uint8)
            assert cv2.imdecode(data, cv2.IMREAD_COLOR).shape == (48, 48, 3)

            assert office.ask("pause", camera="cam")["ok"]
            until(lambda: office.state("cam/status")["state"] == "paused", 10)
            assert not office.ask("snapshot", camera="cam")["ok"]
            assert office.ask("resume")["result"] == {"cameras": ["cam"]}
            until(lambda: office.state("cam/status")["state"] == "online", 10)
            before = len(recognitions(ear.heard))
            until(lambda: len(recognitions(ear.heard)) > before, 20, daemon.text)

            (hit,) = office.ask("find", text="sku-02", k=1)["result"]["products"]
            assert (hit["sku"], hit["score"]) == ("sku-02", 1.0)
            picture_of_it = base64.b64encode((tmp_path / "photos").glob("*").__next__().read_bytes()).decode()
            (region,) = office.ask("find", image=picture_of_it)["result"]["regions"]
            assert region["verdict"] == "known"

            assert office.ask("identify")["result"]["hostname"]
            until(lambda: office.state("info")["identified"], 10)
            checks = office.ask("self_test")["result"]
            assert checks["passed"], checks

            road.configure({**camera, "fps": 10}, **more)
            assert office.ask("reload")["result"] == {"changed": ["cameras"]}
            daemon.wait_for("configuration taken over: cameras")
            road.configure({**camera, "fps": 10}, **more, site="elsewhere")
            assert "these need a restart: site" in office.ask("reload")["error"]
            road.config.write_text(yaml.safe_dump({"sight": 1}))
            assert "unknown key 'sight'" in office.ask("reload")["error"]

            until(lambda: ear.on(f"{ROOT_TOPIC}/metrics"), 20)
            numbers = office.state("metrics")
            assert numbers["values"]["frames.taken.cam"] > 0
            assert numbers["values"]["memory.resident_mb"] > 10
            assert daemon.stop() == 0
        assert "Traceback" not in daemon.text()
        assert office.state("health")["state"] == "ok"
