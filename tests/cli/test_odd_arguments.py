"""Whatever is typed, the answer is one line for the person who typed it, or argparse's usage; never a traceback.

Each command runs in a process of its own, as a shell would run it (see tests/support/forked.py).
"""

from __future__ import annotations

import os
import re
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.support.road import Road, spotter
from tests.support.tflite_note import without_note

pytestmark = pytest.mark.timeout(900)  # a hundred processes, on whatever machine

HERE = "{tmp}"
FIND = ["find", "--model", "{model}", "--release", "{catalogue}"]
BUILD = ["catalog", "build", "{products}", "--model", "{model}", "-o", "{tmp}/out"]

USAGE, FAILED, CONFIG = 2, 1, 78

ODD: dict[str, tuple[int, list[str]]] = {
    "nothing": (USAGE, []),
    "a verb that is none": (USAGE, ["fnid"]),
    "an option that is none": (USAGE, ["version", "--jsno"]),
    "an empty verb": (USAGE, [""]),
    "run: a configuration that is not there": (CONFIG, ["run", "-c", "{tmp}/none.yaml"]),
    "run: a configuration that is a directory": (CONFIG, ["run", "-c", HERE]),
    "run: a configuration without a name": (CONFIG, ["run", "-c", ""]),
    "run: something behind it": (USAGE, ["run", "-c", "{config}", "more"]),
    "check: a configuration that is not there": (CONFIG, ["check", "-c", "{tmp}/none.yaml"]),
    "check: a picture for a configuration": (CONFIG, ["check", "-c", "{photo}"]),
    "check: a configuration that never ends": (CONFIG, ["check", "-c", "/dev/zero"]),
    "check: a name that is not UTF-8": (CONFIG, ["check", "-c", "{tmp}/\udcff\n.yaml"]),
    "check: a name far too long": (CONFIG, ["check", "-c", "x" * 5000]),
    "find: no photo": (USAGE, FIND),
    "find: no model": (USAGE, ["find", "{photo}"]),
    "find: a model without a catalogue": (USAGE, ["find", "--model", "{model}", "{photo}"]),
    "find: no candidates": (USAGE, [*FIND, "-k", "0", "{photo}"]),
    "find: a number that is none": (USAGE, [*FIND, "-k", "five", "{photo}"]),
    "find: a number of 5,000 digits": (USAGE, [*FIND, "-k", "1" * 5000, "{photo}"]),
    "find: a number of 400 digits": (USAGE, [*FIND, "-k", "1" * 400, "{photo}"]),
    "find: more of a photo than there is": (USAGE, [*FIND, "--crop", "5", "{photo}"]),
    "find: a crop that is no number": (USAGE, [*FIND, "--crop", "nan", "{photo}"]),
    "find: a crop of next to nothing": (USAGE, [*FIND, "--crop", ".06", "{photo}"]),
    "find: a photo that is not there": (FAILED, [*FIND, "{tmp}/none.jpg"]),
    "find: a directory for a photo": (FAILED, [*FIND, HERE]),
    "find: a device for a photo": (FAILED, [*FIND, "/dev/null"]),
    "find: a photo without a name": (FAILED, [*FIND, ""]),
    "find: a photo whose name is not UTF-8": (FAILED, [*FIND, "{tmp}/\udcff\n.jpg"]),
    "find: a directory for a model": (CONFIG, ["find", "--model", HERE, "--release", "{catalogue}", "{photo}"]),
    "find: a model that is not there": (CONFIG, ["find", "--model", "{tmp}/a.tflite", "--release", "x", "{photo}"]),
    "find: a file for a catalogue": (CONFIG, ["find", "--model", "{model}", "--release", "{photo}", "{photo}"]),
    "find: an empty directory for a catalogue": (CONFIG, ["find", "--model", "{model}", "--release", HERE, "{photo}"]),
    "enrol: no picture": (USAGE, ["enrol", "x", "-c", "{config}"]),
    "enrol: a configuration that is not there": (CONFIG, ["enrol", "x", "{photo}", "-c", "{tmp}/none.yaml"]),
    "enrol: a picture that is not there": (FAILED, ["enrol", "x", "{tmp}/none.jpg", "-c", "{config}"]),
    "enrol: a directory for a picture": (FAILED, ["enrol", "x", HERE, "-c", "{config}"]),
    "enrol: an sku that is not UTF-8": (FAILED, ["enrol", "\udcff\n", "{photo}", "-c", "{config}"]),
    "enrol: an sku without end": (FAILED, ["enrol", "x" * 5000, "{photo}", "-c", "{config}"]),
    "enrol: a gtin that is none": (FAILED, ["enrol", "x", "{photo}", "--gtin", "12", "-c", "{config}"]),
    "forget: no sku": (USAGE, ["forget", "-c", "{config}"]),
    "forget: an sku that nobody knows": (FAILED, ["forget", "x", "-c", "{config}"]),
    "forget: an sku that is not UTF-8": (FAILED, ["forget", "\udcff", "-c", "{config}"]),
    "forget: an undo of what is not UTF-8": (FAILED, ["forget", "\udcff", "--undo", "-c", "{config}"]),
    "overlay: nothing to do": (USAGE, ["overlay"]),
    "overlay list: a configuration that is not there": (CONFIG, ["overlay", "list", "-c", "{tmp}/none.yaml"]),
    "overlay export: nowhere to export to": (USAGE, ["overlay", "export", "-c", "{config}"]),
    "overlay export: a folder of something else": (FAILED, ["overlay", "export", "{products}", "-c", "{config}"]),
    "overlay export: a file to export to": (FAILED, ["overlay", "export", "{photo}", "-c", "{config}"]),
    "record: nowhere to record to": (USAGE, ["record", "-c", "{config}"]),
    "record: a camera that is none": (USAGE, ["record", "-c", "{config}", "--camera", "x", "{tmp}/out"]),
    "record: no frames": (USAGE, ["record", "-c", "{config}", "--frames", "0", "{tmp}/out"]),
    "record: a time that is no number": (USAGE, ["record", "-c", "{config}", "--seconds", "nan", "{tmp}/out"]),
    "record: a time in the past": (USAGE, ["record", "-c", "{config}", "--seconds=-1", "{tmp}/out"]),
    "record: a file to record to": (FAILED, ["record", "-c", "{config}", "{photo}"]),
    "record: a directory of something else": (FAILED, ["record", "-c", "{config}", "{products}"]),
    "record: where nothing can be made": (FAILED, ["record", "-c", "{config}", "/proc/spotter"]),
    "record: a name far too long": (FAILED, ["record", "-c", "{config}", "x" * 5000]),
    "replay: a recording that is not there": (FAILED, ["replay", "-c", "{config}", "{tmp}/none"]),
    "replay: a file for a recording": (FAILED, ["replay", "-c", "{config}", "{photo}"]),
    "replay: a camera that is none": (USAGE, ["replay", "-c", "{config}", "--camera", "x", HERE]),
    "replay: a camera without a name": (USAGE, ["replay", "-c", "{config}", "--camera", "", HERE]),
    "catalog: nothing to do": (USAGE, ["catalog"]),
    "catalog build: no products": (USAGE, ["catalog", "build", "--model", "{model}", "-o", HERE]),
    "catalog build: products that are not there": (
        FAILED,
        ["catalog", "build", "{tmp}/none", "--model", "{model}", "-o", "{tmp}/out"],
    ),
    "catalog build: an empty directory for products": (
        FAILED,
        ["catalog", "build", "{tmp}/empty", "--model", "{model}", "-o", "{tmp}/out"],
    ),
    "catalog build: no processes": (USAGE, [*BUILD, "--jobs", "0"]),
    "catalog build: an engine that is none": (USAGE, [*BUILD, "--engine", "spark"]),
    "catalog build: a cluster for processes": (USAGE, [*BUILD, "--ray-address", "head:6379"]),
    "catalog build: more of a photo than there is": (USAGE, [*BUILD, "--crop", "inf"]),
    "catalog build: a directory for a model": (
        CONFIG,
        ["catalog", "build", "{products}", "--model", HERE, "-o", "{tmp}/out"],
    ),
    "catalog build: a file to write to": (
        FAILED,
        ["catalog", "build", "{products}", "--model", "{model}", "-o", "{photo}"],
    ),
    "catalog build: a directory of something else": (
        FAILED,
        ["catalog", "build", "{products}", "--model", "{model}", "-o", "{products}"],
    ),
    "catalog build: where nothing can be made": (
        FAILED,
        ["catalog", "build", "{products}", "--model", "{model}", "-o", "/proc/spotter"],
    ),
    "catalog prune: nothing to keep": (USAGE, ["catalog", "prune", HERE, "--keys", HERE]),
    "catalog prune: to keep none": (USAGE, ["catalog", "prune", HERE, "--keys", HERE, "--keep", "0"]),
    "catalog prune: grace before it came": (
        USAGE, ["catalog", "prune", HERE, "--keys", HERE, "--keep", "1", "--grace", "-1"],
    ),
    "catalog prune: keys that are not there": (
        CONFIG, ["catalog", "prune", HERE, "--keys", "{tmp}/none", "--keep", "1"],
    ),
    "catalog health: a catalogue that is not there": (CONFIG, ["catalog", "health", "{tmp}/none"]),
    "catalog health: a file for a catalogue": (CONFIG, ["catalog", "health", "{photo}"]),
    "catalog health: products that are not there": (
        FAILED,
        ["catalog", "health", "{catalogue}", "--products", "{tmp}/none"],
    ),
    "catalog health: a page for nobody": (USAGE, ["catalog", "health", "{catalogue}", "--html", "{tmp}/none/a.html"]),
    "model: nothing to do": (USAGE, ["model"]),
    "model spec: a model that is not there": (FAILED, ["model", "spec", "{tmp}/none.tflite"]),
    "model spec: a directory": (FAILED, ["model", "spec", HERE]),
    "model spec: a picture": (CONFIG, ["model", "spec", "{photo}"]),
    "model spec: a description that is there": (CONFIG, ["model", "spec", "{model}", "--write"]),
    "bench: nothing to measure": (USAGE, ["bench"]),
    "bench: too few rounds": (USAGE, ["bench", "--model", "{model}", "--rounds", "1"]),
    "bench: half a round": (USAGE, ["bench", "--model", "{model}", "--rounds", "3.5"]),
    "bench: a directory for a model": (CONFIG, ["bench", "--model", HERE]),
    "bench: a configuration that is not there": (CONFIG, ["bench", "-c", "{tmp}/none.yaml"]),
    "version: something behind it": (USAGE, ["version", "more"]),
}  # fmt: skip


