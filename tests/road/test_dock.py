"""A dock from camera to broker: shipments are opened, parcels pass, a restart comes between, a result is retained."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import pytest

from tests.support.mosquitto import Mosquitto, Subscriber
from tests.support.road import Road, until
from tools.synth.dock import Story, draw_dock, gtin_of, receive

ROOT = "spotter/test/dev-1"
FPS = 4.0


def readable(story: Story) -> Story:
    """The tiny model of the tests knows no cartons: each is named by its label."""
    return replace(story, cartons=tuple(replace(c, torn=False) for c in story.cartons), hidden=())


def alone(story: Story, shipment: int) -> Story:
    """One shipment of a story, and nothing behind it."""
    return replace(story, cartons=tuple(c for c in story.cartons if c.shipment == shipment))


TAIL_S = 14.0
"""Of an empty belt behind a shipment: until the last carton's track has ended, played twice as fast."""


def film(story: Story, aside: Path, begins: float, ends: float) -> list[Path]:
    """Pictures of a time, drawn before they are needed: a busy machine must not stretch the time between them."""
    paths = []
    for number in range(round((ends - begins) * FPS)):
        paths.append(aside / f"{begins:07.1f}-{number:04}.jpg")
        picture = draw_dock(story, begins + number / FPS)
        cv2.imwrite(str(paths[-1]), picture, [cv2.IMWRITE_JPEG_QUALITY, 92])
    return paths


def show(pictures: list[Path], belt: Path) -> None:
    """All of them at once: the camera takes them one after the other."""
    for path in reversed(pictures):
        path.rename(belt / path.name)


class Office:
    """Whoever opens and closes shipments."""

    def __init__(self, ear: Subscriber) -> None:
        self.ear = ear

    def ask(self, name: str, **fields: Any) -> dict[str, Any]:
        return self.ear.ask(ROOT, name, **fields)

    def told(self, name: str) -> list[dict[str, Any]]:
        said = [json.loads(each.payload) for each in self.ear.on(f"{ROOT}/dock/event")]
        return [each for each in said if each["event"] == name]

    def state(self) -> dict[str, Any]:
        return dict(json.loads(self.ear.on(f"{ROOT}/dock/inbound/A-1")[-1].payload))


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_shipment_is_received_over_a_restart(tmp_path: Path) -> None:
    story = readable(receive(shipments=2, cartons=8, seed=4))
    pieces: Counter[str] = Counter()
    for carton in story.cartons:
        pieces[gtin_of(carton.label)] += carton.count
    missing, *_ = pieces
    lines = [{"gtin": gtin, "quantity": count + (gtin == missing)} for gtin, count in pieces.items()]
    belt, aside = tmp_path / "belt", tmp_path / "aside"
    belt.mkdir()
    aside.mkdir()
    first, second = story.shipments
    ones, twos = alone(story, 0), alone(story, 1)
    empty = film(ones, aside, first.opened_s - 1.0, first.opened_s)
    one = film(ones, aside, first.opened_s, first.closed_s + TAIL_S)
    again = film(twos, aside, second.opened_s - 1.0, second.opened_s)
    two = film(twos, aside, second.opened_s, second.closed_s + TAIL_S)
    show(empty, belt)
    with Mosquitto(tmp_path / "broker") as m, Subscriber(m.port, "spotter/#", "back/#") as ear:
        road = Road(tmp_path, m.port)
        road.build(products=4, views=2)
        camera = {
            "id": "dock", "source": f"folder:{belt}", "watch": True, "fps": 2 * FPS,
            "regions": {"mode": "motion", "min_px": 60, "motion": {"detail_px": 240, "join_px": 1, "absorb_s": 600}},
            "inbound": {"complete_s": 0, "epcis": {"gln": "4006381333931", "folder": str(tmp_path / "epcis")}},
        }  # fmt: skip
        road.configure(
            camera, tracking={"patience_s": 4}, commands={"allow": ["shipment/open", "shipment/close"]}
        )
        office = Office(ear)
        with road.start() as daemon:
            until(lambda: ear.on(f"{ROOT}/dock/status"), 60, daemon.text)
            refused = office.ask(
                "shipment/open", order={"shipment": "A-1", "lines": [{"gtin": "1", "quantity": 1}]}
            )
            assert "lines[0]: gtin: expected 8, 12, 13 or 14 digits" in refused["error"]
            opened = office.ask("shipment/open", order={"shipment": "A-1", "lines": lines})
            assert opened["result"]["state"] == "open", opened
            assert (
                "found it open"
                in office.ask("shipment/open", order={"shipment": "A-1", "lines": lines})["error"]
            )
            show(one, belt)
            until(lambda: len(office.told("parcel")) == 4, 90, daemon.text)
            assert daemon.stop() == 0
        assert office.state()["parcels"] == 4
        for path in belt.iterdir():
            path.unlink()
        show(again, belt)
        with road.start("again.log") as daemon:
            show(two, belt)
            until(lambda: len(office.told("parcel")) == 8, 90, daemon.text)
            closed = office.ask("shipment/close")
            assert closed["ok"], closed
            until(lambda: office.state()["state"] == "closed", 20)
            assert daemon.stop() == 0
        assert "Traceback" not in daemon.text()
        result = office.state()
        assert (result["closed_by"], result["parcels"], result["unnamed"]) == ("command", 8, 0)
        assert {line["gtin"]: line["received"] for line in result["lines"]} == dict(pieces)
        assert [line["gtin"] for line in result["lines"] if line["state"] == "short"] == [missing]
        with Subscriber(m.port, f"{ROOT}/dock/inbound/#") as late:
            until(lambda: late.on(f"{ROOT}/dock/inbound/A-1"), 20)
            assert json.loads(late.on(f"{ROOT}/dock/inbound/A-1")[0].payload) == result
        kept = [json.loads(each.payload)["epcis"] for each in ear.on(f"{ROOT}/dock/epcis")]
        assert kept[-1]["disposition"] == "mismatch_quantity"
        assert {event["readPoint"]["id"] for event in kept} == {
            "https://id.gs1.org/414/4006381333931/254/dock"
        }
        files = list((tmp_path / "epcis").rglob("*.json"))
        assert {f"ni:///sha-256;{path.stem}?ver=CBV2.0" for path in files} == {
            event["eventID"] for event in kept
        }
