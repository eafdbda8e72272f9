"""The connection to a real mosquitto: what it says happened, and what it tells the operator when it cannot."""

from __future__ import annotations

import random
import socket
import threading
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from agent.adapters.broker import Broker, BrokerSettings
from agent.adapters.system import SystemClock
from agent.core.delivery import Ack, Down, Outcome, Up
from agent.core.errors import ConfigError
from agent.core.incoming import Incoming
from agent.core.settings import Secret
from agent.core.types import Message
from agent.core.wire import Wire
from tests.support.certificates import make_certificates
from tests.support.mosquitto import Mosquitto, Subscriber, free_port, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from agent.core.delivery import Signal

WIRE = Wire("spotter", "s", "d")
WILL = WIRE.availability("offline")
PROTOCOLS = ["5", "3.1.1"]


@contextmanager
def broker(url: str, **values: Any) -> Iterator[Broker]:
    settings = BrokerSettings(url=url, **values)
    made = Broker(settings, WIRE.root, WILL, SystemClock(), jitter=lambda: 0.0)
    try:
        yield made
    finally:
        made.close(1.0)


def until(made: Broker, kind: type[Signal], count: int = 1) -> list[Any]:
    """Serve until `count` signals of this kind came; those."""
    found: list[Any] = []

    def look() -> bool:
        found.extend(s for s in made.service(0.1) if isinstance(s, kind))
        return len(found) >= count

    wait_until(look, why=f"{count} × {kind.__name__}; {made.last_error}")
    return found


def fates(made: Broker, count: int) -> dict[int, Ack]:
    """Serve until so many messages were acknowledged: token → what it was acknowledged with, in order."""
    found: dict[int, Ack] = {}

    def look() -> bool:
        acks = [signal for signal in made.service(0.1) if isinstance(signal, Ack)]
        found.update({token: ack for ack in acks for token in ack.tokens})
        return len(found) >= count

    wait_until(look, why=f"{count} acknowledgements; {made.last_error}")
    return found


def fact(number: int = 1, topic: str = "t/a", size: int = 0, retain: bool = False) -> Message:
    return Message(topic, b"%d" % number + b" " * size, "", 0.0, retain=retain)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_message_reaches_a_subscriber_and_its_acknowledgement_comes_back(
    tmp_path: Path, protocol: str
) -> None:
    with Mosquitto(tmp_path) as m, Subscriber(m.port) as ear, broker(m.url, protocol=protocol) as made:
        assert not made.connected
        assert not made.publish(1, fact()), "there is no connection yet"
        assert until(made, Up) == [Up(20 if protocol == "5" else 50)]  # 20: mosquitto's receive maximum
        assert made.connected
        for number in range(5):
            assert made.publish(100 + number, fact(number))
        fared = [(token, ack.outcome) for token, ack in fates(made, 5).items()]
        assert fared == [(100 + n, Outcome.ACCEPTED) for n in range(5)]
        assert [h.payload for h in ear.wait_count(5)] == [b"0", b"1", b"2", b"3", b"4"]
        assert made.last_error == ""


UNHEARD = {
    "MQTT 5 knows that nobody subscribes": ("5", "keep", Outcome.UNHEARD),
    "that may count as delivered": ("5", "drop", Outcome.ACCEPTED),
    "MQTT 3.1.1 does not know": ("3.1.1", "keep", Outcome.ACCEPTED),
}


@pytest.mark.parametrize(("protocol", "unheard", "outcome"), UNHEARD.values(), ids=UNHEARD.keys())
def test_without_a_subscriber(tmp_path: Path, protocol: str, unheard: str, outcome: Outcome) -> None:
    with Mosquitto(tmp_path) as m, broker(m.url, protocol=protocol, unheard=unheard) as made:
        until(made, Up)
        made.publish(1, fact())
        assert until(made, Ack) == [Ack((1,), outcome)]


def test_the_smaller_limit_of_messages_under_way_holds(tmp_path: Path) -> None:
    with Mosquitto(tmp_path, general=["max_inflight_messages 7"]) as m:
        for ours, agreed in ((50, 7), (3, 3)):
            with broker(m.url, inflight=ours) as made:
                assert until(made, Up) == [Up(agreed)]


