"""The whole way out: outbox → publisher → a real mosquitto → a subscriber, through every kind of outage."""

from __future__ import annotations

import os
import random
import resource
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest

from agent.adapters.broker import Broker, BrokerSettings
from agent.adapters.outbox import Outbox, OutboxSettings
from agent.adapters.system import SystemClock
from agent.core.errors import DeviceError
from agent.core.incoming import Incoming
from agent.core.payload import encode, rfc3339
from agent.core.settings import Secret
from agent.core.types import Message
from agent.core.wire import Wire
from agent.health import Health
from agent.publisher import Publisher
from tests.conftest import ROOT
from tests.support.mosquitto import Heard, Mosquitto, Subscriber, free_port, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
from pathlib import Path

WIRE = Wire("spotter", "s", "d")
AVAILABILITY = f"{WIRE.root}/availability"
UTC = 1_767_225_600.0


def fact(number: int, camera: str = "cam0", size: int = 0) -> Message:
    payload = encode({"n": number, "pad": " " * size})
    return Message(f"{WIRE.root}/{camera}/recognition", payload, f"{number:032x}", UTC)


def facts_in(heard: list[Heard], camera: str = "cam0") -> list[int]:
    """Numbers of a camera's facts as they were heard, second deliveries left out."""
    topic = f"{WIRE.root}/{camera}/recognition"
    return list(dict.fromkeys(h.content["n"] for h in heard if h.topic == topic))


class Sender:
    """A publisher with its own outbox and broker; the test calls `step` through `until`."""

    def __init__(self, folder: Path, url: str, outbox: OutboxSettings | None = None, **values: Any) -> None:
        self.outbox = Outbox(folder / "outbox.db", outbox)
        self.broker = Broker(
            BrokerSettings(url=url, **values),
            WIRE.root,
            WIRE.availability("offline"),
            SystemClock(),
            jitter=lambda: 0.0,
        )
        self.publisher = Publisher(self.outbox, self.broker, WIRE, SystemClock(), jitter=lambda: 0.0)

    def until(self, what: Callable[[], Any], timeout_s: float = 30.0) -> None:
        def look() -> bool:
            with suppress(DeviceError):  # as the storer: it says so, and goes on
                self.outbox.sync()
            self.publisher.step(0.05)
            return bool(what())

        wait_until(look, timeout_s, why=f"{self.publisher.status} {self.outbox.depth()}")

    def until_empty(self) -> None:
        self.until(lambda: not self.outbox.dirty and self.outbox.depth()[0] == 0)

    def until_online(self) -> None:
        self.until(lambda: self.publisher.status.online)

    def close(self) -> None:
        self.publisher.close(3.0)
        self.outbox.close()


@contextmanager
def sender(folder: Path, url: str, **values: Any) -> Iterator[Sender]:
    made = Sender(folder, url, **values)
    try:
        yield made
    finally:
        made.close()


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_birth_comes_before_states_and_states_before_facts(tmp_path: Path, protocol: str) -> None:
    with Mosquitto(tmp_path) as m, Subscriber(m.port) as ear, sender(tmp_path, m.url, protocol=protocol) as s:
        s.outbox.put([fact(n) for n in range(50)])
        for number in range(30):  # more than may be under way at once
            s.publisher.set_state(WIRE.camera_status(f"cam{number}", "online", "", UTC))
        s.until_empty()
        heard = ear.wait_count(81)
        assert (heard[0].topic, heard[0].payload) == (AVAILABILITY, b"online")
        assert [h.topic for h in heard[1:31]] == [f"{WIRE.root}/cam{n}/status" for n in range(30)]
        assert facts_in(heard[31:]) == [*range(50)]
        assert s.publisher.status.error == ""
        with Subscriber(m.port) as late:
            retained = {h.topic for h in late.wait_count(31) if h.retain}
        assert retained == {h.topic for h in heard[:31]}


def test_closing_says_offline_and_delivers_what_it_can(tmp_path: Path) -> None:
    with Mosquitto(tmp_path) as m, Subscriber(m.port) as ear:
        with sender(tmp_path, m.url) as s:
            s.until_online()
            s.outbox.put([fact(n) for n in range(500)])
        heard = ear.wait_count(502)
        assert facts_in(heard) == [*range(500)]
        assert (heard[-1].topic, heard[-1].payload) == (AVAILABILITY, b"offline")
        with Subscriber(m.port, AVAILABILITY) as late:
            (last,) = late.wait_count(1)
            assert (last.payload, last.retain) == (b"offline", True)
        assert len(ear.heard) == 502, "the will must not follow the farewell"


