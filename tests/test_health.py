"""What several parts report becomes one state."""

from __future__ import annotations

import json

from agent.core.types import Message
from agent.core.wire import Wire
from agent.health import Health
from tests.support.clock import ManualClock


def told(*reports: tuple[str, str]) -> list[tuple[str, list[str]]]:
    """State and causes of every message that these reports lead to."""
    messages: list[Message] = []
    health = Health(Wire("spotter", "test", "dev-1"), messages.append, ManualClock(at=0.0))
    for part, reason in reports:
        health.report(part, reason)
    bodies = [json.loads(message.payload) for message in messages]
    return [
        (body["state"], [f"{cause['part']}: {cause['reason']}" for cause in body["causes"]])
        for body in bodies
    ]


def test_the_first_report_is_told_also_when_all_is_well() -> None:
    assert told(("sync", "")) == [("ok", [])]


def test_causes_of_several_parts_stand_together_and_go_one_by_one() -> None:
    assert told(("sync", "404"), ("overlay", "full"), ("sync", ""), ("overlay", "")) == [
        ("degraded", ["sync: 404"]),
        ("degraded", ["overlay: full", "sync: 404"]),
        ("degraded", ["overlay: full"]),
        ("ok", []),
    ]


def test_what_changes_nothing_is_not_told_again() -> None:
    assert told(("sync", "404"), ("sync", "404"), ("camera", ""), ("sync", "expired")) == [
        ("degraded", ["sync: 404"]),
        ("degraded", ["sync: expired"]),
    ]
