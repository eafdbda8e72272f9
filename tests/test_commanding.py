"""Commands: read strictly, done once, answered always; with a real teacher."""

from __future__ import annotations

import base64
import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from agent.adapters.answers import AnswerBook
from agent.commanding import WAITING_LIMIT
from agent.core.commands import IMAGE_LIMIT, CommandSettings
from agent.core.incoming import Incoming
from agent.core.requests import REMEMBERED, REQUEST_LIMIT_BYTES, Answered, Answers, Bucket
from agent.core.wire import request_schemas
from agent.parts import open_overlay
from tests.support.command_post import WIRE, Post
from tests.support.road import Road, picture
from tests.test_learning import shown


@pytest.fixture(scope="module")
def road(tmp_path_factory: pytest.TempPathFactory) -> Road:
    made = Road(tmp_path_factory.mktemp("commanding"))
    made.build(products=5)
    return made


def coded(*views: int) -> list[str]:
    return [base64.b64encode(shown(70, view).data).decode() for view in views]


def test_a_product_is_enrolled_and_forgotten(road: Road, tmp_path: Path) -> None:
    with Post(road, tmp_path) as post:
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
        assert post.names(picture(70, 5)) == "new"
        assert post.ask("enrol", id="2", sku="new", image=coded(3)[0])["result"]["pictures"] == 3
        said = post.ask("forget", id="3", sku="new")
        assert said["result"] == {"sku": "new", "removed": 3, "in_release": False}
        assert post.names(picture(70, 5)) != "new"
        assert post.ask("resync", id="4")["ok"]
        assert post.synced == 1


def test_a_request_that_is_repeated_is_answered_again_and_done_once(road: Road, tmp_path: Path) -> None:
    with Post(road, tmp_path) as post:
        first = post.ask("resync", id="same")
        assert post.ask("resync", id="same") == first
        assert post.synced == 1
        other = post.ask("forget", id="same", sku="sku-01")
        assert other["error"] == "id: expected another one for another request, found 'same' again"
        assert (other["id"], post.forgotten()) == ("same", set())


def test_a_request_that_failed_may_be_sent_again_with_its_id(road: Road, tmp_path: Path) -> None:
    with Post(road, tmp_path) as post:
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
    "no image": ("enrol", {"id": "a", "sku": "x"}, "a", "image: expected a value, found none"),
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


def test_whatever_is_asked_wrongly_is_answered_with_one_reason(road: Road, tmp_path: Path) -> None:
    with Post(road, tmp_path) as post:
        for story, (name, request, identity, says) in WRONG.items():
            payload = request if isinstance(request, bytes) else json.dumps(request).encode()
            said = post.ask_bytes(name, payload)
            assert (said["ok"], said["id"], said["result"]) == (False, identity, {}), story
            assert says in said["error"], story
            assert len(said["error"]) < 600, story
        assert open_overlay(post.settings).learned().references == ()
        assert post.metrics.snapshot()["commands.failed"] == len(WRONG)


def test_resync_without_a_server_is_refused(road: Road, tmp_path: Path) -> None:
    with Post(road, tmp_path, sync=False) as post:
        assert "expected sync in the configuration" in post.ask("resync", id="1")["error"]


def test_what_is_not_allowed_or_was_retained_is_not_even_answered(road: Road, tmp_path: Path) -> None:
    post = Post(road, tmp_path, allow=("resync",))
    post.send("forget", b'{"id": "1", "sku": "sku-01"}')
    post.send("resync", b'{"id": "2"}', retained=True)
    post.commander.take(Incoming("spotter/other/dev-1/command/resync", b'{"id": "3"}'))
    assert post.commander._waiting.empty()
    assert post.answers == []


def test_more_than_can_wait_are_answered_at_once(road: Road, tmp_path: Path) -> None:
    post = Post(road, tmp_path)
    for number in range(WAITING_LIMIT):
        post.send("forget", b'{"id": "%d"}' % number)
    post.send("forget", b'{"id": "late"}', correlation=b"c")
    post.send("enrol", b'{"id": "%s"}' % (b"x" * 20_000))
    late, large = (json.loads(message.payload) for message in post.answers)
    assert (late["id"], large["id"]) == ("late", None)
    assert (
        late["error"]
        == f"expected at most {WAITING_LIMIT} commands at once, found one more: send it again later"
    )
    assert post.answers[0].correlation == b"c"


ANSWERED_ON = {
    "nowhere in particular": ("", "spotter/test/dev-1/command/resync/result"),
    "a topic of its own": ("back/office/7", "back/office/7"),
    "a topic of the device": ("spotter/test/dev-1/availability", "spotter/test/dev-1/command/resync/result"),
    "a topic with a wildcard": ("back/#", "spotter/test/dev-1/command/resync/result"),
    "a topic of the broker": ("$SYS/x", "spotter/test/dev-1/command/resync/result"),
}


