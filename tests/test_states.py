"""What is true, what a broker has to be told of it, and what is taken back from it."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from agent.adapters.outbox import Outbox
from agent.core.types import Message
from agent.core.wire import Wire
from agent.core.wire.home_assistant import announcement
from agent.core.wire.home_assistant_components import Facts
from agent.states import States

if TYPE_CHECKING:
    from collections.abc import Iterator

WIRE = Wire("spotter", "s", "d")


def status(camera: str, state: str = "online") -> Message:
    return WIRE.camera_status(camera, state, "", 0.0)


def told(states: States) -> list[Message]:
    """What a connection is told now, and takes."""
    messages = []
    while (message := states.next()) is not None:
        messages.append(message)
        states.told(message)
    return messages


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[Outbox]:
    with closing(Outbox(tmp_path / "outbox.db")) as opened:
        yield opened


def test_each_state_is_told_once_in_its_latest_form_and_all_again_to_a_new_connection(outbox: Outbox) -> None:
    states = States(outbox, WIRE)
    for message in (status("a"), status("b"), status("a", "stalled"), status("b")):
        states.set(message)
    assert told(states) == [status("a", "stalled"), status("b")]
    assert not states.untold
    states.set(status("b"))
    assert told(states) == []
    states.connected()
    assert told(states) == [status("a", "stalled"), status("b")]


def test_a_topic_is_on_the_disk_before_the_broker_has_it(outbox: Outbox) -> None:
    states = States(outbox, WIRE)
    states.set(status("a"))
    states.next()
    with closing(Outbox(outbox.path)) as another:
        assert another.retained() == {status("a").topic: True}


def test_topics_of_other_cameras_are_taken_back_and_those_of_the_device_are_not(outbox: Outbox) -> None:
    for topic in ("info", "lost/x", "gone/status", "gone/shelf/a1", "kept/status"):
        outbox.retain(f"{WIRE.root}/{topic}", held=True)
    outbox.retain("spotter/another/device/gone/status", held=True)
    states = States(outbox, WIRE)
    states.set(status("never-told"))
    states.retire(["kept", "lost"])
    taken = [(m.topic.removeprefix(f"{WIRE.root}/"), m.payload, m.retain) for m in told(states)]
    assert taken == [(f"{t}", b"", True) for t in ("never-told/status", "gone/status", "gone/shelf/a1")]


def test_topics_of_a_camera_are_taken_back_where_what_they_were_about_is_gone(outbox: Outbox) -> None:
    for topic in ("dock/inbound/A-1", "dock/inbound/A-2", "dock/status", "hall/inbound/A-1"):
        outbox.retain(f"{WIRE.root}/{topic}", held=True)
    states = States(outbox, WIRE)
    states.retire(["dock", "hall"], lambda camera, below: (camera, below) == ("dock", "inbound/A-1"))
    assert [m.topic for m in told(states)] == [f"{WIRE.root}/dock/inbound/A-1"]


def test_what_was_taken_back_is_taken_back_on_every_connection(outbox: Outbox) -> None:
    states = States(outbox, WIRE)
    states.set(status("a"))
    told(states)
    states.forget(status("a").topic)
    assert [m.payload for m in told(states)] == [b""]
    for again in (states, States(outbox, WIRE)):
        again.connected()
        assert [(m.topic, m.payload) for m in told(again)] == [(status("a").topic, b"")]
    states.set(status("a"))
    states.connected()
    assert told(states) == [status("a")]


def announced(prefix: str) -> Message:
    return announcement(WIRE, prefix, Facts(version="1", machine=""), {}, 0.0)


def test_an_announcement_is_told_again_though_it_is_the_same(outbox: Outbox) -> None:
    states = States(outbox, WIRE)
    for _ in range(2):
        states.announce(announced("ha"))
        assert told(states) == [announced("ha")]
    states.connected()
    assert told(states) == [announced("ha")]


@pytest.mark.parametrize("restarted", [False, True], ids=["running", "after a restart"])
def test_announcements_elsewhere_are_taken_back_and_nothing_else_is(outbox: Outbox, restarted: bool) -> None:
    others = ["ha/device/somebody/config", "ha/status", f"{WIRE.root}/device/x/config"]
    for topic in others:
        outbox.retain(topic, held=True)
    states = States(outbox, WIRE)
    states.announce(announced("ha"))
    told(states)
    for message in (announced("home"), None):
        if restarted:
            states = States(outbox, WIRE)
        states.announce(message)
        gone = "ha" if message else "home"
        assert [m for m in told(states) if not m.payload] == [
            Message(announced(gone).topic, b"", "", 0.0, retain=True, delivery=announced(gone).delivery)
        ]
    states.connected()
    assert {m.topic for m in told(states)} == {announced("ha").topic, announced("home").topic}
    assert all(outbox.retained()[topic] for topic in others)
