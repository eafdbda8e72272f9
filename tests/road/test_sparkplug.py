"""A daemon as an edge node: what a host sees of it, also when it is killed, restarted and stopped."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from agent.core.wire.sparkplug import Namespace
from tests.support.mosquitto import Mosquitto, Subscriber, wait_until
from tests.support.road import ONE_LOOK, Road, photos_camera
from tests.support.sparkplug_host import Host


@pytest.mark.slow
def test_a_host_follows_a_device_through_kills_and_restarts(tmp_path: Path) -> None:
    with Mosquitto(tmp_path / "broker") as broker, Subscriber(broker.port, "spBv1.0/#") as ear:
        road = Road(tmp_path, broker.port)
        road.build(products=3, views=1)
        camera = photos_camera(road.draw_photos(count=6), loop=True, fps=5)
        more = {"decision": ONE_LOOK, "sparkplug": {"group": "berlin"}, "metrics": {"interval_s": 1}}
        road.configure(camera, **more)
        host = Host(Namespace("berlin", "dev-1"))
        with road.start() as daemon:
            wait_until(lambda: "cam" in host.follow(ear).alive, 30)
            wait_until(lambda: len({v for n, v in host.follow(ear).history if n == "cam:Last/SKU" and v}) > 1)
            wait_until(lambda: host.follow(ear).values["cam:Frames/Recognised"])
            assert host.values[":Health/State"] == "ok"
            assert host.values[":Properties/Software"]
            road.configure(camera, {**camera, "id": "second"}, **more)
            daemon.process.send_signal(signal.SIGHUP)
            wait_until(lambda: host.follow(ear).alive == {"", "cam", "second"}, 30)
            daemon.kill()
            wait_until(lambda: host.follow(ear).alive == set())
        first = host.numbers[-1]
        assert set(host.numbers) == {first}, "the same connection: the same number"
        with road.start("second.log") as daemon:
            wait_until(lambda: host.follow(ear).alive == {"", "cam", "second"}, 30)
            assert host.numbers[-1] == first + 1
            assert daemon.stop() == 0
            wait_until(lambda: host.follow(ear).alive == set())