def test_closing_without_a_broker_is_bounded_and_keeps_the_facts(tmp_path: Path) -> None:
    with sender(tmp_path, f"mqtt://127.0.0.1:{free_port()}") as s:
        s.outbox.put([fact(1)])
        s.until(lambda: s.publisher.status.error)
        assert "nobody listens there" in s.publisher.status.error
    outbox = Outbox(tmp_path / "outbox.db")
    assert outbox.depth()[0] == 1
    outbox.close()


def test_what_was_not_delivered_is_delivered_after_the_next_start(tmp_path: Path) -> None:
    with sender(tmp_path, f"mqtt://127.0.0.1:{free_port()}") as s:
        s.outbox.put([fact(n, f"cam{n % 3}") for n in range(300)])
    with Mosquitto(tmp_path) as m, Subscriber(m.port) as ear, sender(tmp_path, m.url) as s:
        s.outbox.put([fact(n, f"cam{n % 3}") for n in range(300, 330)])
        s.until_empty()
        heard = ear.wait_count(331)
        for camera in range(3):
            assert facts_in(heard, f"cam{camera}") == [*range(camera, 330, 3)]


@pytest.mark.timeout(400)
def test_while_the_broker_restarts_nothing_is_lost_and_each_topic_keeps_its_order(tmp_path: Path) -> None:
    """Facts flow while the broker stops and starts; the subscriber comes back when it likes."""
    cameras, total = 3, 1500
    put = 0
    with (
        Mosquitto(tmp_path) as m,
        Subscriber(m.port, "spotter/#", session="ear") as ear,
        sender(tmp_path, m.url) as s,
    ):
        stop = threading.Event()

        def recognise() -> None:
            nonlocal put
            while put < total and not stop.is_set():
                batch = [fact(n, f"cam{n % cameras}") for n in range(put, put + 3)]
                s.outbox.put(batch)
                s.publisher.wake()
                put += 3
                time.sleep(0.003)

        thread = threading.Thread(target=recognise)
        thread.start()
        try:
            for _ in range(3):
                mark = put
                s.until(lambda mark=mark: put > mark + 50)
                m.stop()
                s.until(lambda: not s.publisher.status.online)
                mark = put
                s.until(lambda mark=mark: put > mark + 50 or put >= total)
                m.start()
            s.until(lambda: put >= total)
            s.until_empty()
        finally:
            stop.set()
            thread.join()
        heard = ear.wait_for(lambda heard: sum(len(facts_in(heard, f"cam{c}")) for c in range(3)) == total)
        for camera in range(cameras):
            assert facts_in(heard, f"cam{camera}") == [*range(camera, total, cameras)]
        live = [h.payload for h in heard if h.topic == AVAILABILITY and not h.retain]
        assert live[0] == live[-1] == b"online"
        repeated = len([h for h in heard if h.topic != AVAILABILITY]) - total
        assert repeated <= 3 * 50, "only what was under way comes twice"


def test_facts_wait_on_disk_until_somebody_subscribes(tmp_path: Path) -> None:
    with Mosquitto(tmp_path) as m, sender(tmp_path, m.url) as s:
        s.outbox.put([fact(n, f"cam{n % 2}") for n in range(100)])
        s.until(lambda: s.publisher.status.unheard == 2)
        assert s.outbox.depth()[0] == 100
        with Subscriber(m.port, f"{WIRE.root}/cam1/#") as ear:
            s.until(lambda: s.outbox.depth()[0] == 50)
            assert facts_in(ear.wait_count(50), "cam1") == [*range(1, 100, 2)]
        with Subscriber(m.port, f"{WIRE.root}/cam0/#") as ear:
            s.until_empty()
            assert facts_in(ear.wait_count(50)) == [*range(0, 100, 2)]


def test_states_are_told_again_to_a_broker_that_forgot_everything(tmp_path: Path) -> None:
    status = WIRE.camera_status("cam0", "stalled", "no picture", UTC)
    with Mosquitto(tmp_path) as m, sender(tmp_path, m.url) as s:
        s.publisher.set_state(WIRE.camera_status("cam0", "online", "", UTC))
        s.publisher.set_state(status)
        s.until_online()
        m.kill()
        (tmp_path / "mosquitto.db").unlink(missing_ok=True)
        m.start()
        s.until(lambda: not s.publisher.status.online)
        s.until_online()
        s.publisher.step(0.1)
        with Subscriber(m.port) as ear:
            s.publisher.step(0.1)
            assert {h.topic: h.payload for h in ear.wait_count(2)} == {
                AVAILABILITY: b"online",
                status.topic: status.payload,
            }


