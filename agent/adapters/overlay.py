"""What this device learned itself, on its disk: `overlay/` in the state directory, for several processes.

overlay.db               SKUs, embeddings and what was forgotten; every change is one durable transaction
pictures/<sha256>.jpg    the pictures that were enrolled, for the next model and for head office

A picture is whole on the disk before the transaction that names it ends; one that nothing names is of a
process that was killed in between, and goes with the next change.
"""

from __future__ import annotations

import json
import sqlite3
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from agent.adapters.database import DamagedError, Kind, connect, is_damage, open_or_begin
from agent.adapters.durable import make_folder
from agent.adapters.pictures import Pictures, digest_of
from agent.core.errors import DeviceError, InputError
from agent.core.learned import (
    FORGOTTEN_LIMIT,
    REFERENCE_LIMIT,
    Forgotten,
    Learned,
    LearnedProduct,
    Reference,
    Settlement,
)
from agent.core.product_rules import TEXT_FIELDS

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

_TABLES: Final = """
    CREATE TABLE refs (
        id INTEGER PRIMARY KEY AUTOINCREMENT, sku TEXT NOT NULL, picture TEXT NOT NULL, sight TEXT NOT NULL,
        utc REAL NOT NULL, taken TEXT NOT NULL, row BLOB NOT NULL, UNIQUE (sku, picture));
    CREATE TABLE products (
        no INTEGER PRIMARY KEY AUTOINCREMENT, sku TEXT NOT NULL UNIQUE, texts TEXT NOT NULL);
    CREATE TABLE forgotten (sku TEXT PRIMARY KEY, utc REAL NOT NULL, taken TEXT NOT NULL) WITHOUT ROWID
"""

OVERLAY: Final = Kind("an overlay", 1, _TABLES, lambda path: connect(path, "FULL"))


