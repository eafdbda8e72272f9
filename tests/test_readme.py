"""The README stays true: its commands parse, its configuration loads, its table names every key."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import time
from pathlib import Path

import pytest

from agent.adapters.web import hash_password
from agent.cli.main import build_parser
from agent.config import parse_config
from agent.core.wire import Wire
from tests.support.mosquitto import Mosquitto, Subscriber, wait_until
from tools.bench._delivery import seen
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
        "review list",
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
        "planogram import",
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
        ["review", "list"],
        ["review", "export"],
        ["review", "clear"],
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
    for secret in ("mqtt-password", "webhook-secret"):
        (tmp_path / secret).write_text("x")
    for role in ("operator", "viewer"):
        (tmp_path / f"web-{role}").write_text(hash_password("correct horse"))
    parse_config(text.encode(), "README.md", {"CREDENTIALS_DIRECTORY": str(tmp_path)})


def test_every_link_within_it_leads_somewhere() -> None:
    # GitHub's rule: lower case, punctuation out, each space a hyphen
    headings = re.findall(
        r"^#+ (.+)$", re.sub(r"^```.*?^```", "", TEXT, flags=re.MULTILINE | re.DOTALL), re.MULTILINE
    )
    anchors = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
    links = set(re.findall(r"\]\(#([^)]+)\)", TEXT))
    assert len(links) >= 10
    assert not links - anchors


def test_the_table_of_keys_is_up_to_date() -> None:
    assert updated(TEXT) == TEXT, "run `python -m tools.readme`"


def test_every_path_in_the_map_exists() -> None:
    paths = re.findall(r"^\| `((?:agent|models|systemd|tools|tests)/[^`]*)`", TEXT, re.MULTILINE)
    assert len(paths) >= 10
    for path in paths:
        assert (ROOT / path).exists(), path


def test_the_shared_consumer_divides_the_facts_among_its_processes(tmp_path: Path) -> None:
    (program,) = [text for text in blocks("python") if "$share/" in text]
    (tmp_path / "consumer.py").write_text(program)
    wire = Wire("spotter", "berlin-12", "shelf-3")
    facts = [wire.recognition(seen(number, f"bay-{number % 5}", time.time())) for number in range(60)]
    outputs = [tmp_path / "heard-1", tmp_path / "heard-2"]
    with (
        Mosquitto(tmp_path / "broker") as broker,
        Subscriber(broker.port, "$SYS/broker/version") as sender,
        outputs[0].open("wb") as one,
        outputs[1].open("wb") as two,
    ):
        command = [sys.executable, tmp_path / "consumer.py", "127.0.0.1", str(broker.port)]
        processes = [subprocess.Popen([*command, file.name], stdout=file) for file in (one, two)]
        try:
            wait_until(lambda: all(f"{each.name} 1 $share/" in broker.log() for each in outputs))
            for fact in facts:
                sender.send(fact.topic, fact.payload)
            wait_until(lambda: sum(output.read_text().count("\n") for output in outputs) >= len(facts))
        finally:
            for process in processes:
                process.kill()
                process.wait()
    heard = [[line.split()[0] for line in output.read_text().splitlines()] for output in outputs]
    assert sorted(heard[0] + heard[1]) == sorted(fact.id for fact in facts), "each goes to one of them"
    assert all(heard), "both have work"
    assert "berlin-12 shelf-3 known 4006381000000" in outputs[0].read_text()
