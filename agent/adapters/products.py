"""The table of products and reference pictures: one SQLite file, written once and then only read."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from functools import lru_cache
from threading import Lock
from typing import TYPE_CHECKING, Any

from agent.adapters.durable import open_verified, settle
from agent.core.errors import CatalogueError, DeviceError, quoted
from agent.core.types import Product

if TYPE_CHECKING:
    from pathlib import Path

    from agent.core.manifest import FileEntry

TABLE_SCHEMA = 1  # kept in SQLite's user_version
_TEXTS = ("sku", "gtin", "name", "description", "brand", "category", "price", "aisle", "bay", "tags")
_COLUMNS = ", ".join(("no", *_TEXTS, "extra"))
_CREATE = f"""
PRAGMA page_size = 4096;
PRAGMA journal_mode = OFF;
PRAGMA synchronous = OFF;
PRAGMA user_version = {TABLE_SCHEMA};
CREATE TABLE products (no INTEGER PRIMARY KEY, {", ".join(f"{name} TEXT NOT NULL" for name in _TEXTS)},
                       extra TEXT NOT NULL, UNIQUE (sku));
CREATE TABLE refs (key INTEGER PRIMARY KEY, image TEXT NOT NULL);
"""  # no journal: the file has no name before it is complete, and `settle` flushes it
_CACHED = 4096
"""Products kept in memory: more than one shop's cameras see in a day, about 4 MB."""