def complaint(code: int, arguments: list[str], places: dict[str, str]) -> str:
    """Run it; what is wrong with its answer, or nothing."""
    pattern = re.compile(r"\{(\w+)\}")
    typed = [pattern.sub(lambda match: places[match[1]], argument) for argument in arguments]
    done = spotter(*typed, errors="surrogateescape")
    lines = without_note(done.stderr)
    if done.returncode == 2 and lines and lines[0].startswith("usage: spotter"):
        told = "error: " in lines[-1]
    else:
        told = len(lines) == 1 and lines[0].startswith("spotter: ") and len(lines[0]) < 6000
    if done.returncode == code and told and "Traceback" not in done.stderr:
        return ""
    return f"exit {done.returncode}, expected {code}: {done.stderr[-1500:]}"


@pytest.fixture(scope="module")
def answers(device: Road, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    tmp = tmp_path_factory.mktemp("odd")
    (tmp / "empty").mkdir()
    places = {
        "tmp": str(tmp),
        "model": str(device.model),
        "catalogue": str(device.catalogue),
        "config": str(device.config),
        "photo": str(next((device.folder / "photos").iterdir())),
        "products": str(device.folder / "products"),
    }
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        found = pool.map(lambda case: complaint(case[0], case[1], places), ODD.values())
        answers = dict(zip(ODD, found, strict=True))
    assert not (tmp / "out").exists(), "nothing was made"
    return answers


@pytest.mark.parametrize("story", ODD)
def test_is_answered_in_one_line(story: str, answers: dict[str, str]) -> None:
    assert answers[story] == ""


def test_no_verb_is_forgotten() -> None:
    verbs = {story.split(":")[0].split()[0] for story in ODD if ":" in story}
    assert verbs == {
        "run",
        "check",
        "find",
        "enrol",
        "forget",
        "overlay",
        "record",
        "replay",
        "catalog",
        "model",
        "bench",
        "version",
    }