def test_a_message_that_is_too_big_for_the_broker_is_not_sent_and_the_connection_lives(
    tmp_path: Path,
) -> None:
    with (
        Mosquitto(tmp_path, general=["max_packet_size 1000"]) as m,
        Subscriber(m.port),
        broker(m.url) as made,
    ):
        until(made, Up)
        header = 1 + 2 + 2 + len("t/a") + 2 + 1 + 3 + len("application/json")  # of a PUBLISH under MQTT 5
        made.publish(1, fact(1, size=1000 - header))
        made.publish(2, fact(2, size=1000 - header - 1))
        fared = fates(made, 2)
        big, fits = fared[1], fared[2]
        assert (big.outcome, fits.outcome) == (Outcome.UNSENDABLE, Outcome.ACCEPTED)
        assert (
            big.reason == "the broker takes 1000 bytes in a message, found 1001: raise its limit of a packet"
        )
        assert made.connected


DENIED = "the broker does not let this login write there: mend its access rules (Not authorized)"


def test_what_an_access_rule_forbids_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "acl").write_text("topic readwrite allowed/#\n")
    with Mosquitto(tmp_path, general=[f"acl_file {tmp_path}/acl"]) as m, broker(m.url) as made:
        until(made, Up)
        made.publish(1, fact())
        assert until(made, Ack) == [Ack((1,), Outcome.REFUSED, DENIED)]


def test_a_broker_that_retains_nothing_gets_messages_that_are_not_retained(tmp_path: Path) -> None:
    with Mosquitto(tmp_path, general=["retain_available false"]) as m, Subscriber(m.port) as ear:
        settings = BrokerSettings(url=m.url)
        made = Broker(settings, "x", Message("t/will", b"", "", 0.0), SystemClock())
        until(made, Up)
        made.publish(1, fact(retain=True))
        made.service(0.0)
        ear.wait_count(1)
        made.close(1.0)


# ── the operator's sentences ────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize(("name", "password"), [("eve", "wrong"), ("mallory", "right"), ("", "")])
def test_a_wrong_login_is_said(tmp_path: Path, protocol: str, name: str, password: str) -> None:
    with (
        Mosquitto(tmp_path, users={"eve": "right"}) as m,
        broker(m.url, protocol=protocol, username=name, password=Secret(password)) as made,
    ):
        (down,) = until(made, Down)
        said = f"{m.url}: it refused the login: check username and password (Not authorized)"
        assert down.reason == made.last_error == said
        assert not made.connected


def test_the_right_login_is_let_in(tmp_path: Path) -> None:
    with (
        Mosquitto(tmp_path, users={"eve": "right"}) as m,
        broker(m.url, username="eve", password=Secret("right")) as made,
    ):
        until(made, Up)


def test_a_port_where_nobody_listens_is_said() -> None:
    url = f"mqtt://127.0.0.1:{free_port()}"
    with broker(url) as made:
        (down,) = until(made, Down)
        assert down.reason == f"{url}: nobody listens there (connection refused)"


def test_a_name_that_nobody_knows_is_said() -> None:
    with broker("mqtt://no-such-host.invalid") as made:
        (down,) = until(made, Down)
        assert down.reason.startswith("mqtt://no-such-host.invalid: its name is not known (")


def test_a_frozen_broker_is_given_up_and_tried_again(tmp_path: Path) -> None:
    with Mosquitto(tmp_path) as m, broker(m.url, connect_timeout_s=0.3) as made:
        m.freeze()
        downs = until(made, Down, 2)
        m.thaw()
        assert downs[0].reason == f"{m.url}: connected, but no MQTT answer within 0.3 s"
        until(made, Up)
        assert made.last_error == ""


@contextmanager
def server(*answers: bytes) -> Iterator[tuple[str, list[bytes]]]:
    """Listens, reads the greeting, gives the next answer (the last one again and again), hangs up."""
    heard: list[bytes] = []
    with closing(socket.create_server(("127.0.0.1", 0))) as listening:

        def serve() -> None:
            while True:
                try:
                    connection, _ = listening.accept()
                except OSError:
                    return
                with connection:
                    connection.settimeout(5)
                    heard.append(connection.recv(4096))
                    connection.sendall(answers[min(len(heard), len(answers)) - 1])

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"mqtt://127.0.0.1:{listening.getsockname()[1]}", heard
        listening.shutdown(socket.SHUT_RDWR)
        thread.join()


