"""The full-text index within the table of products: also of one that an older Spotter wrote."""

from __future__ import annotations

import hashlib
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from agent.adapters.catalogue import read_manifest, write_manifest
from agent.adapters.products import ProductWriter
from agent.adapters.words import open_words
from agent.core.errors import CatalogueError
from agent.core.manifest import FileEntry
from agent.core.types import Product
from agent.core.wording import Sought
from agent.searching import search_release
from tests.support.head_office import draw_catalogue

PRODUCTS = [Product(1, "milk", name="Oat Drink"), Product(2, "soup", name="Lentil Soup", tags="red, warm")]


def written(folder: Path) -> FileEntry:
    writer = ProductWriter(folder)
    for product in PRODUCTS:
        writer.add(product)
    return writer.save()


def without_words(folder: Path, entry: FileEntry) -> FileEntry:
    """The table as it was before there was a search by text."""
    old = folder / "old.db"
    old.write_bytes((folder / entry.path).read_bytes())
    with closing(sqlite3.connect(old, isolation_level=None)) as db:
        db.execute("DROP TABLE words")
        db.execute("VACUUM")
    data = old.read_bytes()
    return FileEntry(old.name, hashlib.sha256(data).hexdigest(), len(data))


def test_words_are_those_of_the_products_and_counted(tmp_path: Path) -> None:
    entry = written(tmp_path)
    words = open_words(tmp_path / entry.path, entry)
    assert words
    with closing(words):
        assert (words.vocabulary.count("soup"), words.vocabulary.count("drink")) == (1, 1)
        assert words.candidates(Sought('"lentil"', 1), 9) == [2]


def test_a_table_of_an_older_spotter_has_none_until_it_is_built_again(tmp_path: Path) -> None:
    old = without_words(tmp_path, written(tmp_path))
    assert open_words(tmp_path / old.path, old) is None
    with closing(ProductWriter(tmp_path, (tmp_path / old.path, old))) as writer:
        writer.put(Product(2, "soup", name="Tomato Soup"))
        new = writer.save()
    words = open_words(tmp_path / new.path, new)
    assert words
    with closing(words):
        assert words.candidates(Sought('"oat"', 1), 9) == [1]
        assert words.candidates(Sought('"tomato"', 1), 9) == [2]
        assert words.candidates(Sought('"lentil"', 1), 9) == []


def test_a_damaged_table_never_reaches_the_search(tmp_path: Path) -> None:
    entry = written(tmp_path)
    path = tmp_path / entry.path
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(CatalogueError, match="damaged"):
        open_words(path, entry)


def test_a_release_without_words_says_what_to_do(tmp_path: Path) -> None:
    """Its catalogue is as it was signed, and is recognised with as before."""
    folder = draw_catalogue(tmp_path / "catalogue")
    manifest = read_manifest(folder)
    old = without_words(folder, manifest.table)
    write_manifest(folder, replace(manifest, table=old))
    with pytest.raises(CatalogueError, match="an older Spotter built it; build it again"):
        search_release(folder)
