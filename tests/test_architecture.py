"""The house holds: imports point down, core is pure, threads, clocks and prints have one home each."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
AGENT = ROOT / "agent"
MODULES = sorted(AGENT.rglob("*.py"))

FLOORS = {
    "core": 0,
    "channel": 1,
    "metrics": 1,
    "health": 1,
    "bookkeeping": 4,
    "yamlfile": 1,
    "yamlsplice": 2,
    "settings_fill": 2,
    "planograms": 3,
    "adapters": 3,
    "apps": 3,
    "telling": 1,
    "showing": 1,
    "viewing": 2,  # holds what tells of a camera
    "pipeline": 3,
    "states": 2,
    "second_look": 3,  # driven by the pipeline
    "reading": 3,  # likewise
    "publisher": 3,
    "storing": 3,
    "filing": 4,  # what is written beside facts
    "capturing": 3,
    "delivering": 4,
    "applying": 5,
    "sync": 3,
    "recognising": 4,  # drives the pipeline, speaks with capturing
    "fetching": 4,
    "updating": 4,  # drives sync
    "probing": 4,  # eyes and catalogue together
    "nothing": 2,
    "memory": 4,  # puts a catalogue and what was learned together
    "learning": 4,  # teaches: pictures through the eyes to the disk
    "publishing": 4,  # may use the eyes and the vectors of adapters: the same on both sides
    "edge_node": 4,  # tells what is said elsewhere, over a broker of its own
    "home_assistant": 4,
    "config": 4,  # composes the slices that adapters declare
    "exporting": 4,
    "drawing": 5,  # changes what config reads
    "placing": 6,
    "people": 4,  # faces and people by the models of adapters
    "sighting": 5,  # what was not known, and the teacher who may learn it
    "reviewing": 5,  # what was decided, for people to look at again
    "searching": 5,  # a catalogue and what was learned, asked by text
    "sight": 5,  # tries the probes
    "state": 4,
    "bridges": 5,  # builds what others than our own subscribers are told by
    "planning": 5,
    "parts": 6,
    "standing": 7,
    "strangers": 5,
    "sinks": 7,
    "poster": 3,
    "commanding": 4,
    "finding": 4,
    "explaining": 4,
    "drafting": 4,
    "gate": 4,  # in front of the mailbox that capturing puts into
    "loglevel": 1,
    "selftest": 7,
    "holding": 8,
    "shelving": 8,  # likewise, what shelves' applications are asked
    "receiving": 8,  # shipments, by the docks' applications
    "lookup": 8,
    "doing": 9,
    "kiosking": 9,  # what kiosks show, and what is known of their products
    "observing": 9,  # a look at all of it, for Prometheus
    "desk_review": 9,
    "desk_shipments": 9,
    "setting_up": 9,
    "desk": 10,  # what the web asks of all of it
    "assembly": 11,
    "daemon": 12,
    "benching": 7,
    "evaluating": 7,  # builds with publishing, asks like cli/find
    "cli": 13,
    "__main__": 14,
    "__init__": 0,
}
"""A module may import rooms on lower floors, and its own room. Rooms on one floor never import each other."""

CORE_MAY_IMPORT = {
    "__future__", "ast", "collections", "copy", "dataclasses", "datetime", "enum", "functools", "hashlib",
    "itertools", "json", "math", "re", "string", "struct", "typing", "unicodedata", "numpy", "cv2", "agent",
    "base64", "difflib", "operator", "statistics", "types", "abc", "urllib", "decimal", "fractions", "bisect", "heapq",
    "html", "csv", "ipaddress",
    "msgspec",  # a value in, bytes out: as numpy is for arrays
}  # fmt: skip
CLOCKS = {
    "time",
    "monotonic",
    "perf_counter",
    "process_time",
    "thread_time",
    "time_ns",
    "monotonic_ns",
    "sleep",
}
FILE_LIMIT = 300


def room(path: Path) -> str:
    return path.relative_to(AGENT).parts[0].removesuffix(".py")


@cache
def nodes(path: Path) -> list[ast.AST]:
    """All of a file, for all the rules that it is held to."""
    return list(ast.walk(ast.parse(path.read_text())))


def imports(path: Path) -> list[tuple[str, int]]:
    """Full dotted names a file imports (`from agent.core import types` → `agent.core.types`), with lines."""
    found = []
    for node in nodes(path):
        if isinstance(node, ast.Import):
            found += [(alias.name, node.lineno) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: relative import"
            found += [(f"{node.module}.{alias.name}", node.lineno) for alias in node.names]
    return found


def calls(path: Path) -> list[tuple[str, int]]:
    """Dotted names of everything that a file calls."""
    return [(ast.unparse(node.func), node.lineno) for node in nodes(path) if isinstance(node, ast.Call)]


def target_room(name: str) -> str | None:
    parts = name.split(".")
    if parts[0] != "agent":
        return None
    if len(parts) > 1 and ((AGENT / parts[1]).exists() or (AGENT / f"{parts[1]}.py").exists()):
        return parts[1]
    return "__init__"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(AGENT)))
def test_imports_point_down(path: Path) -> None:
    own = room(path)
    for name, line in imports(path):
        other = target_room(name)
        if other is None or other == own:
            continue
        assert own in FLOORS, f"{own} has no floor yet: give it one above"
        assert FLOORS[other] < FLOORS[own], f"{path.relative_to(ROOT)}:{line}: {own} must not import {name}"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(AGENT)))
def test_nothing_imports_the_tools_or_the_tests(path: Path) -> None:
    for name, line in imports(path):
        assert name.split(".")[0] not in {"tools", "tests"}, f"{path}:{line}: {name}"


def test_publishing_uses_only_the_eyes_and_the_catalogue_of_the_adapters() -> None:
    allowed = {
        "embedder",
        "vectors",
        "products",
        "images",
        "catalogue",
        "durable",
        "thumbnails",
        "tables",
        "portraits",
    }
    for path in (AGENT / "publishing").rglob("*.py"):
        for name, line in imports(path):
            if name.startswith("agent.adapters."):
                assert name.split(".")[2] in allowed, f"{path.relative_to(ROOT)}:{line}: {name}"


@pytest.mark.parametrize("path", sorted((AGENT / "core").rglob("*.py")), ids=lambda path: path.name)
def test_core_is_pure(path: Path) -> None:
    for name, line in imports(path):
        assert name.split(".")[0] in CORE_MAY_IMPORT, f"{path.name}:{line}: core must not import {name}"
    for name, line in calls(path):
        assert name not in {"open", "input", "exec", "eval"}, f"{path.name}:{line}: core must not call {name}"
        assert name.split(".")[-1] not in {"imread", "imwrite", "VideoCapture"}, f"{path.name}:{line}: {name}"


@pytest.mark.parametrize("path", sorted((AGENT / "apps").rglob("*.py")), ids=lambda path: path.name)
def test_apps_are_pure(path: Path) -> None:
    for name, line in imports(path):
        assert name.split(".")[0] in CORE_MAY_IMPORT, f"{path.name}:{line}: apps must not import {name}"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(AGENT)))
def test_threads_clocks_and_prints_stay_at_home(path: Path) -> None:
    where = path.relative_to(AGENT).as_posix()
    for name, line in imports(path):
        if name.split(".")[0] == "time" and where != "adapters/system.py":
            pytest.fail(f"{where}:{line}: time is passed in; clocks are read in adapters/system.py")
    for name, line in calls(path):
        head, _, last = name.rpartition(".")
        if last == "Thread" and where != "daemon.py":
            pytest.fail(f"{where}:{line}: threads are made in daemon.py")
        if last in {"ThreadPoolExecutor", "Timer"}:
            pytest.fail(f"{where}:{line}: {name}: threads are made in daemon.py")
        reads_clock = (head == "time" and last in CLOCKS) or (
            last in {"now", "utcnow", "today"} and "date" in head.lower()
        )
        if reads_clock and where != "adapters/system.py":
            pytest.fail(f"{where}:{line}: {name}: time is passed in; clocks are read in adapters/system.py")
        if name == "print" and not where.startswith("cli/"):
            pytest.fail(f"{where}:{line}: only the command line prints")


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(AGENT)))
def test_no_file_outgrows_a_room(path: Path) -> None:
    lines = len(path.read_text().splitlines())
    assert lines <= FILE_LIMIT, f"{path.relative_to(ROOT)}: {lines} lines; split it"


def test_only_the_guard_around_each_worker_catches_everything() -> None:
    found = []
    for path in MODULES:
        for node in nodes(path):
            if isinstance(node, ast.ExceptHandler) and (
                node.type is None or ast.unparse(node.type) in {"Exception", "BaseException"}
            ):
                last = node.body[-1]
                if isinstance(last, ast.Raise) and last.exc is None:
                    continue  # tidies up and passes it on
                found.append(f"{path.relative_to(AGENT)}:{node.lineno}")
    assert [place.split(":")[0] for place in found] == ["daemon.py"], found


def test_the_top_level_is_what_the_customer_fixed() -> None:
    allowed = {
        "README.md",
        "pyproject.toml",
        "agent",
        "models",
        "tests",
        "systemd",
        "tools",
        "LICENSE",
        "CHANGELOG.md",
    }
    ignored = {"build", "dist"}
    found = {path.name for path in ROOT.iterdir() if not path.name.startswith(".")}
    assert found - allowed - ignored == set()
