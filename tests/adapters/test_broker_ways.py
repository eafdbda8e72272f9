"""Ways to a broker: several addresses, websockets, renewed certificates; and what MQTT 5 carries on them."""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from agent.adapters.broker import Broker, BrokerSettings
from agent.adapters.broker.packets import of_message, packet_size
from agent.core.delivery import Ack, Down, Outcome, Up
from agent.core.incoming import Deaf, Incoming
from agent.core.types import Delivery, Message
from tests.adapters.test_broker import HANDSHAKE_FAILS, WILL, WIRE, broker, fact, fates, server, until
from tests.support.certificates import make_certificates, serving_tls
from tests.support.command_post import HurriedClock
from tests.support.mosquitto import Mosquitto, Subscriber, free_port, wait_until
from tests.support.websocket_bridge import websocket_bridge

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ASK = "t/command/enrol"


@contextmanager
def hurried(url: str | tuple[str, ...], **values: Any) -> Iterator[tuple[Broker, HurriedClock]]:
    """A broker whose time the test moves on."""
    clock = HurriedClock()
    topics = values.pop("topics", [])
    made = Broker(BrokerSettings(url=url, **values), WIRE.root, WILL, clock, lambda: 0.0, topics)
    try:
        yield made, clock
    finally:
        made.close(1.0)


def made_folder(path: Path) -> Path:
    path.mkdir()
    return path


# ── several addresses ───────────────────────────────────────────────────────────────────────────────────


def test_the_next_address_serves_when_the_first_does_not_and_all_reasons_are_told(tmp_path: Path) -> None:
    gone = f"mqtt://127.0.0.1:{free_port()}"
    with (
        Mosquitto(made_folder(tmp_path / "a"), users={"eve": "right"}) as strict,
        Mosquitto(tmp_path / "b") as good,
        broker((gone, strict.url, good.url)) as made,  # type: ignore[arg-type]
    ):
        _, second = until(made, Down, 2)
        assert second.reason == (
            f"{gone}: nobody listens there (connection refused); "
            f"{strict.url}: it refused the login: check username and password (Not authorized)"
        )
        until(made, Up)
        assert made.last_error == ""
        made.publish(1, fact())
        until(made, Ack)
        assert "New client connected" in good.log()


def test_a_connection_is_not_broken_to_go_back_and_the_first_is_tried_when_it_ends(tmp_path: Path) -> None:
    with Mosquitto(tmp_path / "a") as first, Mosquitto(tmp_path / "b") as second:
        first.stop()
        with hurried((first.url, second.url)) as (made, clock):
            until(made, Up)
            first.start()
            clock.ahead_s += 20
            assert not [s for s in made.service(0.2) if isinstance(s, Down)]
            second.stop()
            (down,) = until(made, Down)
            assert down.reason.startswith(f"{second.url}: ")
            until(made, Up)
            assert "New client connected" in first.log()
            second.start()


ACCEPTED = b"\x20\x03\x00\x00\x00"


def test_another_client_with_our_identifier_is_said_also_when_there_is_a_connection_again() -> None:
    said = "another client took over our identifier 'twin': two devices have one name"
    taken_over = ACCEPTED + b"\xe0\x02\x8e\x00"
    with server(taken_over, ACCEPTED) as (url, heard), hurried(url, client_id="twin") as (made, clock):
        (down,) = until(made, Down)
        assert down.reason.startswith(f"{url}: {said}")
        clock.ahead_s += 14
        made.service(0.1)
        assert len(heard) == 1, "it waits longer than for a broker that was away"
        clock.ahead_s += 2
        until(made, Up)
        assert made.warning.startswith(said)
        clock.ahead_s += 3600
        assert made.warning == ""


def test_where_the_broker_does_not_say_so_it_is_asked(tmp_path: Path) -> None:
    with Mosquitto(tmp_path) as m, broker(m.url, client_id="twin") as one:
        until(one, Up)
        with broker(m.url, client_id="twin") as two:
            until(two, Up)
            (down,) = until(one, Down)
    lost = f"{m.url}: the connection to the broker was lost soon after it was made; "
    assert down.reason.startswith((lost + "does another client", f"{m.url}: another client took over"))


