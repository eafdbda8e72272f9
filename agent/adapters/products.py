"""The table of products and reference pictures: one SQLite file, read-only once it has its name."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from agent.adapters import words
from agent.adapters.product_rows import (
    COLUMNS,
    CREATE,
    TABLE_SCHEMA,
    TEXTS,
    keys_of,
    product_in,
    products_after,
    row_of,
)
from agent.adapters.tables import TableWriter, open_table
from agent.core.copies import COPY_GLOB, is_copy, picture_of
from agent.core.matching import product_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from agent.adapters.tables import Previous, Table
    from agent.core.manifest import FileEntry
    from agent.core.types import Product

_CACHED = 4096
"""Products kept in memory: more than one shop's cameras see in a day, about 4 MB."""
_A_GTIN = "SELECT no FROM products WHERE gtin != '' LIMIT 1"


class ProductTable:
    """The products of one catalogue. Any thread may ask; equal questions are answered from memory."""

    def __init__(self, path: Path, table: Table) -> None:
        """Use `open_products`."""
        self._path = path
        self._table = table
        self._products = lru_cache(_CACHED)(self._read_product)
        self._gtins = lru_cache(_CACHED)(self._read_gtin)
        self.has_gtins = lru_cache(1)(lambda: bool(table.column(_A_GTIN)))
        """`has_gtins()`: whether any product has one, asked once. Raises CatalogueError."""
        self._references = lru_cache(_CACHED)(self._read_reference)

    def __len__(self) -> int:
        """Products."""
        return int(self._table.ask("SELECT count(*) FROM products")[0])

    def close(self) -> None:
        """Give the file back; asking afterwards is a CatalogueError."""
        self._table.close()

    def numbers(self) -> list[int]:
        """The numbers of all products, ascending.

        Raises:
            CatalogueError: the table cannot be read.
        """
        return self._table.column("SELECT no FROM products ORDER BY no")

    def by_sku(self, sku: str) -> Product | None:
        """The product with this sku, None where there is none.

        Raises:
            CatalogueError: the table cannot be read.
        """
        row = self._table.ask(f"SELECT {COLUMNS} FROM products WHERE sku = ?", (sku,), may_miss=True)  # noqa: S608
        return self._made(row) if row else None

    def by_gtin(self, gtin: str) -> Product | None:
        """The product with this GTIN of 14 digits, None where there is none or where several have it.

        All rows are gone through: 50 ms for 100,000 products.

        Raises:
            CatalogueError: the table cannot be read.
        """
        return self._gtins(gtin)

    def product(self, no: int) -> Product:
        """The product with this number.

        Raises:
            CatalogueError: there is none: index and table do not belong together.
        """
        return self._products(no)

    def reference(self, key: int) -> str:
        """The picture of a reference, also of a small copy: its path within the product folder.

        Raises:
            CatalogueError: there is none: index and table do not belong together.
        """
        return picture_of(self._references(key))

    def count_pictures(self) -> int:
        """References that are no copies.

        Raises:
            CatalogueError: the table cannot be read.
        """
        return int(self._table.ask("SELECT count(*) FROM refs WHERE image NOT GLOB ?", (COPY_GLOB,))[0])

    def picture_key(self, key: int) -> int:
        """The reference that shows the picture of another one in full; 0 where there is none.

        Raises:
            CatalogueError: the table cannot be read.
        """
        row = self._table.ask("SELECT image FROM refs WHERE key = ?", (key,), may_miss=True)
        if not (row and is_copy(str(row[0]))):
            return key
        asked = (*keys_of(product_of(key)), picture_of(str(row[0])))
        sql = "SELECT key FROM refs WHERE key >= ? AND key < ? AND image = ?"
        found = self._table.ask(sql, asked, may_miss=True)
        return int(found[0]) if found else 0

    def picture_keys(self) -> NDArray[np.uint64]:
        """The keys of all references that are no copies, ascending.

        Raises:
            CatalogueError: the table cannot be read.
        """
        rows = self._table.all("SELECT key, image FROM refs ORDER BY key")
        return np.fromiter((key for key, image in rows if not is_copy(image)), np.uint64)

    def skus(self) -> Iterator[tuple[int, str]]:
        """Number and SKU of every product.

        Raises:
            CatalogueError: the table cannot be read.
        """
        yield from self._table.all("SELECT no, sku FROM products")

    def after(self, no: int) -> Iterator[Product]:
        """Products whose number is larger; see `product_rows.products_after`."""
        return products_after(self._table, self._path, no)

    def first_key(self, product: int) -> int:
        """The first reference of a product; 0 for none. CatalogueError: the table cannot be read."""
        sql = "SELECT key FROM refs WHERE key >= ? AND key < ? ORDER BY key LIMIT 1"
        row = self._table.ask(sql, keys_of(product), may_miss=True)
        return int(row[0]) if row else 0

    def first_reference(self, product: int) -> str:
        """The path within the product folder of its first picture. CatalogueError: there is none."""
        sql = "SELECT image FROM refs WHERE key >= ? AND key < ? ORDER BY key LIMIT 1"
        return picture_of(str(self._table.ask(sql, keys_of(product))[0]))

    def _read_product(self, no: int) -> Product:
        return self._made(self._table.ask(f"SELECT {COLUMNS} FROM products WHERE no = ?", (no,)))  # noqa: S608

    def _read_gtin(self, gtin: str) -> Product | None:
        rows = self._table.all(f"SELECT {COLUMNS} FROM products WHERE gtin = ? LIMIT 2", (gtin,))  # noqa: S608
        return self._made(rows[0]) if len(rows) == 1 else None

    def _read_reference(self, key: int) -> str:
        return str(self._table.ask("SELECT image FROM refs WHERE key = ?", (key,))[0])

    def _made(self, row: tuple[Any, ...]) -> Product:
        return product_in(row, self._path)


