"""The table of products on real SQLite files: what is written is read, and damage is refused."""

from __future__ import annotations

import hashlib
import random
import sqlite3
from collections.abc import Callable
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


def test_products_are_gone_through_from_any_number_on(tmp_path: Path) -> None:
    writer = ProductWriter(tmp_path)
    for no in (1, *range(5, 405, 2)):
        writer.add(Product(no, f"sku-{no}"))
    with closing(opened(tmp_path, writer.save(), products=201, references=0)) as table:
        assert [each.no for each in table.after(0)] == [1, *range(5, 405, 2)]
        assert [each.sku for each in table.after(399)] == ["sku-401", "sku-403"]
        assert list(table.after(403)) == list(table.after(2**40)) == []


def test_the_first_picture_of_a_product_is_found_where_it_has_one(tmp_path: Path) -> None:
    with closing(opened(tmp_path, write(tmp_path))) as table:
        assert [table.first_key(no) for no in (1, 2, 7, 8)] == [key_of(1, 0), 0, key_of(7, 0), 0]


def test_the_same_rows_give_the_same_bytes(tmp_path: Path) -> None:
    first = write(tmp_path)
    assert hashlib.sha256((tmp_path / first.path).read_bytes()).hexdigest() == first.sha256
    assert write(tmp_path) == first
    assert [path.name for path in tmp_path.iterdir()] == [first.path]


def updated(folder: Path, entry: FileEntry, change: Callable[[ProductWriter], None]) -> FileEntry:
    writer = ProductWriter(folder, (folder / entry.path, entry))
    change(writer)
    return writer.save()


def test_a_table_that_nothing_changed_in_stays_what_it_was(tmp_path: Path) -> None:
    entry = write(tmp_path)

    def the_same(writer: ProductWriter) -> None:
        assert (writer.products, writer.highest) == (3, 7)
        assert list(writer.numbers()) == [1, 2, 7]
        assert [writer.number_of(product.sku) for product in PRODUCTS] == [1, 2, 7]
        assert writer.number_of("nothing") is None
        assert writer.references_of(1) == dict(REFERENCES[:2])
        for product in PRODUCTS:
            writer.put(product)

    assert updated(tmp_path, entry, the_same) == entry


def test_rows_are_changed_added_and_taken_out(tmp_path: Path) -> None:
    def change(writer: ProductWriter) -> None:
        writer.put(Product(1, "milk-1l", name="Milk, 1 litre"))
        writer.put(Product(8, "new"))
        writer.remove(7)
        writer.remove_reference(key_of(7, 0))
        writer.rename_reference(key_of(1, 1), "images/milk-1l/c.jpg")
        writer.add_reference(key_of(8, 0), "images/new/a.jpg")

    first = write(tmp_path)
    entry = updated(tmp_path, first, change)
    assert updated(tmp_path, first, change) == entry
    with closing(opened(tmp_path, entry)) as table:
        assert table.product(1) == Product(1, "milk-1l", name="Milk, 1 litre")
        assert table.product(8).sku == "new"
        assert table.by_sku("7") is None
        assert table.reference(key_of(1, 1)) == "images/milk-1l/c.jpg"
        with pytest.raises(CatalogueError):
            table.reference(key_of(7, 0))


def test_the_highest_number_is_remembered_when_its_product_is_gone(tmp_path: Path) -> None:
    entry = updated(tmp_path, write(tmp_path), lambda writer: writer.remove(7))
    with closing(ProductWriter(tmp_path, (tmp_path / entry.path, entry))) as writer:
        assert (writer.products, writer.highest) == (2, 7)
    with closing(ProductWriter(tmp_path)) as writer:
        assert writer.highest == 0


def test_what_is_removed_is_gone_from_the_bytes_and_the_file_does_not_keep_empty_pages(
    tmp_path: Path,
) -> None:
    writer = ProductWriter(tmp_path)
    for no in range(1, 2001):
        writer.add(Product(no, f"sku-{no}", description=f"remarkable-{no} " * 20))
    entry = writer.save()

    def without(numbers: range) -> Callable[[ProductWriter], None]:
        def change(writer: ProductWriter) -> None:
            for no in numbers:
                writer.remove(no)

        return change

    few = updated(tmp_path, entry, without(range(1, 101)))
    assert few.size == entry.size  # the same places, so that a patch is small
    assert b"remarkable-50 " not in (tmp_path / few.path).read_bytes()
    many = updated(tmp_path, few, without(range(101, 1501)))
    assert many.size < entry.size * 0.3
    with closing(opened(tmp_path, many, products=500, references=0)) as table:
        assert table.product(1501).sku == "sku-1501"


def test_a_damaged_table_is_not_changed(tmp_path: Path) -> None:
    entry = write(tmp_path)
    path = tmp_path / entry.path
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(CatalogueError, match="damaged"):
        ProductWriter(tmp_path, (path, entry))


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
