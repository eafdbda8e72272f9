"""A shelf through the daemon and a real broker: what is taken, hidden, knocked away and planned anew."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import pytest
import yaml

from agent.cli.main import main
from tests.support.mosquitto import Mosquitto, Subscriber
from tests.support.road import Daemon, Road, until
from tests.support.shelf import SLOTS, Filmed, planogram

ROOT = "spotter/test/dev-1"
QUICK = {"dwell_s": 1, "restock_s": 0.4, "blocked_after_s": 0.4, "alert_after_s": 3, "view": {"every_s": 1}}


class Shop:
    """The device, its witness, and what is shown to it."""

    def __init__(self, road: Road, witness: Subscriber, filmed: Filmed) -> None:
        self.road, self.witness, self.filmed = road, witness, filmed

    def state(self, below: str) -> dict[str, Any]:
        """The latest of a topic."""
        heard = [each for each in self.witness.on(f"{ROOT}/{below}") if each.payload]
        return dict(heard[-1].content) if heard else {}

    def slots(self) -> dict[str, str]:
        return {slot: self.state(f"cam/shelf/{slot}").get("state", "") for slot in SLOTS}

    def wait(self, **slots: str) -> None:
        """Until these slots are in these states."""
        until(lambda: slots.items() <= self.slots().items(), 30, self.slots)

    def facts(self) -> list[dict[str, Any]]:
        return [dict(heard.content) for heard in self.witness.on(f"{ROOT}/cam/event")]

    def wait_fact(self, name: str) -> dict[str, Any]:
        until(lambda: any(fact["event"] == name for fact in self.facts()), 30, self.facts)
        return [fact for fact in self.facts() if fact["event"] == name][-1]


def configure(road: Road) -> None:
    (road.folder / "planogram.yaml").write_text(yaml.safe_dump(planogram()))
    road.configure(
        {
            "id": "cam",
            "source": f"folder:{road.folder / 'film'}",
            "watch": True,
            "fps": 0,
            "shelf": {"planogram": "planogram.yaml", **QUICK},
        },
        commands={"allow": ["accept_view"]},
    )


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_day_at_the_shelf(tmp_path: Path) -> None:
    all_right = dict.fromkeys(SLOTS, "correct")
    with Mosquitto(tmp_path / "broker") as broker:
        road = Road(tmp_path, broker.port)
        road.build()
        configure(road)
        with Subscriber(broker.port, "spotter/#", "back/#") as witness, Filmed(tmp_path / "film") as filmed:
            shop = Shop(road, witness, filmed)
            with road.start() as daemon:
                shop.wait(**all_right)
                until(lambda: shop.state("cam/shelf").get("share_correct") == 1.0, 10)
                take_and_put_back(shop)
                hide(shop)
                knock(shop)
                stay(shop)
                plan_anew(shop, daemon)
                filmed.shown.products["b2"] = None
                shop.wait(b2="empty")
                assert daemon.stop() == 0
            again = road.start("again.log")
            with again:
                until(lambda: "ready" in again.text(), 30, again.text)
                begun = len(witness.heard)
                until(
                    lambda: any(
                        heard.topic == f"{ROOT}/cam/shelf/b2" and heard.content["state"] == "empty"
                        for heard in witness.heard[begun:]
                    ),
                    30,
                )
                assert shop.state("cam/shelf/b2")["out_of_stock_s"] > 1.0, "it goes on where it was"
                assert again.stop() == 0
    assert "Traceback" not in daemon.text() + again.text()


def take_and_put_back(shop: Shop) -> None:
    shop.filmed.shown.products["a2"] = None
    shop.wait(a2="empty")
    fact = shop.wait_fact("out_of_stock")
    assert (fact["slot"], fact["sku"], fact["before"]) == ("a2", "sku-01", "correct")
    until(lambda: [m["slot"] for m in shop.state("cam/shelf")["missing"]] == ["a2"], 10)
    assert shop.wait_fact("out_of_stock_alert")["out_of_stock_s"] >= 3
    until(lambda: shop.state("cam/shelf/a2")["alert"], 10)
    shop.filmed.shown.products["a2"] = 6
    shop.wait(a2="wrong")
    assert shop.wait_fact("misplaced")["found"]["sku"] == "sku-06"
    shop.filmed.shown.products["a2"] = 1
    shop.wait(a2="correct")
    shop.wait_fact("corrected")
    until(lambda: shop.state("cam/shelf")["share_correct"] == 1.0, 10)


def hide(shop: Shop) -> None:
    before = [fact for fact in shop.facts() if fact["event"] == "out_of_stock"]
    shop.filmed.shown.person = True
    shop.wait(a2="blocked", a3="blocked", a1="correct", b4="correct")
    shop.filmed.shown.gain = 0.6
    shop.filmed.shown.person = False
    shop.wait(**dict.fromkeys(SLOTS, "correct"))
    shop.filmed.shown.gain = 1.0
    assert [fact for fact in shop.facts() if fact["event"] == "out_of_stock"] == before
    assert shop.state("cam/shelf")["share_correct"] == 1.0


def knock(shop: Shop) -> None:
    shop.filmed.shown.shift = (6, 2)
    until(lambda: shop.state("health")["state"] == "ok", 5)
    shop.filmed.shown.shift = (80, 15)
    until(lambda: shop.state("health")["state"] == "degraded", 10)
    (cause,) = shop.state("health")["causes"]
    assert cause["part"] == "view of cam"
    shop.wait(**dict.fromkeys(SLOTS, "unknown"))
    assert shop.state("cam/shelf/a1")["reason"] == cause["reason"]
    assert "the camera was moved" in shop.wait_fact("camera_moved")["reason"]
    shop.filmed.shown.shift = (0, 0)
    until(lambda: shop.state("health")["state"] == "ok", 10)
    shop.wait(**dict.fromkeys(SLOTS, "correct"))
    shop.wait_fact("camera_back")


def stay(shop: Shop) -> None:
    """The camera is left where it was knocked to, and that is accepted on the device; back, and from afar."""
    for shift in ((80, 15), (0, 0)):
        shop.filmed.shown.shift = shift
        until(lambda: shop.state("health")["state"] == "degraded", 10)
        shop.wait(a1="unknown")
        if shift[0]:
            assert main(["planogram", "accept", "-c", str(shop.road.config)]) == 0
        else:
            answer = shop.witness.ask(ROOT, "accept_view", camera="cam")
            assert answer["result"]["camera"] == "cam"
            assert answer["result"]["moved_px"] > 60
        until(lambda: shop.state("health")["state"] == "ok", 10)
        shop.wait(a1="correct", a2="correct", b3="correct")
        assert shop.wait_fact("camera_accepted")["moved_px"] > 60
    shop.wait(**dict.fromkeys(SLOTS, "correct"))
    assert main(["planogram", "accept", "-c", str(shop.road.config)]) == 1, "there is nothing to accept"
    assert "found one that stands where it stood" in shop.witness.ask(ROOT, "accept_view")["error"]
    assert main(["planogram", "accept", "-c", str(shop.road.config), "--camera", "other"]) == 1


def plan_anew(shop: Shop, daemon: Daemon) -> None:
    """A slot goes, another product is planned that the catalogue does not have."""
    plan = planogram(*(slot for slot in SLOTS if slot != "b4"))
    plan["slots"][0]["sku"] = "never-heard-of"
    (shop.road.folder / "planogram.yaml").write_text(yaml.safe_dump(plan))
    daemon.process.send_signal(signal.SIGHUP)
    topic = f"{ROOT}/cam/shelf/b4"
    until(lambda: shop.witness.on(topic)[-1].payload == b"", 20)
    until(lambda: shop.state("health")["state"] == "degraded", 10)
    (cause,) = shop.state("health")["causes"]
    assert cause["part"] == "planogram of cam"
    assert "'never-heard-of'" in cause["reason"]
    until(lambda: shop.state("cam/shelf/a1").get("state") == "wrong", 20, shop.slots)
    assert shop.state("cam/shelf")["slots"] == 7
    assert shop.witness.on(topic)[-1].payload == b"", "nothing was told of it after that"
