"""A Sparkplug edge node: births, data, deaths, their sequence, and what each message of ours becomes."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.edge import Edge, Out, asks_for_birth, next_number
from agent.core.inbound.orders import Line, Order
from agent.core.inbound.report import report
from agent.core.inbound.session import Session
from agent.core.payload import content
from agent.core.types import Event, Message, Phase, Product, Recognition, Region, Track, Verdict
from agent.core.watched import Watched
from agent.core.wire import IndexStatus, Wire
from agent.core.wire.sparkplug import (
    BD_SEQ,
    REBIRTH,
    Metric,
    Namespace,
    Payload,
    SparkplugSettings,
    Type,
)
from agent.core.wire.sparkplug_metrics import (
    KINDS,
    NODE,
    of_camera,
    of_device,
)

WIRE = Wire("spotter", "s", "d")
UTC = 1_767_225_600.0
CAMERAS = {"left": Watched(("a1", "a2")), "right": Watched()}


def hear(edge: Edge, message: Message) -> None:
    edge.hear(WIRE.kind(message.topic), WIRE.camera_of(message.topic), content(message.payload), message.utc)


def status(camera: str, state: str = "online", utc: float = UTC) -> Message:
    return WIRE.camera_status(camera, state, "" if state == "online" else "why", utc)


def recognition(
    camera: str = "left", sku: str = "A", phase: Phase = Phase.NEW, region: str = "", utc: float = UTC
) -> Message:
    track = Track("t-1", camera, Region((0, 0, 9, 9), region), 0, UTC, 1, UTC, 3, ())
    verdict, product = (Verdict.KNOWN, Product(no=1, sku=sku)) if sku else (Verdict.UNKNOWN, None)
    return WIRE.recognition(
        Recognition(track, phase, 0, verdict, product, 0.5, 0.8, 0.1, "" if sku else "why", (), "r", 1, utc)
    )


def born(edge: Edge, number: int = 0) -> dict[int, str]:
    """Alias → camera and name, as a host learns them from the births."""
    return {
        metric.alias: f"{camera}:{metric.name}"
        for _, camera, payload in edge.birth(number, UTC)
        for metric in payload.metrics
        if metric.alias is not None
    }


def kinds(told: list[Out]) -> list[tuple[str, str]]:
    return [(kind, camera) for kind, camera, _ in told]


def values(told: list[Out], names: dict[int, str]) -> dict[str, Any]:
    """Camera and name → value of all data, for who knows the births."""
    return {names[m.alias]: m.value for _, _, payload in told for m in payload.metrics if m.alias is not None}


@pytest.fixture
def edge() -> Edge:
    made = Edge(CAMERAS, UTC)
    hear(made, status("left"))
    return made


def test_a_birth_names_all_there_is_and_only_cameras_that_live_are_born(edge: Edge) -> None:
    births = edge.birth(7, UTC + 1)
    assert kinds(births) == [("NBIRTH", ""), ("DBIRTH", "left")]
    node, left = (payload for _, _, payload in births)
    assert node.metrics[:2] == (
        Metric(BD_SEQ, Type.INT64, 7, UTC + 1),
        Metric(REBIRTH, Type.BOOLEAN, False, UTC + 1),
    )
    rest = [*node.metrics[2:], *left.metrics]
    assert len({m.alias for m in rest} - {None}) == len(rest)
    assert all(m.name and m.type and m.utc for m in rest)
    assert {m.name: m.value for m in node.metrics}["Cameras/left/State"] == "online"
    assert {m.name: m.value for m in left.metrics} == dict.fromkeys(
        (p.name for p in of_device("left", CAMERAS["left"])), None
    )


def test_names_are_unique_also_for_who_does_not_tell_cases_apart() -> None:
    node = [*NODE, *(p for camera in CAMERAS for p in of_camera(camera))]
    for points in (node, [*of_device("left", Watched(("a1", "a2")))]):
        assert len({p.name.lower() for p in points}) == len(points)


def test_data_is_what_changed_by_alias_alone_with_the_time_at_which_it_did(edge: Edge) -> None:
    names = born(edge)
    hear(edge, WIRE.health("ok", {}, UTC + 5))
    hear(edge, recognition(utc=UTC + 6))
    told = edge.due(UTC + 7)
    assert kinds(told) == [("NDATA", ""), ("DDATA", "left")]
    assert all(not m.name and m.type is None for _, _, p in told for m in p.metrics)
    assert {m.utc for m in told[0][2].metrics} == {UTC + 5}
    assert {m.utc for m in told[1][2].metrics} == {UTC + 6}
    assert values(told, names) == {
        ":Health/State": "ok",
        ":Health/Causes": "",
        "left:Last/SKU": "A",
        "left:Last/Verdict": "known",
        "left:Last/Probability": 0.5,
        "left:Last/Phase": "new",
        "left:Last/Track": "t-1",
        "left:Last/Region": "",
    }
    hear(edge, WIRE.health("ok", {}, UTC + 8))
    hear(edge, recognition(utc=UTC + 9))
    assert edge.due(UTC + 10) == [], "nothing changed"


def test_what_is_not_known_any_more_is_told_as_nothing(edge: Edge) -> None:
    hear(edge, recognition(sku="A"))
    names = born(edge)
    hear(edge, recognition(sku=""))
    told = values(edge.due(UTC), names)
    assert told["left:Last/SKU"] is None
    assert told["left:Last/Verdict"] == "unknown"


def test_a_slot_holds_what_was_seen_in_it_until_that_is_gone(edge: Edge) -> None:
    names = born(edge)
    hear(edge, recognition(sku="A", region="a1"))
    hear(edge, recognition(sku="B", region="a2"))
    told = values(edge.due(UTC), names)
    assert told["left:Slots/a1/SKU"] == "A"
    assert told["left:Slots/a2/SKU"] == told["left:Last/SKU"] == "B"
    hear(edge, recognition(sku="A", region="a1", phase=Phase.END))
    told = values(edge.due(UTC), names)
    assert told["left:Slots/a1/SKU"] is told["left:Slots/a1/Probability"] is None
    assert "left:Slots/a2/SKU" not in told


def test_a_bay_and_the_shipment_at_a_dock_are_told_with_their_numbers() -> None:
    edge = Edge({"bay": Watched(app="shelf"), "dock": Watched(app="inbound")}, UTC)
    for camera in ("bay", "dock"):
        hear(edge, status(camera))
    names = born(edge)
    assert not [name for name in names.values() if name.startswith(("bay:Dock", "dock:Shelf"))]
    missing = [{"slot": slot, "sku": "A", "since": None} for slot in ("a1", "b 2")]
    bay = {
        "bay": "A",
        "slots": 9,
        "correct": 4,
        "wrong": 0,
        "empty": 2,
        "unknown": 3,
        "share_correct": 0.8333,
        "facings": {"seen": 9, "planned": 12},
        "brands": {},
        "categories": {},
        "missing": missing,
        "misplaced": [],
    }
    hear(edge, WIRE.event(Event("shelf", "bay", 0.0, UTC, bay | {"low": ["a3"]})))
    session = Session(Order("A-1", (Line("", "A", 4), Line("", "B", 2)), {}), UTC, UTC)
    session.received.update({0: 5, 1: 1})
    session.unexpected["", "C"] = 2
    hear(edge, WIRE.event(Event("inbound", "dock", 0.0, UTC, report(session))))
    told = values(edge.due(UTC), names)
    assert {name: value for name, value in told.items() if name.startswith("bay:Shelf")} == {
        "bay:Shelf/Correct Percent": 83.33,
        "bay:Shelf/Slots": 9,
        "bay:Shelf/Out Of Stock": 2,
        "bay:Shelf/Out Of Stock Slots": "a1, b 2",
        "bay:Shelf/Wrong": 0,
        "bay:Shelf/Unknown": 3,
        "bay:Shelf/Low": 1,
    }
    dock = {name.removeprefix("dock:Dock/"): value for name, value in told.items() if "Dock/" in name}
    assert dock == {
        "Shipment": "A-1",
        "State": "open",
        "Complete": False,
        "Exact": False,
        "Parcels": 0,
        "Expected": 6,
        "Received": 6,
        "Missing": 1,
        "Over": 3,
        "Unnamed": 0,
        "Conflicts": 0,
    }
    hear(edge, WIRE.event(Event("shelf", "bay", 0.0, UTC, bay | {"share_correct": None, "low": []})))
    assert values(edge.due(UTC), names)["bay:Shelf/Correct Percent"] is None


def test_a_camera_dies_when_it_gives_no_pictures_and_is_born_when_it_does(edge: Edge) -> None:
    names = born(edge)
    hear(edge, status("left", "stalled"))
    hear(edge, recognition(sku="unheard"))
    told = edge.due(UTC)
    assert kinds(told) == [("NDATA", ""), ("DDEATH", "left")]
    assert told[1][2].metrics == ()
    assert values(told, names) == {":Cameras/left/State": "stalled", ":Cameras/left/Reason": "why"}
    hear(edge, status("left"))
    hear(edge, status("right", "paused"))
    told = edge.due(UTC)
    assert kinds(told) == [("NDATA", ""), ("DBIRTH", "left"), ("DBIRTH", "right")]
    assert {m.name: m.value for m in told[1][2].metrics}["Last/SKU"] == "unheard"
    assert edge.due(UTC) == []


def test_nothing_is_told_without_a_connection_and_all_with_the_next_birth(edge: Edge) -> None:
    hear(edge, WIRE.index(IndexStatus(release="r-1", model="m", last_sync_utc=UTC), UTC))
    assert edge.due(UTC) == []
    node = {m.name: m.value for m in edge.birth(0, UTC)[0][2].metrics}
    assert (node["Catalogue/Release"], node["Catalogue/Last Sync"]) == ("r-1", int(UTC * 1000))
    assert edge.due(UTC) == [], "the birth said it"
    edge.lost()
    hear(edge, WIRE.health("ok", {}, UTC))
    assert edge.due(UTC) == []
    births = edge.birth(1, UTC)
    assert births[0][2].metrics[0].value == 1
    assert {m.name: m.value for m in births[0][2].metrics}["Health/State"] == "ok"


def test_a_host_that_asks_is_told_the_same_number_again(edge: Edge) -> None:
    first, again = edge.birth(9, UTC), edge.again(UTC)
    assert again == first
    assert first[0][2].metrics[0] == Metric(BD_SEQ, Type.INT64, 9, UTC)
    assert edge.death(9).metrics == (Metric(BD_SEQ, Type.INT64, 9, None),)
    assert edge.death(9).seq is None


def test_cameras_that_come_and_go_are_told_by_a_new_birth(edge: Edge) -> None:
    hear(edge, status("right"))
    hear(edge, recognition("left", sku="L"))
    hear(edge, recognition("right", sku="R"))
    edge.birth(3, UTC)
    told = edge.watch({"right": Watched(("b1",)), "new": Watched()}, UTC + 1)
    assert kinds(told) == [("DDEATH", "left"), ("NBIRTH", ""), ("DBIRTH", "right")]
    assert told[1][2].metrics[0].value == 3
    assert {m.name: m.value for m in told[2][2].metrics}["Last/SKU"] == "R", "it is still known"
    assert {m.name for m in told[1][2].metrics} > {"Cameras/right/State", "Cameras/new/State"}
    hear(edge, recognition("left", sku="late"))
    assert edge.due(UTC) == []
    assert Edge(CAMERAS, UTC).watch({"right": Watched()}, UTC) == [], "before there is a connection"


@given(
    st.lists(
        st.sampled_from(["due", "again", "birth", "status", "recognition", "watch", "lost"]), max_size=60
    )
)
def test_the_sequence_has_no_gap_and_each_alias_was_born(steps: list[str]) -> None:
    """As a host checks it: `seq` is 0 in each NBIRTH and then counts on, and data is of what was born."""
    edge = Edge(CAMERAS, UTC)
    expected, aliases, alive = None, set(), set()
    for number, step in enumerate(steps):
        told: list[Out] = []
        if step == "status":
            hear(edge, status("left", "online" if number % 3 else "offline"))
        elif step == "recognition":
            hear(edge, recognition(sku=f"sku-{number}"))
        elif step == "watch":
            told = edge.watch(CAMERAS if number % 2 else {"left": Watched()}, UTC)
        elif step == "birth":
            told = edge.birth(number, UTC)
        elif step == "lost":
            edge.lost()
            expected = None
        elif step == "due" or expected is not None:
            told = edge.due(UTC) if step == "due" else edge.again(UTC)
        for kind, camera, payload in told:
            if kind == "NBIRTH":
                expected, aliases, alive = 0, set(), set()
            assert payload.seq == expected
            expected = next_number(payload.seq or 0)
            if kind.endswith("BIRTH"):
                aliases |= {m.alias for m in payload.metrics}
                alive.add(camera)
            elif kind.endswith("DEATH"):
                alive.remove(camera)
            else:
                assert camera in alive
                assert {m.alias for m in payload.metrics} <= aliases


def test_numbers_begin_again_after_255() -> None:
    assert [next_number(n) for n in (-1, 0, 254, 255)] == [0, 1, 255, 0]
    edge = Edge({}, UTC)
    edge.birth(0, UTC)
    seqs = []
    for number in range(300):
        hear(edge, WIRE.health("degraded", {"x": str(number)}, UTC))
        seqs += [payload.seq for _, _, payload in edge.due(UTC)]
    assert seqs == [n % 256 for n in range(1, 301)]


@pytest.mark.parametrize(
    ("metric", "asks"),
    [
        (Metric(REBIRTH, Type.BOOLEAN, True, None), True),
        (Metric(REBIRTH, None, True, UTC), True),
        (Metric(REBIRTH, Type.BOOLEAN, False, None), False),
        (Metric(REBIRTH, Type.UINT64, 1, None), False),
        (Metric("Node Control/Reboot", Type.BOOLEAN, True, None), False),
    ],
    ids=["as it should be", "without a type", "false", "a number", "another command"],
)
def test_only_one_command_is_taken(metric: Metric, asks: bool) -> None:
    assert asks_for_birth(Payload(UTC, (metric,))) is asks


def test_every_metric_is_read_from_a_message_that_there_is() -> None:
    devices = (Watched(("s",)), Watched(app="shelf"), Watched(app="inbound"))
    points = [*NODE, *of_camera("c"), *(p for each in devices for p in of_device("c", each))]
    assert {point.kind for point in points} == KINDS


def test_topics_are_those_of_the_specification() -> None:
    names = Namespace("shop", "cam-1")
    assert names.topic("NBIRTH") == "spBv1.0/shop/NBIRTH/cam-1"
    assert names.topic("DDATA", "left") == "spBv1.0/shop/DDATA/cam-1/left"


@pytest.mark.parametrize(
    ("values", "complaint"),
    [({"group": ""}, "group"), ({"group": "a/b"}, "group"), ({"group": "g", "node": "+"}, "node")],
)
def test_settings_that_cannot_be_are_refused(values: dict[str, str], complaint: str) -> None:
    with pytest.raises(ValueError, match=f"^{complaint}: expected"):
        SparkplugSettings(**values)