# ── websockets ──────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_certificates(tmp_path_factory.mktemp("certificates"))


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
@pytest.mark.parametrize("encrypted", [False, True])
def test_a_broker_behind_a_websocket(
    tmp_path: Path, certificates: Path, protocol: str, encrypted: bool
) -> None:
    scheme, ca, tls = "ws", "", None
    if encrypted:
        scheme, ca, tls = "wss", f"{certificates}/ca.pem", serving_tls(certificates)
    with (
        Mosquitto(tmp_path) as m,
        websocket_bridge(m.port, "/broker", tls) as port,
        broker(f"{scheme}://127.0.0.1:{port}/broker", protocol=protocol, ca=ca) as made,
    ):
        until(made, Up)
        for token in range(20):
            made.publish(token, fact(token, size=2000, retain=True))
        assert sorted(fates(made, 20)) == [*range(20)]
        made.drop("for the test")
        until(made, Up)


@HANDSHAKE_FAILS
def test_a_port_without_a_websocket_is_said(tmp_path: Path) -> None:
    answer = b"HTTP/1.1 404 Not Found\r\nConnection: close\r\n\r\n"
    with server(answer) as (url, _), broker(url.replace("mqtt:", "ws:") + "/elsewhere") as made:
        (down,) = until(made, Down)
        assert down.reason.endswith(": no websocket at '/elsewhere': is it the right port and path?")


# ── certificates that are renewed ───────────────────────────────────────────────────────────────────────


def replace_file(source: Path, target: Path) -> None:
    shutil.copy(source, target.with_suffix(".new"))
    target.with_suffix(".new").replace(target)


def test_renewed_certificates_are_used_without_a_restart_and_bad_ones_are_said(
    tmp_path: Path, certificates: Path
) -> None:
    lines = [f"cafile {certificates}/ca.pem", f"certfile {certificates}/server.pem"]
    lines += [
        f"keyfile {certificates}/server.key",
        "require_certificate true",
        "use_identity_as_username true",
    ]
    for name in ("client.pem", "client.key"):
        shutil.copy(certificates / name, tmp_path / name)
    files = {
        "ca": f"{certificates}/ca.pem",
        "cert": f"{tmp_path}/client.pem",
        "key": f"{tmp_path}/client.key",
    }
    with (
        Mosquitto(tmp_path / "broker", listener=lines) as m,
        hurried(m.url.replace("mqtt:", "mqtts:"), **files) as (made, clock),
    ):
        until(made, Up)
        assert "u'client'" in m.log()
        (tmp_path / "client.pem").write_text("half a certif")
        clock.ahead_s += 11
        assert made.service(0.1) == []
        assert made.connected
        assert made.warning.startswith(f"renewed, and not used yet: {tmp_path}/client.pem")
        # `server` is signed by the same authority: to this broker it is another client
        replace_file(certificates / "server.pem", tmp_path / "client.pem")
        replace_file(certificates / "server.key", tmp_path / "client.key")
        clock.ahead_s += 11
        (down,) = until(made, Down)
        assert down.reason.endswith("the certificate files were renewed: connecting anew")
        until(made, Up)
        assert made.warning == ""
        assert "u'server'" in m.log()
        made.publish(1, fact())
        until(made, Ack)


# ── what MQTT 5 carries ─────────────────────────────────────────────────────────────────────────────────


def test_content_type_and_expiry_are_carried(tmp_path: Path) -> None:
    number = WIRE.metrics({"a": 1}, 1.0, 5.0)
    with Mosquitto(tmp_path) as m, Subscriber(m.port) as ear, broker(m.url, expiry_s=1000) as made:
        until(made, Up)
        made.publish(1, WIRE.availability("online"))
        made.publish(2, number)
        made.publish(3, fact(3))
        made.publish(4, Message("t/state", b"{}", "", 0.0, delivery=Delivery.STATE))
        made.service(0.0)
        heard = {h.topic: h for h in ear.wait_count(4)}
    assert heard[f"{WIRE.root}/availability"].content_type == "text/plain"
    assert heard["t/a"].content_type == "application/json"
    left = {topic: h.expiry_s for topic, h in heard.items()}
    assert left.pop(number.topic) in range(290, 301)
    assert left.pop("t/a") in range(990, 1001)
    assert set(left.values()) == {0}, "states are true until they change"


