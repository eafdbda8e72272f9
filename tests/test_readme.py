"""The README stays true: its commands parse, its configuration loads, its table names every key."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from agent.cli.main import build_parser
from agent.config import parse_config
from tools.readme import README, updated

ROOT = README.parent
TEXT = README.read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)


COMMANDS = [
    line.split("#")[0].strip()
    for block in blocks("sh")
    for line in block.splitlines()
    if line.startswith("spotter ")
]


def test_there_is_something_to_check() -> None:
    assert len(COMMANDS) >= 5
    assert len(blocks("yaml")) >= 1


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_one_that_spotter_takes(command: str) -> None:
    assert build_parser().parse_args(shlex.split(command)[1:]).do


@pytest.mark.parametrize("verb", sorted(set(re.findall(r"`spotter ([a-z]+)", TEXT))))
def test_every_verb_it_names_exists(verb: str) -> None:
    with pytest.raises(SystemExit) as left:
        build_parser().parse_args([verb, "--help"])
    assert left.value.code == 0


def test_every_verb_is_named() -> None:
    for verb in (
        "run",
        "check",
        "find",
        "enrol",
        "forget",
        "unknown list",
        "unknown enrol",
        "unknown drop",
        "overlay list",
        "sync",
        "status",
        "rollback",
        "record",
        "replay",
        "catalog build",
        "catalog cluster",
        "catalog publish",
        "catalog prune",
        "catalog serve",
        "catalog health",
        "evaluate",
        "model fetch",
        "model spec",
        "asyncapi",
        "password",
        "bench",
        "version",
    ):
        assert f"| `spotter {verb}" in TEXT, verb


def test_every_verb_has_an_example_in_its_help(capsys: pytest.CaptureFixture[str]) -> None:
    for verb in (
        ["run"],
        ["check"],
        ["find"],
        ["enrol"],
        ["forget"],
        ["unknown", "list"],
        ["unknown", "enrol"],
        ["unknown", "drop"],
        ["overlay", "list"],
        ["overlay", "export"],
        ["overlay", "clear"],
        ["sync"],
        ["status"],
        ["rollback"],
        ["record"],
        ["replay"],
        ["catalog", "build"],
        ["catalog", "publish"],
        ["catalog", "prune"],
        ["catalog", "serve"],
        ["catalog", "cluster"],
        ["catalog", "health"],
        ["evaluate"],
        ["model", "fetch"],
        ["asyncapi"],
        ["password"],
        ["bench"],
        ["version"],
    ):
        with pytest.raises(SystemExit):
            build_parser().parse_args([*verb, "--help"])
        printed = capsys.readouterr().out
        assert f"example:\n  spotter {' '.join(verb)}" in printed
        example = printed.rpartition("example:\n  ")[2].strip()
        assert build_parser().parse_args(shlex.split(example)[1:]).do, example


@pytest.mark.parametrize("text", blocks("yaml"))
def test_every_configuration_loads(text: str, tmp_path: Path) -> None:
    (tmp_path / "mqtt-password").write_text("x")
    parse_config(text.encode(), "README.md", {"CREDENTIALS_DIRECTORY": str(tmp_path)})


def test_the_table_of_keys_is_up_to_date() -> None:
    assert updated(TEXT) == TEXT, "run `python -m tools.readme`"


def test_every_path_in_the_map_exists() -> None:
    paths = re.findall(r"^\| `((?:agent|models|systemd|tools|tests)/[^`]*)`", TEXT, re.MULTILINE)
    assert len(paths) >= 10
    for path in paths:
        assert (ROOT / path).exists(), path
