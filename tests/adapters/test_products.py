"""The table of products on real SQLite files: what is written is read, and damage is refused."""

from __future__ import annotations

import hashlib
import random
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from agent.adapters.products import ProductTable, ProductWriter, open_products
from agent.core.errors import CatalogueError, DeviceError
from agent.core.manifest import FileEntry
from agent.core.matching import key_of
from agent.core.types import Product

PRODUCTS = [
    Product(
        1, "milk-1l", "04006381333931", "Milk 1 l", price="1,19 €", extra={"colour": "white", "Größe": "1 l"}
    ),
    Product(2, "'; DROP TABLE products; --", name="牛奶", description="two\nlines", tags="a;b"),
    Product(7, "7"),
]
REFERENCES = [
    (key_of(1, 0), "images/milk-1l/a.jpg"),
    (key_of(1, 1), "images/milk-1l/b.jpg"),
    (key_of(7, 0), "ü.png"),
]


def write(folder: Path) -> FileEntry:
    writer = ProductWriter(folder)
    for product in PRODUCTS:
        writer.add(product)
    for key, image in REFERENCES:
        writer.add_reference(key, image)
    return writer.save()


def opened(folder: Path, entry: FileEntry, products: int = 3, references: int = 3) -> ProductTable:
    return open_products(folder / entry.path, entry, products=products, references=references)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    with closing(opened(tmp_path, write(tmp_path))) as table:
        assert len(table) == 3
        for product in PRODUCTS:
            assert table.product(product.no) == product
            assert table.by_sku(product.sku) == product
        for key, image in REFERENCES:
            assert table.reference(key) == image
        assert table.by_sku("nothing") is None
        assert table.product(1) is table.product(1)  # from memory


def test_the_same_rows_give_the_same_bytes(tmp_path: Path) -> None:
    first = write(tmp_path)
    assert hashlib.sha256((tmp_path / first.path).read_bytes()).hexdigest() == first.sha256
    assert write(tmp_path) == first
    assert [path.name for path in tmp_path.iterdir()] == [first.path]


def test_many_threads_may_ask_one_table(tmp_path: Path) -> None:
    with closing(opened(tmp_path, write(tmp_path))) as table, ThreadPoolExecutor(8) as pool:
        skus = [product.sku for product in PRODUCTS] * 200
        assert [found and found.sku for found in pool.map(table.by_sku, skus)] == skus


def test_an_odd_folder_name_opens(tmp_path: Path) -> None:
    folder = tmp_path / "ä ?mode=rw#%41"
    folder.mkdir()
    with closing(opened(folder, write(folder))) as table:
        assert table.product(7).sku == "7"


def test_nothing_is_written_beside_the_table(tmp_path: Path) -> None:
    entry = write(tmp_path)
    (tmp_path / entry.path).chmod(0o444)
    with closing(opened(tmp_path, entry)) as table:
        table.product(1)
        assert [path.name for path in tmp_path.iterdir()] == [entry.path]


@pytest.mark.parametrize("number", [0, 3, -1, 2**40, 2**64])
def test_a_number_without_a_row_is_a_catalogue_error(tmp_path: Path, number: int) -> None:
    with closing(opened(tmp_path, write(tmp_path))) as table:
        with pytest.raises(CatalogueError, match=r"products-.*\.db: "):
            table.product(number)
        with pytest.raises(CatalogueError, match=r"products-.*\.db: "):
            table.reference(number)


def test_a_closed_table_says_so(tmp_path: Path) -> None:
    table = opened(tmp_path, write(tmp_path))
    table.close()
    with pytest.raises(CatalogueError, match="closed"):
        table.product(1)


def test_a_number_or_sku_twice_is_refused(tmp_path: Path) -> None:
    with closing(ProductWriter(tmp_path)) as writer:
        writer.add(Product(1, "a"))
        writer.add_reference(5, "x")
        with pytest.raises(ValueError, match="UNIQUE constraint failed"):
            writer.add(Product(2, "a"))
        with pytest.raises(ValueError, match="UNIQUE constraint failed"):
            writer.add(Product(1, "b"))
        with pytest.raises(ValueError, match="UNIQUE constraint failed"):
            writer.add_reference(5, "y")


def test_a_folder_that_is_not_there_is_a_device_error(tmp_path: Path) -> None:
    with pytest.raises(DeviceError, match="cannot be written"):
        ProductWriter(tmp_path / "missing")


def test_100_damaged_files_are_refused(tmp_path: Path) -> None:
    random.seed(1)
    entry = write(tmp_path)
    path = tmp_path / entry.path
    good = path.read_bytes()
    cases = [b"", good[:-1], good + b"\0", random.randbytes(len(good)), b"SQLite format 3\0"]
    cases += [good[: random.randrange(len(good))] for _ in range(15)]
    for _ in range(80):
        data = bytearray(good)
        data[random.randrange(len(good))] ^= 1 << random.randrange(8)
        cases.append(bytes(data))
    for data in cases:
        path.write_bytes(data)
        with pytest.raises(CatalogueError, match="damaged") as caught:
            opened(tmp_path, entry)
        assert str(caught.value).isprintable()


def entry_of(path: Path) -> FileEntry:
    data = path.read_bytes()
    return FileEntry(path.name, hashlib.sha256(data).hexdigest(), len(data))


OTHER_TABLES = {
    "no table": "CREATE TABLE x (y)",
    "an older schema": "PRAGMA user_version = 9",
    "a row that is no text": "PRAGMA user_version = 1; CREATE TABLE refs (key); CREATE TABLE products AS SELECT "
    "1 AS no, x'ff' AS sku, '' AS gtin, '' AS name, '' AS description, '' AS brand, '' AS category, "
    "'' AS price, '' AS aisle, '' AS bay, '' AS tags, '{}' AS extra",
    "text that is not UTF-8": "PRAGMA user_version = 1; CREATE TABLE refs (key); CREATE TABLE products AS SELECT "
    "1 AS no, CAST(x'ff' AS TEXT) AS sku, '' AS gtin, '' AS name, '' AS description, '' AS brand, '' AS category, "
    "'' AS price, '' AS aisle, '' AS bay, '' AS tags, '{}' AS extra",
    "extra that is no object": "PRAGMA user_version = 1; CREATE TABLE refs (key); CREATE TABLE products AS SELECT "
    "1 AS no, '' AS sku, '' AS gtin, '' AS name, '' AS description, '' AS brand, '' AS category, "
    "'' AS price, '' AS aisle, '' AS bay, '' AS tags, '[' AS extra",
}


@pytest.mark.parametrize("script", OTHER_TABLES.values(), ids=OTHER_TABLES.keys())
def test_other_tables_with_a_right_digest_are_refused_when_opened_or_asked(
    tmp_path: Path, script: str
) -> None:
    path = tmp_path / "products.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(script)
    with pytest.raises(CatalogueError) as caught:
        read_first(path)
    assert str(caught.value).startswith(str(path))
    assert str(caught.value).isprintable()


def read_first(path: Path) -> Product:
    with closing(open_products(path, entry_of(path), products=1, references=0)) as table:
        return table.product(1)


def test_another_number_of_rows_is_refused(tmp_path: Path) -> None:
    entry = write(tmp_path)
    with pytest.raises(CatalogueError, match=r"count\(\*\) FROM products: expected 4, found 3"):
        opened(tmp_path, entry, products=4)
    with pytest.raises(CatalogueError, match=r"count\(\*\) FROM refs: expected 2, found 3"):
        opened(tmp_path, entry, references=2)
