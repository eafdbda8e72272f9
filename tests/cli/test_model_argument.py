"""`--model` is one rule for every verb that has it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Command
from tests.support.road import Road

VERBS = {
    "find": ["find", "--release", "CATALOGUE", "x.jpg"],
    "catalog build": ["catalog", "build", "products", "-o", "OUT"],
    "bench": ["bench"],
}


@pytest.mark.parametrize("verb", VERBS.values(), ids=VERBS.keys())
def test_what_cannot_be_a_model_is_refused_by_the_name_of_the_option(
    verb: list[str], device: Road, command: Command, tmp_path: Path
) -> None:
    places = {"CATALOGUE": str(device.catalogue), "OUT": str(tmp_path / "out")}
    arguments = [places.get(argument, argument) for argument in verb]
    done = command(*arguments, "--model", tmp_path)
    sentence = f"spotter: --model: expected a path that ends in .tflite, found {str(tmp_path)!r}\n"
    assert (done.code, done.err) == (78, sentence)
    missing = command(*arguments, "--model", tmp_path / "none.tflite")
    assert (missing.code, len(missing.lines)) == (78, 1)
    assert not (tmp_path / "out").exists()