def test_the_will_says_what_it_is(tmp_path: Path) -> None:
    with Mosquitto(tmp_path) as m, Subscriber(m.port) as ear, broker(m.url) as made:
        until(made, Up)
        made.drop("for the test")
        assert ear.wait_count(1)[0].content_type == "text/plain"


@pytest.mark.parametrize(("session_s", "kept"), [(0, False), (3600, True)])
def test_commands_for_a_device_that_is_away_are_kept_where_that_is_wanted(
    tmp_path: Path, session_s: int, kept: bool
) -> None:
    came: list[bytes] = []
    with Mosquitto(tmp_path) as m, Subscriber(m.port, "none") as other:

        def connect(times: int, last: bytes = b"") -> None:
            """Until it has subscribed so often, and heard this."""
            with hurried(m.url, topics=[ASK], session_s=session_s) as (made, _):

                def listen() -> bool:
                    came.extend(s.payload for s in made.service(0.05) if isinstance(s, Incoming))
                    return m.log().count(f"{ASK} (QoS 1)") >= times

                wait_until(listen)
                if last:
                    other.send(ASK, last)
                    wait_until(lambda: listen() and came[-1:] == [last])

        connect(1)
        other.send(ASK, b"while it was away")
        connect(2, b"now")
    assert came == ([b"while it was away"] if kept else []) + [b"now"]


def test_a_topic_that_we_may_not_listen_to_is_said(tmp_path: Path) -> None:
    suback = b"\x90\x04\x00\x01\x00\x87"
    with server(b"\x20\x03\x00\x00\x00" + suback) as (url, _), hurried(url, topics=[ASK]) as (made, _):
        (deaf,) = until(made, Deaf)
    assert deaf.reason == (
        f"{ASK}: the broker does not let this login listen there: mend its rules (Not authorized)"
    )


REFUSALS = {
    b"\x85": "it does not take our client identifier: set mqtt.client_id (Client identifier not valid)",
    b"\x88": "it is not ready now (Server unavailable)",
    b"\x9d": "it sends us to another broker for good: set mqtt.url (Server moved)",
    b"\x83": "it refused the connection (Implementation specific error)",
}


@pytest.mark.parametrize(("code", "said"), REFUSALS.items())
def test_why_a_broker_does_not_let_us_in_is_said(code: bytes, said: str) -> None:
    with server(b"\x20\x03\x00" + code + b"\x00") as (url, _), broker(url) as made:
        (down,) = until(made, Down)
        assert down.reason == f"{url}: {said}"


def test_what_a_broker_adds_in_its_own_words_is_told() -> None:
    own = b"\x1f\x00\x07no more\x1c\x00\x06b2.lan"
    answer = b"\x20" + bytes([3 + len(own)]) + b"\x00\x9c" + bytes([len(own)]) + own
    with server(answer) as (url, _), broker(url) as made:
        (down,) = until(made, Down)
        assert down.reason == (
            f"{url}: it sends us to another broker for now (Use another server, 'no more', 'b2.lan')"
        )


def test_the_size_of_a_packet_is_known_before_it_is_sent(tmp_path: Path) -> None:
    answer = Message("t/answer", b"x" * 600, "", 0.0, correlation=b"\x01\x02", expiry_s=7)
    for message in (fact(1, size=600), fact(2, size=20_000), answer):
        whole = packet_size(message, of_message(message, 0))
        with (
            Mosquitto(tmp_path / f"{whole}", general=[f"max_packet_size {whole}"]) as m,
            Subscriber(m.port),
            broker(m.url) as made,
        ):
            until(made, Up)
            made.publish(1, message)
            assert until(made, Ack) == [Ack((1,), Outcome.ACCEPTED)]
