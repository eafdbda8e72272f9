"""Setting up: what is missing is said in words that can be followed, and what is there is not done again."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def clone(folder: Path) -> Path:
    """The parts of a checkout that setting up touches, at a path with spaces."""
    copy = folder / "a clone of it"
    (copy / "tools").mkdir(parents=True)
    shutil.copy(ROOT / "tools" / "setup.sh", copy / "tools")
    shutil.copy(ROOT / "pyproject.toml", copy)
    return copy


def bash(copy: Path, script: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-c", f'set -euo pipefail; source "$1/tools/setup.sh"; {script}', "bash", str(copy)],
        capture_output=True,
        text=True,
        cwd="/",
        env={**os.environ, "SPOTTER_NO_APT": "1", **environment},
    )


def program(path: Path, text: str) -> None:
    path.write_text("#!/bin/sh\n" + text)
    path.chmod(0o755)


def test_a_missing_command_is_said_with_the_package_to_install(tmp_path: Path) -> None:
    result = bash(
        clone(tmp_path), "need_packages no-such-command some-package other-package; echo not reached"
    )
    assert result.returncode == 1
    assert result.stdout == ""
    assert result.stderr == (
        "error: no-such-command is missing. Install it with: sudo apt-get install some-package other-package\n"
    )


def test_a_command_that_is_there_needs_nothing(tmp_path: Path) -> None:
    result = bash(clone(tmp_path), "need_packages sh no-such-package; echo reached")
    assert (result.stdout, result.stderr, result.returncode) == ("reached\n", "", 0)


def test_packages_that_are_only_wanted_do_not_stop_the_rest(tmp_path: Path) -> None:
    result = bash(clone(tmp_path), "want_packages no-such-package-a no-such-package-b; echo reached")
    assert result.stdout == "reached\n"
    assert result.stderr == (
        "going on without: no-such-package-a no-such-package-b "
        "(sudo apt-get install no-such-package-a no-such-package-b)\n"
    )


def test_an_interpreter_that_only_explains_itself_or_is_too_old_is_passed_over(tmp_path: Path) -> None:
    commands = tmp_path / "bin"
    commands.mkdir()
    program(commands / "python3", "echo 'pyenv: python3: command not found' >&2; exit 127\n")
    program(commands / "python3.12", "exit 1\n")  # what the check of the version does in Python 3.10
    (commands / "python3.11").symlink_to(sys.executable)
    result = bash(clone(tmp_path), "find_python", PATH=f"{commands}:/usr/bin:/bin")
    assert result.returncode == 0, result.stderr
    assert Path(result.stdout.strip()).is_relative_to(commands) or result.stdout.strip() == sys.executable


def test_no_python_at_all_is_said_with_what_to_install(tmp_path: Path) -> None:
    commands = tmp_path / "bin"
    commands.mkdir()
    for name in ("python3", *(f"python3.{minor}" for minor in range(11, 15))):
        program(commands / name, "exit 1\n")
    result = bash(clone(tmp_path), "need_environment test", PATH=f"{commands}:/usr/bin:/bin")
    assert result.returncode == 1
    assert "Python 3.11 or newer is missing" in result.stderr
    assert "sudo apt-get install python3 python3-venv" in result.stderr


def test_an_interpreter_without_venv_is_said_with_the_package_of_its_version(tmp_path: Path) -> None:
    fake = tmp_path / "python"
    program(fake, f'case "$2" in *ensurepip*) exit 1 ;; esac\nexec "{sys.executable}" "$@"\n')
    result = bash(clone(tmp_path), f'need_venv_module "{fake}"')
    assert result.returncode == 1
    package = f"python{sys.version_info.major}.{sys.version_info.minor}-venv"
    assert (
        f"cannot make virtual environments. Install the part that can: sudo apt-get install {package}"
        in result.stderr
    )


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """A clone whose environment claims to be installed: pip would complain that it is called."""
    copy = clone(tmp_path)
    commands = copy / ".venv" / "bin"
    commands.mkdir(parents=True)
    program(
        commands / "python",
        f'[ "$1" = -m ] && {{ echo "called: $*"; exit 1; }}\nexec "{sys.executable}" "$@"\n',
    )
    stamped = bash(copy, 'environment_key > "$venv/.spotter-test"')
    assert stamped.returncode == 0, stamped.stderr
    return copy


@pytest.mark.parametrize("extra", ["test", ""])
def test_nothing_is_installed_twice(installed: Path, extra: str) -> None:
    result = bash(installed, f'need_environment "{extra}"; echo "$venv_python"')
    assert result.stdout == f"{installed}/.venv/bin/python\n"
    assert result.stderr == ""


CHANGES = {
    "an extra that is not there yet": ("publish", lambda copy: None),
    "other requirements": ("test", lambda copy: (copy / "pyproject.toml").write_text("[project]\n")),
    "a clone that was moved": (
        "test",
        lambda copy: (copy / ".venv" / ".spotter-test").write_text("of elsewhere\n"),
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_installs_again_and_a_failure_is_told(installed: Path, change: str) -> None:
    extra, make = CHANGES[change]
    make(installed)
    result = bash(installed, f'need_environment "{extra}"; echo not reached')
    assert result.returncode == 1
    assert "not reached" not in result.stdout
    assert f"--editable .[{extra}]" in result.stderr
    assert "error: pip could not install the packages" in result.stderr


def test_the_scripts_pass_the_linter_for_shell_scripts() -> None:
    checker = shutil.which("shellcheck")
    if checker is None:
        pytest.skip("shellcheck is not installed (apt-get install shellcheck)")
    scripts = ["tools/setup.sh", "tools/test", "tools/demo", "systemd/install.sh", ".ci/run"]
    result = subprocess.run(
        [checker, "--external-sources", *scripts], cwd=ROOT, capture_output=True, text=True
    )
    assert result.returncode == 0, result.stdout
