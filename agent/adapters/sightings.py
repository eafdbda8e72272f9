"""Things that nobody knows, on the disk: `unknown/` in the state directory, for several processes.

unknown.db              what was seen of each, as numbers; every change is one durable transaction
pictures/<sha256>.jpg   where pictures are kept, which is off unless the operator wants it
"""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from agent.adapters.database import Kind, connect, open_or_begin, translated
from agent.adapters.durable import make_folder
from agent.adapters.pictures import Pictures, digest_of
from agent.core.sightings import Thing, begun, faded, nearest, seen_again

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Collection, Iterator, Sequence
    from pathlib import Path

    from agent.core.sightings import Sighting, SightingSettings

_TABLES: Final = """
    CREATE TABLE things (
        id INTEGER PRIMARY KEY AUTOINCREMENT, sight TEXT NOT NULL, total BLOB NOT NULL, seen INTEGER NOT NULL,
        first_utc REAL NOT NULL, last_utc REAL NOT NULL, cameras TEXT NOT NULL, pictures TEXT NOT NULL)
"""
_COLUMNS: Final = "sight, total, seen, first_utc, last_utc, cameras, pictures"

UNKNOWN: Final = Kind("unknown things", 1, _TABLES, lambda path: connect(path, "FULL"))


class Sightings:
    """One connection. Used by one thread at a time; other threads and processes have their own."""

    def __init__(self, folder: Path) -> None:
        """Open or make it; a damaged file is moved aside, and a new one begun.

        Raises:
            ConfigError: a newer Spotter wrote it.
            DeviceError: it cannot be made, read or written.
        """
        make_folder(folder)
        self._path = folder / "unknown.db"
        self.pictures = Pictures(folder / "pictures")
        self._db, _ = open_or_begin(self._path, UNKNOWN)

    def close(self) -> None:
        """Let go of the file."""
        self._db.close()

    def changed(self) -> int:
        """Another number after another connection changed it.

        Raises:
            DeviceError: the file cannot be read.
        """
        with translated(self._path, "read"):
            return int(self._db.execute("PRAGMA data_version").fetchone()[0])

    def things(self) -> list[Thing]:
        """All of them, in the order in which they were first met; damaged rows are left out.

        Raises:
            DeviceError: the file cannot be read.
        """
        with translated(self._path, "read"):
            rows = self._db.execute(f"SELECT id, {_COLUMNS} FROM things ORDER BY id").fetchall()  # noqa: S608
        made = (_thing(row) for row in rows)
        return [thing for thing in made if thing is not None]

    def take(
        self, sightings: Sequence[Sighting], settings: SightingSettings, alike: float, now_utc: float
    ) -> list[Thing]:
        """Put sightings to what is known of them, and drop what is too old or too much; what is left.

        `alike` is the cosine from which two are of one thing. Durable at return.

        Raises:
            DeviceError: the disk failed or is full.
        """
        with self._change() as db:
            things = {thing.id: thing for thing in self.things()}
            for sighting in sightings:
                held = nearest(list(things.values()), sighting, alike)
                digest = digest_of(sighting.picture) if sighting.picture else ""
                made = begun(sighting, digest) if held is None else seen_again(held, sighting, digest)
                if digest and digest in made.pictures:
                    self.pictures.put(sighting.picture)
                made = _put(db, made)
                things[made.id] = made
            for thing in faded(list(things.values()), now_utc, settings):
                del things[thing.id]
                db.execute("DELETE FROM things WHERE id = ?", (thing.id,))
        self._sweep()
        return list(things.values())

    def drop(self, ids: Collection[int]) -> int:
        """Let go of things, with their pictures; how many there were. Raises DeviceError."""
        with self._change() as db:
            gone = sum(db.execute("DELETE FROM things WHERE id = ?", (each,)).rowcount for each in ids)
        self._sweep()
        return gone

    @contextmanager
    def _change(self) -> Iterator[sqlite3.Connection]:
        """One transaction, on the disk at the end of it."""
        with translated(self._path, "change"), self._db:
            self._db.execute("BEGIN IMMEDIATE")
            yield self._db

    def _sweep(self) -> None:
        """Remove the pictures of what is gone, once it is durable that nobody names them."""
        with self._change():
            self.pictures.keep_only({digest for thing in self.things() for digest in thing.pictures})


def _put(db: sqlite3.Connection, thing: Thing) -> Thing:
    values: tuple[Any, ...] = (
        thing.sight,
        thing.total.astype("<f4").tobytes(),
        thing.seen,
        thing.first_utc,
        thing.last_utc,
        json.dumps(dict(thing.cameras), ensure_ascii=False),
        json.dumps(thing.pictures),
    )
    marks = ", ".join("?" * len(values))
    cursor = db.execute(
        f"INSERT OR REPLACE INTO things (id, {_COLUMNS}) VALUES (?, {marks})",  # noqa: S608
        (thing.id or None, *values),
    )
    return Thing(int(cursor.lastrowid or 0), *_fields(thing))


def _fields(thing: Thing) -> tuple[Any, ...]:
    return tuple(getattr(thing, name) for name in _COLUMNS.split(", "))


def _thing(row: tuple[Any, ...]) -> Thing | None:
    number, sight, total, seen, first_utc, last_utc, cameras, pictures = row
    try:
        centre = np.frombuffer(total, "<f4").astype(np.float32)
        counted, kept = json.loads(cameras), tuple(json.loads(pictures))
    except (ValueError, TypeError, RecursionError):
        return None
    if not np.isfinite(centre).all() or not isinstance(counted, dict):
        return None
    return Thing(number, sight, centre, seen, first_utc, last_utc, counted, kept)