def test_a_state_is_told_when_it_changes_and_a_forgotten_one_is_removed(tmp_path: Path) -> None:
    online = WIRE.camera_status("cam0", "online", "", UTC)
    offline = WIRE.camera_status("cam0", "offline", "unplugged", UTC)
    with Mosquitto(tmp_path) as m, Subscriber(m.port, f"{WIRE.root}/cam0/#") as ear:
        with sender(tmp_path, m.url) as s:
            for state in (online, online, offline):
                s.publisher.set_state(state)
                s.until_online()
                s.publisher.step(0.1)
            s.publisher.forget_state(online.topic)
            s.until(lambda: len(ear.heard) >= 3)
            s.publisher.step(0.1)
        assert [h.payload for h in ear.heard] == [online.payload, offline.payload, b""]
        with Subscriber(m.port) as late:
            late.wait_count(1)
        assert [h.topic for h in late.heard] == [AVAILABILITY]


def test_a_device_that_may_not_announce_itself_says_what_to_allow(tmp_path: Path) -> None:
    (tmp_path / "acl").write_text("topic read #\n")
    with Mosquitto(tmp_path, general=[f"acl_file {tmp_path}/acl"]) as m, sender(tmp_path, m.url) as s:
        s.outbox.put([fact(1)])
        s.until(lambda: "lets us in" in s.publisher.status.error)
        assert s.publisher.status.error == (
            f"{m.url}: it lets us in, but not write to spotter/s/d/#: "
            "the broker does not let this login write there: mend its access rules (Not authorized)"
        )
        assert not s.publisher.status.online


DENIED = (
    f"{WIRE.root}/cam0/recognition: the broker does not let this login write there: "
    "mend its access rules (Not authorized)"
)


def test_a_topic_that_is_forbidden_is_named_and_holds_up_no_other(tmp_path: Path) -> None:
    rules = ["topic read #", f"topic write {AVAILABILITY}", f"topic write {WIRE.root}/cam1/recognition"]
    (tmp_path / "acl").write_text("\n".join(rules) + "\n")
    with (
        Mosquitto(tmp_path, general=[f"acl_file {tmp_path}/acl"]) as m,
        Subscriber(m.port) as ear,
        sender(tmp_path, m.url) as s,
    ):
        s.outbox.put([fact(n, f"cam{n % 2}") for n in range(20)])
        s.until(lambda: s.outbox.depth()[0] == 10 and s.publisher.status.error)
        assert s.publisher.status.error == DENIED
        assert facts_in(ear.wait_count(11), "cam1") == [*range(1, 20, 2)]


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_a_fact_that_is_too_big_for_the_broker_is_kept_and_holds_up_no_other(
    tmp_path: Path, protocol: str
) -> None:
    """Under MQTT 3.1.1 the broker hangs up on it without a word; it is found out and set aside."""
    with (
        Mosquitto(tmp_path, general=["max_packet_size 2000"]) as m,
        Subscriber(m.port) as ear,
        sender(tmp_path, m.url, protocol=protocol) as s,
    ):
        s.outbox.put([fact(n, f"cam{n % 2}", size=5000 if n == 6 else 0) for n in range(20)])
        s.until(lambda: s.outbox.depth()[0] == 1)
        assert s.publisher.status.aside == 1
        heard = ear.wait_for(lambda heard: len(facts_in(heard)) == 9 and len(facts_in(heard, "cam1")) == 10)
        assert facts_in(heard) == [0, 2, 4, 8, 10, 12, 14, 16, 18]
        assert s.publisher.status.online
        s.outbox.put([fact(20)])
        s.until(lambda: s.outbox.depth()[0] == 1)


