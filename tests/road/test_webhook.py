"""A whole device with a broker and a webhook: each gets every fact, whatever becomes of the other."""

from __future__ import annotations

import json
import random
import re
import time
from pathlib import Path

import pytest

from tests.support import receiver as does
from tests.support.certificates import make_certificates, serving_tls
from tests.support.mosquitto import Mosquitto, Subscriber, free_port
from tests.support.receiver import Receiver
from tests.support.road import ONE_LOOK, Road, photos_camera, spotter, until

DECIDED = re.compile(r"decided ([0-9a-f]{32})")
HEALTH = "spotter/test/dev-1/health"


def decided_in(text: str) -> list[str]:
    """Both outboxes say it."""
    return list(dict.fromkeys(DECIDED.findall(text)))


def heard_ids(ear: Subscriber) -> list[str]:
    with ear.changed:
        heard = [h.content["id"] for h in ear.heard if h.topic.endswith("/recognition")]
    return list(dict.fromkeys(heard))


def health(ear: Subscriber) -> str:
    """What is said of the webhook now; empty when all is well."""
    said = ear.on(HEALTH)
    causes = {cause["part"]: cause["reason"] for cause in said[-1].content["causes"]} if said else {}
    return str(causes.get("webhook", ""))


def make_road(folder: Path, port: int, webhook: dict[str, object], **more: object) -> Road:
    road = Road(folder, port)
    road.build()
    road.configure(
        photos_camera(road.draw_photos(), loop=True, fps=20),
        decision=ONE_LOOK,
        log={"level": "debug"},
        webhook={"timeout_s": 2, **webhook},
        **more,
    )
    return road


@pytest.mark.slow
def test_each_goes_on_without_the_other(tmp_path: Path) -> None:
    with Mosquitto(tmp_path / "broker") as m, Receiver() as server:
        road = make_road(tmp_path, m.port, {"url": server.url, "states": True})
        with Subscriber(m.port, "spotter/#", session="witness") as ear, road.start() as daemon:
            until(lambda: len(server.ids) > 20 and len(heard_ids(ear)) > 20, 40)
            server.stop()
            until(lambda: health(ear), 20)
            assert health(ear).startswith(f"{server.url}: no connection")
            before = len(heard_ids(ear))
            until(lambda: len(heard_ids(ear)) > before + 20, 20)
            server.start()
            until(lambda: not health(ear), 30)
            m.stop()
            before = len(server.ids)
            until(lambda: len(server.ids) > before + 20, 30)
            m.start()
            until(lambda: daemon.text().count("the broker has us") == 2, 30)
            assert daemon.stop() == 0
            decided = decided_in(daemon.text())
            until(lambda: set(heard_ids(ear)) == set(decided), 20)
        first_posted = server.ids
        assert [identity for identity in decided if identity in set(first_posted)] == first_posted, "in order"
        with road.start("again.log") as daemon:  # what was on its way to the webhook when it stopped
            daemon.wait_for("ready")
            until(lambda: set(decided) <= set(server.ids), 30)
            assert daemon.stop() == 0
        states = {item["topic"] for request in server.requests for item in request.items if item["retain"]}
        assert {HEALTH, "spotter/test/dev-1/info", "spotter/test/dev-1/cam/status"} <= states


KILLS = 3


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_killed_during_an_outage_of_both_everything_arrives_on_both_sides(tmp_path: Path) -> None:
    """kill -9 at random moments while nobody listens, then while both do."""
    rng = random.Random(7)
    decided: list[str] = []
    with Mosquitto(tmp_path / "broker") as m, Receiver() as server:
        road = make_road(tmp_path, m.port, {"url": server.url}, envelope="cloudevents")
        with Subscriber(m.port, "spotter/+/+/+/recognition", session="witness", limit_s=60) as ear:

            def heard() -> set[str]:
                with ear.changed:
                    return {json.loads(h.payload)["id"] for h in ear.heard}

            m.stop()
            server.stop()
            for number in range(KILLS):
                if number == KILLS - 1:
                    m.start()
                    server.start()
                with road.start(f"daemon-{number}.log") as daemon:
                    daemon.wait_for("ready")
                    time.sleep(rng.uniform(0.5, 1.5))
                    daemon.kill()
                assert "Traceback" not in daemon.text()
                decided += decided_in(daemon.text())
            with road.start("last.log") as daemon:
                daemon.wait_for("ready")
                until(
                    lambda: set(decided) <= set(server.ids), 60, lambda: len(set(decided) - set(server.ids))
                )
                until(lambda: set(decided) <= heard(), 60, lambda: len(set(decided) - heard()))
                assert daemon.stop() == 0
    assert len(set(decided)) == len(decided) > 20


@pytest.mark.slow
def test_what_is_wrong_with_the_webhook_is_said_in_health(tmp_path: Path) -> None:
    certificates = make_certificates(tmp_path)
    with Mosquitto(tmp_path / "broker") as m, Receiver(serving_tls(certificates)) as server:
        road = make_road(tmp_path, m.port, {"url": f"{server.url}/secret-path"})
        with Subscriber(m.port, HEALTH) as ear, road.start() as daemon:
            until(lambda: health(ear), 40)
            assert health(ear).startswith(f"{server.url}: certificate not trusted: ")
            assert daemon.stop() == 0
        server.always = does.status(404)
        road.configure(
            photos_camera(road.folder / "photos", loop=True, fps=20),
            webhook={"url": f"{server.url}/secret-path", "ca": str(certificates / "ca.pem")},
        )
        with Subscriber(m.port, HEALTH) as ear, road.start("404.log") as daemon:
            wanted = f"{server.url}: nothing takes events there: check webhook.url (status 404)"
            until(lambda: health(ear) == wanted, 40, lambda: ear.on(HEALTH)[-1:])
            assert daemon.stop() == 0
            assert "secret" not in daemon.text()


def test_a_wrong_file_of_certificates_is_found_before_anything_runs(tmp_path: Path) -> None:
    road = make_road(tmp_path, free_port(), {"url": "https://127.0.0.1:1", "ca": str(tmp_path / "none.pem")})
    done = spotter("check", "-c", str(road.config))
    assert done.returncode == 78, done.stderr
    assert "webhook.ca: expected a PEM file of certificates, found" in done.stderr