ACCEPTED = b"\x20\x03\x00\x00\x00"
HOSTILE: dict[str, bytes] = {
    "nothing": b"",
    "a web server": b"HTTP/1.1 400 Bad Request\r\n\r\n",
    "half a packet": b"\x20",
    "an endless length": b"\x20\xff\xff\xff\xff\xff",
    "a reason that does not exist": b"\x20\x03\x00\x7b\x00",
    "a property that does not exist": b"\x20\x06\x00\x00\x03\x7f\x00\x01",
    "an acknowledgement of nothing": ACCEPTED + b"\x40\x02\x00\x63",
    "an acknowledgement that is cut short": ACCEPTED + b"\x40\x01\x00",
    "an acknowledgement with a reason that does not exist": ACCEPTED + b"\x40\x04\x00\x01\x7b\x00",
    "a message that is cut short": ACCEPTED + b"\x30\x01\x00",
    "a message whose topic is not UTF-8": ACCEPTED + b"\x30\x05\x00\x02\xff\xfe\x00",
    "a packet that only a client may send": ACCEPTED + b"\xc0\x00\x10\x00",
    **{f"noise {n}": ACCEPTED * (n % 2) + random.Random(n).randbytes(64) for n in range(20)},
}


@pytest.mark.parametrize("answer", HOSTILE.values(), ids=HOSTILE.keys())
def test_whatever_a_server_answers_it_is_said_and_tried_again(answer: bytes) -> None:
    with server(answer) as (url, heard), broker(url, connect_timeout_s=0.5) as made:
        published = False
        downs: list[Down] = []

        def look() -> bool:
            nonlocal published
            for signal in made.service(0.05):
                if isinstance(signal, Up):
                    published = made.publish(1, fact())
                if isinstance(signal, Down):
                    downs.append(signal)
            return len(heard) >= 2

        wait_until(look)
        assert downs
        assert downs[0].reason.startswith(f"{url}: ")
        assert "\n" not in downs[0].reason


FAREWELLS = {
    b"\x8b": "it shuts down (Server shutting down)",
    b"\x95": "a message was too large for it: raise its limit of a packet (Packet too large)",
    b"\x8e": "another client took over our identifier 'twin': two devices have one name, give each its own",
}


@pytest.mark.parametrize(("reason", "said"), FAREWELLS.items())
def test_the_farewell_of_a_broker_is_said(reason: bytes, said: str) -> None:
    with server(ACCEPTED + b"\xe0\x02" + reason + b"\x00") as (url, _), broker(url, client_id="twin") as made:
        (down,) = until(made, Down)
        assert down.reason == f"{url}: {said}"


def test_a_broker_without_mqtt_5_is_spoken_to_in_3_1_1() -> None:
    with server(b"\x20\x02\x00\x01", b"\x20\x02\x00\x00") as (url, heard), broker(url) as made:
        assert until(made, Up) == [Up(50)]
        versions = [greeting[greeting.index(b"MQTT") + 4] for greeting in heard]
        assert versions == [5, 4]


# ── encrypted ───────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def tls(tmp_path: Path, certificates: Path) -> Iterator[Mosquitto]:
    """A broker that wants our certificate too."""
    lines = [f"cafile {certificates}/ca.pem", f"certfile {certificates}/server.pem"]
    lines += [f"keyfile {certificates}/server.key", "require_certificate true"]
    with Mosquitto(tmp_path, listener=lines) as m:
        yield m


def test_an_encrypted_connection_with_certificates_of_both_sides(tls: Mosquitto, certificates: Path) -> None:
    c = certificates
    url = tls.url.replace("mqtt:", "mqtts:")
    with broker(url, ca=f"{c}/ca.pem", cert=f"{c}/client.pem", key=f"{c}/client.key") as made:
        until(made, Up)
        for token in range(50):
            made.publish(token, fact(token, size=2000, retain=True))
        assert [*fates(made, 20)] == [*range(20)]


# What paho leaves to the garbage collector when a handshake fails is closed at once, with this warning.
HANDSHAKE_FAILS = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


@HANDSHAKE_FAILS
def test_a_certificate_that_is_not_trusted_is_said(tls: Mosquitto, certificates: Path) -> None:
    with broker(tls.url.replace("mqtt:", "mqtts:"), ca=f"{certificates}/other.pem") as made:
        (down,) = until(made, Down)
        assert ": its certificate is not trusted: " in down.reason
        assert down.reason.endswith("; check ca and the host name")