def test_while_the_disk_is_full_everything_arrives_in_order(tmp_path: Path) -> None:
    """The kernel refuses to let files of this process grow, as a full disk does."""
    with Mosquitto(tmp_path) as m, Subscriber(m.port) as ear, sender(tmp_path, m.url) as s:
        s.outbox.put([fact(n) for n in range(10)])
        s.outbox.sync()
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        log_bytes = (tmp_path / "outbox.db-wal").stat().st_size
        resource.setrlimit(resource.RLIMIT_FSIZE, (log_bytes, hard))
        try:
            s.outbox.put([fact(n) for n in range(10, 300)])
            s.publisher.set_state(WIRE.health("degraded", {"outbox": "full"}, UTC))
            s.until(lambda: s.outbox.depth()[0] == 0)
            assert "outbox.db" in s.outbox.trouble
            heard = ear.wait_for(lambda heard: len(facts_in(heard)) == 300)
            assert any("health" in h.topic for h in heard)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        s.until_empty()
        s.outbox.put([fact(300)])
        s.until_empty()
        assert facts_in(ear.wait_for(lambda heard: len(facts_in(heard)) == 301)) == [*range(301)]
        assert s.outbox.trouble == ""


# ── late, and lost ──────────────────────────────────────────────────────────────────────────────────────


def test_what_had_to_wait_says_so_and_when_it_was_sent(tmp_path: Path) -> None:
    now = SystemClock().utc()
    with Mosquitto(tmp_path) as m, Subscriber(m.port) as ear, sender(tmp_path, m.url) as s:
        s.outbox.put([replace(fact(1), utc=now - 60), replace(fact(2), utc=now)])
        s.until_empty()
        old, new = (h.content for h in ear.wait_count(3)[1:])
        assert old["late"] is True
        assert old["sent"] >= rfc3339(now)
        assert old["n"] == 1
        assert new == {"n": 2, "pad": ""}


def test_what_was_dropped_while_the_broker_was_away_is_told_when_it_is_back(tmp_path: Path) -> None:
    """The number lost is the number told."""
    url = f"mqtt://127.0.0.1:{free_port()}"
    small = OutboxSettings(max_bytes=50_000)
    with sender(tmp_path, url, outbox=small) as s:
        for n in range(300):
            s.outbox.put([fact(n, f"cam{n % 2}", size=1000)])
            s.outbox.store()
    with Mosquitto(tmp_path) as m, Subscriber(m.port) as ear, sender(tmp_path, m.url, outbox=small) as s:
        s.until_online()
        s.until_empty()
        heard = ear.wait_for(lambda heard: sum(h.topic == f"{WIRE.root}/lost" for h in heard) == 2)
        arrived = {c: facts_in(heard, f"cam{c}") for c in range(2)}
        told = {h.content["topic"]: h.content for h in heard if h.topic == f"{WIRE.root}/lost"}
        for camera, numbers in arrived.items():
            account = told[f"{WIRE.root}/cam{camera}/recognition"]
            assert account["count"] == 150 - len(numbers) > 0
            assert account["kind"] == "recognition"
            assert account["cause"] == "full"
            assert numbers == [*range(300 - 2 * len(numbers) + camera, 300, 2)]
        assert s.outbox.losses() == ()


# ── truth after restarts ────────────────────────────────────────────────────────────────────────────────


def retained(port: int) -> dict[str, bytes]:
    """What a broker retains of this device: a question of ours ends what it sends to a new subscriber."""
    with Subscriber(port, f"{WIRE.root}/#", "end") as late:
        late.send("end", b"")
        heard = late.wait_for(lambda heard: any(h.topic == "end" for h in heard))
    return {h.topic: h.payload for h in heard if h.retain}


def test_what_a_camera_left_is_taken_back_though_it_was_removed_while_the_device_was_off(
    tmp_path: Path,
) -> None:
    states = [WIRE.camera_status(f"cam{n}", "online", "", UTC) for n in range(3)]
    with Mosquitto(tmp_path) as m:
        with sender(tmp_path, m.url) as s:
            for state in states:
                s.publisher.set_state(state)
            s.until(lambda: len(retained(m.port)) == 4)
        with sender(tmp_path, m.url) as s:
            s.publisher.retire(["cam1"])
            s.publisher.set_state(states[1])
            s.until(lambda: len(retained(m.port)) == 2)
            assert retained(m.port) == {AVAILABILITY: b"online", states[1].topic: states[1].payload}