class ProductTable:
    """The products of one catalogue. Any thread may ask; equal questions are answered from memory."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        """Use `open_products`."""
        self._path = path
        self._connection = connection
        self._lock = Lock()  # one statement at a time on one connection
        self._products = lru_cache(_CACHED)(self._read_product)
        self._references = lru_cache(_CACHED)(self._read_reference)

    def __len__(self) -> int:
        """Products."""
        return int(self._ask("SELECT count(*) FROM products", ())[0])

    def close(self) -> None:
        """Give the file back; asking afterwards is a CatalogueError."""
        self._connection.close()

    def by_sku(self, sku: str) -> Product | None:
        """The product with this sku, None where there is none.

        Raises:
            CatalogueError: the table cannot be read.
        """
        row = self._ask(f"SELECT {_COLUMNS} FROM products WHERE sku = ?", (sku,), may_miss=True)  # noqa: S608
        return self._made(row) if row else None

    def product(self, no: int) -> Product:
        """The product with this number.

        Raises:
            CatalogueError: there is none: index and table do not belong together.
        """
        return self._products(no)

    def reference(self, key: int) -> str:
        """The picture of a reference: its path within the product folder.

        Raises:
            CatalogueError: there is none: index and table do not belong together.
        """
        return self._references(key)

    def _read_product(self, no: int) -> Product:
        return self._made(self._ask(f"SELECT {_COLUMNS} FROM products WHERE no = ?", (no,)))  # noqa: S608

    def _read_reference(self, key: int) -> str:
        return str(self._ask("SELECT image FROM refs WHERE key = ?", (key,))[0])

    def _ask(self, sql: str, values: tuple[Any, ...], *, may_miss: bool = False) -> tuple[Any, ...]:
        try:
            with self._lock:
                row: tuple[Any, ...] | None = self._connection.execute(sql, values).fetchone()
        except (sqlite3.Error, OverflowError) as error:
            raise CatalogueError(f"{self._path}: cannot be read: {quoted(str(error))}") from None
        if row is None and not may_miss:
            raise CatalogueError(f"{self._path}: expected a row for {quoted(values)}, found none: {sql}")
        return row or ()

    def _made(self, row: tuple[Any, ...]) -> Product:
        try:
            extra = json.loads(row[-1])
        except (ValueError, TypeError, RecursionError):
            extra = None
        if not isinstance(extra, dict) or not all(isinstance(text, str) for text in row[1:]):
            raise CatalogueError(f"{self._path}: product {row[0]}: expected texts, found {quoted(row)}")
        return Product(row[0], **dict(zip(_TEXTS, row[1:-1], strict=True)), extra=extra)


def open_products(path: Path, entry: FileEntry, *, products: int, references: int) -> ProductTable:
    """Open a products table read-only, after all its bytes were verified.

    Raises:
        CatalogueError: it is missing, damaged, or does not hold that many products and references.
    """
    open_verified(path, entry).close()
    # immutable: no locks and no journal are looked for, so that a read-only file system will do
    address = f"{path.resolve().as_uri()}?mode=ro&immutable=1"
    try:
        connection = sqlite3.connect(address, uri=True, check_same_thread=False)
    except sqlite3.Error as error:
        raise CatalogueError(f"{path}: cannot be opened: {quoted(str(error))}") from None
    try:
        _check(connection, path, products, references)
    except BaseException:
        connection.close()
        raise
    return ProductTable(path, connection)


def _check(connection: sqlite3.Connection, path: Path, products: int, references: int) -> None:
    expected = {
        "PRAGMA user_version": TABLE_SCHEMA,
        "SELECT count(*) FROM products": products,
        "SELECT count(*) FROM refs": references,
    }
    for sql, value in expected.items():
        try:
            found = connection.execute(sql).fetchone()[0]
        except sqlite3.Error as error:
            raise CatalogueError(f"{path}: expected a products table, found {quoted(str(error))}") from None
        if found != value:
            raise CatalogueError(f"{path}: {sql}: expected {value}, found {found}")


class ProductWriter:
    """Writes the table row by row. The same rows give the same bytes within one version of SQLite."""

    def __init__(self, folder: Path) -> None:
        """Start a table in `folder`; it has no lasting name before `save`.

        Raises:
            DeviceError: the disk failed or is full.
        """
        self.products = 0  # added so far
        self._temporary = folder / ".products.partial"
        try:
            self._temporary.unlink(missing_ok=True)
            self._connection = sqlite3.connect(self._temporary, isolation_level=None)
            self._connection.executescript(_CREATE)
            self._connection.execute("BEGIN")
        except (sqlite3.Error, OSError) as error:
            raise self._failed(error) from None

    def add(self, product: Product) -> None:
        """Add a product.

        Raises:
            ValueError: its number or sku is taken.
            DeviceError: the disk failed or is full.
        """
        extra = json.dumps(dict(product.extra), ensure_ascii=False)
        row = (product.no, *(getattr(product, name) for name in _TEXTS), extra)
        marks = ", ".join("?" * len(row))
        self._insert(f"INSERT INTO products ({_COLUMNS}) VALUES ({marks})", row)  # noqa: S608
        self.products += 1

    def add_reference(self, key: int, image: str) -> None:
        """Add a reference: `image` is its path within the product folder. Raises as `add`."""
        self._insert("INSERT INTO refs (key, image) VALUES (?, ?)", (key, image))

    def save(self) -> FileEntry:
        """Finish the file, complete or not at all, under a name that its content gives it.

        Raises:
            DeviceError: the disk failed or is full.
        """
        try:
            self._connection.execute("COMMIT")
        except sqlite3.Error as error:
            raise self._failed(error) from None
        finally:
            self.close()
        return settle(self._temporary, "products", ".db")

    def close(self) -> None:
        """Let go of the file; without `save` it stays unfinished."""
        self._connection.close()

    def _insert(self, sql: str, row: tuple[Any, ...]) -> None:
        try:
            with closing(self._connection.execute(sql, row)):
                pass
        except sqlite3.IntegrityError as error:
            raise ValueError(f"row {quoted(row)}: {error}") from None
        except sqlite3.Error as error:
            raise self._failed(error) from None

    def _failed(self, error: Exception) -> DeviceError:
        return DeviceError(f"{self._temporary}: cannot be written: {quoted(str(error))}")
