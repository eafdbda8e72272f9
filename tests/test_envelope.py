"""CloudEvents: what a subscriber hears of a real broker, read by the official SDK, and what stays as it is."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from cloudevents.core.bindings.http import HTTPMessage, from_binary, from_structured
from cloudevents.core.formats.json import JSONFormat

from agent.adapters.broker import Broker, BrokerSettings
from agent.adapters.outbox import Outbox
from agent.adapters.system import SystemClock
from agent.core.incoming import Incoming
from agent.core.payload import encode, rfc3339
from agent.core.types import Delivery, Event, Message
from agent.core.wire import Envelope, Wire, in_envelope, late
from agent.core.wire.cloudevents import BATCH, STRUCTURED, attributes_schema, event_schema, schema_of
from agent.publisher import Publisher
from tests.core.test_wire import EVERY_MESSAGE, KNOWN, UTC
from tests.core.test_wire import WIRE as OTHER
from tests.support.judge import judge_heard, taken_problems
from tests.support.mosquitto import Heard, Mosquitto, Subscriber, wait_until
from tests.support.road import ONE_LOOK, Road, photos_camera, until

WIRE = Wire("spotter", "test", "shelf 3")  # of the site whose messages are judged; its root has to be quoted
SOURCE = "spotter/test/shelf%203"
STATUS = f"{WIRE.root}/cam1/status"
RECOGNITION = f"{WIRE.root}/cam1/recognition"


def read_event(heard: Heard) -> Any:
    """By the SDK, as the MQTT binding says: the content type tells the mode, and where there is none it is
    structured. The SDK knows binary mode of HTTP, where values are percent-encoded."""
    if heard.content_type in {"", STRUCTURED}:
        return from_structured(HTTPMessage({"content-type": STRUCTURED}, heard.payload), JSONFormat())
    headers = {f"ce-{name}": quote(value) for name, value in heard.attributes.items()}
    return from_binary(
        HTTPMessage({**headers, "content-type": heard.content_type}, heard.payload), JSONFormat()
    )


class Sender:
    """A publisher in an envelope, and its outbox."""

    def __init__(self, folder: Path, url: str, envelope: Envelope, protocol: str = "5") -> None:
        self.outbox = Outbox(folder / "outbox.db")
        broker = Broker(
            BrokerSettings(url=url, protocol=protocol),  # type: ignore[arg-type]
            WIRE.root,
            WIRE.availability("offline"),
            SystemClock(),
            jitter=lambda: 0.0,
            dress=lambda message, v5: in_envelope(message, WIRE.root, envelope, properties=v5),
        )
        self.publisher = Publisher(self.outbox, broker, WIRE, SystemClock(), jitter=lambda: 0.0)

    def until_empty(self) -> None:
        def done() -> bool:
            self.outbox.sync()
            self.publisher.step(0.05)
            return self.publisher.status.online and not self.publisher._unfinished()

        wait_until(done, why=str(self.publisher.status))

    def __enter__(self) -> Sender:
        return self

    def __exit__(self, *_: object) -> None:
        self.publisher.close(3.0)
        self.outbox.close()


CARRIED: dict[str, tuple[Envelope, str, str, bool]] = {
    "structured over MQTT 5": ("cloudevents", "5", STRUCTURED, False),
    "structured over 3.1.1": ("cloudevents", "3.1.1", "", False),
    "binary over MQTT 5": ("cloudevents-binary", "5", "application/json", True),
    "binary asked for over 3.1.1, which has no user properties": ("cloudevents-binary", "3.1.1", "", False),
}


@pytest.mark.parametrize("case", CARRIED.values(), ids=CARRIED)
def test_the_sdk_reads_what_a_subscriber_hears(tmp_path: Path, case: tuple[Envelope, str, str, bool]) -> None:
    envelope, protocol, content_type, binary = case
    status = WIRE.camera_status("cam1", "stalled", "nothing „new“", UTC)
    fact = WIRE.recognition(replace(KNOWN, utc=UTC))
    fresh = WIRE.recognition(replace(KNOWN, revision=1, utc=SystemClock().utc()))
    with (
        Mosquitto(tmp_path) as m,
        Subscriber(m.port) as ear,
        Sender(tmp_path, m.url, envelope, protocol) as sender,
    ):
        sender.publisher.set_state(status)
        sender.publisher.set_state(WIRE.health("ok", {}, UTC))
        sender.outbox.put([fact, fresh])
        sender.until_empty()
        heard = {h.topic: h for h in ear.wait_count(5)[:-1]}
        second = ear.heard[4]
    assert heard[f"{WIRE.root}/availability"].payload == b"online", "what a last will carries is bare"
    assert not heard[f"{WIRE.root}/availability"].attributes
    assert {heard[STATUS].content_type, heard[RECOGNITION].content_type} == {content_type}
    assert ("source" in heard[STATUS].attributes) == ("source" in heard[RECOGNITION].attributes) == binary

    event = read_event(heard[STATUS])
    assert event.get_specversion() == "1.0"
    assert (event.get_id(), event.get_source()) == (status.id, SOURCE)
    assert (event.get_type(), event.get_subject()) == ("io.spotter.camera_status.v1", "cam1")
    assert event.get_dataschema() == schema_of("camera_status")
    assert event.get_datacontenttype() == "application/json"
    assert event.get_time() == datetime.fromisoformat(rfc3339(UTC))
    assert event.get_data() == json.loads(status.payload)

    event = read_event(heard[RECOGNITION])
    assert (event.get_id(), event.get_subject()) == (fact.id, "cam1")
    assert event.get_time() == datetime.fromisoformat(rfc3339(UTC)), "when it happened, not when it was sent"
    said = event.get_data()
    assert said.pop("late") is True
    assert said.pop("sent") > said["time"]
    assert said == json.loads(fact.payload)
    assert event.get_extension("late") in {True, "true"}

    event = read_event(second)
    assert (event.get_id(), event.get_data()) == (fresh.id, json.loads(fresh.payload))
    assert event.get_extension("late") is None
    assert read_event(heard[f"{WIRE.root}/health"]).get_subject() is None


def test_what_waits_is_sent_in_the_envelope_of_the_day(tmp_path: Path) -> None:
    """What is stored is the data alone: a change of the setting holds for what waits, and nothing else changes."""
    facts = [WIRE.recognition(replace(KNOWN, revision=n)) for n in range(40)]
    envelopes: list[Envelope] = ["plain", "cloudevents", "cloudevents-binary", "plain"]
    with Mosquitto(tmp_path) as m, Subscriber(m.port, RECOGNITION) as ear:
        for place, envelope in enumerate(envelopes):
            outbox = Outbox(tmp_path / "outbox.db")  # of a run that never met its broker
            outbox.put(facts[10 * place : 10 * place + 10])
            outbox.close()
            with Sender(tmp_path, m.url, envelope) as sender:
                sender.until_empty()
        heard = ear.wait_count(40)
    assert [h.content_type == STRUCTURED for h in heard] == [False] * 10 + [True] * 10 + [False] * 20
    assert ["source" in h.attributes for h in heard] == [False] * 20 + [True] * 10 + [False] * 10
    events = [h.content["data"] if h.content_type == STRUCTURED else h.content for h in heard]
    for fact, event in zip(facts, events, strict=True):
        assert json.loads(fact.payload) | {"late": True, "sent": event["sent"]} == event


def test_retained_events_are_taken_back_like_plain_states(tmp_path: Path) -> None:
    status = WIRE.camera_status("cam1", "online", "", UTC)
    with Mosquitto(tmp_path) as m:
        with Sender(tmp_path, m.url, "cloudevents") as sender:
            sender.publisher.set_state(status)
            sender.until_empty()
            with Subscriber(m.port, STATUS) as ear:
                assert ear.wait_count(1)[0].content["data"] == json.loads(status.payload)
        with Sender(tmp_path, m.url, "cloudevents") as sender:  # the camera went while the device was off
            sender.publisher.retire(["cam2"])
            sender.until_empty()
            with Subscriber(m.port, STATUS, f"{WIRE.root}/availability") as ear:
                assert [h.topic for h in ear.wait_count(1)] == [f"{WIRE.root}/availability"]


def test_a_daemon_speaks_as_its_configuration_says(tmp_path: Path) -> None:
    with Mosquitto(tmp_path / "broker") as m:
        road = Road(tmp_path, m.port)
        road.build()
        road.configure(
            photos_camera(road.draw_photos(), loop=True, fps=10), decision=ONE_LOOK, envelope="cloudevents"
        )
        with Subscriber(m.port) as ear, road.start() as daemon:
            until(lambda: sum(h.topic.endswith("/recognition") for h in ear.heard) > 5, 40)
            assert daemon.stop() == 0
        events = [read_event(h) for h in ear.heard if h.content_type == STRUCTURED]
    kinds = {event.get_type().split(".")[2] for event in events}
    assert {"recognition", "camera_status", "info", "health", "index"} <= kinds
    assert len({(event.get_source(), event.get_id()) for event in events}) == len(events)
    assert {h.payload for h in ear.heard if h.content_type != STRUCTURED} == {b"online", b"offline"}


ROOT = OTHER.root
structured = partial(in_envelope, root=ROOT, envelope="cloudevents", properties=True)


@pytest.mark.parametrize("message", EVERY_MESSAGE.values(), ids=EVERY_MESSAGE)
@pytest.mark.parametrize("envelope", ["cloudevents", "cloudevents-binary"])
def test_every_message_is_a_valid_event_or_as_it_was(message: Message, envelope: Envelope) -> None:
    for sent in (message, late(message, message.utc + 60)):
        made = in_envelope(sent, ROOT, envelope, properties=True)
        if OTHER.kind(message.topic) in {"availability", "command_result"}:
            assert made is sent
            continue
        heard = Heard(made.topic, made.payload, False, content_type=made.content_type,
                      attributes=dict(made.attributes))  # fmt: skip
        event = read_event(heard)
        data = event.get_data()
        assert encode(data) == sent.payload or sent.late
        assert data.get("id", message.id) == event.get_id()
        judge_heard(made.topic.replace("/berlin-12/", "/test/"), made.payload, heard.attributes)
        assert len(taken_problems()) == 1, "of another source, which the judge sees"
        if envelope == "cloudevents":
            assert list(json.loads(made.payload)) == sorted(json.loads(made.payload)), "one event, one text"
            assert in_envelope(sent, ROOT, envelope, properties=False) == made


def test_what_is_no_event_stays_as_it_is() -> None:
    nothing = Message(STATUS, b"", "", 0.0, retain=True, delivery=Delivery.STATE)
    elsewhere = replace(OTHER.health("ok", {}, UTC), topic="homeassistant/device/x/config")
    result = OTHER.command_result("resync", "1", {}, "not now")
    answer = OTHER.answer("resync", result, Incoming("", b"", answer_to="answers/1"), UTC)
    for message in (nothing, elsewhere, answer):
        assert structured(message) is message
    fact = OTHER.event(Event("recognition", "cam1", KNOWN.at, KNOWN.utc, KNOWN))
    assert in_envelope(fact, ROOT, "plain", properties=True) is fact


def test_the_first_level_of_a_root_is_no_scheme() -> None:
    wire = Wire("a:b", "Köln", "50 %")
    made = in_envelope(wire.health("ok", {}, UTC), wire.root, "cloudevents", properties=True)
    assert json.loads(made.payload)["source"] == "a%3Ab/K%C3%B6ln/50%20%25"


def test_a_broken_envelope_is_found() -> None:
    """The judge itself: a wrong source, a wrong type, wrong data, and a missing attribute."""
    good = json.loads(
        in_envelope(WIRE.health("ok", {}, UTC), WIRE.root, "cloudevents", properties=True).payload
    )
    topic = f"{WIRE.root}/health"
    judge_heard(topic, encode(good))
    assert taken_problems() == []
    for change in ({"source": "x"}, {"type": "io.spotter.info.v1"}, {"data": {}}, {"time": "now"}):
        judge_heard(topic, encode(good | change))
        assert len(taken_problems()) == 1, change
    judge_heard(topic, encode({k: v for k, v in good.items() if k != "id"}))
    judge_heard(topic, encode(good["data"]), {"specversion": "1.0"})
    assert len(taken_problems()) == 2


def test_schemas_without_a_device_take_any_source() -> None:
    assert "const" not in event_schema("health")["properties"]["source"]
    assert "subject" in attributes_schema("recognition")["required"]
    assert "subject" not in attributes_schema("lost")["properties"]
    assert BATCH.startswith("application/cloudevents-batch")
