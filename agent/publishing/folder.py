"""The product folder that head office has, read row by row: products with their pictures, and what is wrong.

    products.csv + images/<sku>/*.jpg     columns: sku, and any of gtin name description brand category price
                                          aisle bay tags; others are kept as they are
    <sku>/*.jpg                           without products.csv: one folder of pictures per product

    products-*.csv   more rows, as devices export what they learned; where an SKU has one already, that counts
    forgotten-*.csv  SKUs that a device recognises no longer (column sku): each is reported, none left out

Rows stream. What grows with their number is one dictionary of SKUs, about 120 MB for a million.
"""

from __future__ import annotations

import csv
import os
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING

from agent.adapters.images import IMAGE_SUFFIXES
from agent.core.errors import InputError, quoted
from agent.core.gs1 import gtin14
from agent.core.product_rules import NAME_LIMIT, is_text, sku_problem
from agent.core.types import Product
from agent.publishing.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Set
    from typing import TextIO

TABLE_NAME = "products.csv"
IMAGES_NAME = "images"
LINE_LIMIT = 1 << 20
"""Characters of a line: a file that is no CSV may be one line of gigabytes."""

_KNOWN = frozenset(field.name for field in fields(Product)) - {"no", "extra"}
_UTF8_BOM = "\ufeff"


@dataclass(frozen=True, slots=True)
class Item:
    """A product and its pictures, as paths within the product folder, in order."""

    product: Product
    images: tuple[str, ...]


def read_folder(root: Path, report: Callable[[Problem], None]) -> Iterator[Item]:
    """The products in the order of the table (or of the folder names), numbered from 1.

    Everything that is left out, or that may surprise, is reported once; the rest goes on.

    Raises:
        InputError: the folder cannot be read, or the table has no header with a column `sku`.
    """
    if not root.is_dir():
        raise InputError(f"{root}: expected a folder with {TABLE_NAME} or one folder of pictures per product")
    try:
        if tables := _tables(root):
            yield from _from_tables(root, tables, report)
        else:
            yield from _from_folders(root, report)
    except OSError as error:
        raise InputError(f"{error.filename or root}: cannot be read: {error.strerror}") from None


def _tables(root: Path) -> list[str]:
    """Names of the tables of products, the one of head office first."""
    first = [TABLE_NAME] if (root / TABLE_NAME).exists() else []
    return first + sorted(path.name for path in root.glob("products-*.csv"))


def _from_tables(root: Path, tables: list[str], report: Callable[[Problem], None]) -> Iterator[Item]:
    known: Set[str] = frozenset()  # SKUs of the tables before
    number = 0
    for table in tables:
        seen: dict[str, int] = {}
        for line, row in _rows(root / table, report):
            if row["sku"] in known:
                continue
            product = _product(number + 1, table, line, row, seen, report)
            if product is None:
                continue
            number += 1
            images = _pictures(root, f"{IMAGES_NAME}/{product.sku}", report)
            if not images:
                reason = f"no pictures in {IMAGES_NAME}/{product.sku}"
                report(Problem(table, reason, line, "sku", product.sku, warning=True))
            yield Item(product, images)
        known = known | seen.keys() if known else seen.keys()
    if number == 0:
        report(Problem(tables[0], "no product is left of this table", warning=True))
    for name in _folders(root / IMAGES_NAME):
        if name not in known:
            report(Problem(f"{IMAGES_NAME}/{name}", f"no row of {tables[0]} has this sku", warning=True))
    for path in sorted(root.glob("forgotten-*.csv")):
        for line, row in _rows(path, report):
            reason = "a device recognises this product no longer, its people told it so"
            report(Problem(path.name, reason, line, "sku", row["sku"], warning=True))


def _from_folders(root: Path, report: Callable[[Problem], None]) -> Iterator[Item]:
    base = f"{IMAGES_NAME}/" if _folders(root / IMAGES_NAME) else ""
    number = 0
    for name in _folders(root / base):
        folder = f"{base}{name}"
        reason = sku_problem(name)
        images = () if reason else _pictures(root, folder, report)
        if reason or not images:
            report(Problem(folder, reason or "no pictures in this folder", warning=not reason))
            continue
        number += 1
        yield Item(Product(number, name), images)


