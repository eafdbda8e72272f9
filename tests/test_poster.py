"""The way to a webhook: outbox → poster → a real HTTP server, through every kind of trouble."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cloudevents.core.formats.json import JSONFormat

from agent.adapters.outbox import Half, OutboxSettings, Twofold
from agent.adapters.system import SystemClock
from agent.adapters.webhook import Webhook, WebhookSettings
from agent.core.types import Message, Phase
from agent.core.wire import Envelope, Wire
from agent.core.wire.cloudevents import BATCH
from agent.metrics import Metrics
from agent.poster import Newest, Poster
from tests.core.test_wire import KNOWN, TRACK, UTC
from tests.support import receiver as does
from tests.support.mosquitto import wait_until
from tests.support.receiver import Receiver

WIRE = Wire("spotter", "test", "dev-1")


def fact(number: int, camera: str = "cam0", utc: float = 0.0) -> Message:
    track = replace(TRACK, camera=camera)
    return WIRE.recognition(
        replace(KNOWN, track=track, revision=number, utc=utc or SystemClock().utc(), phase=Phase.UPDATE)
    )


class Sender:
    """A poster with its outboxes; the test calls `step` through `until`."""

    def __init__(
        self,
        folder: Path,
        url: str,
        envelope: Envelope = "plain",
        outbox: OutboxSettings | None = None,
        **hook: Any,
    ) -> None:
        self.outbox = Twofold(folder / "outbox.db", Half(folder / "webhook.db", outbox))
        self.reported: list[str] = []
        self.metrics = Metrics()
        self.poster = Poster(
            self.outbox.second,
            Webhook(WebhookSettings(url=url, **{"timeout_s": 2.0, **hook}), SystemClock()),
            WIRE,
            SystemClock(),
            self.reported.append,
            envelope=envelope,
            tell=self.outbox.keep,
            metrics=self.metrics,
            jitter=lambda: 0.0,
        )

    @property
    def waiting(self) -> int:
        return self.outbox.second.depth()[0]

    def put(self, *facts: Message) -> list[str]:
        self.outbox.put(facts)
        self.outbox.sync()
        return [message.id for message in facts]

    def until(self, what: Callable[[], Any], timeout_s: float = 30.0) -> None:
        def look() -> bool:
            self.poster.step(0.02)
            return bool(what())

        wait_until(look, timeout_s, why=f"{self.waiting} wait; {self.reported[-1:]}")

    def until_empty(self) -> None:
        self.until(lambda: self.waiting == 0)

    def step_for(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        self.until(lambda: time.monotonic() > end)


@contextmanager
def sender(folder: Path, url: str, envelope: Envelope = "plain", **more: Any) -> Iterator[Sender]:
    made = Sender(folder, url, envelope, **more)
    try:
        yield made
    finally:
        made.poster._hook.close()
        made.outbox.close()


@pytest.fixture
def server() -> Iterator[Receiver]:
    with Receiver() as made:
        yield made


def test_every_fact_is_posted_once_in_order_and_several_together(tmp_path: Path, server: Receiver) -> None:
    with sender(tmp_path, server.url) as s:
        ids = s.put(*(fact(n, f"cam{n % 3}") for n in range(300)))
        s.until_empty()
        assert [event["id"] for event in server.taken] == ids, "all topics together are in order"
        sizes = [len(request.items) for request in server.requests]
        assert sizes == [1, 2, 4, 8, 16, 32, 50, 50, 50, 50, 37]
        assert s.outbox.depth()[0] == 300, "the broker's are the broker's"
        s.step_for(0.1)
        assert len(server.requests) == 11, "nothing to say, nothing said"
    assert (s.reported, s.metrics.snapshot()["webhook.waiting"]) == ([], 0)


def test_a_plain_request(tmp_path: Path, server: Receiver) -> None:
    old = fact(1, utc=UTC)
    with sender(tmp_path, server.url) as s:
        s.put(old)
        s.until_empty()
    (request,) = server.requests
    assert request.headers["content-type"] == "application/json"
    (item,) = request.items
    assert (item["topic"], item["retain"]) == (f"{WIRE.root}/cam0/recognition", False)
    said = item["payload"]
    assert (said.pop("late"), said.pop("sent") > said["time"]) == (True, True)
    assert said == json.loads(old.payload)


@pytest.mark.parametrize("envelope", ["cloudevents", "cloudevents-binary"])
def test_a_batch_of_events_is_read_by_the_sdk(tmp_path: Path, server: Receiver, envelope: Envelope) -> None:
    with sender(tmp_path, server.url, envelope) as s:
        ids = s.put(*(fact(n) for n in range(3)))
        s.until_empty()
    assert {request.headers["content-type"] for request in server.requests} == {BATCH}
    events = [
        JSONFormat().read(None, json.dumps(item)) for request in server.requests for item in request.items
    ]
    assert [event.get_id() for event in events] == ids
    assert {(event.get_type(), event.get_source(), event.get_subject()) for event in events} == {
        ("io.spotter.recognition.v1", WIRE.root, "cam0")
    }


def test_an_outage_loses_nothing_and_what_waited_says_so(tmp_path: Path, server: Receiver) -> None:
    server.stop()
    with sender(tmp_path, server.url) as s:
        ids = s.put(*(fact(n, utc=UTC + n) for n in range(120)))
        s.until(lambda: s.reported)
        assert s.reported[0] == f"{server.url}: no connection: Connection refused"
        server.start()
        s.until_empty()
        assert server.ids == ids
        assert all(event["late"] for event in server.taken)
        assert s.reported[-1] == ""


def test_a_server_that_needed_one_more_attempt_is_no_news(tmp_path: Path, server: Receiver) -> None:
    server.plan = [does.status(503)]
    with sender(tmp_path, server.url) as s:
        s.put(fact(1))
        s.until_empty()
    assert s.reported == []


def test_the_pause_that_it_asks_for_is_kept(tmp_path: Path, server: Receiver) -> None:
    server.plan = [does.taken, does.status(429, Retry_After="2")]
    with sender(tmp_path, server.url) as s:
        s.put(*(fact(n) for n in range(9)))
        s.until_empty()
    first, refused, again = server.requests[:3]
    assert (refused.status, again.at - refused.at >= 2.0) == (429, True)
    assert [len(r.items) for r in (first, refused, again)] == [1, 2, 1]
    assert again.headers["webhook-id"] != refused.headers["webhook-id"], "what is in it is another"


def test_the_same_again_has_the_same_id(tmp_path: Path, server: Receiver) -> None:
    server.plan = [does.status(500), does.hang_up]
    with sender(tmp_path, server.url) as s:
        s.put(fact(1))
        s.until_empty()
    assert len(server.requests) == 3
    assert len({request.headers["webhook-id"] for request in server.requests}) == 1


def test_what_is_refused_for_its_content_holds_up_nothing_and_is_kept(
    tmp_path: Path, server: Receiver
) -> None:
    server.always = does.unless(lambda event: event["revision"] in {7, 30}, 400)
    with sender(tmp_path, server.url) as s:
        ids = s.put(*(fact(n) for n in range(60)))
        s.until(lambda: s.waiting == 2)
        s.until(lambda: s.reported)
        good = [identity for n, identity in enumerate(ids) if n not in {7, 30}]
        assert server.ids == good
        assert s.reported[-1].endswith(
            "events are passed over: it says that the events are wrong (status 400)"
        ), s.reported
    with sender(tmp_path, server.url) as s:  # the other side was mended
        server.always = does.taken
        s.until_empty()
    assert sorted(server.ids) == sorted(ids)


def test_a_limit_on_the_size_of_a_request_is_found(tmp_path: Path, server: Receiver) -> None:
    size = len(fact(1).payload)
    server.always = lambda handler: handler.reply(413 if len(handler.body) > 6 * size else 204)
    with sender(tmp_path, server.url) as s:
        ids = s.put(*(fact(n) for n in range(100)))
        s.until_empty()
    assert server.ids == ids
    assert s.reported == []


SHUT = {
    "a wrong address": (404, "nothing takes events there: check webhook.url (status 404)"),
    "one that is gone": (410, "it takes no events any more: set another webhook.url"),
    "a refused login": (401, "it refuses the login: check webhook.token"),
}


@pytest.mark.parametrize("case", SHUT.values(), ids=SHUT)
def test_what_a_person_has_to_mend_is_said_at_once(
    tmp_path: Path, server: Receiver, case: tuple[int, str]
) -> None:
    server.always = does.status(case[0])
    with sender(tmp_path, server.url) as s:
        s.put(*(fact(n) for n in range(20)))
        s.until(lambda: s.reported)
        s.step_for(0.5)
        assert s.reported[0].startswith(f"{server.url}: {case[1]}")
        assert len(server.requests) == 1
        assert s.waiting == 20


def test_what_is_given_up_is_told_to_both_sides(tmp_path: Path, server: Receiver) -> None:
    server.always = does.status(404)
    with sender(tmp_path, server.url, outbox=OutboxSettings(max_bytes=10_000)) as s:
        s.poster._announced_at = time.monotonic()  # it told a moment ago: the next hour sums up
        for n in range(60):
            s.put(fact(n))
        s.poster.step(0.0)
        lost = s.outbox.second.dropped
        assert lost > 40
        assert s.metrics.snapshot()["webhook.dropped"] == lost
        assert s.outbox.second.losses(), "it is not told while nobody listens, or it would fill the outbox"
        s.poster._announced_at = -1e9
        s.poster.step(0.0)
        s.outbox.sync()
        told = [
            stored.message for stored in s.outbox.pending(limit=100) if stored.message.topic.endswith("/lost")
        ]
        (message,) = told
        said = json.loads(message.payload)
        assert (said["to"], said["count"], said["kind"], said["cause"]) == (
            "webhook",
            lost,
            "recognition",
            "full",
        )
        server.always = does.taken
        s.poster._posts.due = 0.0
        s.until_empty()
    events = server.taken
    assert [event["count"] for event in events if "count" in event] == [lost]
    assert len([event for event in events if "track" in event]) == 60 - s.outbox.second.dropped
    assert s.outbox.dropped == 0


def test_states_come_first_each_in_its_newest_form(tmp_path: Path, server: Receiver) -> None:
    with sender(tmp_path, server.url) as s:
        s.put(fact(1))
        for number in range(50):
            s.poster.set_state(WIRE.camera_status("cam0", "stalled", f"{number}", UTC + number))
        s.poster.set_state(WIRE.health("ok", {}, UTC))
        s.poster.set_state(replace(WIRE.camera_status("gone", "online", "", UTC), payload=b""))
        s.until(lambda: len(server.taken) == 3)
        s.step_for(0.1)
    items = [item for request in server.requests for item in request.items]
    assert [item["topic"].removeprefix(f"{WIRE.root}/") for item in items] == [
        "cam0/status",
        "health",
        "cam0/recognition",
    ]
    assert items[0]["payload"]["reason"] == "49"
    assert [item["retain"] for item in items] == [True, True, False]


def test_a_state_that_changes_while_it_is_posted_is_posted_again() -> None:
    states, old, new = Newest(), WIRE.health("ok", {}, UTC), WIRE.health("degraded", {"disk": "full"}, UTC)
    states.set(old)
    (under_way,) = states.waiting()
    states.set(new)
    states.taken([under_way.seq])
    assert [stored.message for stored in states.waiting()] == [new]


def test_a_slow_server_holds_up_neither_recognising_nor_the_broker(tmp_path: Path, server: Receiver) -> None:
    """While a request hangs, facts are put, stored, and sent the other way."""
    answered = threading.Event()

    def behave(handler: does.Handler) -> None:
        answered.wait(25)
        handler.reply(204)

    server.always = behave
    with sender(tmp_path, server.url, timeout_s=30.0) as s:
        s.put(fact(0))
        thread = threading.Thread(target=s.poster.step, args=(0.0,))
        thread.start()
        for n in range(1, 100):
            s.put(fact(n))
            s.outbox.delivered([stored.seq for stored in s.outbox.pending(limit=10)])
        assert thread.is_alive(), "all of that while the first request hangs"
        assert (s.outbox.depth()[0], s.waiting) == (0, 100)
        answered.set()
        thread.join()


def test_a_disk_that_cannot_be_read_is_said_and_nothing_else_stops(tmp_path: Path, server: Receiver) -> None:
    (tmp_path / "webhook.db").mkdir()
    with sender(tmp_path, server.url) as s:
        ids = s.put(fact(1), fact(2))
        s.until(lambda: server.ids == ids)
        assert "webhook.db" in s.reported[-1]
        assert "wait in memory" in s.reported[-1]


def test_a_request_does_not_grow_beyond_what_servers_take(tmp_path: Path, server: Receiver) -> None:
    big = [
        replace(fact(n), payload=fact(n).payload[:-1] + b',"x":"' + b"x" * 100_000 + b'"}') for n in range(60)
    ]
    with sender(tmp_path, server.url) as s:
        ids = s.put(*big)
        s.until_empty()
    assert server.ids == ids
    assert max(len(request.body) for request in server.requests) < 1_000_000
