"""The judge of messages finds what is wrong, whether it is made here or heard from elsewhere."""

from __future__ import annotations

from pathlib import Path

from agent.core.wire import Wire
from tests.support import judge
from tests.support.mosquitto import Mosquitto, Subscriber

WIRE = Wire("spotter", "test", "dev-1")
UTC = 1_767_225_600.0


def test_what_is_made_is_judged() -> None:
    before = judge.judged["camera_status"]
    good = WIRE.camera_status("cam", "online", "", UTC)
    assert judge.judged["camera_status"] == before + 1
    assert judge.taken_problems() == []
    WIRE._made("camera_status", good.payload.replace(b"online", b"asleep"), UTC, camera="cam")
    (found,) = judge.taken_problems()
    assert found.startswith("spotter/test/dev-1/cam/status: camera_status: state: 'asleep' is not one of")


def test_an_answer_is_judged_by_its_command() -> None:
    payload = WIRE.command_result("forget", "1", {"sku": "a"}, "")
    WIRE._made("command_result", payload, UTC, command="forget")
    (found,) = judge.taken_problems()
    assert "'in_release' is a required property" in found


def test_what_is_heard_is_judged(tmp_path: Path) -> None:
    with Mosquitto(tmp_path) as m, Subscriber(m.port) as ear:
        ear.send(f"{WIRE.root}/dance", b"{}")
        ear.send(f"{WIRE.root}/health", b'{"state": "ok"}')
        ear.send("spotter/elsewhere/d/health", b"{}")
        ear.wait_count(3)
        unknown, wrong = judge.taken_problems()
    assert unknown == "spotter/test/dev-1/dance: no definition knows this topic"
    assert wrong.startswith("spotter/test/dev-1/health: health: : ")
