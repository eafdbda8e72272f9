"""Kill -9 of the daemon at random moments: whatever was decided is delivered, under the same id."""

from __future__ import annotations

import json
import random
import re
import sqlite3
import time
from collections import defaultdict
from pathlib import Path

import pytest

from tests.support.mosquitto import Mosquitto, Subscriber
from tests.support.road import ONE_LOOK, Road, photos_camera, until

KILLS = 50
LATE = re.compile(rb',"late":true,"sent":"[^"]*"\}$')
DECIDED = re.compile(r"decided ([0-9a-f]{32})")


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_nothing_decided_is_lost(tmp_path: Path) -> None:
    rng = random.Random(42)
    decided: list[str] = []
    with Mosquitto(tmp_path / "broker") as broker:
        road = Road(tmp_path, broker.port)
        road.build()
        road.configure(
            photos_camera(road.draw_photos(), loop=True, fps=40), decision=ONE_LOOK, log={"level": "debug"}
        )
        with Subscriber(broker.port, "spotter/#", session="witness") as witness:
            for number in range(KILLS):
                with road.start(f"daemon-{number}.log") as daemon:
                    daemon.wait_for("ready")
                    time.sleep(rng.uniform(0.0, 0.8))
                    daemon.kill()
                decided += DECIDED.findall(daemon.text())
                assert "Traceback" not in daemon.text()
                with sqlite3.connect(road.state / "outbox.db") as database:
                    assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
                database.close()

            def heard() -> dict[str, set[bytes]]:
                found: dict[str, set[bytes]] = defaultdict(set)
                for message in witness.heard:
                    if message.topic.endswith("/recognition"):
                        # On a busy machine a start takes longer than what was decided may wait unmarked.
                        payload = LATE.sub(b"}", message.payload)
                        found[json.loads(payload)["id"]].add(payload)
                return found

            with road.start("last.log") as last:
                last.wait_for("ready")
                until(lambda: set(decided) <= heard().keys(), 60, lambda: len(set(decided) - heard().keys()))
                assert last.stop() == 0
    assert len(decided) > KILLS, "the road was busy while it was killed"
    assert len(set(decided)) == len(decided), "no id is given to two facts"
    different = [identity for identity, payloads in heard().items() if len(payloads) > 1]
    assert different == [], "the same id is the same fact, to the byte"
