"""Full-text search of a catalogue: a table of SQLite's FTS5 within the table of products.

It holds which words are in which product, and no texts: those are in the row beside. It is part of what head
office signs. Measured with 100,000 products of 36 words: 1.2 s of CPU and 15 MB (21 with the places of the
words, which nothing here asks for); devices would pay the same time for each release, and then hold as much.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from agent.adapters.tables import open_table
from agent.core.spelling import Vocabulary
from agent.core.wording import CROWD, FIELDS, indexed

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from numpy.typing import NDArray

    from agent.adapters.tables import Table, TableWriter
    from agent.core.manifest import FileEntry
    from agent.core.types import Product
    from agent.core.wording import Sought

_FIELDS: Final = ", ".join(FIELDS)
_MARKS: Final = ", ".join("?" for _ in FIELDS)
_WEIGHTS: Final = ", ".join(f"{10 * weight:g}" for weight in FIELDS.values())

CREATE: Final = (
    f"CREATE VIRTUAL TABLE words USING fts5({_FIELDS}, content='', detail=column, tokenize='ascii')"
)
"""`ascii` cuts at spaces and nothing else in what `indexed` gives: the words are those of `core/words.py`."""

_PRESENT: Final = "SELECT count(*) FROM sqlite_master WHERE name = 'words'"
_CANDIDATES: Final = f"""
SELECT no
FROM (SELECT rowid AS no, bm25(words, {_WEIGHTS}) AS rank FROM words WHERE words MATCH ? LIMIT {CROWD})
ORDER BY rank, no LIMIT ?
"""  # noqa: S608
_NUMBERS: Final = "SELECT coalesce(group_concat(rowid), '') FROM words WHERE words MATCH ?"
_NAMES: Final = "SELECT group_concat(id), group_concat(hex(substr(sz, 1, 1)), '') FROM words_docsize"
"""The words of each name: the first number of what FTS5 holds of each row's size, one byte below 128."""


class Words:
    """The words of one catalogue. Any thread may ask.

    It has a connection of its own, so that whoever recognises never waits for whoever searches.
    """

    def __init__(self, table: Table) -> None:
        """Use `open_words`."""
        self._table = table
        self._table.all("CREATE VIRTUAL TABLE temp.vocabulary USING fts5vocab(main, words, row)")
        self.vocabulary = Vocabulary(self._table.all("SELECT term, doc FROM vocabulary"))
        self._numbers, self._sizes = self._names()

    def candidates(self, sought: Sought, limit: int) -> list[int]:
        """The numbers of the products that match best, at most `limit`; see `core/wording.py`.

        Raises:
            CatalogueError: the file cannot be read.
        """
        found = self._named(sought.expression, limit) if sought.by_name else []
        if len(found) < limit:
            found += self._table.column(_CANDIDATES, (sought.expression, limit))
        return list(dict.fromkeys(found))[:limit]

    def _named(self, expression: str, limit: int) -> list[int]:
        """Of a crowd those whose name says it, in the fewest words: to rank all of it would take too long."""
        text = self._table.ask(_NUMBERS, (f"{{name}} : ({expression})",))[0]
        found = _integers(text)
        if len(found) <= limit:
            return [int(no) for no in found]
        words = self._sizes[np.searchsorted(self._numbers, found)]
        return [int(no) for no in found[np.argsort(words, kind="stable")[:limit]]]

    def _names(self) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
        """Products by their number, and how many words their names have; none where there is no crowd."""
        (count,) = self._table.ask("SELECT count(*) FROM words_docsize")
        if count <= CROWD:
            return np.empty(0, np.int64), np.empty(0, np.uint8)
        numbers, sizes = self._table.ask(_NAMES)
        return _integers(numbers), np.frombuffer(bytes.fromhex(sizes), np.uint8)

    def close(self) -> None:
        """Give the file back."""
        self._table.close()


def open_words(path: Path, entry: FileEntry) -> Words | None:
    """Open the words of a products table, after all its bytes were verified; None where it has none.

    Raises:
        CatalogueError: it is missing or damaged, or this SQLite cannot search.
    """
    table = open_table(path, entry, {})
    try:
        return Words(table) if table.ask(_PRESENT)[0] else None
    except BaseException:
        table.close()
        raise


def fill_missing(file: TableWriter, products: Iterable[Product]) -> bool:
    """Give a table that an older Spotter wrote its words; whether it had none."""
    if next(file.rows(_PRESENT))[0]:
        return False
    file.change(CREATE, ())
    for product in list(products):
        put(file, product)
    return True


def put(file: TableWriter, product: Product) -> None:
    """Index a product."""
    _change(file, f"INSERT INTO words (rowid, {_FIELDS}) VALUES (?, {_MARKS})", product)  # noqa: S608


def take_out(file: TableWriter, product: Product) -> None:
    """Undo `put` of exactly this product."""
    _change(file, f"INSERT INTO words (words, rowid, {_FIELDS}) VALUES ('delete', ?, {_MARKS})", product)  # noqa: S608


def tidy(file: TableWriter) -> None:
    """Put the parts of a new index together: it becomes smaller, and is searched faster."""
    file.change("INSERT INTO words (words) VALUES ('optimize')", ())


def _integers(text: str) -> NDArray[np.int64]:
    return np.array(text.split(",") if text else [], np.int64)


def _change(file: TableWriter, sql: str, product: Product) -> None:
    file.change(sql, (product.no, *indexed(product).values()))
