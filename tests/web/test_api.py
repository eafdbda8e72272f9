"""Everything that can be asked is answered as the document says, by a running device."""

from __future__ import annotations

import base64
import json
from typing import Any

import cv2
import jsonschema
import numpy as np
import pytest
from prometheus_client.parser import text_string_to_metric_families

from agent.core.api import OPERATIONS
from tests.support.road import until
from tests.support.web import LONG, Answer, Site


def checked(name: str, answer: Answer) -> dict[str, Any]:
    """The answer of an operation, which is what the document says of it."""
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


def test_cameras_and_what_they_showed_last(site: Site) -> None:
    (camera,) = checked("cameras", site.ask("/api/cameras"))["cameras"]
    assert (camera["camera"], camera["state"], camera["application"]) == ("cam", "online", "watch")
    until(lambda: site.ask("/api/cameras/cam/picture").status == 200, 10)
    answer = site.ask("/api/cameras/cam/picture?side_px=100")
    assert answer.headers["content-type"] == "image/jpeg"
    picture = cv2.imdecode(np.frombuffer(answer.body, np.uint8), cv2.IMREAD_COLOR)
    assert picture.shape == (100, 100, 3)


def test_a_picture_that_the_browser_has_is_not_sent_again(site: Site) -> None:
    until(lambda: site.ask("/api/cameras/cam/picture").status == 200, 10)

    def again() -> int:
        tag = site.ask("/api/cameras/cam/picture").headers["etag"]
        return site.ask("/api/cameras/cam/picture", if_none_match=tag).status

    until(lambda: again() == 304, 10)


def test_what_was_told_and_what_is_true(site: Site) -> None:
    until(lambda: site.ask("/api/recognitions").json["events"], 10)
    events = checked("recognitions", site.ask("/api/recognitions?camera=cam&limit=2"))["events"]
    assert 1 <= len(events) <= 2
    assert events[0]["topic"] == "spotter/test/dev-1/cam/recognition"
    states = checked("states", site.ask("/api/states"))["states"]
    assert states["cam/status"]["state"] == "online"
    assert states["index"]["products"] == 6
    assert set(checked("states", site.ask("/api/states?camera=cam"))["states"]) == {"cam/status"}


def test_how_the_device_is(site: Site) -> None:
    status = checked("status", site.ask("/api/status"))
    assert (status["site"], status["device"]) == ("test", "dev-1")
    assert not status["broker"]
    assert [cause["part"] for cause in status["causes"]] == ["broker"]
    assert status["figures"]["frames.taken.cam"] > 0
    assert checked("session", site.ask("/api/session")) == {
        "role": "operator",
        "password": False,
        "pages": ["/", "/kiosk", "/setup", "/review"],
    }


def test_products_by_text_one_by_one_and_all(site: Site) -> None:
    found = checked("search", site.ask("/api/products?text=soup"))["products"]
    assert {each["name"] for each in found} == {"Tomato soup", "Red lentil soup"}
    first = checked("search", site.ask("/api/products?limit=4"))
    rest = checked("search", site.ask(f"/api/products?limit=4&after={first['next']}"))
    skus = [each["sku"] for each in (*first["products"], *rest["products"])]
    assert skus == [f"sku-{number:02d}" for number in range(6)]
    assert rest["next"] is None
    one = checked("product", site.ask("/api/products/sku-05"))
    assert (one["name"], one["price"], one["learned"], one["pictured"]) == (LONG, "5.99", False, True)
    alike = checked("similar", site.ask("/api/products/sku-00/similar?k=3"))["products"]
    assert len(alike) == 3
    assert "sku-00" not in {each["sku"] for each in alike}
    picture = site.ask("/api/products/sku-00/picture")
    assert picture.headers["content-type"] == "image/jpeg"
    assert picture.headers["cache-control"] == "private, max-age=60"


def test_a_picture_is_found_as_json_and_as_it_is(site: Site) -> None:
    photo = site.shop.photo(3)
    for answer in (
        site.ask("/api/find", {"image": base64.b64encode(photo).decode(), "k": 2}),
        site.ask("/api/find?k=2", photo, content_type="image/png"),
    ):
        (region,) = checked("find", answer)["regions"]
        assert (region["sku"], region["name"]) == ("sku-03", "Red lentil soup")
        assert len(region["candidates"]) == 2
    assert checked("find", site.ask("/api/find", {"text": "lentl"}))["products"][0]["sku"] == "sku-03"


