"""What the set-up page asks, of a running daemon: drawn, written, taken over, told over MQTT."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import jsonschema
import numpy as np
import pytest

from agent.core.api import OPERATIONS
from tests.support.mosquitto import Mosquitto, Subscriber, find_mosquitto
from tests.support.rack import Rack
from tests.support.road import Daemon, until
from tests.support.web import Answer, Shop, Site

needs_broker = pytest.mark.skipif(not find_mosquitto(), reason="mosquitto is not installed")

THREE = [
    {"name": "a1", "box": [0, 0, 240, 240]},
    {"name": "a2", "box": [250, 0, 490, 240]},
    {"name": "a3", "quad": [[500, 0], [740, 0], [740, 240], [500, 240]], "sku": "sku-02"},
]


@pytest.fixture(scope="module")
def rack(shop: Shop, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Site, Subscriber]]:
    """A device of its own, whose configuration may be written, and who hears of it."""
    with Mosquitto(tmp_path_factory.mktemp("broker")) as broker, Subscriber(broker.port) as subscriber:
        folder = tmp_path_factory.mktemp("rack")
        made = Rack(shop, folder, broker_port=broker.port)
        yield made.wait(), subscriber
        made.close()


def checked(name: str, answer: Answer) -> dict[str, Any]:
    assert answer.status == 200, answer
    said: dict[str, Any] = answer.json
    result = OPERATIONS[name].result
    schema = {
        "type": "object",
        "properties": dict(result),
        "required": list(result),
        "additionalProperties": False,
    }
    jsonschema.validate(said, schema)
    return said


def layout(site: Site) -> dict[str, Any]:
    return checked("layout", site.ask("/api/setup/cam/layout"))


@needs_broker
def test_slots_that_are_drawn_are_recognised_and_told(rack: tuple[Site, Subscriber]) -> None:
    site, subscriber = rack
    until(lambda: site.ask("/api/cameras/cam/picture").status == 200, 20)
    before = layout(site)
    assert (before["mode"], before["places"], before["width"], before["height"]) == ("whole", [], 990, 240)
    looked = checked("look", site.ask("/api/setup/look", {"camera": "cam", "places": THREE}))
    assert [each["sku"] for each in looked["seen"]] == ["sku-00", "sku-01", "sku-02"]
    old = site.config.read_text()
    said = {"camera": "cam", "etag": before["etag"], "mode": "slots", "places": THREE}
    written = checked("lay_out", site.ask("/api/setup/layout", said))
    assert written["taken_over"], written
    assert written["etag"] == layout(site)["etag"] != before["etag"]
    assert Path(f"{site.config}.bak").read_text() == old
    site.daemon.wait_for("configuration taken over: cameras")

    def told(heard: list[Any]) -> bool:
        found = [each.content for each in heard if each.topic == "spotter/test/dev-1/cam/recognition"]
        known = {each["region"]: each["sku"] for each in found if each["verdict"] == "known"}
        return {"a1": "sku-00", "a2": "sku-01", "a3": "sku-02"}.items() <= known.items()

    subscriber.wait_for(told, 30)

    late = site.ask("/api/setup/layout", said)
    assert (late.status, "changed since" in late.detail) == (409, True)


@needs_broker
@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        ({"places": [THREE[0], THREE[0]]}, "expected each name once, found 'a1' 2 times"),
        ({"places": [{"name": "a/b", "box": [0, 0, 9, 9]}]}, "expected 1 to 64 characters without '+'"),
        ({"places": []}, "slots: expected at least one slot, found 0"),
        ({"places": [{"name": "out", "box": [900, 0, 999, 100]}]}, "the picture's width 990, found 999"),
        ({"places": [{"name": "thin", "box": [0, 0, 3, 100]}]}, "expected sides of at least 8 px"),
        ({"places": [{"name": "none"}]}, "expected either a box or a quad, found neither"),
        ({"camera": "x", "places": THREE}, "camera: expected"),
        ({"mode": "motion", "places": [], "zone": [5, 5, 1, 1]}, "zone: expected pixels with x1 < x2"),
    ],
)
def test_what_would_be_wrong_is_refused_and_nothing_changes(
    rack: tuple[Site, Subscriber], more: dict[str, Any], sentence: str
) -> None:
    site, _ = rack
    until(lambda: site.ask("/api/setup/cam/meter").status == 200, 20)
    text = site.config.read_text()
    said = {"camera": "cam", "etag": layout(site)["etag"], "mode": "slots", **more}
    answer = site.ask("/api/setup/layout", said)
    assert answer.status in {400, 404}
    assert sentence in answer.detail
    assert site.config.read_text() == text


@needs_broker
def test_a_layout_that_no_longer_fits_is_still_seen_and_mended(
    shop: Shop, tmp_path_factory: pytest.TempPathFactory
) -> None:
    site = Rack(shop, tmp_path_factory.mktemp("other-lens"))
    text = site.config.read_text()
    site.daemon.stop()
    far = '"id": "cam", "regions": {"mode": "slots", "slots": [{"name": "far", "box": [2000, 0, 2100, 90]}]}'
    site.config.write_text(text.replace('"id": "cam"', far))
    site.daemon = Daemon(site.config, site.folder / "again.log")
    site.wait()
    until(lambda: site.ask("/api/cameras/cam/picture").status == 200, 20)
    now = layout(site)
    assert (now["width"], [each["name"] for each in now["places"]]) == (990, ["far"])
    said = {"camera": "cam", "etag": now["etag"], "mode": "slots", "places": THREE}
    assert checked("lay_out", site.ask("/api/setup/layout", said))["taken_over"]
    until(lambda: site.looked_at() > 1, 20, site.daemon.text)
    site.close()


def test_focus_and_light(site: Site) -> None:
    until(lambda: site.ask("/api/setup/cam/meter").status == 200, 20)
    reading = checked("meter", site.ask("/api/setup/cam/meter"))
    assert reading["sharpness"] > 0
    assert 0 < reading["brightness"] < 1


def test_another_threshold(site: Site) -> None:
    until(lambda: checked("what_if", site.ask("/api/setup/what_if?false_accept=0.01"))["named"] > 5, 20)
    strict = checked("what_if", site.ask("/api/setup/what_if?false_accept=0.00001&camera=cam"))
    assert strict["decisions"] <= 200
    assert {each["named"] for each in strict["changes"]} <= {False}
    for each in strict["changes"]:
        assert each["false_accept"] > 0.00001
    assert site.ask("/api/setup/what_if?false_accept=2").status == 400
    assert site.ask("/api/setup/what_if?false_accept=0.1&camera=x").status == 404


@needs_broker
def test_an_item_is_learned_from_its_views(rack: tuple[Site, Subscriber]) -> None:
    """By the command that MQTT has, and found at once."""
    site, _ = rack
    until(lambda: site.ask("/api/setup/cam/meter").status == 200, 20)
    where = {"camera": "cam", "place": [{"name": "x", "box": [750, 0, 990, 240]}]}
    first = checked("view", site.ask("/api/setup/view", where))
    assert (first["similarity"], first["width"], first["fault"]) == (None, 240, "")
    again = checked("view", site.ask("/api/setup/view", {**where, "views": [first["image"]]}))
    assert (again["fault"], again["similarity"] >= 0.96) == ("alike", True)
    other = {"camera": "cam", "place": [{"name": "x", "box": [0, 0, 90, 200]}], "views": [first["image"]]}
    assert checked("view", site.ask("/api/setup/view", other))["fault"] == "small"
    done = site.ask("/api/commands/enrol", {"sku": "new-1", "image": [first["image"]], "name": "Seen here"})
    assert (done.status, done.json["added"]) == (200, 1)
    found = site.ask("/api/products?text=seen%20here").json["products"]
    assert [each["sku"] for each in found][:1] == ["new-1"]
    looked = checked("look", site.ask("/api/setup/look", {"camera": "cam", "places": where["place"]}))
    assert looked["seen"][0]["options"][0]["sku"] == "new-1"
    assert site.ask("/api/commands/forget", {"sku": "new-1"}).status == 200


def test_what_nobody_is_to_see_is_not_learned(guarded: Site) -> None:
    until(lambda: guarded.ask("/api/setup/cam/meter", password="correct horse").status == 200, 20)
    view = guarded.ask("/api/setup/view", {"camera": "cam"}, password="correct horse").json
    pixels = cv2.imdecode(np.frombuffer(base64.b64decode(view["image"]), np.uint8), cv2.IMREAD_COLOR)
    left, right = (float(np.abs(np.diff(half.astype(float), axis=1)).mean()) for half in np.hsplit(pixels, 2))
    assert left < right / 2


@pytest.mark.parametrize(
    "path", [each.path for each in OPERATIONS.values() if each.path.startswith("/api/setup")]
)
def test_only_an_operator_may(guarded: Site, path: str) -> None:
    body = {} if OPERATIONS_BY_PATH[path].method == "POST" else None
    assert guarded.ask(path.replace("{camera}", "cam"), body, password="battery staple").status == 403


OPERATIONS_BY_PATH = {each.path: each for each in OPERATIONS.values()}


@needs_broker
def test_masks_a_rate_and_a_planogram_are_written(rack: tuple[Site, Subscriber]) -> None:
    site, subscriber = rack
    old = site.config.read_text()
    try:
        whole = {"camera": "cam", "etag": layout(site)["etag"], "mode": "whole", "places": []}
        etag = checked("lay_out", site.ask("/api/setup/layout", whole))["etag"]
        masks = {"camera": "cam", "etag": etag, "masks": [[0, 0.5, 0.1, 1]]}
        said = checked("mask", site.ask("/api/setup/masks", masks))
        assert (said["masks"], said["taken_over"]) == ([[0, 0.5, 0.1, 1]], True)
        assert site.ask("/api/setup/masks", masks).status == 409  # it was read before
        rate = {"etag": said["etag"], "false_accept": 0.0125}
        said = checked("decide", site.ask("/api/setup/decision", rate))
        assert (said["now"], said["taken_over"]) == (0.0125, True)
        at_work = site.ask("/api/setup/what_if?false_accept=0.1").json["now"]
        assert at_work == 0.0125, "it was to work by it when it said so"
        slot = {"name": "a1", "box": [0, 0, 240, 240], "sku": "sku-00", "facings": 2}
        outside = {"camera": "cam", "etag": said["etag"], "places": [{**slot, "box": [0, 0, 2000, 240]}]}
        refused = site.ask("/api/setup/shelf", outside)
        sentence = "cam: shelf: slots: slot 'a1': expected x from 0 to 990 within the picture, found 2000"
        assert (refused.status, refused.json["detail"]) == (400, sentence)
        subscriber.heard.clear()
        said = checked("shelve", site.ask("/api/setup/shelf", {**outside, "places": [slot]}))
        assert said["shelf"] == {"unit": "px", "places": [{**slot, "was": "a1", "minimum": 1}]}
        subscriber.wait_for(lambda heard: any(each.topic.endswith("/cam/shelf/a1") for each in heard), 30)
    finally:
        site.config.write_text(old)
        assert site.ask("/api/commands/reload", {}).status == 200
