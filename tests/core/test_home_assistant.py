"""What Home Assistant is told of a device: valid, and each template finds its value in our own messages."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from itertools import permutations
from typing import Any

import jsonschema
import pytest
from jinja2 import StrictUndefined
from jinja2.sandbox import ImmutableSandboxedEnvironment

from agent.core.inbound.orders import Line, Order
from agent.core.inbound.report import report
from agent.core.inbound.session import Session
from agent.core.payload import content
from agent.core.types import Event, Message, Phase, Product, Recognition, Region, Track, Verdict
from agent.core.watched import Watched
from agent.core.wire import IndexStatus, Wire
from agent.core.wire.definitions import DEFINITIONS
from agent.core.wire.home_assistant import (
    HomeAssistantSettings,
    announcement,
    announces,
    entities,
    object_id,
    platforms,
)
from agent.core.wire.home_assistant_components import COMPONENTS, Component, Facts
from agent.core.wire.home_assistant_schema import home_assistant

WIRE = Wire("spotter", "berlin-12", "shelf cam 3")
UTC = 1_767_225_600.0
FACTS = Facts(
    version="1.2.3",
    machine="Raspberry Pi 4",
    serial="10000000abc",
    cameras={
        "bay-4": Watched(("a1", "ä 2"), "shelf"),
        "till": Watched(app="kiosk"),
        "dock": Watched(app="inbound"),
    },
    synced=True,
    metrics_s=60,
    things=True,
    measured=True,
)
VALID = jsonschema.Draft202012Validator(home_assistant())


def said(facts: Facts = FACTS, gone: dict[str, str] | None = None) -> dict[str, Any]:
    """The announcement, found valid."""
    body = content(announcement(WIRE, "homeassistant", facts, gone or {}, UTC).payload)
    VALID.validate(body)
    return dict(body)


NEW = {"state": "unknown", "attributes": {}}
"""An entity that was not told anything yet."""


def shown(
    template: str, message: Message, wrapped: bool = False, this: Mapping[str, Any] | None = None
) -> str:
    """What a template makes of a message, as Home Assistant renders it.

    `wrapped`: in an envelope. `this`: the entity before that.
    """
    environment = ImmutableSandboxedEnvironment(undefined=StrictUndefined)
    environment.filters["to_json"] = json.dumps
    body = content(message.payload)
    said = {"value_json": {"specversion": "1.0", "data": body} if wrapped else body} if body else {}
    return environment.from_string(template).render(this=this or NEW, **said)


def recognition(verdict: Verdict, phase: Phase = Phase.NEW, name: str = 'Oats "big"', **more: Any) -> Message:
    track = Track("2a-1", "bay-4", Region((0, 0, 9, 9), "a1"), 0, UTC, 1, UTC, 3, ())
    known = verdict is Verdict.KNOWN
    product = Product(no=1, sku="OAT-1", name=name) if known else None
    return WIRE.recognition(
        Recognition(track, phase, 0, verdict, product, 0.9, 0.8, 0.1, "" if known else "why", (), "r", 1, UTC)
    )


def shipment(
    name: str = "A-1",
    opened: float = UTC,
    received: Mapping[int, int] | None = None,
    closed: bool = False,
    unexpected: int = 0,
) -> Message:
    """Four of one product and two of another are expected; `received`: line → pieces."""
    order = Order(name, (Line("", "OAT-1", 4), Line("", "RYE-1", 2)), {})
    session = Session(order, opened, opened)
    session.received.update(received or {})
    if unexpected:
        session.unexpected["", "ODD-1"] = unexpected
    if closed:
        session.close("command", opened + 60)
    return WIRE.event(Event("inbound", "dock", 0.0, opened, report(session)))


BAY = {
    "bay": "A",
    "slots": 4,
    "correct": 2,
    "wrong": 1,
    "empty": 1,
    "unknown": 0,
    "share_correct": 0.6667,
    "facings": {"seen": 9, "planned": 12},
    "brands": {},
    "categories": {},
    "missing": [{"slot": "a1", "sku": "OAT-1", "since": None}],
    "misplaced": [{"slot": "a2", "sku": "RYE-1", "found": "OAT-1"}],
    "low": ["a3"],
}


def bay(**changed: Any) -> Message:
    return WIRE.event(Event("shelf", "bay-4", 0.0, UTC, BAY | changed))


MESSAGES = {
    "shelf": bay(),
    "inbound": shipment(received={0: 5, 1: 1}, unexpected=2),
    "health": WIRE.health("degraded", {"sync": "no route"}, UTC),
    "index": WIRE.index(IndexStatus(release="r-9", model="m", last_sync_utc=UTC), UTC),
    "metrics": WIRE.metrics(
        {
            "outbox.waiting": 7,
            "outbox.dropped": 2,
            "memory.resident_mb": 80.5,
            "temperature.hottest_c": 61.2,
        },
        9.0,
        UTC,
    ),
    "unknown": WIRE.unknown([], UTC),
    "camera_status": WIRE.camera_status("bay-4", "stalled", "no picture", UTC),
    "recognition": recognition(Verdict.KNOWN),
}
EXPECTED = {
    "problem": "ON",
    "release": "r-9",
    "synced": "2026-01-01T00:00:00.000Z",
    "waiting": "7",
    "lost": "2",
    "memory": "80.5",
    "temperature": "61.2",
    "things": "0",
    "status": "OFF",
    "product": 'Oats "big"',
    "correct": "66.7",
    "out_of_stock": "1",
    "shipment": "open",
    "missing": "1",
    "over": "3",
}


def test_the_device_is_named_once_and_nothing_of_it_is_missing() -> None:
    body = said()
    assert body["dev"] == {
        "ids": [object_id(WIRE.root)],
        "name": "shelf cam 3",
        "mf": "Spotter",
        "mdl": "Raspberry Pi 4",
        "sn": "10000000abc",
        "sw": "1.2.3",
        "sa": "berlin-12",
    }
    assert body["o"] == {"name": "Spotter", "sw": "1.2.3"}
    assert body["avty_t"] == WIRE.availability("online").topic
    unique = [each["uniq_id"] for each in body["cmps"].values()]
    assert len(set(unique)) == len(unique) == 8 + 3 * 3 + 2 + 3
    topics = {each["stat_t"] for each in body["cmps"].values()}
    assert {f"{WIRE.root}/{camera}/recognition" for camera in FACTS.cameras} < topics


def test_it_is_retained_where_home_assistant_looks() -> None:
    message = announcement(WIRE, "ha", FACTS, {}, UTC)
    assert message.retain
    # the topics that discovery of devices matches: <prefix>/device/<object id>/config
    assert re.fullmatch("ha/device/[a-zA-Z0-9_-]+/config", message.topic)
    assert announces(message.topic, WIRE.root)
    assert not announces(message.topic, "spotter/berlin-12/shelf-cam-3"), "another device"
    assert not announces(WIRE.availability("online").topic, WIRE.root)


def test_devices_with_names_that_look_alike_are_told_apart() -> None:
    roots = ["a/b-c/d", "a/b/c-d", "a/b c/d", "a/ä/d", "a/ö/d"]
    assert len({object_id(root) for root in roots}) == len(roots)


def test_what_the_device_does_not_say_is_not_shown() -> None:
    bare = said(Facts(version="1", machine=""))
    assert set(bare["cmps"]) == {"problem", "release"}
    assert "mdl" not in bare["dev"]


def hears(subscribed: str, topic: str) -> bool:
    return re.fullmatch(re.escape(subscribed).replace(r"\+", "[^/]+"), topic) is not None


@pytest.mark.parametrize("wrapped", [False, True], ids=["plain", "CloudEvents"])
@pytest.mark.parametrize("component", COMPONENTS, ids=lambda component: component.key)
def test_each_template_finds_its_value_in_the_message_that_it_reads(
    component: Component, wrapped: bool
) -> None:
    message = MESSAGES[component.kind]
    assert WIRE.kind(message.topic) == component.kind
    found = dict(entities(component, DEFINITIONS[component.kind].address, WIRE.root, FACTS))
    body = next(each for each in found.values() if hears(each["stat_t"], message.topic))
    value = shown(body["val_tpl"], message, wrapped)
    if component.platform == "event":
        event = json.loads(value)
        assert event.pop("event_type") == "known"
        assert event["product"] == 'Oats "big"'
    else:
        assert value == EXPECTED[component.key]
    if component.attributes:
        attributes = json.loads(shown(body["json_attr_tpl"], message, wrapped))
        # What Home Assistant keeps for itself it takes out of the attributes.
        assert attributes
        assert not {"name", "state", "icon", "device_class", "event_type"} & set(attributes)
    if component.more.get("dev_cla") == "timestamp":
        assert datetime.fromisoformat(value).tzinfo is not None


def test_what_is_not_known_is_nothing_to_home_assistant() -> None:
    """`None` is its word for that."""
    never = WIRE.index(IndexStatus(release="", model=""), UTC)
    by_key = {each.key: each for each in COMPONENTS}
    assert shown(by_key["synced"].template, never) == shown(by_key["release"].template, never) == "None"


@pytest.mark.parametrize(
    ("message", "state", "event"),
    [
        (recognition(Verdict.KNOWN), 'Oats "big"', "known"),
        (recognition(Verdict.KNOWN, name=""), "OAT-1", "known"),
        (recognition(Verdict.KNOWN, name="x" * 300), "x" * 255, "known"),
        (recognition(Verdict.AMBIGUOUS), "(ambiguous)", "ambiguous"),
        (recognition(Verdict.UNKNOWN), "(unknown)", "unknown"),
        (recognition(Verdict.KNOWN, Phase.END), 'Oats "big"', "gone"),
    ],
    ids=["known", "without a name", "a name too long", "ambiguous", "unknown", "gone"],
)
def test_a_recognition_is_a_state_and_an_event(message: Message, state: str, event: str) -> None:
    by_key = {each.key: each for each in COMPONENTS}
    assert shown(by_key["product"].template, message) == state
    kind = json.loads(shown(by_key["recognition"].template, message))["event_type"]
    assert kind == event
    assert kind in by_key["recognition"].more["evt_typ"]


def test_a_bay_of_which_nothing_can_be_seen_has_no_share() -> None:
    by_key = {each.key: each for each in COMPONENTS}
    assert shown(by_key["correct"].template, bay(share_correct=None)) == "None"


def test_only_shelves_and_docks_are_shown_as_such() -> None:
    keys = set(said()["cmps"])
    assert {"bay-4_correct", "bay-4_out_of_stock", "dock_shipment", "dock_missing", "dock_over"} < keys
    assert not {"till_correct", "till_shipment", "dock_correct", "bay-4_shipment"} & keys


ENDS = {
    "as expected": ({0: 4, 1: 2}, 0, "exact"),
    "too little": ({0: 4, 1: 1}, 0, "short"),
    "too little, and too much": ({0: 5, 1: 1}, 3, "short"),
    "too much": ({0: 5, 1: 2}, 0, "over"),
    "what nobody expected": ({0: 4, 1: 2}, 1, "over"),
}


@pytest.mark.parametrize(("received", "unexpected", "state"), ENDS.values(), ids=ENDS)
def test_how_a_shipment_ended_is_one_word(received: dict[int, int], unexpected: int, state: str) -> None:
    by_key = {each.key: each for each in COMPONENTS}
    message = shipment(received=received, unexpected=unexpected, closed=True)
    assert shown(by_key["shipment"].template, message) == state


def test_of_the_shipments_of_a_dock_the_newest_is_shown_in_whatever_order_they_are_heard() -> None:
    """After a start the broker gives all that it retains, in an order of its own."""
    heard = [
        shipment("B", UTC + 9, {0: 1}),
        shipment("A", UTC, {0: 4, 1: 2}, closed=True),
        WIRE.event(Event("gone", "dock", 0.0, UTC, {"kind": "inbound", "shipment": "A"})),
    ]
    for component in (each for each in COMPONENTS if each.kind == "inbound"):
        expected = shown(component.template, heard[0])
        for order in permutations(heard):
            entity: dict[str, Any] = dict(NEW)
            for message in order:
                entity = {
                    "state": shown(component.template, message, this=entity),
                    "attributes": json.loads(shown(component.attributes_template, message, this=entity)),
                }
            assert entity["attributes"]["shipment"] == "B", component.key
            assert entity["state"] == expected


def test_a_component_that_is_gone_is_named_by_its_platform_alone() -> None:
    before = platforms(announcement(WIRE, "ha", FACTS, {}, UTC))
    now = said(Facts(version="1", machine="", cameras={"till": Watched()}), before)
    gone = {key: each for key, each in now["cmps"].items() if len(each) == 1}
    assert {key for key in before if key.startswith("bay-4_")} < set(gone)
    assert all(each["p"] == before[key] for key, each in gone.items())
    assert "till_status" not in gone


def test_a_component_of_a_slot_is_there_once_for_each_slot() -> None:
    """The address of its messages says where there are any."""
    slot = Component(key="state", platform="sensor", name="state", kind="health", value="1")
    found = dict(entities(slot, "{camera}/shelf/{slot}", WIRE.root, FACTS))
    assert [each["stat_t"] for each in found.values()] == [
        f"{WIRE.root}/bay-4/shelf/a1",
        f"{WIRE.root}/bay-4/shelf/ä 2",
    ]
    assert [each["name"] for each in found.values()] == ["bay-4 a1 state", "bay-4 ä 2 state"]
    body = said() | {"cmps": found}
    VALID.validate(body)


def test_every_component_reads_messages_that_there_are() -> None:
    assert {component.kind for component in COMPONENTS} <= set(DEFINITIONS)


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        ({"prefix": ""}, "prefix"),
        ({"prefix": "a/b"}, "prefix"),
        ({"prefix": "$SYS"}, "prefix"),
        ({"prefix": "ha", "birth": "a/#"}, "birth"),
        ({"prefix": "ha", "birth": "$SYS/x"}, "birth"),
    ],
)
def test_settings_that_cannot_be_are_refused(values: dict[str, str], complaint: str) -> None:
    with pytest.raises(ValueError, match=f"^{complaint}: expected"):
        HomeAssistantSettings(**values)


def test_the_birth_topic_follows_the_prefix() -> None:
    assert HomeAssistantSettings(prefix="ha").birth_topic == "ha/status"
    assert HomeAssistantSettings(prefix="ha", birth="x/y").birth_topic == "x/y"


@pytest.mark.parametrize(
    "damage",
    [
        lambda body: body.pop("o"),
        lambda body: body["dev"].pop("ids"),
        lambda body: body["cmps"]["problem"].pop("p"),
        lambda body: body["cmps"]["problem"].pop("uniq_id"),
        lambda body: body["cmps"]["problem"].update(stat_topic="x"),
        lambda body: body["cmps"]["bay-4_recognition"].pop("evt_typ"),
        lambda body: body["cmps"]["problem"].update(p="camera"),
    ],
    ids=[
        "no origin",
        "no identifier",
        "no platform",
        "not unique",
        "a key misspelt",
        "no events",
        "a platform",
    ],
)
def test_the_schema_refuses_what_home_assistant_would(damage: Callable[[dict[str, Any]], Any]) -> None:
    body = said()
    damage(body)
    assert not VALID.is_valid(body)
