"""A running device tells of what it cannot name, and the command line gives it a name."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import jsonschema

from agent.core.wire import schemas
from tests.support.mosquitto import Mosquitto, Subscriber
from tests.support.road import ONE_LOOK, Road, photos_camera, picture, recognitions, spotter, told, until

TOPIC = "spotter/test/dev-1/unknown"
NEW = 70
"""A product that no catalogue here has."""


def test_a_stranger_is_told_of_listed_and_made_a_product(tmp_path: Path) -> None:
    with Mosquitto(tmp_path / "broker") as broker:
        road = Road(tmp_path / "device", broker.port)
        road.build(products=5)
        photos = tmp_path / "photos"
        photos.mkdir()
        for product in (3, NEW):
            for view in range(3):
                cv2.imwrite(str(photos / f"{product:02d}-{view}.png"), picture(product, 60 + view))
        road.configure(
            photos_camera(photos, loop=True, fps=20), decision=ONE_LOOK, unknown={"pictures": True}
        )
        config = ("-c", str(road.config))
        with Subscriber(broker.port, "spotter/test/dev-1/#") as heard, road.start() as daemon:
            until(lambda: seen(heard) > 0, 40, daemon.text)
            (listed,) = lines("unknown", "list", *config)
            assert listed["seen"] > 0
            assert listed["pictures"] > 0
            assert told("status", *config)["unknown"]["things"] == 1
            taught = told("unknown", "enrol", str(listed["unknown"]), "new", "--name", "New", *config)
            assert taught["added"] > 0
            until(
                lambda: "new" in {found["sku"] for found in recognitions(heard.heard)[-6:]}, 30, daemon.text
            )
        assert lines("unknown", "list", *config) == []
        gone = spotter("unknown", "drop", "1", *config)
        assert gone.returncode == 1
        assert "expected one of `spotter unknown list`, found none" in gone.stderr


def seen(heard: Subscriber) -> int:
    """Sightings, as the device last told them."""
    said = [json.loads(message.payload) for message in heard.on(TOPIC)]
    for each in said:
        jsonschema.validate(each, schemas()["unknown"])
    return int(said[-1]["seen"]) if said else 0


def lines(*arguments: str) -> list[dict[str, int]]:
    done = spotter(*arguments, "--json")
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]
