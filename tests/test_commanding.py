"""Commands: read strictly, done once, answered always; with a real teacher."""

from __future__ import annotations

import base64
import json
import threading
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from agent.adapters.system import SystemClock
from agent.commanding import WAITING_LIMIT, Commander
from agent.core.commands import COMMANDS, IMAGE_LIMIT, REMEMBERED, REQUEST_LIMIT_BYTES, CommandSettings
from agent.core.incoming import Incoming
from agent.core.types import Message
from agent.core.wire import Wire, request_schemas, schemas
from agent.learning import Teacher
from agent.metrics import Metrics
from tests.support.road import Road, picture
from tests.test_learning import Device, shown

WIRE = Wire("spotter", "site", "dev")


class Post:
    """A commander, and what it answers; `ask` waits for the answer to one request."""

    def __init__(self, device: Device, *, allow: tuple[str, ...] = COMMANDS, sync: bool = True) -> None:
        self.device = device
        self.answers: list[Message] = []
        self.synced = 0
        self.clock = SystemClock()
        self.metrics = Metrics()
        self.answered = threading.Condition()
        self.commander = Commander(
            self, self._sync if sync else None, allow, WIRE, self._answer, self.clock, self.metrics
        )
        self.thread = threading.Thread(target=self.commander.run)

    def teacher(self) -> Teacher:
        return self.device.teacher

    def _sync(self) -> None:
        self.synced += 1

    def _answer(self, message: Message) -> None:
        with self.answered:
            self.answers.append(message)
            self.answered.notify_all()

    def send(self, name: str, payload: bytes, **more: Any) -> None:
        self.commander.take(Incoming(WIRE.command_topic(name), payload, **more))

    def ask(self, name: str, /, **fields: Any) -> dict[str, Any]:
        return self.ask_bytes(name, json.dumps(fields).encode())

    def ask_bytes(self, name: str, payload: bytes) -> dict[str, Any]:
        before = len(self.answers)
        self.send(name, payload)
        with self.answered:
            assert self.answered.wait_for(lambda: len(self.answers) > before, 20)
        said = json.loads(self.answers[before].payload)
        jsonschema.validate(said, schemas()["command_result"])
        assert said["command"] == name
        assert said["ok"] == (not said["error"])
        return dict(said)

    def __enter__(self) -> Post:
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.clock.stop()
        self.thread.join()


@pytest.fixture(scope="module")
def road(tmp_path_factory: pytest.TempPathFactory) -> Road:
    made = Road(tmp_path_factory.mktemp("commanding"))
    made.build(products=5)
    return made


@pytest.fixture
def device(road: Road, tmp_path: Path) -> Device:
    return Device(road, tmp_path, road.catalogue)


def coded(*views: int) -> list[str]:
    return [base64.b64encode(shown(70, view).data).decode() for view in views]


def test_a_product_is_enrolled_and_forgotten(device: Device) -> None:
    with Post(device) as post:
        request = {"id": "1", "sku": "new", "image": coded(1, 2), "name": "New"}
        jsonschema.validate(request, request_schemas()["enrol"])
        said = post.ask("enrol", **request)
        assert said["result"] == {
            "sku": "new",
            "added": 2,
            "pictures": 2,
            "in_release": False,
            "warnings": [],
        }
        assert device.names(picture(70, 5)) == "new"
        assert post.ask("enrol", id="2", sku="new", image=coded(3)[0])["result"]["pictures"] == 3
        said = post.ask("forget", id="3", sku="new")
        assert said["result"] == {"sku": "new", "removed": 3, "in_release": False}
        assert device.names(picture(70, 5)) != "new"
        assert post.ask("resync", id="4")["ok"]
        assert post.synced == 1


def test_a_request_that_is_repeated_is_answered_again_and_done_once(device: Device) -> None:
    with Post(device) as post:
        first = post.ask("resync", id="same")
        assert post.ask("resync", id="same") == first
        assert post.synced == 1
        other = post.ask("forget", id="same", sku="sku-01")
        assert other["error"] == "id: expected another one for another request, found 'same' again"
        assert (other["id"], device.store.learned().forgotten) == ("same", ())
        for number in range(REMEMBERED):
            post.ask("resync", id=str(number))
        post.ask("resync", id="same")
        assert post.synced == REMEMBERED + 2, "what is remembered is bounded"


def test_a_request_that_failed_may_be_sent_again_with_its_id(device: Device) -> None:
    with Post(device) as post:
        request = {"id": "1", "sku": "new"}
        assert not post.ask("forget", **request)["ok"]
        post.ask("enrol", id="2", sku="new", image=coded(1)[0])
        assert post.ask("forget", **request)["ok"]