def test_what_was_taken_back_is_taken_back_again_from_a_broker_that_was_restored(tmp_path: Path) -> None:
    """A broker that is killed comes back with the copy that it wrote last."""
    state = WIRE.camera_status("cam0", "online", "", UTC)
    with Mosquitto(tmp_path) as m:
        with sender(tmp_path, m.url) as s:
            s.publisher.set_state(state)
            s.until(lambda: state.topic in retained(m.port))
            m.restart()  # it is in the broker's copy now
            s.until(lambda: not s.publisher.status.online)
            s.until_online()
            s.publisher.retire([])
            s.until(lambda: state.topic not in retained(m.port))
        m.kill()
        m.start()
        assert state.topic in retained(m.port)
        with sender(tmp_path, m.url) as s:
            s.until(lambda: retained(m.port) == {AVAILABILITY: b"online"})


CHILD = """
import sys, threading
from agent.adapters.broker import Broker, BrokerSettings
from agent.adapters.outbox import Outbox
from agent.adapters.system import SystemClock
from agent.core.errors import DeviceError
from agent.core.types import Message
from agent.core.payload import encode
from agent.core.wire import Wire
from agent.publisher import Publisher
wire, clock = Wire("spotter", "s", "d"), SystemClock()
outbox = Outbox(sys.argv[1])
broker = Broker(BrokerSettings(url=sys.argv[2]), wire.root, wire.availability("offline"), clock)
publisher = Publisher(outbox, broker, wire, clock)
def publish():
    while True:
        outbox.sync()
        publisher.step(1.0)
threading.Thread(target=publish, daemon=True).start()
number = int(sys.argv[3])
while True:
    message = Message(wire.root + "/cam0/recognition", encode({"n": number}), f"{number:032x}", 0.0)
    outbox.put([message])
    outbox.store()
    publisher.wake()
    print(number, flush=True)
    number += 1
    clock.wait(0.001)
"""


@pytest.mark.timeout(400)
def test_killed_at_any_moment_every_decided_fact_arrives_and_the_will_is_sent(tmp_path: Path) -> None:
    chance, said, heard = random.Random(3), -1, []
    with Mosquitto(tmp_path) as m, Subscriber(m.port) as ear:
        for _ in range(8):
            child = subprocess.Popen(
                [sys.executable, "-c", CHILD, str(tmp_path / "outbox.db"), m.url, str(said + 1)],
                stdout=subprocess.PIPE,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
            )
            assert child.stdout is not None
            lines = [child.stdout.readline()]
            time.sleep(chance.uniform(0.0, 0.4))
            child.send_signal(signal.SIGKILL)
            lines += child.stdout.read().splitlines()
            child.wait()
            child.stdout.close()
            said = int([line for line in lines if line][-1])
            outbox = Outbox(tmp_path / "outbox.db")
            if waiting := outbox.pending(limit=100_000):
                said = max(said, int(waiting[-1].message.id, 16))  # put, and killed before it was said
            outbox.close()
        with sender(tmp_path, m.url) as s:
            s.until_empty()
            heard = ear.wait_for(lambda heard: said in facts_in(heard))
    assert facts_in(heard) == [*range(said + 1)]
    availability = [h.payload for h in heard if h.topic == AVAILABILITY]
    # One that was killed between its greeting and its birth leaves a will alone.
    assert b"online" in availability
    assert all(later == b"offline" for said, later in pairwise(availability) if said == b"online")
    assert b"offline" in availability


def test_a_disk_that_refuses_at_the_end_does_not_leave_us_online(tmp_path: Path) -> None:
    class Refusing(Outbox):
        def sync(self) -> None:
            raise DeviceError(f"{self.path}: cannot be written: No space left on device")

    with Mosquitto(tmp_path / "broker") as broker, Subscriber(broker.port, AVAILABILITY) as ear:
        sender = Sender(tmp_path, broker.url)
        sender.until_online()
        sender.publisher._outbox = Refusing(tmp_path / "refusing.db")
        with pytest.raises(DeviceError, match="No space left"):
            sender.publisher.close(3.0)
        ear.wait_count(2)
        assert [heard.payload for heard in ear.heard] == [b"online", b"offline"]
        sender.outbox.close()


def answer(topic: str, number: int = 0) -> Message:
    return Message(topic, encode({"n": number}), "", UTC, correlation=b"c")


def test_an_answer_is_sent_once_also_when_there_was_no_connection_and_is_not_in_the_outbox(
    tmp_path: Path,
) -> None:
    with Mosquitto(tmp_path) as m, Subscriber(m.port, "back/#") as ear, sender(tmp_path, m.url) as s:
        for number in range(100):  # before there is a connection: the latest are kept
            s.publisher.answer(answer("back/1", number))
        s.until_online()
        s.until(lambda: len(ear.heard) >= 64)
        assert [h.content["n"] for h in ear.heard] == [*range(36, 100)]
        assert {h.correlation for h in ear.heard} == {b"c"}
        s.publisher.answer(answer("back/nobody"))
        s.publisher.step(0.1)
        assert s.outbox.depth()[0] == 0


