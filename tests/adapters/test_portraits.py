"""Portraits on real SQLite files: what is put is read, and what stays the same leaves the file alone."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from agent.adapters.durable import settle
from agent.adapters.images import encode_jpeg
from agent.adapters.portraits import PortraitWriter, open_portraits
from agent.core.between import PICTURE_PX
from agent.core.errors import CatalogueError
from agent.core.local_features import describe, pack
from agent.core.manifest import FileEntry
from agent.core.matching import key_of
from agent.core.second_look import DEFAULT_WEIGHTS, Weights
from agent.core.verifying import Reference, small
from tools.synth.flavours import flavour
from tools.synth.views import studio_view

WEIGHTS = Weights((1.0, 0.0, 2.0, 0.5, 0.25), 77)


def reference(key: int) -> Reference:
    picture = studio_view(flavour(key % 4), 0)
    return Reference(key, describe(picture).first(20), small(picture))


def write(folder: Path, keys: tuple[int, ...], previous: FileEntry | None = None) -> FileEntry:
    writer = PortraitWriter(folder, previous and (folder / previous.path, previous))
    for key in keys:
        if writer.source_of(key) != b"source":
            writer.put(reference(key), b"source")
    writer.put_weights(WEIGHTS)
    return writer.save()


KEYS = (key_of(1, 0), key_of(1, 5), key_of(3, 0))


def test_what_is_put_is_read(tmp_path: Path) -> None:
    entry = write(tmp_path, KEYS)
    assert entry.path.startswith("features-")
    with closing(open_portraits(tmp_path / entry.path, entry)) as portraits:
        first, second = portraits.of(1)
        assert (first.key, second.key) == KEYS[:2]
        assert pack(first.features) == pack(reference(KEYS[0]).features)
        assert np.abs(first.picture.astype(int) - reference(KEYS[0]).picture).mean() < 6
        assert portraits.of(2) == ()
        assert portraits.weights == WEIGHTS
    with pytest.raises(CatalogueError, match="closed"):
        portraits.of(3)


def test_the_same_again_is_the_same_file(tmp_path: Path) -> None:
    entry = write(tmp_path, KEYS)
    assert write(tmp_path, KEYS, entry) == entry


def test_one_that_is_taken_out_is_gone(tmp_path: Path) -> None:
    entry = write(tmp_path, KEYS)
    writer = PortraitWriter(tmp_path, (tmp_path / entry.path, entry))
    assert writer.keys() == list(KEYS)
    writer.remove(KEYS[2])
    smaller = writer.save()
    with closing(open_portraits(tmp_path / smaller.path, smaller)) as portraits:
        assert portraits.of(3) == ()


def bent(folder: Path, *statements: tuple[str, tuple[object, ...]]) -> FileEntry:
    """A file whose hash fits, and whose rows do not."""
    entry = write(folder, KEYS)
    copy = folder / "bent.db"
    copy.write_bytes((folder / entry.path).read_bytes())
    with closing(sqlite3.connect(copy)) as connection, connection:
        for sql, values in statements:
            connection.execute(sql, values)
    return settle(copy, "features", ".db")


GREY = encode_jpeg(np.full((8, 8, 3), 9, np.uint8))


@pytest.mark.parametrize(
    ("sql", "values", "says"),
    [
        ("UPDATE portraits SET points = ?", (b"x" * 71,), "expected points of 70 bytes"),
        ("UPDATE portraits SET points = ?", (7,), "expected points and a picture"),
        ("UPDATE portraits SET points = ?", (bytes(70 * 2000),), "expected points and a picture"),
        ("UPDATE portraits SET jpeg = ?", (b"no picture",), "expected a JPEG"),
        ("UPDATE portraits SET jpeg = ?", (GREY,), f"expected {PICTURE_PX} px"),
    ],
)
def test_a_damaged_row_is_said_when_it_is_asked_for(
    tmp_path: Path, sql: str, values: tuple[object, ...], says: str
) -> None:
    entry = bent(tmp_path, (sql, values))
    with closing(open_portraits(tmp_path / entry.path, entry)) as portraits:
        with pytest.raises(CatalogueError, match=says):
            portraits.of(1)
        assert portraits.weights == WEIGHTS


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM weights WHERE measure = 'tint'",
        "UPDATE weights SET weight = 'heavy'",
        "UPDATE weights SET weight = -1.0",
        "PRAGMA user_version = 9",
        "DROP TABLE weights",
    ],
)
def test_a_file_of_another_kind_is_refused(tmp_path: Path, sql: str) -> None:
    entry = bent(tmp_path, (sql, ()))
    with pytest.raises(CatalogueError, match="features-"):
        open_portraits(tmp_path / entry.path, entry)


def test_one_changed_byte_is_refused(tmp_path: Path) -> None:
    entry = write(tmp_path, KEYS)
    path = tmp_path / entry.path
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(CatalogueError, match="sha256"):
        open_portraits(path, entry)


def test_the_default_weights_can_be_stored(tmp_path: Path) -> None:
    writer = PortraitWriter(tmp_path)
    writer.put_weights(Weights())
    entry = writer.save()
    with closing(open_portraits(tmp_path / entry.path, entry)) as portraits:
        assert portraits.weights.values == DEFAULT_WEIGHTS