def open_products(path: Path, entry: FileEntry, *, products: int, references: int) -> ProductTable:
    """Open a products table read-only, after all its bytes were verified.

    Raises:
        CatalogueError: it is missing, damaged, or does not hold that many products and references.
    """
    expected = {
        "PRAGMA user_version": TABLE_SCHEMA,
        "SELECT count(*) FROM products": products,
        "SELECT count(*) FROM refs": references,
    }
    return ProductTable(path, open_table(path, entry, expected))


class ProductWriter:
    """Writes the table, or changes a copy of the one before.

    The same rows give the same bytes within one version of SQLite; rows that are put again as they were
    change nothing.
    """

    def __init__(self, folder: Path, previous: Previous | None = None) -> None:
        """Start a table in `folder`, empty or as the one before; it has no lasting name before `save`.

        Raises:
            CatalogueError: the one before is missing or damaged.
            DeviceError: the disk failed or is full.
        """
        self._file = TableWriter(folder, "products", CREATE, previous)
        self._anew = previous is None
        try:
            self._anew |= words.fill_missing(self._file, self.all())
        except BaseException:
            self._file.close()
            raise

    @property
    def products(self) -> int:
        """Products in the table."""
        return int(next(self._file.rows("SELECT count(*) FROM products"))[0])

    @property
    def highest(self) -> int:
        """The highest number that a product ever had in this table, 0 for none."""
        row = next(self._file.rows("SELECT seq FROM sqlite_sequence WHERE name = 'products'"), (0,))
        return int(row[0])

    def number_of(self, sku: str) -> int | None:
        """The number of a product, None where there is none."""
        row = next(self._file.rows("SELECT no FROM products WHERE sku = ?", (sku,)), None)
        return int(row[0]) if row else None

    def numbers(self) -> Iterator[int]:
        """The numbers of all products, ascending."""
        return (no for (no,) in self._file.rows("SELECT no FROM products ORDER BY no"))

    def all(self) -> Iterator[Product]:
        """All products, by their number.

        Raises:
            CatalogueError: a row is damaged.
        """
        rows = self._file.rows(f"SELECT {COLUMNS} FROM products ORDER BY no")  # noqa: S608
        return (product_in(row, self._file.path) for row in rows)

    def keys(self) -> NDArray[np.uint64]:
        """The keys of all references, `(R,)` ascending."""
        rows = self._file.rows("SELECT key FROM refs ORDER BY key")
        return np.fromiter((key for (key,) in rows), np.uint64)

    def references_of(self, product: int) -> dict[int, str]:
        """Key → picture of the references of a product, ascending."""
        sql = "SELECT key, image FROM refs WHERE key >= ? AND key < ? ORDER BY key"
        return dict(self._file.rows(sql, keys_of(product)))

    def add(self, product: Product) -> None:
        """Add a product.

        Raises:
            ValueError: its number or sku is taken.
            DeviceError: the disk failed or is full.
        """
        row = row_of(product)
        marks = ", ".join("?" * len(row))
        self._file.change(f"INSERT INTO products ({COLUMNS}) VALUES ({marks})", row)  # noqa: S608
        words.put(self._file, product)

    def put(self, product: Product) -> None:
        """Add a product, or make the row of its number what it is now. Raises as `add`."""
        held = self._row(product.no)
        if held is None:
            self.add(product)
        elif held != row_of(product):
            names = ", ".join(f"{name} = ?" for name in (*TEXTS, "extra"))
            self._file.change(f"UPDATE products SET {names} WHERE no = ?", (*row_of(product)[1:], product.no))  # noqa: S608
            words.take_out(self._file, product_in(held, self._file.path))
            words.put(self._file, product)

    def remove(self, product: int) -> None:
        """Take a product out; its references stay. Raises as `add`."""
        held = self._row(product)
        if held is not None:
            words.take_out(self._file, product_in(held, self._file.path))
            self._file.change("DELETE FROM products WHERE no = ?", (product,))

    def add_reference(self, key: int, image: str) -> None:
        """Add a reference: `image` is its path within the product folder. Raises as `add`."""
        self._file.change("INSERT INTO refs (key, image) VALUES (?, ?)", (key, image))

    def rename_reference(self, key: int, image: str) -> None:
        """Give a reference another path. Raises as `add`."""
        self._file.change("UPDATE refs SET image = ? WHERE key = ?", (image, key))

    def remove_reference(self, key: int) -> None:
        """Take a reference out. Raises as `add`."""
        self._file.change("DELETE FROM refs WHERE key = ?", (key,))

    def save(self, *, compact: bool = False) -> FileEntry:
        """Finish the file under a name of its content; see `TableWriter.save`. Raises as it does."""
        if compact or self._anew or self._file.is_worn:
            words.tidy(self._file)
        return self._file.save(compact=compact)

    def close(self) -> None:
        """Let go of the file; without `save` it stays unfinished."""
        self._file.close()

    def _row(self, product: int) -> tuple[Any, ...] | None:
        return next(self._file.rows(f"SELECT {COLUMNS} FROM products WHERE no = ?", (product,)), None)  # noqa: S608
