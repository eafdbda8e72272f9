"""Each command does what it says, on real parts: recognition, cameras, disk, log."""

from __future__ import annotations

import base64
import inspect
import json
import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from agent.capturing import Lost
from agent.core.commands import COMMANDS, DAY_S, SNAPSHOT_BYTES
from agent.core.errors import CatalogueError, ConfigError
from agent.core.types import Frame
from agent.core.wording import Sought
from agent.memory import DeviceMemory
from agent.nothing import Nothing
from agent.parts import Sight, open_sight
from tests.support.command_post import Post
from tests.support.pictures import coded
from tests.support.road import Road, picture


@pytest.fixture(scope="module")
def road(tmp_path_factory: pytest.TempPathFactory) -> Road:
    made = Road(tmp_path_factory.mktemp("doing"))
    made.build(products=5)
    return made


@pytest.fixture
def post(road: Road, tmp_path: Path) -> Post:
    return Post(road, tmp_path / "state")


def frame(post: Post, image: np.ndarray | None = None, seq: int = 0) -> Frame:
    shown = picture(1, 7, 200) if image is None else image
    return Frame("cam", seq, post.clock.monotonic(), post.clock.utc(), shown)


def statuses(post: Post) -> list[tuple[str, str]]:
    bodies = [json.loads(m.payload) for m in post.said if m.topic.endswith("/cam/status")]
    return [(body["state"], body["reason"]) for body in bodies]


def test_every_command_has_a_deed_that_takes_what_its_form_says(post: Post) -> None:
    assert set(post.doing.deeds) == set(COMMANDS)
    for name, deed in post.doing.deeds.items():
        taken = inspect.signature(deed).parameters
        fields = set(COMMANDS[name].fields)
        if any(each.kind is each.VAR_KEYWORD for each in taken.values()):
            assert {n for n, each in taken.items() if each.kind is not each.VAR_KEYWORD} < fields
        else:
            assert set(taken) == fields, name


def test_find_says_what_a_picture_shows(post: Post) -> None:
    with post:
        image = base64.b64encode(coded(picture(3, 60), ".png")).decode()
        (region,) = post.ask("find", id="1", image=image, k=2)["result"]["regions"]
        assert (region["verdict"], region["sku"], len(region["candidates"])) == ("known", "sku-03", 2)
        assert "expected 1 to 50, found 51" in post.ask("find", id="2", image=image, k=51)["error"]
        bad = base64.b64encode(b"GIF89a").decode()
        assert post.ask("find", id="3", image=bad)["error"].startswith("image: expected")


def test_find_says_which_products_a_text_means(post: Post) -> None:
    with post:
        said = post.ask("find", id="1", text="sku-02", k=1)["result"]
        assert said["regions"] == []
        assert [(hit["sku"], hit["score"]) for hit in said["products"]] == [("sku-02", 1.0)]
        assert post.ask("find", id="2", text="xyzzyplugh")["result"]["products"] == []
        image = base64.b64encode(coded(picture(3, 60), ".png")).decode()
        either = "image or text: expected exactly one of them, found"
        assert post.ask("find", id="3", text="x", image=image)["error"] == f"{either} image and text"
        assert post.ask("find", id="4", k=3)["error"] == f"{either} none"
        assert post.ask("find", id="5", text="")["error"] == "text: expected text, found none"
        assert "expected at most 200 characters" in post.ask("find", id="6", text="m" * 201)["error"]


def test_a_text_finds_what_was_learned_a_moment_ago_and_not_what_was_forgotten(post: Post) -> None:
    with post:
        image = base64.b64encode(coded(picture(31, 60), ".png")).decode()
        assert post.ask("find", id="1", text="zanzibar")["result"]["products"] == []
        assert post.ask("enrol", id="2", sku="new", image=image, name="Zanzibar Tea")["ok"]
        (hit,) = post.ask("find", id="3", text="zanzibar")["result"]["products"]
        assert (hit["sku"], hit["name"]) == ("new", "Zanzibar Tea")
        assert post.ask("forget", id="4", sku="sku-02")["ok"]
        found = post.ask("find", id="5", text="sku-02")["result"]["products"]
        assert "sku-02" not in [each["sku"] for each in found]