IMAGE = base64.b64encode(b"no picture").decode()
WRONG: dict[str, tuple[str, Any, str | None, str]] = {
    "nothing": ("resync", b"", None, "expected JSON"),
    "no text": ("resync", b"\xff\xfe", None, "expected JSON"),
    "a list": ("resync", [], None, "expected an object of fields"),
    "a field twice": ("resync", b'{"id": "a", "id": "b"}', None, "field 'id' stands there twice"),
    "no id": ("resync", {}, None, "id: expected 1 to 128 printable characters, found NoneType None"),
    "an id that is a number": ("resync", {"id": 5}, None, "found int 5"),
    "an id without end": ("resync", {"id": "x" * 129}, None, "id: expected 1 to 128"),
    "a field too many": ("resync", {"id": "a", "now": True}, "a", "now: expected one of id, found an unknown field"),
    "no sku": ("forget", {"id": "a"}, "a", "sku: expected a value, found none"),
    "an sku that is a list": ("forget", {"id": "a", "sku": ["x"]}, "a", "sku: expected a text in one line"),
    "an sku that nobody knows": ("forget", {"id": "a", "sku": "x"}, "a", "sku: expected one that is known here"),
    "an sku that is a path": ("enrol", {"id": "a", "sku": "../x", "image": IMAGE}, "a", "sku: expected no slash"),
    "no image": ("enrol", {"id": "a", "sku": "x"}, "a", "image: expected base64, found NoneType None"),
    "no image in a list": ("enrol", {"id": "a", "sku": "x", "image": []}, "a", "image: expected 1 to 16 pictures"),
    "too many images": (
        "enrol", {"id": "a", "sku": "x", "image": [IMAGE] * (IMAGE_LIMIT + 1)}, "a", "expected 1 to 16 pictures, found 17",
    ),
    "an image that is no base64": (
        "enrol", {"id": "a", "sku": "x", "image": [IMAGE, "€"]}, "a", "image[1]: expected base64, found '€'",
    ),
    "an image that is no picture": (
        "enrol", {"id": "a", "sku": "x", "image": IMAGE}, "a", "image[0]: expected",
    ),
    "a name that is a number": (
        "enrol", {"id": "a", "sku": "x", "image": IMAGE, "name": 7}, "a", "name: expected a text in one line",
    ),
    "a wrong gtin": ("enrol", {"id": "a", "sku": "x", "image": IMAGE, "gtin": "12"}, "a", "gtin: expected 8, 12"),
    "a field that nobody knows": (
        "enrol", {"id": "a", "sku": "x", "image": IMAGE, "url": "http://"}, "a", "url: expected one of id, sku",
    ),
    "more than there is room for": ("resync", b" " * (REQUEST_LIMIT_BYTES + 1), None, "expected at most 8000000 bytes"),
    "braces without end": ("resync", b'{"a":' * 100_000, None, "expected JSON"),
}  # fmt: skip


def test_whatever_is_asked_wrongly_is_answered_with_one_reason(device: Device) -> None:
    with Post(device) as post:
        for story, (name, request, identity, says) in WRONG.items():
            payload = request if isinstance(request, bytes) else json.dumps(request).encode()
            said = post.ask_bytes(name, payload)
            assert (said["ok"], said["id"], said["result"]) == (False, identity, {}), story
            assert says in said["error"], story
            assert len(said["error"]) < 600, story
        assert device.store.learned().references == ()
        assert post.metrics.snapshot()["commands.failed"] == len(WRONG)


def test_resync_without_a_server_is_refused(device: Device) -> None:
    with Post(device, sync=False) as post:
        assert "expected sync in the configuration" in post.ask("resync", id="1")["error"]


def test_what_is_not_allowed_or_was_retained_is_not_even_answered(device: Device) -> None:
    post = Post(device, allow=("resync",))
    post.send("forget", b'{"id": "1", "sku": "sku-01"}')
    post.send("resync", b'{"id": "2"}', retained=True)
    post.commander.take(Incoming("spotter/other/dev/command/resync", b'{"id": "3"}'))
    assert post.commander._waiting.empty()
    assert post.answers == []


def test_more_than_can_wait_are_answered_at_once(device: Device) -> None:
    post = Post(device)
    for number in range(WAITING_LIMIT):
        post.send("resync", b'{"id": "%d"}' % number)
    post.send("resync", b'{"id": "late"}', correlation=b"c")
    post.send("enrol", b'{"id": "%s"}' % (b"x" * 20_000))
    late, large = (json.loads(message.payload) for message in post.answers)
    assert (late["id"], large["id"]) == ("late", None)
    assert (
        late["error"]
        == f"expected at most {WAITING_LIMIT} commands at once, found one more: send it again later"
    )
    assert post.answers[0].correlation == b"c"


ANSWERED_ON = {
    "nowhere in particular": ("", "spotter/site/dev/command/resync/result"),
    "a topic of its own": ("back/office/7", "back/office/7"),
    "a topic of the device": ("spotter/site/dev/availability", "spotter/site/dev/command/resync/result"),
    "a topic with a wildcard": ("back/#", "spotter/site/dev/command/resync/result"),
    "a topic of the broker": ("$SYS/x", "spotter/site/dev/command/resync/result"),
}


@pytest.mark.parametrize("story", ANSWERED_ON)
def test_is_answered_where_it_may_be(story: str) -> None:
    wanted, topic = ANSWERED_ON[story]
    incoming = Incoming(WIRE.command_topic("resync"), b"", answer_to=wanted, correlation=b"\x00")
    message = WIRE.answer("resync", WIRE.command_result("resync", "1", {}, ""), incoming, 5.0)
    assert (message.topic, message.correlation, message.retain) == (topic, b"\x00", False)


def test_a_new_teacher_settles_what_was_learned_and_a_disk_that_refuses_is_said_once(
    device: Device, road: Road, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    post = Post(device)
    post.commander._settle()
    assert post.commander._settled is device.teacher
    post.device = Device(road, tmp_path, road.catalogue)
    post.device.store.close()
    post.commander._settle()
    post.commander._settle()
    assert post.commander._settled is device.teacher
    assert [record.levelname for record in caplog.records if "overlay.db" in record.message] == ["ERROR"]


@pytest.mark.parametrize(
    ("allow", "says"),
    [(("enroll",), "expected some of enrol, forget, resync"), (("forget", "forget"), "each command once")],
)
def test_commands_that_are_none_are_refused_in_the_configuration(allow: tuple[str, ...], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        CommandSettings(allow=allow)
