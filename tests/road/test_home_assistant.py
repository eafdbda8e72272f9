"""A device shows itself to Home Assistant, and what was shown goes when it is gone: a real daemon and broker."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agent.core.wire.home_assistant import object_id
from tests.support.mosquitto import Heard, Mosquitto, Subscriber
from tests.support.road import ONE_LOOK, Road, photos_camera, until

TOPIC = f"ha/device/{object_id('spotter/test/dev-1')}/config"


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    with Mosquitto(tmp_path / "broker") as running:
        yield running


def retained(broker: Mosquitto) -> list[Heard]:
    """What a Home Assistant that starts now finds."""
    with Subscriber(broker.port, "ha/#", "marker") as late:
        late.send("marker", b"")
        late.wait_for(lambda heard: any(h.topic == "marker" for h in heard))
        return [h for h in late.heard if h.topic != "marker"]


def components(heard: Heard) -> dict[str, Any]:
    return dict(heard.content["cmps"])


@pytest.mark.slow
def test_it_is_announced_again_and_taken_back(tmp_path: Path, broker: Mosquitto) -> None:
    road = Road(tmp_path, broker.port)
    road.build(products=3, views=1)
    cameras = [
        {**photos_camera(road.draw_photos(), loop=True, fps=2), "id": name} for name in ("left", "right")
    ]
    shown = {"decision": ONE_LOOK, "home_assistant": {"prefix": "ha"}}
    road.configure(*cameras, **shown)
    with Subscriber(broker.port, TOPIC) as home, road.start() as daemon:
        home.wait_count(1)
        entities = components(home.heard[0])
        assert {key.partition("_")[0] for key in entities if "_" in key} == {"left", "right"}
        with Subscriber(broker.port, *{each["stat_t"] for each in entities.values()}) as ear:
            ear.wait_for(lambda heard: any(h.topic.endswith("/left/recognition") for h in heard))

        # Home Assistant begins anew; that it goes, or what others say there, changes nothing.
        before = len(home.heard)
        home.send("ha/status", b"offline")
        home.send("ha/status", b"online")
        home.wait_count(before + 1)
        assert home.heard[-1].payload == home.heard[0].payload

        # A camera goes while the daemon runs: its entities are named by their platform alone, before the
        # topics that they read become empty.
        with Subscriber(broker.port, TOPIC, "spotter/test/dev-1/right/status") as ear:
            ear.wait_count(2)
            road.configure(cameras[0], **shown)
            daemon.process.send_signal(signal.SIGHUP)
            heard = ear.wait_for(lambda heard: any(not h.payload for h in heard))
            before = heard[: [h.payload for h in heard].index(b"")]
            last = [components(h) for h in before if h.topic == TOPIC][-1]
            assert last["right_status"] == {"p": "binary_sensor"}
        home.wait_for(lambda heard: components(heard[-1])["right_status"] == {"p": "binary_sensor"})
        assert components(home.heard[-1])["left_status"] == entities["left_status"]

        # The other one is replaced while it does not run.
        daemon.kill()
        road.configure({**cameras[0], "id": "middle"}, **shown)
    with road.start("second.log"):
        until(lambda: components(retained(broker)[0])["left_status"] == {"p": "binary_sensor"}, 20)
        found = components(retained(broker)[0])
        assert found["right_recognition"] == {"p": "event"}
        assert len(found["middle_status"]) > 1

    # Another prefix, then none: Home Assistant finds nothing of it where it was.
    road.configure(cameras[0], decision=ONE_LOOK, home_assistant={"prefix": "other"})
    with Subscriber(broker.port, "other/device/+/config") as other, road.start("third.log"):
        other.wait_count(1)
        until(lambda: retained(broker) == [], 20)
        road.configure(cameras[0], decision=ONE_LOOK)
    with Subscriber(broker.port, "other/device/+/config") as other, road.start("fourth.log"):
        other.wait_for(lambda heard: heard and heard[-1].payload == b"")