@pytest.mark.parametrize("story", ANSWERED_ON)
def test_is_answered_where_it_may_be(story: str) -> None:
    wanted, topic = ANSWERED_ON[story]
    incoming = Incoming(WIRE.command_topic("resync"), b"", answer_to=wanted, correlation=b"\x00")
    message = WIRE.answer("resync", WIRE.command_result("resync", "1", {}, ""), incoming, 5.0)
    assert (message.topic, message.correlation, message.retain) == (topic, b"\x00", False)


def test_a_new_teacher_settles_what_was_learned_and_a_disk_that_refuses_is_said_once(
    road: Road, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    post = Post(road, tmp_path)
    post.doing.tend()
    assert post.doing._settled is post.holding.teacher()
    other = Post(road, tmp_path)
    other.holding.teacher()._store.close()
    other.doing.tend()
    other.doing.tend()
    assert other.doing._settled is None
    assert [record.levelname for record in caplog.records if "overlay.db" in record.message] == ["ERROR"]


@pytest.mark.parametrize(
    ("allow", "says"),
    [(("enroll",), "expected some of enrol, forget, resync"), (("forget", "forget"), "each command once")],
)
def test_commands_that_are_none_are_refused_in_the_configuration(allow: tuple[str, ...], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        CommandSettings(allow=allow)


def test_what_was_done_before_a_restart_is_answered_and_not_done_again(road: Road, tmp_path: Path) -> None:
    with Post(road, tmp_path) as post:
        first = post.ask("resync", id="same")
        post.ask("forget", id="refused", sku="nobody knows it")
    with Post(road, tmp_path) as post:
        assert post.ask("resync", id="same") == first
        assert post.synced == 0
        assert "'same' again" in post.ask("forget", id="same", sku="sku-01")["error"]
        assert (
            "expected one that is known" in post.ask("forget", id="refused", sku="nobody knows it")["error"]
        )


def test_what_is_kept_on_the_disk_is_bounded_and_the_latest(tmp_path: Path) -> None:
    book = AnswerBook(tmp_path / "answers.db", limit=3)
    for number in range(5):
        book.keep(Answered(f"{number}", "c", b"a"))
    book.keep(Answered("3", "d", b"b"))
    book.close()
    held = AnswerBook(tmp_path / "answers.db").held()
    assert [each.id for each in held] == ["2", "4", "3"]
    assert held[-1] == Answered("3", "d", b"b")
    answers = Answers(Answered(f"{number}", "c", b"a") for number in range(REMEMBERED + 1))
    assert (answers.of("0", "c"), answers.of("1", "c")) == (None, b"a")


DAMAGE = {"noise": b"x" * 5000, "cut short": b"SQLite format 3\0", "another database": None}


@pytest.mark.parametrize("story", DAMAGE)
def test_a_damaged_book_of_answers_is_set_aside(tmp_path: Path, story: str) -> None:
    path = tmp_path / "answers.db"
    if (data := DAMAGE[story]) is not None:
        path.write_bytes(data)
    else:
        with closing(sqlite3.connect(path)) as db:
            db.execute("CREATE TABLE other (a)")
    book = AnswerBook(path)
    assert book.held() == []
    book.keep(Answered("1", "c", b"a"))
    book.close()
    assert (tmp_path / "answers.db.corrupt-1").exists()


def test_where_the_disk_refuses_commands_are_done_and_remembered_in_memory(
    road: Road, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with Post(road, tmp_path) as post:
        (tmp_path / "answers.db").mkdir()
        first = post.ask("resync", id="1")
        assert post.ask("resync", id="1") == first
        assert post.ask("resync", id="2")["ok"]
        assert post.synced == 2
    said = [record for record in caplog.records if "until the next start only" in record.message]
    assert [record.levelname for record in said if record.levelno > 10] == ["WARNING"]


def test_more_than_its_rate_are_refused_with_how_long_to_wait(road: Road, tmp_path: Path) -> None:
    post = Post(road, tmp_path)
    for number in range(3):
        post.send("resync", b'{"id": "%d"}' % number)
    assert post.answers == []
    post.send("resync", b'{"id": "late"}')
    said = json.loads(post.answers[0].payload)
    assert said["id"] == "late"
    assert said["error"].startswith("expected at most 3 at once and 6 a minute, found one more: wait ")
    post.send("identify", b'{"id": "x"}')
    assert len(post.answers) == 1, "each command has its own"
    post.clock.ahead_s += 10
    post.send("resync", b'{"id": "later"}')
    assert len(post.answers) == 1


def test_a_bucket_fills_with_time_up_to_its_burst_and_a_clock_that_stands_still_harms_nothing() -> None:
    bucket = Bucket(per_minute=6, burst=2)
    assert [bucket.wait_s(0.0) for _ in range(3)] == [0.0, 0.0, 10.0]
    assert bucket.wait_s(9.0) == pytest.approx(1.0)
    assert bucket.wait_s(10.0) == 0.0
    assert bucket.wait_s(9.0) > 0
    assert [bucket.wait_s(10_000.0) for _ in range(3)] == [0.0, 0.0, 10.0]