class Overlay:
    """One connection. Used by one thread at a time; other threads and processes have their own."""

    def __init__(self, folder: Path) -> None:
        """Open or make it. A damaged file is moved aside (see `moved_aside`), and a new one begun.

        Raises:
            ConfigError: a newer Spotter wrote it.
            DeviceError: it cannot be made, read or written.
        """
        self.moved_aside: Path | None = None
        self._path = folder / "overlay.db"
        self._seen: tuple[int, int] | None = None
        make_folder(folder)
        self.pictures = Pictures(folder / "pictures")
        self._open()

    def close(self) -> None:
        """Let go of the file."""
        self._db.close()

    def changed(self) -> bool:
        """Whether somebody changed it since the last call; True at the first. Costs some 5 µs.

        Raises:
            DeviceError: the file cannot be read.
        """
        with self._translated("read"):
            try:
                file = self._path.stat().st_ino
            except FileNotFoundError:
                file = 0
            if self._seen is not None and file != self._seen[0]:  # another one by now: this was moved aside
                self._db.close()
                self._open()
                file = self._path.stat().st_ino
                self._seen = None
            now = (file, int(self._db.execute("PRAGMA data_version").fetchone()[0]))
        if now == self._seen:
            return False
        self._seen = now
        return True

    def learned(self) -> Learned:
        """All but the embeddings and the pictures.

        Raises:
            DeviceError: the file cannot be read.
        """
        return self.read("", (), 0)[0]

    def read(
        self, sight: str, known: Collection[int], dimension: int
    ) -> tuple[Learned, dict[int, NDArray[np.float32]]]:
        """What was learned, and the embeddings `(dimension,)` of this sight, by id of their reference.

        Those that are `known` are left out, and those that are damaged. All of one moment.

        Raises:
            DeviceError: the file cannot be read.
        """
        with self._translated("read"):
            self._db.execute("BEGIN")
            try:
                columns = "id, sku, picture, sight, utc, taken"
                refs = self._db.execute(f"SELECT {columns} FROM refs ORDER BY id").fetchall()  # noqa: S608
                products = self._db.execute("SELECT no, sku, texts FROM products").fetchall()
                forgotten = self._db.execute("SELECT sku, utc, taken FROM forgotten ORDER BY sku").fetchall()
                wanted = [row[0] for row in refs if row[3] == sight and row[0] not in known]
                found = {number: self._row(number, dimension) for number in wanted}
            finally:
                self._db.execute("COMMIT")
        named = {sku: LearnedProduct(no, sku, _texts(texts)) for no, sku, texts in products}
        learned = Learned(
            tuple(Reference(*row) for row in refs if row[1] in named),
            named,
            tuple(Forgotten(*row) for row in forgotten),
        )
        return learned, {number: row for number, row in found.items() if row is not None}

    def enrol(
        self,
        sku: str,
        texts: Mapping[str, str],
        pictures: Sequence[tuple[bytes, NDArray[np.float32]]],
        sight: str,
        utc: float,
    ) -> int:
        """Add pictures (JPEG, embedding) to an SKU, all or none; how many of them are new.

        `texts` replace those that are known of the SKU, field by field. Durable at return.

        Raises:
            InputError: there would be too many.
            DeviceError: the disk failed or is full.
        """
        with self._change() as db:
            row = db.execute("SELECT texts FROM products WHERE sku = ?", (sku,)).fetchone()
            merged = (_texts(row[0]) if row else {}) | dict(texts)
            db.execute(
                "INSERT INTO products (sku, texts) VALUES (?, ?)"
                " ON CONFLICT (sku) DO UPDATE SET texts = excluded.texts",
                (sku, json.dumps(merged, ensure_ascii=False)),
            )
            added = 0
            for data, vector in pictures:
                added += db.execute(
                    "INSERT INTO refs (sku, picture, sight, utc, taken, row) VALUES (?, ?, ?, ?, '', ?)"
                    " ON CONFLICT (sku, picture) DO NOTHING",
                    (sku, digest_of(data), sight, utc, vector.astype("<f4").tobytes()),
                ).rowcount
            _check_count(db, "refs", REFERENCE_LIMIT, "enrolled pictures")
            for data, _ in pictures:
                self.pictures.put(data)
        return added

    def forget(self, sku: str, *, held: bool, utc: float) -> int:
        """Remove what was enrolled for an SKU, and leave the release's pictures of it out when it is `held`
        there; how many were removed. Durable at return.

        Raises:
            InputError: there would be too many.
            DeviceError: the disk failed or is full.
        """
        with self._change() as db:
            removed = db.execute("DELETE FROM refs WHERE sku = ?", (sku,)).rowcount
            db.execute("DELETE FROM products WHERE sku = ?", (sku,))
            if held:
                db.execute("INSERT OR REPLACE INTO forgotten VALUES (?, ?, '')", (sku, utc))
            _check_count(db, "forgotten", FORGOTTEN_LIMIT, "forgotten SKUs")
        self._sweep()
        return int(removed)

    def remember(self, sku: str) -> bool:
        """Let the release's pictures of an SKU count again; whether they did not. Raises DeviceError."""
        with self._change() as db:
            return bool(db.execute("DELETE FROM forgotten WHERE sku = ?", (sku,)).rowcount)

    def settle(self, settlement: Settlement, release: str) -> None:
        """Note what `release` has taken in, and let go of what is done with. Raises DeviceError."""
        with self._change() as db:
            for group, taken in ((settlement.taken, release), (settlement.back, "")):
                for each in group:
                    table, column, value = _place(each)
                    db.execute(f"UPDATE {table} SET taken = ? WHERE {column} = ?", (taken, value))  # noqa: S608
            for each in settlement.gone:
                table, column, value = _place(each)
                db.execute(f"DELETE FROM {table} WHERE {column} = ?", (value,))  # noqa: S608
        self._sweep()

    def refit(self, vectors: Iterable[tuple[int, NDArray[np.float32]]], sight: str) -> None:
        """Replace embeddings (id, embedding) by those of another model. Raises DeviceError."""
        with self._change() as db:
            db.executemany(
                "UPDATE refs SET row = ?, sight = ? WHERE id = ?",
                [(vector.astype("<f4").tobytes(), sight, number) for number, vector in vectors],
            )

    def clear(self) -> None:
        """Forget all that was learned. Raises DeviceError."""
        with self._change() as db:
            for table in ("refs", "products", "forgotten"):
                db.execute(f"DELETE FROM {table}")  # noqa: S608
        self._sweep()

    def _row(self, number: int, dimension: int) -> NDArray[np.float32] | None:
        (data,) = self._db.execute("SELECT row FROM refs WHERE id = ?", (number,)).fetchone()
        if len(data) != 4 * dimension:
            return None
        row = np.frombuffer(data, "<f4").astype(np.float32)
        return row if np.isfinite(row).all() else None

    def _open(self) -> None:
        self._db, aside = open_or_begin(self._path, OVERLAY)
        self.moved_aside = aside or self.moved_aside

    @contextmanager
    def _change(self) -> Iterator[sqlite3.Connection]:
        """One transaction, on the disk at the end of it."""
        with self._translated("change"):
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
            except BaseException:
                with suppress(sqlite3.Error):  # SQLite may have done it by itself
                    self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")

    @contextmanager
    def _translated(self, doing: str) -> Iterator[None]:
        try:
            yield
        except DamagedError as error:
            raise DeviceError(f"{self._path}: {doing}: {error}") from error
        except (sqlite3.Error, OSError) as error:
            hint = ": it is moved aside at the next start" if is_damage(error) else ""
            raise DeviceError(f"{self._path}: {doing}: {error}{hint}") from error

    def _sweep(self) -> None:
        """Remove what belongs to no known picture, in a transaction, so that nobody adds one meanwhile.

        Only once it is durable that nobody names them: a power cut must not leave a name without its picture.
        """
        with self._change() as db:
            db.execute("DELETE FROM products WHERE sku NOT IN (SELECT sku FROM refs)")
            self.pictures.keep_only({row[0] for row in db.execute("SELECT picture FROM refs")})


def _place(each: Reference | Forgotten) -> tuple[str, str, int | str]:
    return ("refs", "id", each.id) if isinstance(each, Reference) else ("forgotten", "sku", each.sku)


def _check_count(db: sqlite3.Connection, table: str, limit: int, what: str) -> None:
    count = db.execute(f"SELECT count(*) FROM {table}").fetchone()[0]  # noqa: S608
    if count > limit:
        raise InputError(
            f"overlay: expected at most {limit} {what}, found {count}:"
            " `spotter overlay export` them for head office, then `spotter overlay clear`"
        )


def _texts(text: str) -> dict[str, str]:
    """The texts of a product as they were put in; none of a row that is damaged."""
    try:
        found: Any = json.loads(text)
    except ValueError:
        return {}
    return (
        {name: str(found[name]) for name in TEXT_FIELDS if name in found} if isinstance(found, dict) else {}
    )
