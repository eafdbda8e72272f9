"""The body of a request to a webhook: several messages as one JSON array."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from agent.core.payload import encode
from agent.core.wire.cloudevents import BATCH, event_schema, in_envelope
from agent.core.wire.definitions import DEFINITIONS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agent.core.types import Message
    from agent.core.wire.cloudevents import Envelope


def posted(messages: Sequence[Message], root: str, envelope: Envelope) -> tuple[bytes, str]:
    """The body and its content type. Each message is one of JSON, marked late where it is.

    In an envelope it is a batch of CloudEvents, also where MQTT carries them in binary mode; without one each
    is an object with `topic`, `payload` and `retain`, as `spotter demo --json` prints them.
    """
    if envelope == "plain":
        return b"[" + b",".join(_plain(message) for message in messages) + b"]", "application/json"
    events = (in_envelope(message, root, envelope, properties=False).payload for message in messages)
    return b"[" + b",".join(events) + b"]", BATCH


def posted_schema(kind: str, root: str, envelope: Envelope) -> dict[str, Any]:
    """JSON Schema of one item, of this kind, of such an array."""
    if envelope != "plain":
        return event_schema(kind, root)
    definition = DEFINITIONS[kind]
    return {
        "type": "object",
        "properties": {
            "topic": {"type": "string", "minLength": 1, "description": "where MQTT has it"},
            "payload": {key: value for key, value in definition.schema.items() if key != "$schema"},
            "retain": {"const": definition.retain},
        },
        "required": ["payload", "retain", "topic"],
    }


def _plain(message: Message) -> bytes:
    retain = b"true" if message.retain else b"false"
    topic = encode({"topic": message.topic})[1:]
    return b'{"payload":' + message.payload + b',"retain":' + retain + b"," + topic
