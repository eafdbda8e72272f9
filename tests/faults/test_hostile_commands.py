"""Whatever is sent as a command is answered with a clear error, or ignored when it is none; nothing breaks.

`SPOTTER_COMMANDS=10000` sends more; a failure names the seed.
"""

from __future__ import annotations

import base64
import json
import os
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agent.core.commands import COMMANDS
from agent.core.incoming import Incoming
from tests.support.command_post import WIRE, Post
from tests.support.mosquitto import Mosquitto, Subscriber
from tests.support.pictures import coded
from tests.support.road import ONE_LOOK, Road, photos_camera, picture, recognitions, until

COUNT = int(os.environ.get("SPOTTER_COMMANDS", "1500"))
SEED = int(os.environ.get("SPOTTER_SEED", "20261124"))

IMAGE = base64.b64encode(coded(picture(70, 1, 48), ".png")).decode()
GOOD: dict[str, dict[str, Any]] = {
    "enrol": {"sku": "new", "image": [IMAGE], "name": "New"},
    "forget": {"sku": "sku-01"},
    "pause": {"camera": "cam", "for_s": 60},
    "resume": {"camera": ""},
    "log_level": {"level": "warning", "for_s": 5},
    "snapshot": {"camera": "cam", "side_px": 64, "quality": 50, "box": [0, 0, 10, 10]},
    "find": {"image": IMAGE, "k": 3},
    "accept_view": {"camera": "cam"},
    "shipment/open": {"order": {"shipment": "A-1", "lines": [{"gtin": "4006381333931", "quantity": 2}]}},
    "shipment/close": {"shipment": "A-1", "camera": "cam"},
}
GOOD_TOO: dict[str, dict[str, Any]] = {"find": {"text": "sku-01", "k": 3}}
ODD: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 2**53, 2**63, -(10**400), 1e308, -0.0, 0.5, "", " ", "\0", "\ud800", "💥", "../x"),
    *("a" * 5000, "#", "+", "/", "\n", "=" * 9, [], [[]], [None], {}, {"id": {}}, [0, 0, 0, 0], [9, 9, 1, 1]),
    *([1, 2, 3], [10**9] * 4, ["x"] * 17, IMAGE, IMAGE[:-5], base64.b64encode(b"GIF89a").decode()),
)  # fmt: skip


def requests(count: int, seed: int) -> Iterator[tuple[str, bytes]]:
    """Name of a command and what is sent to it: noise, JSON of any kind, and good requests bent in one place."""
    rng = random.Random(seed)
    for number in range(count):
        name = rng.choice([*COMMANDS])
        yield name, rng.choice(WAYS)(rng, name, number)


def noise(rng: random.Random, _name: str, _number: int) -> bytes:
    return rng.randbytes(rng.randrange(300))


def anything(rng: random.Random, _name: str, _number: int) -> bytes:
    return json.dumps(rng.choice(ODD)).encode()


def asked(rng: random.Random, name: str) -> dict[str, Any]:
    good = GOOD.get(name, {})
    return rng.choice([good, GOOD_TOO.get(name, good)])


def bent(rng: random.Random, name: str, number: int) -> bytes:
    request = {"id": f"r{number}", **asked(rng, name)}
    for _ in range(rng.randrange(1, 3)):
        key = rng.choice([*request, "unknown", "ID", ""])
        how = rng.randrange(3)
        if how == 0:
            request.pop(key, None)
        else:
            request[key] = rng.choice(ODD)
    return json.dumps(request).encode()


def broken(rng: random.Random, name: str, number: int) -> bytes:
    data = bytearray(json.dumps({"id": f"b{number}", **asked(rng, name)}).encode())
    for _ in range(rng.randrange(1, 6)):
        place = rng.randrange(len(data))
        how = rng.randrange(4)
        if how == 0:
            data[place] = rng.randrange(256)
        elif how == 1:
            del data[place : place + rng.randrange(1, 9)]
        elif how == 2:
            data[place:place] = rng.randbytes(rng.randrange(1, 9))
        else:
            data[place:place] = data[: rng.randrange(1, 40)]
        data = data or bytearray(b" ")
    return bytes(data)


def deep(rng: random.Random, _name: str, _number: int) -> bytes:
    opening = rng.choice([b"[", b'{"id":', b'{"a":[', b'"'])
    return opening * rng.choice([3, 1000, 200_000])


def good(rng: random.Random, name: str, number: int) -> bytes:
    return json.dumps({"id": f"g{number}", **asked(rng, name)}).encode()


WAYS = (noise, anything, bent, bent, bent, broken, broken, deep, good)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Road:
    road = Road(tmp_path_factory.mktemp("hostile"))
    road.build(products=4, views=2)
    return road


@pytest.mark.timeout(240 + COUNT // 20)
def test_every_request_is_answered_and_the_next_one_is_done(built: Road, tmp_path: Path) -> None:
    with Post(built, tmp_path / "state") as post:
        done = 0
        for number, (name, payload) in enumerate(requests(COUNT, SEED)):
            said = post.ask_bytes(name, payload)
            story = f"SPOTTER_SEED={SEED}, number {number}: {name} {payload[:200]!r}"
            assert len(said["error"]) < 1000, story
            assert "\n" not in said["error"], story
            done += said["ok"]
        assert post.thread.is_alive()
        assert 0 < done < COUNT
        assert len(post.answers) == COUNT
        assert post.ask("identify", id="the last")["ok"]


def test_what_is_no_command_is_ignored(built: Road, tmp_path: Path) -> None:
    post = Post(built, tmp_path / "state")
    rng = random.Random(SEED)
    below = ["", "/", "command", "command/", "command/forget/", "command/forget/result", "command/forget/x"]
    below += ["command/dance", "command/FORGET", "command/forget\0", "availability", "cam/status", "💥"]
    for topic in [f"{WIRE.root}/{each}" for each in below] + [
        "",
        "/",
        "spotter",
        f"{WIRE.root}x/command/forget",
    ]:
        for _ in range(20):
            post.commander.take(Incoming(topic, rng.randbytes(rng.randrange(100))))
    assert post.answers == []
    assert post.commander._waiting.empty()


def test_over_a_real_broker_every_request_is_answered_and_recognising_goes_on(
    built: Road, tmp_path: Path
) -> None:
    with Mosquitto(tmp_path / "broker") as m, Subscriber(m.port, "spotter/#", "back/#") as ear:
        built.broker_port, built.state = m.port, tmp_path / "state"
        camera = photos_camera(built.draw_photos(count=4), loop=True, fps=10)
        built.configure(camera, decision=ONE_LOOK, commands={"allow": [*COMMANDS]})
        with built.start() as daemon:
            daemon.wait_for("the broker has us")
            sent = [each for each in requests(200, SEED) if each[0] not in {"pause", "log_level", "forget"}]
            for number, (name, payload) in enumerate(sent):
                topic = f"spotter/test/dev-1/command/{name}"
                ear.send(topic, payload, answer_to=f"back/{number}", correlation=b"%d" % number)
                until(lambda number=number: ear.on(f"back/{number}"), 20, daemon.text)  # type: ignore[misc]
                (answer,) = ear.on(f"back/{number}")
                assert answer.correlation == b"%d" % number
                assert json.loads(answer.payload)["command"] == name
            before = len(recognitions(ear.heard))
            until(lambda: len(recognitions(ear.heard)) > before, 20, daemon.text)
            assert daemon.stop() == 0
    assert "Traceback" not in daemon.text()
