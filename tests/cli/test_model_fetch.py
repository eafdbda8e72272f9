"""A public model is fetched from a real server, resumed, verified and described; whatever else comes is refused."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.adapters.embedder import EmbedderSettings, load_embedder
from agent.adapters.system import SystemClock
from agent.core.errors import AgentError, ConfigError, TransferError, UsageError, VerifyError
from agent.core.model_spec import parse_spec
from agent.core.public_models import PUBLIC_MODELS, PublicModel
from agent.fetching import fetch_model
from tests.cli.conftest import Command
from tests.support import static_host as does
from tests.support.static_host import StaticHost
from tests.support.tiny_models import write_tiny_model


class ImpatientClock(SystemClock):
    """Waits between two attempts for a moment only."""

    def wait(self, seconds: float) -> bool:
        return super().wait(min(seconds, 0.01))


@pytest.fixture
def host(tmp_path: Path) -> Iterator[StaticHost]:
    folder = tmp_path / "web"
    folder.mkdir()
    with StaticHost(folder) as host:
        yield host


@pytest.fixture
def tiny(host: StaticHost) -> PublicModel:
    """A real model of a few kB that the host shows."""
    path = write_tiny_model(host.folder, "float32", convolution=True)
    spec = parse_spec(path.with_suffix(".json").read_bytes(), "tiny.json")
    path.with_suffix(".json").unlink()
    return PublicModel(host.url, path.stat().st_size, "for tests", spec)


def fetch(model: PublicModel, folder: Path, **more: object) -> Path:
    return fetch_model(model, folder, ImpatientClock(), **more)  # type: ignore[arg-type]


def test_what_was_fetched_is_a_model_that_runs(tiny: PublicModel, tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    path = fetch(tiny, tmp_path / "new" / "models", progress=lambda *step: told.append(step))
    assert load_embedder(EmbedderSettings(file=str(path))).spec == tiny.spec
    assert sorted(file.name for file in path.parent.iterdir()) == ["tiny.json", "tiny.tflite"]
    assert told[-1] == (tiny.size, tiny.size)


def test_an_interrupted_transfer_goes_on_where_it_stopped(
    host: StaticHost, tiny: PublicModel, tmp_path: Path
) -> None:
    host.always["tiny.tflite"] = does.break_off(100)
    with pytest.raises(TransferError):
        fetch(tiny, tmp_path)
    have = (tmp_path / "tiny.tflite.part").stat().st_size
    assert 0 < have < tiny.size
    assert not (tmp_path / "tiny.tflite").exists()
    del host.always["tiny.tflite"]
    host.asked.clear()
    fetch(tiny, tmp_path)
    assert host.asked == [("tiny.tflite", f"bytes={have}-", 206)]


def test_what_is_there_already_is_not_fetched_again(
    host: StaticHost, tiny: PublicModel, tmp_path: Path
) -> None:
    fetch(tiny, tmp_path)
    (tmp_path / "tiny.json").unlink()
    host.asked.clear()
    fetch(tiny, tmp_path)
    assert (tmp_path / "tiny.json").exists()
    (tmp_path / "tiny.json").write_text("described by hand")
    fetch(tiny, tmp_path)
    assert host.asked == []
    assert (tmp_path / "tiny.json").read_text() == "described by hand"


@pytest.mark.parametrize(
    ("behaviour", "error"),
    [
        (does.status(404), TransferError),
        (does.as_html, TransferError),
        (does.wrong_bytes, VerifyError),
        (does.promise(1), TransferError),
        (does.without_end, TransferError),
        (does.garbage, TransferError),
        (does.redirect_to("http://127.0.0.1:1/elsewhere"), TransferError),
    ],
    ids=["not found", "a page", "other bytes", "too long", "without end", "no HTTP", "sent elsewhere"],
)
def test_anything_else_is_refused_and_leaves_no_model(
    behaviour: does.Behaviour, error: type[AgentError], host: StaticHost, tiny: PublicModel, tmp_path: Path
) -> None:
    host.always["tiny.tflite"] = behaviour
    with pytest.raises(error):
        fetch(tiny, tmp_path / "models")
    assert [file.name for file in (tmp_path / "models").iterdir() if file.suffix != ".part"] == []


@pytest.mark.parametrize("name", ["tiny.tflite", "tiny.json"])
def test_a_file_of_somebody_else_is_never_overwritten(
    name: str, host: StaticHost, tiny: PublicModel, tmp_path: Path
) -> None:
    (tmp_path / name).write_text("mine")
    with pytest.raises(ConfigError, match=f"{name}: expected no file or one of sha256"):
        fetch(tiny, tmp_path)
    assert (tmp_path / name).read_text() == "mine"
    assert host.asked == []


def test_a_mirror_is_asked_instead_and_believed_no_more(
    host: StaticHost, tiny: PublicModel, tmp_path: Path
) -> None:
    elsewhere = PublicModel("http://127.0.0.1:1", tiny.size, tiny.about, tiny.spec)
    assert fetch(elsewhere, tmp_path, mirror=host.url).exists()
    with pytest.raises(UsageError, match="--mirror: expected http"):
        fetch(elsewhere, tmp_path / "other", mirror="ftp://example.com")


@pytest.mark.parametrize("name", sorted(set(PUBLIC_MODELS) - {"yunet"}))  # of which there is no copy here
def test_every_model_that_is_listed_is_one_that_runs(
    name: str, shared_data: Path, tmp_path: Path, command: Command
) -> None:
    with StaticHost(shared_data / "models") as mirror:
        done = command("model", "fetch", name, "-o", tmp_path, "--mirror", mirror.url, "--json")
    assert done.code == 0, done.err
    said = json.loads(done.out)
    path = Path(said["model"])
    assert said["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert said["licence"] == "Apache-2.0"
    model = PUBLIC_MODELS[name]
    assert path.stat().st_size == model.size
    assert load_embedder(EmbedderSettings(file=str(path))).spec == model.spec


def test_the_list_names_every_model_with_its_licence(command: Command) -> None:
    listed = [json.loads(line) for line in command("model", "fetch", "--list", "--json").out.splitlines()]
    assert [entry["name"] for entry in listed] == list(PUBLIC_MODELS)
    assert all(entry["url"].startswith("https://") and entry["licence"] for entry in listed)
    for name in PUBLIC_MODELS:
        assert f"{name}: " in command("model", "fetch", "--list").out


@pytest.mark.parametrize(("arguments", "found"), [([], "no name"), (["mobilenet-v9"], "'mobilenet-v9'")])
def test_a_name_that_is_none_is_answered_with_those_that_are(
    arguments: list[str], found: str, command: Command
) -> None:
    done = command("model", "fetch", *arguments)
    assert done.code == 2
    assert done.lines == [f"spotter: expected one of {', '.join(PUBLIC_MODELS)}, or --list, found {found}"]