def _product(
    number: int,
    table: str,
    line: int,
    row: dict[str, str],
    seen: dict[str, int],
    report: Callable[[Problem], None],
) -> Product | None:
    """The row as a product; None after its problems were reported."""
    problems = []
    sku = row["sku"]
    if reason := sku_problem(sku):
        problems.append(Problem(table, reason, line, "sku", sku))
    elif sku in seen:
        problems.append(Problem(table, f"line {seen[sku]} has the same sku", line, "sku", sku))
    else:
        seen[sku] = line
    if row.get("gtin"):
        try:
            row["gtin"] = gtin14(row["gtin"])
        except ValueError as error:
            problems.append(Problem(table, str(error), line, "gtin", row["gtin"]))
    if len(name := row.get("name", "")) > NAME_LIMIT:
        reason = f"expected at most {NAME_LIMIT} characters, found {len(name)}"
        problems.append(Problem(table, reason, line, "name", name))
    for column, value in row.items():
        if not is_text(value) and column != "sku":
            problems.append(Problem(table, "expected UTF-8 without NUL", line, column, value))
    for problem in problems:
        report(problem)
    if problems:
        return None
    known = {column: value for column, value in row.items() if column in _KNOWN}
    extra = {column: value for column, value in row.items() if column not in _KNOWN}
    return Product(no=number, **known, extra=extra)


def _rows(path: Path, report: Callable[[Problem], None]) -> Iterator[tuple[int, dict[str, str]]]:
    """Rows with as many cells as the header, each with the number of its first line."""
    with path.open(encoding="utf-8", errors="surrogateescape", newline="") as file:
        reader = csv.reader(_lines(file, path.name, report), strict=True)
        header = _header(path, reader)
        while True:
            line = reader.line_num + 1  # where the row begins; a quoted cell may go on over several
            try:
                cells = next(reader, None)
            except csv.Error as error:
                report(Problem(path.name, f"expected a row of CSV: {error}", line))
                continue
            if cells is None:
                return
            if not any(cells):  # an empty line, or one of commas only as spreadsheets leave them
                continue
            if len(cells) != len(header):
                reason = f"expected {len(header)} columns, found {len(cells)}"
                report(Problem(path.name, reason, line))
                continue
            row = {name: cell.strip() for name, cell in zip(header, cells, strict=True) if name}
            yield line, row


def _header(path: Path, reader: Iterator[list[str]]) -> list[str]:
    try:
        cells = next(reader, [])
    except csv.Error as error:
        raise InputError(f"{path}:1: expected a header of column names: {error}") from None
    if cells:
        cells[0] = cells[0].removeprefix(_UTF8_BOM)
    names = [cell.strip().lower() for cell in cells]
    if "sku" not in names:
        raise InputError(f"{path}:1: expected a header with a column sku, found {quoted(','.join(cells))}")
    for name in names:
        if name and names.count(name) > 1:
            raise InputError(f"{path}:1: expected each column once, found {quoted(name)} twice")
        if not is_text(name):
            raise InputError(f"{path}:1: expected a header in UTF-8, found {quoted(name)}")
    return names


def _lines(file: TextIO, table: str, report: Callable[[Problem], None]) -> Iterator[str]:
    """The lines of a text; one that is too long becomes an empty one: the others keep their numbers."""
    number = 0
    while line := file.readline(LINE_LIMIT):
        number += 1
        if len(line) == LINE_LIMIT and not line.endswith("\n"):
            report(Problem(table, f"expected a line of at most {LINE_LIMIT} characters", number))
            while (rest := file.readline(LINE_LIMIT)) and not rest.endswith("\n"):
                pass
            line = "\n"
        yield line


def _pictures(root: Path, folder: str, report: Callable[[Problem], None]) -> tuple[str, ...]:
    """The pictures in one folder, sorted by name, as paths within the root; none where there is no folder."""
    names = []
    for name in _names(root / folder):
        if not is_text(name):
            report(Problem(f"{folder}/{name}", "expected a name in UTF-8"))
        elif Path(name).suffix.lower() in IMAGE_SUFFIXES:
            names.append(f"{folder}/{name}")
        else:
            expected = " ".join(sorted(IMAGE_SUFFIXES))
            report(Problem(f"{folder}/{name}", f"expected a picture ({expected})", warning=True))
    return tuple(names)


def _folders(path: Path) -> list[str]:
    return [name for name in _names(path) if (path / name).is_dir()]


def _names(path: Path) -> list[str]:
    """The names in a folder, sorted, without hidden ones; none where there is no folder."""
    try:
        names = os.listdir(path)  # noqa: PTH208 - a million Path objects would take half a gigabyte
    except (FileNotFoundError, NotADirectoryError):
        return []
    return sorted(name for name in names if not name.startswith("."))
