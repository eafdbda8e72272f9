"""What people install: the wheel holds the agent alone, says who may use it, and its command works."""

from __future__ import annotations

import email
import os
import re
import subprocess
import sys
import tomllib
import zipfile
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from packaging.requirements import Requirement

import agent

if TYPE_CHECKING:
    from email.message import Message

ROOT = Path(__file__).resolve().parent.parent
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PIP = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input"]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built without the network by the build system of this environment."""
    try:
        metadata.version("hatchling")
    except metadata.PackageNotFoundError:
        pytest.skip("hatchling is not installed (it is part of the extra `test`)")
    out = tmp_path_factory.mktemp("dist")
    result = subprocess.run(
        [*PIP, "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--no-index", "-w", out, ROOT],
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr
    (built,) = out.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def names(wheel: Path) -> list[str]:
    with zipfile.ZipFile(wheel) as archive:
        return archive.namelist()


@pytest.fixture(scope="module")
def described(wheel: Path, names: list[str]) -> Message:
    (name,) = [name for name in names if name.endswith(".dist-info/METADATA")]
    with zipfile.ZipFile(wheel) as archive:
        return email.message_from_bytes(archive.read(name))


def test_the_wheel_is_pure_python_and_carries_the_version_of_the_package(
    wheel: Path, described: Message
) -> None:
    assert wheel.name == f"spotter_agent-{agent.__version__}-py3-none-any.whl"
    assert described["Version"] == agent.__version__
    assert re.fullmatch(r"\d+\.\d+\.\d+([ab]|rc|\.dev)?\d*", agent.__version__)


def test_the_wheel_holds_every_module_and_page_of_the_agent_and_nothing_else(names: list[str]) -> None:
    modules = {str(path.relative_to(ROOT)) for path in (ROOT / "agent").rglob("*.py")}
    pages = {str(path.relative_to(ROOT)) for path in (ROOT / "agent" / "pages").rglob("*") if path.is_file()}
    assert modules | pages <= set(names)
    assert "agent/pages/live.html" in names
    tops = {name.split("/")[0] for name in names}
    assert tops == {"agent", f"spotter_agent-{agent.__version__}.dist-info"}
    assert not [name for name in names if name.endswith((".pyc", ".tflite", ".db", ".png", ".jpg"))]


def test_the_wheel_carries_its_licence(wheel: Path, names: list[str], described: Message) -> None:
    (name,) = [name for name in names if name.endswith("/licenses/LICENSE")]
    with zipfile.ZipFile(wheel) as archive:
        assert archive.read(name) == (ROOT / "LICENSE").read_bytes()
    assert described["License-Expression"] == "Apache-2.0"


def test_the_wheel_shows_the_readme_and_the_oldest_python(described: Message) -> None:
    assert described["Description-Content-Type"] == "text/markdown"
    assert len(str(described.get_payload())) > 0
    assert described["Requires-Python"] == ">=3.11"


REQUIREMENTS = [("runtime", words) for words in PYPROJECT["project"]["dependencies"]] + [
    (extra, words)
    for extra, listed in PYPROJECT["project"].get("optional-dependencies", {}).items()
    for words in listed
]


@pytest.mark.parametrize(("kind", "words"), REQUIREMENTS, ids=lambda value: value)
def test_every_requirement_has_a_lower_bound_that_this_environment_fulfils(kind: str, words: str) -> None:
    requirement = Requirement(words)
    if requirement.name == PYPROJECT["project"]["name"]:
        return  # an extra that includes another one
    assert any(bound.operator in {">=", "==", "~="} for bound in requirement.specifier), (
        f"{words}: no lower bound"
    )
    assert not [b for b in requirement.specifier if kind == "runtime" and b.operator in {"<", "<=", "=="}], (
        f"{words}: a runtime requirement is not pinned from above: others install beside us"
    )
    try:
        installed = metadata.version(requirement.name)
    except metadata.PackageNotFoundError:
        assert kind not in {"runtime", "test"}, f"{requirement.name} is not installed"
        return
    assert requirement.specifier.contains(installed, prereleases=True), f"{words}: found {installed}"


def test_the_installed_wheel_answers_by_its_command(wheel: Path, tmp_path: Path) -> None:
    target = tmp_path / "site with spaces"
    subprocess.run(
        [*PIP, "install", "--quiet", "--no-deps", "--no-index", "--target", target, wheel], check=True
    )
    command = target / "bin" / "spotter"
    assert command.is_file()
    result = subprocess.run(
        [sys.executable, command, "version"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(target)},
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.splitlines()[0].split() == ["spotter", agent.__version__]
