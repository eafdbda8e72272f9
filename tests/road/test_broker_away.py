"""The broker goes away for a minute while recognitions flow: all arrive, in order, and availability is right."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from tests.support.mosquitto import Mosquitto, Subscriber
from tests.support.road import ONE_LOOK, Road, photos_camera, until

AWAY_S = 60.0


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_all_arrive_in_order(tmp_path: Path) -> None:
    with Mosquitto(tmp_path / "broker") as broker:
        road = Road(tmp_path, broker.port)
        road.build()
        road.configure(
            photos_camera(road.draw_photos(), loop=True, fps=10), decision=ONE_LOOK, log={"level": "debug"}
        )
        with Subscriber(broker.port, "spotter/#", session="witness") as witness, road.start() as daemon:
            topic = "spotter/test/dev-1/availability"

            def availability() -> list[bytes]:
                return [m.payload for m in witness.heard if m.topic == topic]

            def ids() -> list[str]:
                return [
                    json.loads(m.payload)["id"] for m in witness.heard if m.topic.endswith("/recognition")
                ]

            def decided() -> list[str]:
                lines = daemon.text().splitlines()
                return [line.rpartition(" ")[2] for line in lines if " decided " in line]

            until(lambda: len(ids()) > 20, 30)
            assert availability()[-1] == b"online"
            broker.stop()
            before = len(decided())
            time.sleep(AWAY_S)
            missed = len(decided()) - before
            assert missed > AWAY_S, "recognition went on without a broker"
            broker.start()
            until(lambda: set(decided()[: before + missed]) <= set(ids()), 60)
            until(lambda: availability()[-1] == b"online", 10)
            assert daemon.stop() == 0
            until(lambda: availability()[-1] == b"offline", 10, availability)
            until(lambda: set(decided()) <= set(ids()), 20)
            first_heard = list(dict.fromkeys(ids()))
            assert first_heard == decided(), "every fact, each in its place"


def test_a_daemon_that_dies_is_offline(tmp_path: Path) -> None:
    with Mosquitto(tmp_path / "broker") as broker:
        road = Road(tmp_path, broker.port)
        road.build()
        road.configure(photos_camera(road.draw_photos(), loop=True, fps=10), decision=ONE_LOOK)
        with Subscriber(broker.port, "spotter/+/+/availability") as witness, road.start() as daemon:
            until(lambda: [m.payload for m in witness.heard] == [b"online"], 30)
            daemon.kill()
            until(lambda: [m.payload for m in witness.heard] == [b"online", b"offline"], 10)