@HANDSHAKE_FAILS
def test_a_port_that_is_not_encrypted_is_said(tmp_path: Path) -> None:
    with Mosquitto(tmp_path) as m, broker(m.url.replace("mqtt:", "mqtts:")) as made:
        (down,) = until(made, Down)
        assert ": no TLS connection: " in down.reason


def test_a_port_that_is_encrypted_is_said(tls: Mosquitto) -> None:
    with broker(tls.url) as made:
        (down,) = until(made, Down)
        assert down.reason.endswith("closed the connection before it answered; does it want TLS (mqtts)?")


def test_certificate_files_that_are_missing_or_are_none_are_configuration_errors(tmp_path: Path) -> None:
    junk = tmp_path / "junk.pem"
    junk.write_text("hello")
    for values in ({"ca": f"{junk}"}, {"ca": f"{tmp_path}/absent"}, {"cert": f"{junk}"}):
        with pytest.raises(ConfigError, match="expected a readable certificate in PEM form, found: "):
            Broker(BrokerSettings(url="mqtts://h", **values), "x", WILL, SystemClock())  # type: ignore[arg-type]


# ── losing and finding it again ─────────────────────────────────────────────────────────────────────────


def test_a_broker_that_comes_back_is_found_again(tmp_path: Path) -> None:
    with Mosquitto(tmp_path) as m, broker(m.url) as made:
        for end in (m.stop, m.kill):
            until(made, Up)
            end()
            (down,) = until(made, Down)
            assert down.reason.startswith(f"{m.url}: the ")
            assert not made.connected
            m.start()
        until(made, Up)


def test_the_will_is_sent_when_the_connection_breaks_and_not_after_a_farewell(tmp_path: Path) -> None:
    with Mosquitto(tmp_path) as m, Subscriber(m.port) as ear:
        with broker(m.url) as made:
            until(made, Up)
            made.drop("for the test")
            assert made.last_error == f"{m.url}: for the test"
            assert ear.wait_count(1)[0].payload == b"offline"
            until(made, Up)
        with broker(m.url, client_id="another") as made:
            until(made, Up)
            made.publish(1, fact(7))
            until(made, Ack)
        assert [h.payload for h in ear.wait_count(2)] == [b"offline", b"7"]


def test_a_wake_up_ends_waiting_also_from_another_thread(tmp_path: Path) -> None:
    with Mosquitto(tmp_path) as m, broker(m.url) as made:
        until(made, Up)
        clock = SystemClock()
        began = clock.monotonic()
        made.wake()
        made.service(1.0)
        timer = threading.Timer(0.05, made.wake)
        timer.start()
        made.service(1.0)
        timer.join()
        assert clock.monotonic() - began < 1.0
    made.wake()  # after the end it does nothing


def test_closing_without_a_connection_is_quick_and_harmless() -> None:
    with broker(f"mqtt://127.0.0.1:{free_port()}") as made:
        until(made, Down)


BAD_SETTINGS: dict[str, tuple[Callable[[], BrokerSettings], str]] = {
    "no scheme": (lambda: BrokerSettings(url="localhost"), "url"),
    "another scheme": (lambda: BrokerSettings(url="http://localhost"), "url"),
    "no host": (lambda: BrokerSettings(url="mqtt://:1883"), "url"),
    "a port out of range": (lambda: BrokerSettings(url="mqtt://h:70000"), "url"),
    "port 0": (lambda: BrokerSettings(url="mqtt://h:0"), "url"),
    "no address at all": (lambda: BrokerSettings(url=()), "url"),
    "a wrong one among several": (lambda: BrokerSettings(url=("mqtt://a", "ftp://b")), "url"),
    "a query": (lambda: BrokerSettings(url="wss://h/mqtt?token=hunter2"), "url"),
    "a session without end": (lambda: BrokerSettings(session_s=2**32), "session_s"),
    "a path": (lambda: BrokerSettings(url="mqtt://h/x"), "url"),
    "a login in the URL": (lambda: BrokerSettings(url="mqtt://eve:hunter2@h"), "url"),
    "a password without a name": (lambda: BrokerSettings(password=Secret("x")), "username"),
    "a key without a certificate": (lambda: BrokerSettings(key="k.pem"), "cert"),
    "no patience": (lambda: BrokerSettings(connect_timeout_s=0), "connect_timeout_s"),
    "nothing under way": (lambda: BrokerSettings(inflight=0), "inflight"),
    "no keep-alive": (lambda: BrokerSettings(keepalive_s=0), "keepalive_s"),
    "NUL in the identifier": (lambda: BrokerSettings(client_id="a\0"), "client_id"),
}


