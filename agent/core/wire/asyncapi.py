"""The AsyncAPI document of a device: made of the same table that its messages are made by."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from agent.core.commands import COMMANDS
from agent.core.wire.cloudevents import STRUCTURED, attributes_schema, event_schema, schema_of
from agent.core.wire.definitions import ANSWER_EXPIRY_S, COMMAND, DEFINITIONS, RESULT
from agent.core.wire.orders import request_schemas, result_schemas
from agent.core.wire.schemas import SCHEMA

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agent.core.wire.cloudevents import Envelope
    from agent.core.wire.definitions import Definition

_VERSION: Final = "3.0.0"
_BINDING: Final = "0.2.0"
_PARAMETERS: Final = {
    "prefix": {"description": "mqtt.prefix", "default": "spotter"},
    "site": {"description": "store or warehouse"},
    "device": {"description": "unique within the site"},
    "camera": {"description": "cameras[].id"},
    "shipment": {"description": "as it was opened"},
    "slot": {"description": "name of a slot of the camera's planogram"},
}
_ANSWER: Final = "command_result"


def document(
    version: str, server: Mapping[str, str], device: Mapping[str, str], envelope: Envelope = "plain"
) -> dict[str, Any]:
    """AsyncAPI 3, from the view of the device: what it sends, and what it receives.

    Args:
        version: of Spotter.
        server: `host`, `protocol` and, for a websocket, `pathname` of the broker.
        device: `prefix`, `site` and `device` where they are known; else they stay parameters.
        envelope: what is put around events.
    """
    root = "/".join(device.get(name, f"{{{name}}}") for name in ("prefix", "site", "device"))
    said = {kind: each for kind, each in DEFINITIONS.items() if kind != _ANSWER}
    channels = {kind: _channel(f"{root}/{each.address}", kind) for kind, each in said.items()}
    operations = {f"send_{kind}": _send(kind, each) for kind, each in said.items()}
    known = root if len(device) == 3 else ""
    messages = {kind: _said(kind, envelope, known) for kind in said}
    for name in COMMANDS:
        key = f"{COMMAND}_{name.replace('/', '_')}"
        answer = f"{key}_{RESULT}"
        channels[key] = _channel(f"{root}/{COMMAND}/{name}", key)
        channels[answer] = _channel(f"{root}/{COMMAND}/{name}/{RESULT}", answer)
        messages[key] = _message(request_schemas()[name], "application/json")
        messages[answer] = _message(_answer_schema(name), "application/json")
        operations[f"receive_{key}"] = _receive(key, answer, COMMANDS[name].does)
    return {
        "asyncapi": _VERSION,
        "info": {
            "title": "Spotter",
            "version": version,
            "description": f"What an edge device that recognises products says and takes. Schema {SCHEMA}.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "servers": {"broker": {**server, "protocolVersion": "5"}},
        "channels": channels,
        "operations": operations,
        "components": {"messages": messages},
    }


def _channel(address: str, kind: str) -> dict[str, Any]:
    parameters = {name: each for name, each in _PARAMETERS.items() if f"{{{name}}}" in address}
    channel: dict[str, Any] = {
        "address": address,
        "messages": {kind: {"$ref": f"#/components/messages/{kind}"}},
    }
    return channel | ({"parameters": parameters} if parameters else {})


def _said(kind: str, envelope: Envelope, root: str) -> dict[str, Any]:
    """What the device says, in its envelope."""
    definition = DEFINITIONS[kind]
    message = _message(definition.schema, definition.content_type)
    if envelope == "plain" or not definition.event:
        return message
    if envelope == "cloudevents":
        return {**message, "contentType": STRUCTURED, "payload": event_schema(kind, root)}
    return {
        **message,
        "description": f"Over MQTT 3.1.1, which has no user properties, it is {STRUCTURED} instead.",
        "headers": attributes_schema(kind, root),
        "payload": {"$id": schema_of(kind), **message["payload"]},
    }


def _message(schema: dict[str, Any], content_type: str) -> dict[str, Any]:
    title, description = schema["title"], schema.get("description", "")
    return {
        "name": title,
        "title": title,
        "summary": description,
        "contentType": content_type,
        # As AsyncAPI's own schemas, which know all words that we use: parsers know no later JSON Schema.
        "payload": {key: value for key, value in schema.items() if key != "$schema"},
    }


def _send(kind: str, definition: Definition) -> dict[str, Any]:
    binding: dict[str, Any] = {"qos": definition.qos, "retain": definition.retain}
    if definition.expiry_s:
        binding["messageExpiryInterval"] = definition.expiry_s
    return {
        "action": "send",
        "channel": {"$ref": f"#/channels/{kind}"},
        "summary": definition.schema["description"],
        "messages": [{"$ref": f"#/channels/{kind}/messages/{kind}"}],
        "bindings": {"mqtt": {**binding, "bindingVersion": _BINDING}},
    }


def _receive(key: str, answer: str, does: str) -> dict[str, Any]:
    return {
        "action": "receive",
        "channel": {"$ref": f"#/channels/{key}"},
        "summary": does,
        "description": "Where `commands.allow` names it. The answer goes to the response topic of MQTT 5, "
        "with the correlation data; without one to the channel of the reply.",
        "messages": [{"$ref": f"#/channels/{key}/messages/{key}"}],
        "bindings": {"mqtt": {"qos": 1, "retain": False, "bindingVersion": _BINDING}},
        "reply": {
            "channel": {"$ref": f"#/channels/{answer}"},
            "messages": [{"$ref": f"#/channels/{answer}/messages/{answer}"}],
        },
    }


def _answer_schema(name: str) -> dict[str, Any]:
    """Of the answer to one command: its `result` is empty where it was not done."""
    schema = DEFINITIONS[_ANSWER].schema
    result = {"anyOf": [result_schemas()[name], {"type": "object", "maxProperties": 0}]}
    properties = {**schema["properties"], "command": {"const": name}, "result": result}
    return {
        **schema,
        "title": f"command {name} result",
        "description": f"{schema['description']} Of no use after {ANSWER_EXPIRY_S} s.",
        "properties": properties,
    }
