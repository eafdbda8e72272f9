"""Judges every message that the test-suite makes or hears by the schema of its kind.

Messages are made in one place, `Wire._made`, and heard in one, `Subscriber`. What a daemon in a process of its
own says is heard; there a topic that no definition knows is wrong too. Tests that publish contents of their own
do so as devices of other sites than `test`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import Any

import jsonschema
import pytest

from agent.core.payload import content
from agent.core.types import Message
from agent.core.wire import DEFINITIONS, Wire, result_schemas
from agent.core.wire.cloudevents import BATCH, attributes_schema, event_schema
from agent.core.wire.definitions import COMMAND, RESULT, kind_of
from agent.core.wire.home_assistant_schema import home_assistant
from agent.core.wire.posted import posted_schema

SITE = "test"

judged: Counter[str] = Counter()
"""Kind → messages that were judged in this process."""

problems: list[str] = []
"""What was wrong, since they were last looked at."""


def judge_heard(topic: str, payload: bytes, attributes: Mapping[str, str] | None = None) -> None:
    """A message that a subscriber heard; an empty one takes a retained one back.

    Where it is a CloudEvent, by its payload or by its attributes beside that, its envelope is judged too.
    """
    if payload and re.fullmatch("[^/]+/device/spotter-[^/]+/config", topic):
        _judge("home_assistant", topic, payload)
    levels = topic.split("/", 3)
    if len(levels) < 4 or levels[1] != SITE or not payload:
        return
    root, below = "/".join(levels[:3]), levels[3]
    kind = kind_of(below)
    if kind and attributes and "specversion" in attributes:
        _judge_by(attributes_schema(kind, root), topic, kind, dict(attributes))
        _judge(kind, topic, payload)
    elif kind and payload.startswith(b'{"data":'):
        judged[kind] += 1
        _judge_by(event_schema(kind, root), topic, kind, content(payload))
    elif kind:
        _judge(kind, topic, payload)
    elif not below.startswith(f"{COMMAND}/"):  # those are what tests ask for
        problems.append(f"{topic}: no definition knows this topic")


def judge_posted(content_type: str, body: bytes) -> None:
    """A request to a webhook, of a device of our site."""
    batch = content_type == BATCH
    if not batch and content_type != "application/json":
        problems.append(f"a webhook was sent {content_type!r}")
        return
    for item in content(body):
        said = item["data"] if batch else item["payload"]
        root = f"spotter/{said['site']}/{said['device']}"
        kind = item["type"].split(".")[2] if batch else kind_of(item["topic"].removeprefix(f"{root}/"))
        if said["site"] == SITE:
            judged[kind] += 1
            schema = posted_schema(kind, root, "cloudevents" if batch else "plain")
            _judge_by(schema, f"webhook: {root}", kind, item)


@contextmanager
def judging_what_is_made() -> Iterator[None]:
    """Every message that a `Wire` of this process makes is judged."""
    made = Wire._made

    def judged_too(self: Wire, kind: str, payload: bytes, utc: float, **more: Any) -> Message:
        message = made(self, kind, payload, utc, **more)
        _judge(kind, message.topic, payload)
        return message

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Wire, "_made", judged_too)
        yield


def taken_problems() -> list[str]:
    """What was wrong since the last call."""
    found = problems.copy()
    problems.clear()
    return found


def _judge(kind: str, topic: str, payload: bytes) -> None:
    judged[kind] += 1
    said = content(payload)
    wrong = next(_validator(kind).iter_errors(said), None)
    if wrong is None and kind == f"{COMMAND}_{RESULT}" and said["ok"]:
        schema = result_schemas().get(said["command"], {})
        wrong = next(jsonschema.Draft202012Validator(schema).iter_errors(said["result"]), None)
    _note(wrong, topic, kind)


def _judge_by(schema: dict[str, Any], topic: str, kind: str, said: Any) -> None:
    _note(next(jsonschema.Draft202012Validator(schema).iter_errors(said), None), topic, kind)


def _note(wrong: jsonschema.ValidationError | None, topic: str, kind: str) -> None:
    if wrong is not None:
        where = "/".join(str(step) for step in wrong.absolute_path)
        problems.append(f"{topic}: {kind}: {where}: {wrong.message[:300]}")


@cache
def _validator(kind: str) -> Any:
    schema = home_assistant() if kind == "home_assistant" else DEFINITIONS[kind].schema
    return jsonschema.Draft202012Validator(schema)