def test_an_answer_that_the_broker_refuses_is_no_fault_of_the_device(tmp_path: Path) -> None:
    (tmp_path / "acl").write_text("topic readwrite spotter/#\n")
    with Mosquitto(tmp_path, general=[f"acl_file {tmp_path}/acl"]) as m, sender(tmp_path, m.url) as s:
        s.until_online()
        s.publisher.answer(answer("forbidden/1"))
        for _ in range(5):  # some versions of mosquitto hang up after they refused
            s.publisher.step(0.05)
        s.until_online()
        assert s.publisher.status.error == ""


def test_what_others_send_is_handed_on(tmp_path: Path) -> None:
    heeded: list[Incoming] = []
    topic = WIRE.command_topic("resync")
    with Mosquitto(tmp_path) as m, Subscriber(m.port, "none") as other:
        outbox = Outbox(tmp_path / "outbox.db")
        network = Broker(
            BrokerSettings(url=m.url), WIRE.root, WIRE.availability("offline"), SystemClock(), topics=[topic]
        )
        publisher = Publisher(outbox, network, WIRE, SystemClock(), heed=heeded.append)
        wait_until(lambda: publisher.step(0.05) or f"{topic} (QoS 1)" in m.log())
        other.send(topic, b'{"id": "1"}')
        wait_until(lambda: publisher.step(0.05) or heeded)
        assert (heeded[0].topic, heeded[0].payload) == (topic, b'{"id": "1"}')
        publisher.close(1.0)
        outbox.close()


def test_three_refusals_are_three_sentences_and_end_when_they_are_mended(tmp_path: Path) -> None:
    """A refused login, an access rule and a packet that is too big; none of them counts as well."""
    told: list[str] = []
    rules = tmp_path / "acl"
    rules.write_text(f"user eve\ntopic write {AVAILABILITY}\ntopic write {WIRE.root}/big/#\n")
    general = [f"acl_file {rules}", "max_packet_size 2000"]
    (tmp_path / "m").mkdir()
    with Mosquitto(tmp_path / "m", users={"eve": "right"}, general=general) as m:
        with sender(tmp_path, m.url, username="eve", password=Secret("wrong")) as s:
            s.publisher._report = told.append
            s.until(lambda: told and told[-1])
            assert told[-1] == f"{m.url}: it refused the login: check username and password (Not authorized)"
            assert not s.publisher.status.online
        with sender(tmp_path, m.url, username="eve", password=Secret("right")) as s:
            s.publisher._report = told.append
            s.outbox.put([fact(1)])
            s.until(lambda: "write there" in told[-1])
            assert told[-1] == DENIED
            s.outbox.put([fact(2, "big", size=3000)])
            s.until(lambda: s.publisher.status.aside)
            assert "bytes in a message, found" in s.publisher._refusals._oversize
        rules.write_text(f"user eve\ntopic write {WIRE.root}/#\n")
        m.restart()
        with sender(tmp_path, m.url, username="eve", password=Secret("right")) as s:
            s.publisher._report = told.append
            s.until(lambda: s.publisher.status.aside)
            assert s.publisher.status.online
            assert told[-1].startswith(
                f"{WIRE.root}/big/recognition: the broker takes 2000 bytes in a message"
            )


def test_when_the_broker_is_back_health_says_so_before_anything_else(tmp_path: Path) -> None:
    with Mosquitto(tmp_path) as m, Subscriber(m.port) as ear, sender(tmp_path, m.url) as s:
        health = Health(WIRE, s.publisher.set_state, SystemClock())
        s.publisher._report = partial(health.report, "broker")
        s.until_online()
        m.restart()
        s.until(lambda: not s.publisher.status.online)
        assert health.causes
        wait_until(ear.is_connected)
        s.until_online()
        s.until(lambda: not health.causes)
        s.publisher.set_state(WIRE.camera_status("cam0", "online", "", UTC))
        s.until(lambda: ear.on(f"{WIRE.root}/cam0/status"))
        assert ear.on(f"{WIRE.root}/health")
        assert {h.content["state"] for h in ear.on(f"{WIRE.root}/health")} == {"ok"}