def test_a_release_that_was_searched_is_let_go_when_another_is_used(post: Post) -> None:
    with post:
        assert post.ask("find", id="1", text="sku-02")["ok"]
        searched = post.doing.lookup._search
        assert searched is not None
        post.holding._sight = open_sight(post.settings)  # what `use` of another release does
        assert post.ask("find", id="2", text="sku-02")["ok"]
        assert post.doing.lookup._search is not None
        assert post.doing.lookup._search[0] is post.holding.sight
        with pytest.raises(CatalogueError, match="closed"):
            searched[1]._words.candidates(Sought('"sku"', 1), 1)


def test_a_text_is_not_searched_where_there_is_no_release_yet(post: Post) -> None:
    with post:
        post.holding._sight = Sight(post.sight.eyes, DeviceMemory(Nothing(), None, 8, "0" * 64))
        assert "expected a release to search, found none yet" in post.ask("find", id="1", text="a")["error"]


def test_a_snapshot_is_the_latest_picture_or_a_part_of_it(post: Post) -> None:
    with post:
        post.gate.say("cam", "online", "")
        assert "expected pictures, found none" in post.ask("snapshot", id="1", camera="cam")["error"]
        shown = frame(post, picture(1, 7, 200))
        assert post.gate.put("cam", shown)
        said = post.ask("snapshot", id="2", camera="cam")["result"]
        assert (said["width"], said["height"]) == (200, 200)
        seen = cv2.imdecode(np.frombuffer(base64.b64decode(said["image"]), np.uint8), cv2.IMREAD_COLOR)
        assert abs(seen.astype(int) - shown.image).mean() < 8
        said = post.ask("snapshot", id="3", camera="cam", box=[0, 100, 200, 200], side_px=50)["result"]
        assert (said["width"], said["height"]) == (50, 25)
        said = post.ask("snapshot", id="4", camera="cam", box=[0, 0, 201, 10])
        assert said["error"] == "box: expected a part of 200 × 200, found [0, 0, 201, 10]"
        assert post.ask("snapshot", id="5", camera="x")["error"] == "camera: expected one of cam, found 'x'"


def test_a_picture_full_of_noise_is_sent_smaller(post: Post) -> None:
    with post:
        noise = np.random.default_rng(1).integers(0, 256, (540, 960, 3)).astype(np.uint8)
        post.gate.say("cam", "online", "")
        post.gate.put("cam", frame(post, noise))
        said = post.ask("snapshot", id="1", camera="cam", side_px=1920, quality=95)["result"]
        assert len(base64.b64decode(said["image"])) <= SNAPSHOT_BYTES
        assert 0 < said["width"] < 960
        assert len(post.answers[-1].payload) < 128_000


def test_no_picture_is_kept_where_snapshots_are_not_allowed(road: Road, tmp_path: Path) -> None:
    post = Post(road, tmp_path / "state", allow=("pause",))
    post.gate.put("cam", frame(post))
    assert post.gate._latest == {}


def test_a_paused_camera_is_not_looked_at_until_its_time_is_over(post: Post) -> None:
    with post:
        post.step_s = 0.0
        post.gate.say("cam", "online", "")
        post.gate.put("cam", frame(post))
        said = post.ask("pause", id="1", for_s=100)
        assert said["result"]["cameras"] == ["cam"]
        taken = post.mailbox.take(1)
        assert taken is not None
        assert isinstance(taken[1], Lost), "what is followed ends"
        assert statuses(post)[-1] == ("paused", f"until {said['result']['until']}, as it was told")
        assert post.gate.put("cam", frame(post)), "a live camera goes on, and its picture is dropped"
        assert not post.gate.put("cam", frame(post), wait_s=0.01), "a folder waits"
        assert post.mailbox.take(0) is None
        assert "it is paused" in post.ask("snapshot", id="2", camera="cam")["error"]
        post.clock.ahead_s += 101
        post.gate.tend()
        assert statuses(post)[-1] == ("online", "")
        assert post.gate.put("cam", frame(post))
        assert post.mailbox.take(1) is not None
        post.ask("pause", id="3", camera="cam", for_s=DAY_S)
        assert post.ask("resume", id="4")["result"] == {"cameras": ["cam"]}
        assert post.ask("resume", id="5")["result"] == {"cameras": []}
        assert post.gate.put("cam", frame(post))


