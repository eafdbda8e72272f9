"""What pictures became by a model is kept beside the builds, so that a picture is embedded once.

An entry is found by the bytes of its picture and by everything else that decides its vector. The cache is an
aid and never an obstacle: what is damaged is set aside, what cannot be used is left alone, each with one
sentence, and the build goes on without.
"""

from __future__ import annotations

import hashlib
import platform
import sqlite3
import zlib
from typing import TYPE_CHECKING, Final, Self

import numpy as np

from agent.adapters.images import THUMBNAIL_PX, THUMBNAIL_QUALITY
from agent.core.errors import quoted
from agent.publishing.worker import libraries

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

    from numpy.typing import NDArray

    from agent.adapters.embedder import Embedder

    Entry = tuple[NDArray[np.float32], bytes]
    """A raw unit row `(D,)` and a thumbnail."""

CACHE_NAME: Final = "embeddings.db"

CACHE_LIMIT_BYTES: Final = 8_000_000_000
"""What the file may hold at the end of a build: a million pictures of 1,024 numbers. Those go first that
were not used for the longest time."""

_FORMAT: Final = 1
"""Part of every key, and SQLite's user_version: another number when pictures become vectors or thumbnails in
another way."""

_TOGETHER: Final = 128
"""Entries written at once: one or two seconds of embedding on two cores are lost by a kill, and another build
waits milliseconds."""

_MARKED_TOGETHER: Final = 10_000
_BUSY_S: Final = 30
_DAY_S: Final = 86_400
_DAMAGED: Final = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_CREATE: Final = f"""
PRAGMA page_size = 8192;
PRAGMA auto_vacuum = INCREMENTAL;
PRAGMA journal_mode = WAL;
CREATE TABLE IF NOT EXISTS keys (key BLOB PRIMARY KEY, id INTEGER NOT NULL, used INTEGER NOT NULL)
  WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS by_use ON keys (used, id);
CREATE TABLE IF NOT EXISTS entries (id INTEGER PRIMARY KEY, vector BLOB NOT NULL, thumbnail BLOB NOT NULL,
  crc INTEGER NOT NULL);
PRAGMA user_version = {_FORMAT};
"""  # two builds that start at once may both run this


