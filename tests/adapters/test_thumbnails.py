"""Thumbnails on real SQLite files: what is put is read, and what stays the same leaves the file alone."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from agent.adapters.durable import settle
from agent.adapters.thumbnails import ThumbnailWriter, open_thumbnails
from agent.core.errors import CatalogueError, DeviceError
from agent.core.manifest import FileEntry
from agent.core.matching import key_of

JPEGS = {key_of(1, 0): b"\xff\xd8one", key_of(1, 1): b"\xff\xd8two", key_of(9, 3): b"\xff\xd8three"}


def write(folder: Path, jpegs: dict[int, bytes] = JPEGS, previous: FileEntry | None = None) -> FileEntry:
    writer = ThumbnailWriter(folder, previous and (folder / previous.path, previous))
    for key, jpeg in jpegs.items():
        writer.put(key, jpeg)
    return writer.save()


def test_what_is_put_is_read(tmp_path: Path) -> None:
    entry = write(tmp_path)
    assert entry.path.startswith("thumbnails-")
    with closing(open_thumbnails(tmp_path / entry.path, entry, references=3)) as thumbnails:
        assert {key: thumbnails.of(key) for key in JPEGS} == JPEGS
        assert thumbnails.of(key_of(2, 0)) is None
    with pytest.raises(CatalogueError, match="closed"):
        thumbnails.of(1)


def test_the_same_again_is_the_same_file_and_another_is_replaced(tmp_path: Path) -> None:
    entry = write(tmp_path)
    assert write(tmp_path, previous=entry) == entry
    other = write(tmp_path, {key_of(1, 1): b"other"}, entry)
    assert other != entry
    with closing(open_thumbnails(tmp_path / other.path, other, references=3)) as thumbnails:
        assert thumbnails.of(key_of(1, 1)) == b"other"


def test_one_that_is_taken_out_is_gone_from_the_bytes(tmp_path: Path) -> None:
    dice = np.random.default_rng(1)
    jpegs = {key_of(no, 0): dice.bytes(2500) for no in range(1, 200)}
    entry = write(tmp_path, jpegs)
    assert entry.size < 1.2 * sum(map(len, jpegs.values()))
    writer = ThumbnailWriter(tmp_path, (tmp_path / entry.path, entry))
    writer.remove(key_of(7, 0))
    smaller = writer.save()
    assert jpegs[key_of(7, 0)][:100] not in (tmp_path / smaller.path).read_bytes()
    open_thumbnails(tmp_path / smaller.path, smaller, references=198).close()


def test_what_is_no_such_file_is_refused(tmp_path: Path) -> None:
    entry = write(tmp_path)
    with pytest.raises(CatalogueError, match="expected 4, found 3"):
        open_thumbnails(tmp_path / entry.path, entry, references=4)
    with pytest.raises(CatalogueError, match="cannot be read"):
        open_thumbnails(tmp_path / "missing.db", replace(entry, path="missing.db"), references=3)
    with pytest.raises(DeviceError, match="cannot be written"):
        ThumbnailWriter(tmp_path / "missing")
    for name, sql in {
        "empty": "VACUUM",
        "text": "CREATE TABLE thumbnails (key INTEGER PRIMARY KEY, jpeg)",
    }.items():
        with closing(sqlite3.connect(tmp_path / name)) as connection:
            connection.executescript(f"{sql}; PRAGMA user_version = 1")
        other = settle(tmp_path / name, name, ".db")
        with pytest.raises(CatalogueError):
            open_thumbnails(tmp_path / other.path, other, references=1)


def test_a_picture_that_is_none_is_a_catalogue_error(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "odd")) as connection:
        connection.executescript(
            "CREATE TABLE thumbnails (key INTEGER PRIMARY KEY, jpeg); PRAGMA user_version = 1;"
            "INSERT INTO thumbnails VALUES (5, 'text')"
        )
    entry = settle(tmp_path / "odd", "odd", ".db")
    with (
        closing(open_thumbnails(tmp_path / entry.path, entry, references=1)) as thumbnails,
        pytest.raises(CatalogueError, match="expected a picture, found 'text'"),
    ):
        thumbnails.of(5)


def test_products_have_a_larger_picture_beside_them(tmp_path: Path) -> None:
    plain = write(tmp_path)
    with closing(open_thumbnails(tmp_path / plain.path, plain, references=3)) as thumbnails:
        assert thumbnails.card(1) is None  # as an older Spotter wrote it
    writer = ThumbnailWriter(tmp_path, (tmp_path / plain.path, plain))
    assert writer.card_source(1) is None
    writer.keep_cards(())
    writer.put_card(1, b"a", b"\xff\xd8large")
    writer.put_card(9, b"b", b"\xff\xd8larger")
    writer.put_card(9, b"c", b"\xff\xd8largest")
    assert (writer.card_source(9), writer.card_source(2)) == (b"c", None)
    writer.keep_cards({9, 12})
    entry = writer.save()
    with closing(open_thumbnails(tmp_path / entry.path, entry, references=3)) as thumbnails:
        assert (thumbnails.card(1), thumbnails.card(9)) == (None, b"\xff\xd8largest")
        assert thumbnails.of(key_of(1, 0)) == b"\xff\xd8one"
