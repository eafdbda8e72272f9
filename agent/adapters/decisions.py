"""Decisions to be reviewed, on the disk: `review/` in the state directory, for several processes.

review.db               the decisions and what people say of them; every change is one durable transaction
pictures/<sha256>.jpg   what they showed, where pictures are kept, which is off unless the operator wants it
"""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from agent.adapters.database import Kind as FileKind
from agent.adapters.database import connect, open_or_begin, translated
from agent.adapters.durable import make_folder
from agent.adapters.pictures import Pictures, digest_of
from agent.core.review import BODY, Answer, Kept, Kind, surplus

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from agent.core.review import Decided, ReviewSettings

_TABLES: Final = """
    CREATE TABLE decisions (
        id INTEGER PRIMARY KEY AUTOINCREMENT, track TEXT NOT NULL UNIQUE, camera TEXT NOT NULL,
        utc REAL NOT NULL, kind TEXT NOT NULL, body TEXT NOT NULL, picture TEXT NOT NULL,
        bytes INTEGER NOT NULL, answer TEXT NOT NULL DEFAULT 'open', sku TEXT NOT NULL DEFAULT '')
"""
_COLUMNS: Final = "id, camera, utc, kind, body, picture, answer, sku"

_PUT: Final = """
    INSERT INTO decisions (track, camera, utc, kind, body, picture, bytes) VALUES (?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (track) DO UPDATE SET utc = excluded.utc, kind = excluded.kind, body = excluded.body,
        picture = CASE WHEN excluded.picture = '' THEN picture ELSE excluded.picture END,
        bytes = CASE WHEN excluded.picture = '' THEN bytes ELSE excluded.bytes END
    WHERE answer = 'open'
"""

_HARD_FIRST: Final = "ORDER BY kind = 'sure', id DESC"

REVIEW: Final = FileKind("decisions to review", 1, _TABLES, lambda path: connect(path, "FULL"))


class Decisions:
    """One connection. Used by one thread at a time; other processes have their own."""

    def __init__(self, folder: Path) -> None:
        """Open or make it; a damaged file is moved aside, and a new one begun.

        Raises:
            ConfigError: a newer Spotter wrote it.
            DeviceError: it cannot be made, read or written.
        """
        make_folder(folder)
        self._path = folder / "review.db"
        self.pictures = Pictures(folder / "pictures")
        self._db, self.moved_aside = open_or_begin(self._path, REVIEW)
        self._sweep()  # of a process that was killed between a picture and its decision

    def close(self) -> None:
        """Let go of the file."""
        self._db.close()

    def take(self, decided: Sequence[Decided], settings: ReviewSettings, now_utc: float) -> None:
        """Keep decisions, and drop what is too old or too much. Durable at return.

        A track that is there is changed, unless somebody has answered it.

        Raises:
            DeviceError: the disk failed or is full.
        """
        loose: list[str] = []  # pictures that may have lost their decision
        with self._change() as db:
            for each in decided:
                before = db.execute("SELECT picture FROM decisions WHERE track = ?", (each.track,)).fetchone()
                loose += before or ()
                if each.kind is None:
                    db.execute("DELETE FROM decisions WHERE track = ? AND answer = 'open'", (each.track,))
                    continue
                digest = digest_of(each.picture) if each.picture else ""
                if digest:
                    self.pictures.put(each.picture)
                body = json.dumps(each.body, ensure_ascii=False, separators=(",", ":"))
                size = len(body.encode()) + len(each.picture)
                values = (each.track, each.camera, each.utc, each.kind.value, body, digest, size)
                db.execute(_PUT, values)
                loose.append(digest)
            rows = db.execute("SELECT id, utc, answer <> 'open', bytes FROM decisions").fetchall()
            for number in surplus(rows, now_utc, settings):
                gone = db.execute("DELETE FROM decisions WHERE id = ? RETURNING picture", (number,))
                loose += gone.fetchone() or ()
        self._let_go(loose)

    def listed(self, *, answered: bool | None = None, limit: int = -1) -> list[Kept]:
        """Those with an answer, or those without, or (None) all, hard ones first, then the latest first.

        Damaged rows are left out. `limit`: at most so many; below 0: all.

        Raises:
            DeviceError: the file cannot be read.
        """
        which = {None: "TRUE", True: "answer <> 'open'", False: "answer = 'open'"}[answered]
        with translated(self._path, "read"):
            rows = self._db.execute(
                f"SELECT {_COLUMNS} FROM decisions WHERE {which} {_HARD_FIRST} LIMIT ?",  # noqa: S608
                (limit,),
            ).fetchall()
        made = (_kept(row) for row in rows)
        return [kept for kept in made if kept is not None]

    def get(self, number: int) -> Kept | None:
        """The decision with this number; None where there is none. Raises DeviceError."""
        with translated(self._path, "read"):
            row = self._db.execute(
                f"SELECT {_COLUMNS} FROM decisions WHERE id = ?",  # noqa: S608
                (number,),
            ).fetchone()
        return _kept(row) if row is not None else None

    def counts(self) -> dict[Answer, int]:
        """How many have which answer. Raises DeviceError."""
        with translated(self._path, "read"):
            rows = self._db.execute("SELECT answer, COUNT(*) FROM decisions GROUP BY answer").fetchall()
        found = dict(rows)
        return {each: found.get(each.value, 0) for each in Answer}

    def answer(self, number: int, answer: Answer, sku: str = "") -> bool:
        """Keep what a person says; whether there is such a decision. Durable. Raises DeviceError."""
        with self._change() as db:
            done = db.execute(
                "UPDATE decisions SET answer = ?, sku = ? WHERE id = ?", (answer.value, sku, number)
            )
        return done.rowcount > 0

    def clear(self) -> int:
        """Let go of all, with their pictures; how many there were. Raises DeviceError."""
        with self._change() as db:
            gone = db.execute("DELETE FROM decisions").rowcount
        self._sweep()
        with translated(self._path, "shrink"):
            self._db.execute("VACUUM")  # what was cleared is not to be read from free pages
        return gone

    @contextmanager
    def _change(self) -> Iterator[sqlite3.Connection]:
        """One transaction, on the disk at the end of it."""
        with translated(self._path, "change"), self._db:
            self._db.execute("BEGIN IMMEDIATE")
            yield self._db

    def _let_go(self, digests: Sequence[str]) -> None:
        """Remove those pictures that nobody names any more, once that is durable."""
        with self._change() as db:
            for digest in {each for each in digests if each}:
                if db.execute("SELECT 1 FROM decisions WHERE picture = ?", (digest,)).fetchone() is None:
                    self.pictures.path(digest).unlink(missing_ok=True)

    def _sweep(self) -> None:
        """Remove the pictures of what is gone, once it is durable that nobody names them."""
        with self._change() as db:
            named = db.execute("SELECT picture FROM decisions WHERE picture <> ''").fetchall()
            self.pictures.keep_only({digest for (digest,) in named})


def _kept(row: tuple[Any, ...]) -> Kept | None:
    number, camera, utc, kind, body, picture, answer, sku = row
    try:
        said = json.loads(body)
        made = Kept(number, camera, utc, Kind(kind), said, picture, Answer(answer), sku)
    except (ValueError, TypeError, RecursionError):
        return None
    return made if isinstance(said, dict) and said.keys() >= BODY else None