def test_a_camera_that_is_lost_while_it_is_paused_is_offline(post: Post) -> None:
    post.gate.pause("", 100)
    post.gate.say("cam", "offline", "unplugged")
    assert statuses(post)[-1] == ("offline", "unplugged")
    post.gate.say("cam", "online", "")
    assert statuses(post)[-1][0] == "paused"
    post.gate.discard("cam")
    post.gate.say("cam", "online", "")
    assert statuses(post)[-1][0] == "paused", "one that was taken away says nothing more"


def test_a_device_says_which_one_it_is(post: Post, caplog: pytest.LogCaptureFixture) -> None:
    with post, caplog.at_level(logging.WARNING):
        said = post.ask("identify", id="1")["result"]
        assert said["hostname"]
        assert said["machine"]
        assert said["uptime_s"] >= 0
        info = json.loads(next(m for m in reversed(post.said) if m.topic.endswith("/info")).payload)
        assert info["identified"] is not None
    assert "somebody asks which device this is: test/dev-1" in caplog.text


def test_the_log_shows_more_for_a_time(post: Post) -> None:
    logger = logging.getLogger("agent")
    with post:
        post.step_s = 0.0
        assert post.ask("log_level", id="1", level="debug", for_s=30)["result"]["level"] == "debug"
        assert logger.level == logging.DEBUG
        post.log_level.tend(post.clock.monotonic() + 29)
        assert logger.level == logging.DEBUG
        post.log_level.tend(post.clock.monotonic() + 31)
        assert logger.level == logging.INFO
        assert "level: expected one of debug, info" in post.ask("log_level", id="2", level="loud")["error"]


def test_reload_says_what_is_taken_over_or_why_nothing_is(post: Post) -> None:
    with post:
        post.changed = frozenset({"log", "cameras"})
        assert post.ask("reload", id="1")["result"] == {"changed": ["cameras", "log"]}
        post.changed = ConfigError("spotter.yaml:3: fps: expected a number")
        assert post.ask("reload", id="2")["error"] == "spotter.yaml:3: fps: expected a number"


def test_rollback_without_a_server_is_refused(post: Post) -> None:
    with post:
        assert "expected sync in the configuration" in post.ask("rollback", id="1")["error"]


def checks(post: Post, identity: str) -> tuple[bool, dict[str, dict[str, Any]]]:
    said = post.ask("self_test", id=identity)["result"]
    return said["passed"], {check["name"]: check for check in said["checks"]}


def test_the_self_test_tries_recognition_disk_clock_cameras_and_asks_the_rest(post: Post) -> None:
    with post:
        post.gate.say("cam", "online", "")
        passed, found = checks(post, "1")
        assert passed, found
        assert {"recognition", "disk", "clock", "camera cam", "broker", "outbox"} <= set(found)
        assert "probes of release" in found["recognition"]["detail"]
        post.gate.say("cam", "offline", "unplugged")
        post.health.report("broker", "the broker refused the login")
        passed, found = checks(post, "2")
        assert not passed
        assert found["camera cam"]["detail"] == "offline: unplugged"
        assert found["broker"] == {
            "name": "broker",
            "passed": False,
            "detail": "the broker refused the login",
        }


def test_an_assortment_of_which_the_catalogue_has_nothing_is_in_health_until_it_is_mended(post: Post) -> None:
    own = post.sight.memory.product(1).sku
    for carried, wrong in (
        (("elsewhere",), True),
        (("elsewhere", own), False),
        (("elsewhere",), True),
        ((), False),
    ):
        decision = replace(post.settings.decision, carried=carried)
        post.holding.pipeline(replace(post.settings, decision=decision), {})
        assert ("found none of its 1" in post.health.causes.get("assortment", "")) is wrong
