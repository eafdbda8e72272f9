"""Sparkplug B payloads as bytes, by protobuf: the one place that knows its messages.

The fields are described here by the numbers that the specification gives them, those alone that we write or
read. protobuf passes over the others.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from agent.core.errors import ConfigError
from agent.core.wire.sparkplug import Metric, Payload, Type, Value

_FIELDS: Final = {
    "Payload": ("timestamp uint64 1", "metrics Metric* 2", "seq uint64 3"),
    "Metric": (
        "name string 1",
        "alias uint64 2",
        "timestamp uint64 3",
        "datatype uint32 4",
        "is_null bool 7",
        "int_value uint32 10",
        "long_value uint64 11",
        "float_value float 12",
        "double_value double 13",
        "boolean_value bool 14",
        "string_value string 15",
    ),
}
"""Name, type (`*`: repeated) and number. The values are alternatives of one another."""

_VALUES: Final[dict[type, str]] = {
    bool: "boolean_value",
    int: "long_value",
    float: "double_value",
    str: "string_value",
}


_TYPES: Final = frozenset(Type)


@dataclass(frozen=True, slots=True)
class Codec:
    """Turns payloads into bytes and back."""

    _payload: Any  # the message class
    _broken: type[Exception]  # what protobuf raises for bytes that are none of its messages

    def encode(self, payload: Payload) -> bytes:
        """The bytes of a payload."""
        message = self._payload()
        if payload.utc is not None:
            message.timestamp = _ms(payload.utc)
        if payload.seq is not None:
            message.seq = payload.seq
        for metric in payload.metrics:
            _fill(message.metrics.add(), metric)
        return bytes(message.SerializeToString())

    def decode(self, data: bytes) -> Payload:
        """What others send us.

        Raises:
            ValueError: it is no such payload.
        """
        message = self._payload()
        try:
            message.ParseFromString(data)
        except self._broken as error:
            raise ValueError(f"expected a Sparkplug B payload, found other bytes: {error}") from None
        return Payload(
            utc=message.timestamp / 1000 if message.HasField("timestamp") else None,
            metrics=tuple(_read(metric) for metric in message.metrics),
            seq=message.seq if message.HasField("seq") else None,
        )


def load_codec() -> Codec:
    """The codec. Only who is an edge node needs protobuf.

    Raises:
        ConfigError: it is not installed.
    """
    try:
        from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
        from google.protobuf.message import DecodeError
    except ImportError as error:
        raise ConfigError(
            f"sparkplug: expected protobuf, found {error}: pip install 'spotter-agent[sparkplug]'"
        ) from None
    file = descriptor_pb2.FileDescriptorProto(
        name="spotter/sparkplug_b.proto", package="spotter", syntax="proto2"
    )
    for name, fields in _FIELDS.items():
        message = file.message_type.add(name=name)
        if name == "Metric":
            message.oneof_decl.add(name="value")
        for each in fields:
            field, kind, number = each.split()
            described = message.field.add(name=field, number=int(number))
            described.label = described.LABEL_REPEATED if kind.endswith("*") else described.LABEL_OPTIONAL
            if kind[0].isupper():
                described.type, described.type_name = described.TYPE_MESSAGE, f".spotter.{kind.rstrip('*')}"
            else:
                described.type = getattr(described, f"TYPE_{kind.upper()}")
            if field.endswith("_value"):
                described.oneof_index = 0
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return Codec(
        message_factory.GetMessageClass(pool.FindMessageTypeByName("spotter.Payload")),
        DecodeError,
    )


def _fill(message: Any, metric: Metric) -> None:
    if metric.name:
        message.name = metric.name
    if metric.alias is not None:
        message.alias = metric.alias
    if metric.utc is not None:
        message.timestamp = _ms(metric.utc)
    if metric.type is not None:
        message.datatype = metric.type
    if metric.value is None:
        message.is_null = True
    else:
        setattr(message, _VALUES[type(metric.value)], metric.value)


def _read(message: Any) -> Metric:
    which = message.WhichOneof("value")
    value: Value = getattr(message, which) if which else None
    known = message.datatype in _TYPES
    return Metric(
        name=message.name,
        type=Type(message.datatype) if known else None,
        value=value,
        utc=message.timestamp / 1000 if message.HasField("timestamp") else None,
        alias=message.alias if message.HasField("alias") else None,
    )


def _ms(utc: float) -> int:
    return round(utc * 1000)