def test_a_product_is_taught_and_forgotten_over_http_as_over_mqtt(site: Site) -> None:
    image = np.zeros((200, 200, 3), np.uint8)
    image[:100] = (0, 255, 255)
    _, data = cv2.imencode(".png", image)
    body = {"sku": "new-1", "image": base64.b64encode(data.tobytes()).decode(), "name": "Lemonade"}
    taught = checked("command_enrol", site.ask("/api/commands/enrol", body))
    assert (taught["added"], taught["in_release"]) == (1, False)
    (region,) = site.ask("/api/find", data.tobytes(), content_type="image/png").json["regions"]
    assert region["candidates"][0]["sku"] == "new-1"
    one = checked("product", site.ask("/api/products/new-1"))
    assert (one["name"], one["learned"], one["pictured"]) == ("Lemonade", True, True)
    sides = []
    for query in ("", "?side_px=90", "?side_px=320"):
        shown = site.ask(f"/api/products/new-1/picture{query}").body
        sides.append(cv2.imdecode(np.frombuffer(shown, np.uint8), cv2.IMREAD_COLOR).shape[0])
    assert sides == [96, 90, 200]
    assert site.ask("/api/products?limit=100").json["products"][-1]["sku"] == "new-1"
    assert site.ask("/api/products?text=lemonade").json["products"][0]["sku"] == "new-1"
    assert checked("command_forget", site.ask("/api/commands/forget", {"sku": "new-1"}))["removed"] == 1
    assert site.ask("/api/products/new-1").status == 404


def test_commands_are_refused_in_a_sentence(site: Site) -> None:
    assert (
        site.ask("/api/commands/resync", {}).detail
        == "resync: expected sync in the configuration, found no such key"
    )
    answer = site.ask("/api/commands/pause", {"camera": "x"})
    assert (answer.status, answer.detail) == (400, "camera: expected one of cam, found 'x'")
    answer = site.ask("/api/commands/pause", {"cam": "x"})
    assert answer.detail.startswith("cam: expected one of id, camera, for_s, found an unknown field")


def test_a_camera_is_paused_and_goes_on(site: Site) -> None:
    assert checked("command_pause", site.ask("/api/commands/pause", {"camera": "cam"}))["cameras"] == ["cam"]
    assert site.ask("/api/cameras").json["cameras"][0]["state"] == "paused"
    assert checked("command_resume", site.ask("/api/commands/resume", {}))["cameras"] == ["cam"]
    before = site.looked_at()
    until(lambda: site.looked_at() > before, 10)


MISSING = {
    "a camera": ("/api/cameras/other/picture", "camera: expected one of cam, found 'other'"),
    "a product": ("/api/products/none", "sku: expected one that is known here, found 'none'"),
    "its picture": ("/api/products/none/picture", "sku: expected one that is known here, found 'none'"),
    "a page": ("/nothing", "there is no such page"),
    "a file of a page": ("/pages/nothing.js", "there is no such page"),
    "a path with a slash behind it": ("/api/status/", "there is no such page"),
}


@pytest.mark.parametrize(("path", "why"), MISSING.values(), ids=MISSING)
def test_what_is_not_there(site: Site, path: str, why: str) -> None:
    answer = site.ask(path)
    assert (answer.status, answer.detail) == (404, why)


def test_what_programs_ask_that_look_after_programs(site: Site) -> None:
    assert site.ask("/healthz").body == b"ok\n"
    assert site.ask("/readyz").body == b"ready\n"
    answer = site.ask("/metrics")
    families = {each.name for each in text_string_to_metric_families(answer.body.decode())}
    assert {"spotter_build_info", "spotter_frames_recognised"} <= families
    document = json.loads(site.ask("/api/openapi.json").body)
    assert document["openapi"] == "3.1.0"


def test_the_method_counts(site: Site) -> None:
    assert site.ask("/api/status", {}).status == 405
    assert site.ask("/api/find").status == 405
    head = site.ask("/api/status", method="HEAD")
    assert (head.status, head.body) == (200, b"")
