"""Full-text search of a catalogue: a table of SQLite's FTS5 within the table of products.

It holds which words are in which product, and no texts: those are in the row beside. It is part of what head
office signs. Measured with 100,000 products of 36 words: 1.2 s of CPU and 15 MB (21 with the places of the
words, which nothing here asks for); devices would pay the same time for each release, and then hold as much.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from agent.adapters.tables import open_table
from agent.core.spelling import Vocabulary
from agent.core.wording import FIELDS, indexed

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from agent.adapters.tables import Table, TableWriter
    from agent.core.manifest import FileEntry
    from agent.core.types import Product

_FIELDS: Final = ", ".join(FIELDS)
_MARKS: Final = ", ".join("?" for _ in FIELDS)
_WEIGHTS: Final = ", ".join(f"{10 * weight:g}" for weight in FIELDS.values())

CREATE: Final = (
    f"CREATE VIRTUAL TABLE words USING fts5({_FIELDS}, content='', detail=column, tokenize='ascii')"
)
"""`ascii` cuts at spaces and nothing else in what `indexed` gives: the words are those of `core/words.py`."""

_PRESENT: Final = "SELECT count(*) FROM sqlite_master WHERE name = 'words'"
_CANDIDATES: Final = (
    f"SELECT rowid FROM words WHERE words MATCH ? ORDER BY bm25(words, {_WEIGHTS}), rowid LIMIT ?"  # noqa: S608
)


class Words:
    """The words of one catalogue. Any thread may ask.

    It has a connection of its own, so that whoever recognises never waits for whoever searches.
    """

    def __init__(self, table: Table) -> None:
        """Use `open_words`."""
        self._table = table
        self._table.all("CREATE VIRTUAL TABLE temp.vocabulary USING fts5vocab(main, words, row)")
        self.vocabulary = Vocabulary(self._table.all("SELECT term, doc FROM vocabulary"))

    def candidates(self, expression: str, limit: int) -> list[int]:
        """The numbers of the products that match best, at most `limit`; see `core/wording.py`.

        Raises:
            CatalogueError: the file cannot be read.
        """
        return self._table.column(_CANDIDATES, (expression, limit)) if expression else []

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


def _change(file: TableWriter, sql: str, product: Product) -> None:
    file.change(sql, (product.no, *indexed(product).values()))