@pytest.mark.parametrize(("make", "field"), BAD_SETTINGS.values(), ids=BAD_SETTINGS.keys())
def test_settings_that_cannot_work_are_refused_without_showing_a_password(
    make: Callable[[], BrokerSettings], field: str
) -> None:
    with pytest.raises(ValueError, match=rf"^{field}: expected .* found") as caught:
        make()
    assert "hunter2" not in str(caught.value)


def test_ports_follow_from_the_scheme_and_a_password_is_not_shown() -> None:
    settings = BrokerSettings(url="mqtts://[::1]", username="eve", password=Secret("hunter2"))
    assert "hunter2" not in repr(settings)


ASK = "t/command/enrol"


@contextmanager
def listening(url: str, **values: Any) -> Iterator[Broker]:
    will = Message("t/will", b"offline", "w", 0.0, retain=True)
    made = Broker(BrokerSettings(url=url, **values), "t-b", will, SystemClock(), lambda: 0.0, topics=[ASK])
    try:
        yield made
    finally:
        made.close(1.0)


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_what_others_send_to_a_topic_of_ours_comes_in(tmp_path: Path, protocol: str) -> None:
    with (
        Mosquitto(tmp_path) as m,
        listening(m.url, protocol=protocol) as b,
        Subscriber(m.port, "t/#") as other,
    ):
        until(b, Up)
        wait_until(lambda: b.service(0.05) is not None and f"{ASK} (QoS 1)" in m.log())
        other.send("t/elsewhere", b"not for us")
        other.send(ASK, b"{}", answer_to="t/answers", correlation=b"\x00\x01")
        (came,) = until(b, Incoming)
        assert (came.topic, came.payload, came.retained) == (ASK, b"{}", False)
        expected = ("t/answers", b"\x00\x01") if protocol == "5" else ("", b"")
        assert (came.answer_to, came.correlation) == expected


def test_an_answer_carries_what_the_question_came_with(tmp_path: Path) -> None:
    with Mosquitto(tmp_path) as m, listening(m.url) as b, Subscriber(m.port, "t/#") as other:
        until(b, Up)
        assert b.publish(1, Message("t/answers", b"yes", "", 0.0, correlation=b"\x00\xff"))
        until(b, Ack)
        (heard,) = other.wait_count(1)
        assert (heard.payload, heard.correlation) == (b"yes", b"\x00\xff")


def test_under_mqtt_5_what_was_retained_does_not_come_again(tmp_path: Path) -> None:
    with Mosquitto(tmp_path) as m, Subscriber(m.port, "none") as other:
        other.send(ASK, b"old", retain=True)
        with listening(m.url) as b:
            until(b, Up)
            wait_until(lambda: b.service(0.05) is not None and f"{ASK} (QoS 1)" in m.log())
            other.send(ASK, b"new")
            assert [came.payload for came in until(b, Incoming)] == [b"new"]
        with listening(m.url, protocol="3.1.1") as b:
            assert [(came.payload, came.retained) for came in until(b, Incoming)] == [(b"old", True)]


def test_nothing_is_subscribed_to_without_a_topic_and_again_after_a_break_with_one(tmp_path: Path) -> None:
    with Mosquitto(tmp_path) as m:
        with broker(m.url) as b:
            until(b, Up)
            b.service(0.1)
            assert "SUBSCRIBE" not in m.log()
        with listening(m.url) as b, Subscriber(m.port, "none") as other:
            wait_until(lambda: b.service(0.05) is not None and m.log().count(f"{ASK} (QoS 1)") == 1)
            m.restart()
            wait_until(lambda: b.service(0.05) is not None and m.log().count(f"{ASK} (QoS 1)") >= 2)
            wait_until(other.is_connected)
            other.send(ASK, b"after")
            assert [came.payload for came in until(b, Incoming)] == [b"after"]
