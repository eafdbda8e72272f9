"""What we send is byte for byte what paho would, and acknowledgements are understood however they come."""

from __future__ import annotations

import socket
import threading
import time
from typing import Any

import paho.mqtt.client as mqtt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.properties import Properties

from agent.adapters.broker import Broker, BrokerSettings
from agent.adapters.broker.packets import Puback, of_message, publish_packet, read_puback
from agent.adapters.system import SystemClock
from agent.core.delivery import Ack, Down, Outcome, Signal, Up
from agent.core.incoming import Incoming
from agent.core.types import Message
from agent.core.wire import Wire

WIRE = Wire("spotter", "s", "d")


class Caught(mqtt.Client):
    """paho with its packets caught before they are sent."""

    packet = b""

    def _packet_queue(self, _command: int, packet: Any, *_: Any, **__: Any) -> Any:
        self.packet = bytes(packet)
        return mqtt.MQTT_ERR_SUCCESS


def by_paho(
    topic: str, payload: bytes, identifier: int, retain: bool, properties: Properties | None
) -> bytes:
    version = MQTTProtocolVersion.MQTTv311 if properties is None else MQTTProtocolVersion.MQTTv5
    client = Caught(CallbackAPIVersion.VERSION2, protocol=version)
    with socket.socket() as never_used:
        client._sock = never_used
        client._send_publish(identifier, topic.encode(), payload, 1, retain, False, None, properties)
        client._sock = None
    return client.packet


@given(
    topic=st.text(st.characters(exclude_categories=("Cs",), exclude_characters="+#\0"), min_size=1),
    size=st.sampled_from((0, 1, 100, 117, 118, 119, 127, 128, 16_000, 16_383, 16_384)),
    identifier=st.integers(1, 65_535),
    retain=st.booleans(),
    five=st.booleans(),
    late=st.booleans(),
)
def test_a_publish_is_the_one_that_paho_would_send(
    topic: str, size: int, identifier: int, retain: bool, five: bool, late: bool
) -> None:
    message = Message(topic, b"x" * size, "", 0.0, retain=retain, expiry_s=7, late=late)
    properties = of_message(message, 0) if five else None
    made = publish_packet(topic, message.payload, identifier, retain=retain, properties=properties)
    assert made == by_paho(topic, message.payload, identifier, retain, properties)


def test_a_large_one_too() -> None:
    for size in (2_097_151 - 7, 2_097_152, 3_000_000):
        made = publish_packet("t/a", b"x" * size, 1, retain=False, properties=None)
        assert made == by_paho("t/a", b"x" * size, 1, retain=False, properties=None)


@pytest.mark.parametrize("topic", ["", "a/+", "#", "a" * 65_536])
def test_a_topic_that_is_none_is_refused(topic: str) -> None:
    with pytest.raises(ValueError, match=r"^topic: expected one without wildcards"):
        publish_packet(topic, b"", 1, retain=False, properties=None)


LONG = b"\x1f\x00\xc8" + b"r" * 200  # a reason in words
PUBACKS = {
    "nothing but yes": (b"\x40\x02\x12\x34", Puback(4, 0x1234, 0)),
    "a reason": (b"\x40\x03\x00\x01\x10", Puback(5, 1, 0x10)),
    "a reason and no properties": (b"\x40\x04\x00\x01\x87\x00", Puback(6, 1, 0x87)),
    "a reason in words": (b"\x40\xd0\x01\x00\x02\x97\xcb\x01" + LONG, Puback(211, 2, 0x97)),
}


@pytest.mark.parametrize(("data", "expected"), PUBACKS.values(), ids=PUBACKS)
def test_acknowledgements_are_read_when_all_of_them_is_there(data: bytes, expected: Puback) -> None:
    assert expected.size == len(data)
    assert read_puback(b"before" + data + b"behind", 6) == expected
    for size in range(1, len(data)):
        assert read_puback(data[:size], 0) is None


