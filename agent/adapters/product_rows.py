"""A product as a row of its table: the columns, and there and back."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from agent.adapters import words
from agent.core.errors import CatalogueError, quoted
from agent.core.matching import VIEW_BITS
from agent.core.types import Product

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from agent.adapters.tables import Table

_READ = 100
"""Rows read at once."""

TABLE_SCHEMA = 1  # kept in SQLite's user_version
TEXTS = ("sku", "gtin", "name", "description", "brand", "category", "price", "aisle", "bay", "tags")
COLUMNS = ", ".join(("no", *TEXTS, "extra"))
CREATE = f"""
PRAGMA page_size = 4096;
PRAGMA user_version = {TABLE_SCHEMA};
CREATE TABLE products (no INTEGER PRIMARY KEY AUTOINCREMENT,
                       {", ".join(f"{name} TEXT NOT NULL" for name in TEXTS)},
                       extra TEXT NOT NULL, UNIQUE (sku));
CREATE TABLE refs (key INTEGER PRIMARY KEY, image TEXT NOT NULL);
{words.CREATE};
"""  # AUTOINCREMENT: SQLite remembers the highest number ever given, also of a product that is gone


def product_in(row: tuple[Any, ...], path: Path) -> Product:
    """The product of a row of `COLUMNS`. Raises CatalogueError, naming the file at `path`."""
    try:
        extra = json.loads(row[-1])
    except (ValueError, TypeError, RecursionError):
        extra = None
    if not isinstance(extra, dict) or not all(isinstance(text, str) for text in row[1:]):
        raise CatalogueError(f"{path}: product {row[0]}: expected texts, found {quoted(row)}")
    return Product(row[0], **dict(zip(TEXTS, row[1:-1], strict=True)), extra=extra)


def products_after(table: Table, path: Path, no: int) -> Iterator[Product]:
    """Products whose number is larger, by their number, read as they are asked for.

    Raises:
        CatalogueError: the table cannot be read.
    """
    while rows := table.all(f"SELECT {COLUMNS} FROM products WHERE no > ? ORDER BY no LIMIT {_READ}", (no,)):  # noqa: S608
        for row in rows:
            yield product_in(row, path)
        no = rows[-1][0]


def keys_of(product: int) -> tuple[int, int]:
    """From which key to below which the references of a product are."""
    return product << VIEW_BITS, (product + 1) << VIEW_BITS


def row_of(product: Product) -> tuple[Any, ...]:
    """Its values of `COLUMNS`."""
    extra = json.dumps(dict(product.extra), ensure_ascii=False)
    return (product.no, *(getattr(product, name) for name in TEXTS), extra)
