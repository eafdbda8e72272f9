"""`spotter find --text`, as typed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Command
from tests.support.road import Road


def test_a_device_is_asked_with_its_configuration(device: Road, command: Command) -> None:
    done = command("find", "--text", "sku-1", "-c", device.config, "--json")
    assert done.code == 0, done.err
    first = json.loads(done.out.splitlines()[0])
    assert first["sku"] == "sku-01"
    assert 0 < first["score"] <= 1
    assert {"name", "gtin", "price", "aisle", "bay", "words", "pictures"} <= first.keys()


def test_a_catalogue_is_asked_without_a_model(device: Road, command: Command) -> None:
    done = command("find", "--text", "sku-02", "--release", device.catalogue, "-k", "1")
    assert (done.code, done.out) == (0, "  1. sku-02  score 1.00 (words)\n")


def test_nothing_is_said_to_be_nothing(device: Road, command: Command) -> None:
    done = command("find", "--text", "xyzzyplugh", "--release", device.catalogue)
    assert (done.code, done.out) == (0, "no product has a word of 'xyzzyplugh'\n")
    done = command("find", "--text", "xyzzyplugh", "--release", device.catalogue, "--json")
    assert (done.code, done.out) == (0, "")


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--text", "milk"], "expected --config FILE or --release DIR"),
        (["--text", "milk", "photo.jpg", "--release", "."], "expected no photos"),
        (["--text", "m" * 201, "--release", "CATALOGUE"], "text: expected at most 200 characters, found 201"),
        ([], "expected photos, or --text TEXT"),
    ],
    ids=["nowhere", "photos beside it", "too long", "neither"],
)
def test_what_cannot_be_asked_is_said(
    device: Road, command: Command, arguments: list[str], complaint: str
) -> None:
    replaced = [str(device.catalogue) if each == "CATALOGUE" else each for each in arguments]
    done = command("find", *replaced)
    assert done.code in {1, 2}
    assert complaint in done.err


def test_a_damaged_table_is_refused_before_it_is_searched(
    device: Road, command: Command, tmp_path: Path
) -> None:
    for file in Path(device.catalogue).iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    (table,) = tmp_path.glob("products-*.db")
    table.write_bytes(table.read_bytes()[:-1] + b"x")
    done = command("find", "--text", "milk", "--release", tmp_path)
    assert done.code == 78
    assert "damaged" in done.err
