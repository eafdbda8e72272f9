"""The AsyncAPI document: it names all that the wire knows, and AsyncAPI's own parser takes it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from agent.core.commands import COMMANDS
from agent.core.wire import DEFINITIONS, Wire
from agent.core.wire.asyncapi import document
from tools.asyncapi.__main__ import SKIPPED

ROOT = Path(__file__).resolve().parents[2]
DEVICE = {"prefix": "spotter", "site": "berlin-12", "device": "shelf-3"}
WIRE = Wire(**DEVICE)
MADE = document("1.2.3", {"host": "b:1883", "protocol": "mqtt"}, DEVICE)


def key_of(command: str) -> str:
    return f"command_{command.replace('/', '_')}"


def test_it_names_every_topic_and_every_command() -> None:
    kinds = set(DEFINITIONS) - {"command_result"}
    keys = {key_of(name) for name in COMMANDS}
    assert set(MADE["channels"]) == kinds | keys | {f"{key}_result" for key in keys}
    for kind in kinds:
        address = MADE["channels"][kind]["address"]
        assert WIRE.kind(address.replace("{camera}", "bay-4").replace("{slot}", "a1")) == kind
        binding = MADE["operations"][f"send_{kind}"]["bindings"]["mqtt"]
        assert (binding["qos"], binding["retain"]) == (DEFINITIONS[kind].qos, DEFINITIONS[kind].retain)
    for name in COMMANDS:
        assert MADE["channels"][key_of(name)]["address"] == WIRE.command_topic(name)
        assert WIRE.kind(MADE["channels"][f"{key_of(name)}_result"]["address"]) == "command_result"


def references(value: Any) -> list[str]:
    if isinstance(value, dict):
        own = [value["$ref"]] if "$ref" in value else []
        return own + [ref for each in value.values() for ref in references(each)]
    return [ref for each in value for ref in references(each)] if isinstance(value, list) else []


def test_every_reference_leads_somewhere() -> None:
    found = references(MADE)
    assert len(found) > 50
    for reference in found:
        place: Any = MADE
        for step in reference.removeprefix("#/").split("/"):
            place = place[step]


def test_the_answer_to_a_command_is_described_with_its_result() -> None:
    schema = MADE["components"]["messages"]["command_forget_result"]["payload"]
    done = json.loads(WIRE.command_result("forget", "1", {"sku": "a", "removed": 1, "in_release": True}, ""))
    jsonschema.validate(done, schema)
    jsonschema.validate(json.loads(WIRE.command_result("forget", "", {}, "no")), schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**done, "result": {"sku": 5}}, schema)


def test_what_is_not_known_stays_a_parameter() -> None:
    made = document("1", {"host": "b", "protocol": "mqtt"}, {})
    channel = made["channels"]["recognition"]
    assert channel["address"] == "{prefix}/{site}/{device}/{camera}/recognition"
    assert set(channel["parameters"]) == {"prefix", "site", "device", "camera"}


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_parser_of_asyncapi_takes_it() -> None:
    environment = {name: value for name, value in os.environ.items() if name != "XDG_CACHE_HOME"}
    done = subprocess.run(
        [sys.executable, "-m", "tools.asyncapi"], cwd=ROOT, capture_output=True, text=True, env=environment
    )
    if done.returncode == SKIPPED:
        pytest.skip(done.stderr.strip())
    assert done.returncode == 0, done.stdout + done.stderr
    found = [line for line in done.stdout.splitlines() if not line.startswith("info asyncapi-latest-version")]
    assert len(found) == 1, "neither errors nor warnings"
    assert found[0].startswith("3.0.0: ")