@pytest.mark.parametrize("data", [b"\x40\x00", b"\x40\x01\x00", b"\x40\xff\xff\xff\xff\x01"])
def test_what_is_no_acknowledgement_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"^PUBACK: expected"):
        read_puback(data, 0)


def test_what_a_broker_refuses_is_told_before_it_hangs_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        url = f"mqtt://127.0.0.1:{listening.getsockname()[1]}"
        made = Broker(BrokerSettings(url=url), WIRE.root, WIRE.availability("offline"), SystemClock())
        made.service(0.0)  # connects
        connection, _ = listening.accept()
        with connection:
            connection.recv(4096)
            connection.sendall(b"\x20\x03\x00\x00\x00")
            while not made.connected:
                made.service(0.1)
            assert made.publish(7, Message("t", b"fact", "", 0.0))
            made.service(0.0)
            connection.recv(4096)
            connection.sendall(b"\x40\x03\x00\x01\x87")
        time.sleep(0.1)  # answer and end are both there
        (ack,) = made.service(1.0)
        assert isinstance(ack, Ack)
        assert (ack.tokens, ack.outcome) == ((7,), Outcome.REFUSED)
        (down,) = made.service(1.0)
        assert isinstance(down, Down)
        made.close(0.1)


def answering(listening: socket.socket, answer: bytes, piece: int, facts: int) -> None:
    """A broker that lets in, waits for the facts, and answers in pieces."""
    connection, _ = listening.accept()
    with connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.settimeout(5)
        connection.recv(4096)
        connection.sendall(b"\x20\x03\x00\x00\x00")
        heard = b""
        while heard.count(b"fact") < facts:
            heard += connection.recv(4096)
        for at in range(0, len(answer), piece):
            connection.sendall(answer[at : at + piece])
            if piece < 100:
                time.sleep(0.002)
        while connection.recv(4096):  # until it leaves
            pass


def acknowledged(signals: list[Signal]) -> list[tuple[int, Ack]]:
    return [(token, ack) for ack in signals if isinstance(ack, Ack) for token in ack.tokens]


@pytest.mark.parametrize("piece", [1, 3, 7, 1000])
def test_acknowledgements_may_come_in_pieces_and_between_other_packets(piece: int) -> None:
    answer = b"".join(
        (
            PUBACKS["nothing but yes"][0][:2] + b"\x00\x01",
            b"\x40\x03\x00\x02\x10",
            b"\xd0\x00",  # PINGRESP
            b"\x40\xd0\x01\x00\x03\x97\xcb\x01" + LONG,
            b"\x30\x09\x00\x03t/q\x00abc",  # PUBLISH
            b"\x40\x04\x00\x04\x7b\x00",  # a reason that does not exist
            b"\x40\x02\x00\x63",  # of nothing that was sent
            b"\x40\x02\x00\x05",
        )
    )
    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=answering, args=(listening, answer, piece, 5))
        thread.start()
        url = f"mqtt://127.0.0.1:{listening.getsockname()[1]}"
        made = Broker(BrokerSettings(url=url), WIRE.root, WIRE.availability("offline"), SystemClock())
        signals: list[Signal] = []
        end = time.monotonic() + 10
        while time.monotonic() < end and len(acknowledged(signals)) < 5:
            for signal in made.service(0.05):
                signals.append(signal)
                if isinstance(signal, Up):
                    assert all(made.publish(100 + n, Message("t", b"fact", "", 0.0)) for n in range(1, 6))
        made.close(0.2)
        thread.join()
    acks = acknowledged(signals)
    assert [(token, ack.outcome) for token, ack in acks] == [
        (101, Outcome.ACCEPTED),
        (102, Outcome.UNHEARD),
        (103, Outcome.REFUSED),
        (104, Outcome.REFUSED),
        (105, Outcome.ACCEPTED),
    ]
    assert "Quota exceeded" in acks[2][1].reason
    assert "reason code 0x7b" in acks[3][1].reason
    assert [each.payload for each in signals if isinstance(each, Incoming)] == [b"abc"]
    assert not [each for each in signals if isinstance(each, Down)]
