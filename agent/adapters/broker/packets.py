"""The packets of facts and of their acknowledgements, and what MQTT 5 carries beside topic and payload.

That is paho's properties; under 3.1.1 nothing of it is sent.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties, VariableByteIntegers

from agent.core.errors import quoted
from agent.core.types import Delivery

if TYPE_CHECKING:
    from agent.core.types import Message

_LIMIT_BYTES: Final = 16_000_000
"""A broker of MQTT 5 sends us nothing larger. What is refused for its size with an answer is half of that."""

_TEXT_BYTES: Final = 65_535
"""Of any text in MQTT."""

_AT_ONCE: Final = 4
"""Messages that a broker of MQTT 5 sends us before we took the first: with the limit, 64 MB."""


class Packed(Properties):
    """Properties whose bytes are known. Making and packing paho's own takes 17 µs a message."""

    data: bytes

    def __init__(self, data: bytes) -> None:
        object.__setattr__(self, "data", data)

    def pack(self) -> bytes:
        """The bytes, their length in front."""
        return self.data

    def __str__(self) -> str:
        return f"[{len(self.pack())} bytes]"


def of_connect(*, listens: bool, session_s: int) -> Properties:
    """Of CONNECT: how much we take, and for how long the broker keeps what comes while we are away."""
    properties = _properties(PacketTypes.CONNECT)
    if listens:
        properties.MaximumPacketSize = _LIMIT_BYTES
        properties.ReceiveMaximum = _AT_ONCE
        properties.SessionExpiryInterval = session_s
    return properties  # type: ignore[no-any-return]


def of_will(message: Message) -> Properties:
    """Of the last will."""
    properties = _properties(PacketTypes.WILLMESSAGE)
    properties.ContentType = message.content_type
    return properties  # type: ignore[no-any-return]


def of_message(message: Message, fact_expiry_s: int) -> Packed:
    """Of PUBLISH. `fact_expiry_s` holds for facts that say nothing of their own; 0: they never expire."""
    expiry_s = message.expiry_s or (fact_expiry_s if message.delivery is Delivery.FACT else 0)
    if message.correlation:
        return Packed(_packed(message.content_type, expiry_s, message.late, message.correlation))
    usual = _usual(message.content_type, expiry_s, message.late)
    return _with_attributes(usual, message.attributes) if message.attributes else usual


def as_it_is(message: Message, _v5: bool) -> Message:
    """What is sent of a message where it gets no envelope."""
    return message


def too_big(message: Message, properties: Packed | None, limit: int) -> str:
    """Why a broker that takes `limit` bytes (0: any number) takes no such packet; empty when it does."""
    size = packet_size(message, properties) if limit else 0
    if size <= limit:
        return ""
    return f"the broker takes {limit} bytes in a message, found {size}: raise its limit of a packet"


def publish_packet(
    topic: str, payload: bytes, identifier: int, *, retain: bool, properties: Packed | None
) -> bytes:
    """A PUBLISH of QoS 1 (MQTT 5, 3.3); `properties` None: of MQTT 3.1.1.

    Raises:
        ValueError: a topic with wildcards or of more than 64 kB, or 256 MB in all.
    """
    name = _topic(topic)
    extra = properties.data if properties is not None else b""
    return b"".join(
        (
            b"\x33" if retain else b"\x32",
            _variable(len(name) + 2 + len(extra) + len(payload)),
            name,
            identifier.to_bytes(2, "big"),
            extra,
            payload,
        )
    )


@lru_cache(maxsize=64)
def _topic(topic: str) -> bytes:
    data = topic.encode()
    if not data or b"+" in data or b"#" in data or len(data) > _TEXT_BYTES:
        raise ValueError(f"topic: expected one without wildcards, found {quoted(topic)}")
    return len(data).to_bytes(2, "big") + data


class Puback(NamedTuple):
    """An acknowledgement (MQTT 5, 3.4)."""

    size: int  # bytes of the packet
    identifier: int
    reason: int


def read_puback(data: bytes, at: int) -> Puback | None:
    """The PUBACK that begins there, whose first byte says that it is one; None: some of it is not there yet.

    Raises:
        ValueError: it is none.
    """
    if data[at + 1 : at + 2] == b"\x02":  # nearly all: nothing but yes
        if len(data) < at + 4:
            return None
        return Puback(4, data[at + 2] << 8 | data[at + 3], 0)
    length, place = 0, at + 1
    for shift in (0, 7, 14, 21):
        if place >= len(data):
            return None
        length |= (data[place] & 127) << shift
        place += 1
        if data[place - 1] < 128:
            break
    else:
        raise ValueError("PUBACK: expected a length of at most 4 bytes")
    if length < 2:
        raise ValueError(f"PUBACK: expected at least 2 bytes, found {length}")
    if len(data) < place + length:
        return None
    reason = data[place + 2] if length > 2 else 0
    return Puback(place + length - at, data[place] << 8 | data[place + 1], reason)


def _variable(number: int) -> bytes:
    """A variable byte integer (MQTT 5, 1.5.5). Raises ValueError beyond 4 bytes."""
    if number < 128:
        return bytes((number,))
    if number < 16_384:
        return bytes((number & 127 | 128, number >> 7))
    if number >= 1 << 28:
        raise ValueError(f"packet: expected less than 256 MB, found {number} bytes")
    rest = bytearray()
    while number > 127:
        rest.append(number & 127 | 128)
        number >>= 7
    return bytes((*rest, number))


def packet_size(message: Message, properties: Packed | None) -> int:
    """Bytes of the PUBLISH packet; None is for MQTT 3.1.1, which has no properties."""
    extra = len(properties.pack()) if properties else 0
    rest = 2 + len(message.topic.encode()) + 2 + extra + len(message.payload)
    length_bytes = 1 + (rest >= 128) + (rest >= 16_384) + (rest >= 2_097_152)
    return 1 + length_bytes + rest


@lru_cache(maxsize=64)
def _usual(content_type: str, expiry_s: int, late: bool) -> Packed:
    return Packed(_packed(content_type, expiry_s, late, b""))


def _with_attributes(usual: Packed, attributes: tuple[tuple[str, str], ...]) -> Packed:
    """And these as user properties: a code and two texts with their lengths in front (MQTT 5, 1.5.7)."""
    _, start = VariableByteIntegers.decode(usual.data)  # type: ignore[no-untyped-call]
    pairs = [b"\x26" + _text(name) + _text(value) for name, value in attributes]
    body = b"".join((usual.data[start:], *pairs))
    return Packed(VariableByteIntegers.encode(len(body)) + body)  # type: ignore[no-untyped-call]


def _text(text: str) -> bytes:
    data = text.encode()
    return len(data).to_bytes(2) + data


def _packed(content_type: str, expiry_s: int, late: bool, correlation: bytes) -> bytes:
    properties = _properties(PacketTypes.PUBLISH)
    properties.ContentType = content_type
    if expiry_s:
        properties.MessageExpiryInterval = expiry_s
    if late:
        properties.UserProperty = ("late", "true")
    if correlation:
        properties.CorrelationData = correlation
    return bytes(properties.pack())


def _properties(kind: int) -> Any:
    return Properties(kind)  # type: ignore[no-untyped-call]
