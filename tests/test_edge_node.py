"""An edge node and a host that follows it, over a real mosquitto, through everything that may break."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from agent.adapters.broker import Broker, BrokerSettings
from agent.adapters.system import SystemClock
from agent.core.edge import Edge
from agent.core.settings import Secret
from agent.core.types import Message
from agent.core.watched import Watched
from agent.core.wire import Wire
from agent.core.wire.sparkplug import REBIRTH, Metric, Namespace, Payload, Type
from agent.edge_node import EdgeNode
from tests.support.mosquitto import Mosquitto, Subscriber, wait_until
from tests.support.sparkplug_host import CODEC, Host

WIRE = Wire("spotter", "s", "d")
NAMES = Namespace("shop", "d")
UTC = 1_767_225_600.0
ALL = "spBv1.0/#"


class Node:
    """An edge node that runs as far as a test lets it."""

    def __init__(self, folder: Path, url: str, host: str = "", **values: Any) -> None:
        self.reports: list[str] = []
        self.clock = SystemClock()
        settings = BrokerSettings(url=url, client_id="s-d-sparkplug", **values)

        def connect(will: Callable[[], Message], topics: Any) -> Broker:
            self.broker = Broker(settings, "s/d", will, self.clock, lambda: 0.0, topics, retained=True)
            return self.broker

        self.node = EdgeNode(
            connect, Edge({"cam": Watched()}, UTC), CODEC, NAMES, folder / "bdseq", WIRE, self.clock, host
        )
        self.node.report = self.reports.append

    def until(self, what: Callable[[], Any], timeout_s: float = 20.0) -> None:
        def look() -> bool:
            self.node.step(0.02)
            return bool(what())

        wait_until(look, timeout_s)

    def say(self, *messages: Message) -> None:
        for message in messages:
            self.node.hear(message)

    def close(self) -> None:
        """As when the daemon is told to stop."""
        self.clock.stop()
        self.node.run()


@contextmanager
def edge_node(folder: Path, url: str, host: str = "", **values: Any) -> Iterator[Node]:
    node = Node(folder, url, host, **values)
    try:
        yield node
    finally:
        node.close()


def online(reason: str = "") -> Message:
    return WIRE.camera_status("cam", "offline" if reason else "online", reason, UTC)


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_a_host_sees_all_of_it_and_its_end(tmp_path: Path, protocol: str) -> None:
    with Mosquitto(tmp_path) as m, Subscriber(m.port, ALL) as ear:
        host = Host(NAMES)
        with edge_node(tmp_path, m.url, protocol=protocol) as node:
            node.say(online())
            node.until(lambda: host.follow(ear).alive == {"", "cam"})
            assert (host.numbers, node.reports) == ([0], [""])
            node.say(WIRE.health("degraded", {"sync": "no route"}, UTC))
            node.until(lambda: host.follow(ear).values[":Health/State"] == "degraded")
            node.say(online("unplugged"))
            node.until(lambda: host.follow(ear).alive == {""})
            assert host.values[":Cameras/cam/Reason"] == "unplugged"
        wait_until(lambda: host.follow(ear).alive == set())
        deaths = [h for h in ear.heard if "/NDEATH/" in h.topic]
        assert len(deaths) == 1, "told by itself, and not again by the broker"


def test_a_host_that_asks_is_answered_and_what_is_no_question_is_passed_over(tmp_path: Path) -> None:
    with (
        Mosquitto(tmp_path) as m,
        Subscriber(m.port, ALL) as ear,
        edge_node(tmp_path, m.url) as node,
    ):
        host = Host(NAMES)
        node.say(online())
        node.until(lambda: host.follow(ear).alive == {"", "cam"})
        rng = random.Random(6)
        no = CODEC.encode(Payload(UTC, (Metric(REBIRTH, Type.BOOLEAN, False, UTC),)))
        for garbage in (b"", b"\xff" * 9, b"{}", no, bytes(100_000), *(rng.randbytes(40) for _ in range(20))):
            ear.send(NAMES.topic("NCMD"), garbage)
        node.say(WIRE.health("degraded", {"x": "y"}, UTC))
        node.until(lambda: host.follow(ear).values[":Health/State"] == "degraded")
        assert host.births == 1
        for _ in range(5):
            host.ask(ear)
        node.until(lambda: host.follow(ear).births > 1)
        node.say(WIRE.health("ok", {}, UTC))
        node.until(lambda: host.follow(ear).values[":Health/State"] == "ok")
        assert host.numbers == [0] * host.births
        assert host.births <= 3, "who asks many times at once is answered once"
        assert host.alive == {"", "cam"}


def test_each_connection_has_the_next_number_and_its_death_the_same(tmp_path: Path) -> None:
    with Mosquitto(tmp_path) as m, Subscriber(m.port, ALL) as ear:
        host = Host(NAMES)
        for numbers in ([0, 1], [0, 1, 2, 3]):
            with edge_node(tmp_path, m.url) as node:
                node.say(online())
                node.until(partial(lambda expected: host.follow(ear).numbers == expected, numbers[:-1]))
                node.broker.drop("cut")
                node.until(partial(lambda expected: host.follow(ear).numbers == expected, numbers))
        wait_until(lambda: host.follow(ear).alive == set())
        died = [CODEC.decode(h.payload).metrics[0].value for h in ear.heard if "/NDEATH/" in h.topic]
        assert sorted(died) == [0, 1, 2, 3]


def test_the_number_goes_on_after_255_and_a_damaged_file_begins_anew(tmp_path: Path) -> None:
    with Mosquitto(tmp_path / "broker") as m, Subscriber(m.port, ALL) as ear:
        host = Host(NAMES)
        for content, expected in ((b"255", 0), (b"17\n", 18), (b"\xff", 0), (b"", 0)):
            (tmp_path / "bdseq").write_bytes(content)
            with edge_node(tmp_path, m.url) as node:
                node.until(partial(lambda births: host.follow(ear).births > births, host.births))
                assert host.numbers[-1] == expected
                assert (tmp_path / "bdseq").read_text() == str(expected)


def test_what_happened_without_a_broker_is_in_the_next_birth(tmp_path: Path) -> None:
    with Mosquitto(tmp_path) as m, edge_node(tmp_path, m.url) as node:
        with Subscriber(m.port, ALL) as ear:
            host = Host(NAMES)
            node.until(lambda: host.follow(ear).births)
        m.kill()
        node.until(lambda: node.reports[-1])
        node.say(online(), WIRE.health("ok", {}, UTC))
        node.node.watch({"cam": Watched(), "new": Watched()})
        node.until(lambda: not node.node._heard)
        m.start()
        with Subscriber(m.port, ALL) as ear:
            host = Host(NAMES)
            host.ask(ear)
            node.until(lambda: host.follow(ear).alive == {"", "cam"})
            assert host.values[":Health/State"] == "ok"
            assert ":Cameras/new/State" in host.values
        assert node.reports[-1] == ""


def told_by_host(online: bool, moment: int) -> bytes:
    return json.dumps({"online": online, "timestamp": moment}).encode()


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_nothing_is_told_while_the_primary_host_is_away(tmp_path: Path, protocol: str) -> None:
    state = "spBv1.0/STATE/scada"
    with (
        Mosquitto(tmp_path) as m,
        Subscriber(m.port, "spBv1.0/shop/#") as ear,
        edge_node(tmp_path, m.url, "scada", protocol=protocol) as node,
    ):
        host = Host(NAMES)
        node.say(online())
        node.until(lambda: node.broker.connected)
        for payload in (
            told_by_host(False, 1000),
            b"ONLINE",
            b"{}",
            b"\xff",
            b'{"online": 1, "timestamp": 9}',
        ):
            ear.send(state, payload, retain=True)
            node.node.step(0.1)
        assert not ear.heard
        ear.send(state, told_by_host(True, 2000), retain=True)
        node.until(lambda: host.follow(ear).alive == {"", "cam"})

        ear.send(state, told_by_host(False, 1999))  # its will, late
        node.say(WIRE.health("ok", {}, UTC))
        node.until(lambda: host.follow(ear).values[":Health/State"] == "ok")
        ear.send(state, told_by_host(False, 3000), retain=True)
        node.until(lambda: not host.follow(ear).alive and node.broker.connected)
        node.say(WIRE.health("degraded", {"x": "y"}, UTC))
        node.node.step(0.6)
        assert (host.follow(ear).births, host.alive) == (1, set())

        # It is there again, and for a node that connects later what it said is retained.
        ear.send(state, told_by_host(True, 4000), retain=True)
        node.until(lambda: host.follow(ear).alive == {"", "cam"})
        node.broker.drop("cut")
        node.until(lambda: host.follow(ear).births == 3)
        assert len(set(host.numbers)) == 3


def test_a_refused_login_is_said(tmp_path: Path) -> None:
    with (
        Mosquitto(tmp_path, users={"u": "right"}) as m,
        edge_node(tmp_path, m.url, username="u", password=Secret("wrong")) as node,
    ):
        node.until(lambda: node.reports)
        assert "check username and password" in node.reports[0]