class EmbeddingCache:
    """One file in a folder. Builds may share it; a build that is killed leaves what it had written."""

    def __init__(
        self,
        folder: Path,
        eyes: Embedder,
        crop: float,
        *,
        now_utc: float,
        limit_bytes: int = CACHE_LIMIT_BYTES,
    ) -> None:
        """Open the cache, or start one. Raises nothing: what is wrong stands in `warnings`."""
        self.warnings: list[str] = []
        self._path = folder / CACHE_NAME
        self._dimension = eyes.dimension
        self._today = int(now_utc) // _DAY_S
        self._limit_bytes = limit_bytes
        thumbnails = f"thumbnails of {THUMBNAIL_PX} px, quality {THUMBNAIL_QUALITY}"
        decides = (
            eyes.fingerprint,
            repr(crop),
            *libraries(eyes),
            platform.machine(),
            thumbnails,
            str(_FORMAT),
        )
        self._decides = "\n".join(decides).encode()
        self._waiting: dict[bytes, Entry] = {}
        self._used: list[bytes] = []
        self._connection: sqlite3.Connection | None = None
        self._set_aside = False
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            self.warnings.append(f"the cache is not used: {error.strerror}")
        else:
            self._open()

    @property
    def path(self) -> Path:
        """Its file."""
        return self._path

    def __enter__(self) -> Self:
        """It is open already."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Write what waits, and close. A build that fails has embedded its pictures all the same."""
        self.close()

    def get(self, digest: bytes) -> Entry | None:
        """What became of the picture with this sha256, None where that is not known."""
        if self._connection is None:
            return None
        key = self._key(digest)
        if key in self._waiting:
            return self._waiting[key]
        try:
            row = self._connection.execute(
                "SELECT vector, thumbnail, crc, used FROM keys JOIN entries USING (id) WHERE key = ?", (key,)
            ).fetchone()
        except sqlite3.Error as error:
            self._failed(error)
            return None
        if row is None:
            return None
        vector, thumbnail, crc, used = row
        if crc != _crc(key, vector, thumbnail) or len(vector) != 4 * self._dimension:
            self._failed(_DamageError("an entry is not what was written"))
            return None
        if used != self._today:
            self._used.append(key)
            if len(self._used) >= _MARKED_TOGETHER:
                self._write()
        return np.frombuffer(vector, "<f4").astype(np.float32), thumbnail

    def put(self, digest: bytes, row: NDArray[np.float32], thumbnail: bytes) -> None:
        """Keep what became of the picture with this sha256; `row` is `(D,)`."""
        if self._connection is None:
            return
        self._waiting[self._key(digest)] = row, thumbnail
        if len(self._waiting) >= _TOGETHER:
            self._write()

    def close(self) -> None:
        """Write what waits, remove what is beyond the limit, and close."""
        self._write()
        if self._connection is None:
            return
        try:
            self._trim(self._connection)
        except sqlite3.Error as error:
            self._failed(error)
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _open(self) -> None:
        try:
            self._connection = self._opened()
        except sqlite3.Error as error:
            self._failed(error)

    def _opened(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, timeout=_BUSY_S, isolation_level=None)
        try:
            version = connection.execute("PRAGMA user_version").fetchone()[0]
            if version == 0:
                connection.executescript(_CREATE)
            elif version != _FORMAT:
                raise _DamageError(f"expected format {_FORMAT}, found {version}")  # noqa: TRY301
            connection.execute(
                "PRAGMA synchronous = NORMAL"
            )  # a power cut may cost the last entries, no more
            connection.execute(
                "SELECT vector, thumbnail, crc, used FROM keys JOIN entries USING (id) LIMIT 1"
            )
        except BaseException:
            connection.close()
            raise
        return connection

    def _write(self) -> None:
        connection = self._connection
        if connection is None or not (self._waiting or self._used):
            return
        waiting, used = self._waiting, self._used
        self._waiting, self._used = {}, []
        try:
            connection.execute("BEGIN IMMEDIATE")
            for key, (row, thumbnail) in waiting.items():
                if connection.execute("SELECT 1 FROM keys WHERE key = ?", (key,)).fetchone():
                    continue  # another build was faster, or the same picture came twice
                vector = row.astype("<f4").tobytes()
                entry = (vector, thumbnail, _crc(key, vector, thumbnail))
                done = connection.execute(
                    "INSERT INTO entries (vector, thumbnail, crc) VALUES (?, ?, ?)", entry
                )
                connection.execute("INSERT INTO keys VALUES (?, ?, ?)", (key, done.lastrowid, self._today))
            marks = [(self._today, key) for key in used]
            connection.executemany("UPDATE keys SET used = ? WHERE key = ?", marks)
            connection.execute("COMMIT")
        except sqlite3.Error as error:
            self._failed(error)

    def _trim(self, connection: sqlite3.Connection) -> None:
        def pragma(name: str) -> int:
            return int(connection.execute(f"PRAGMA {name}").fetchone()[0])

        while (
            size := (pragma("page_count") - pragma("freelist_count")) * pragma("page_size")
        ) > self._limit_bytes:
            count = connection.execute("SELECT count(*) FROM keys").fetchone()[0]
            if count == 0:
                break
            gone = 1 + count * (size - self._limit_bytes) // size
            oldest = connection.execute(
                "SELECT id, key FROM keys ORDER BY used, id LIMIT ?", (gone,)
            ).fetchall()
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany("DELETE FROM entries WHERE id = ?", [(entry,) for entry, _ in oldest])
            connection.executemany("DELETE FROM keys WHERE key = ?", [(key,) for _, key in oldest])
            connection.execute("COMMIT")
        if pragma("freelist_count"):
            connection.executescript("PRAGMA incremental_vacuum")  # `execute` would free one page

    def _failed(self, error: sqlite3.Error) -> None:
        """Set a damaged file aside and start anew, once; leave alone what is wrong otherwise."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if self._set_aside or not (isinstance(error, _DamageError) or code in _DAMAGED):
            self.warnings.append(f"the cache is not used: {quoted(str(error))[1:-1]}")
            return
        self._set_aside = True
        aside = self._path.with_name(f"{CACHE_NAME}.damaged")
        try:
            self._path.replace(aside)
            for suffix in ("-wal", "-shm"):
                self._path.with_name(f"{CACHE_NAME}{suffix}").unlink(missing_ok=True)
        except OSError as failure:
            self.warnings.append(f"the cache is damaged and cannot be set aside: {failure.strerror}")
            return
        self.warnings.append(f"the cache was damaged and is begun anew: {quoted(str(error))[1:-1]}")
        self._open()

    def _key(self, digest: bytes) -> bytes:
        return hashlib.sha256(digest + self._decides).digest()


class _DamageError(sqlite3.DatabaseError):
    """Damage that SQLite does not see."""


def _crc(key: bytes, vector: bytes, thumbnail: bytes) -> int:
    return zlib.crc32(thumbnail, zlib.crc32(vector, zlib.crc32(key)))
