"""Answers to commands, on disk: a request that is repeated after a restart is not done again."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from agent.adapters import database
from agent.adapters.database import DamagedError, Kind, move_aside, open_database, translated
from agent.core.requests import REMEMBERED, Answered

if TYPE_CHECKING:
    import sqlite3
    from pathlib import Path

log = logging.getLogger(__name__)

_TABLES: Final = """
    CREATE TABLE answers (
        no INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, content TEXT NOT NULL,
        answer BLOB NOT NULL)
"""


def _connect(path: Path) -> sqlite3.Connection:
    return database.connect(path, "FULL")


_ANSWERS: Final = Kind("answers to commands", 1, _TABLES, _connect)


class AnswerBook:
    """For one thread, apart from `close`. The file is opened when it is first needed."""

    def __init__(self, path: Path, limit: int = REMEMBERED) -> None:
        self._path = path
        self._limit = limit
        self._db: sqlite3.Connection | None = None

    def held(self) -> list[Answered]:
        """The latest, oldest first.

        Raises:
            DeviceError: the disk refuses.
            ConfigError: a newer Spotter wrote the file.
        """
        db = self._opened()
        with translated(self._path, "read"):
            rows = db.execute("SELECT id, content, answer FROM answers ORDER BY no").fetchall()
        return [Answered(*row) for row in rows]

    def keep(self, answered: Answered) -> None:
        """Remember it, and forget the oldest beyond the limit. At return it survives a power cut.

        Raises:
            DeviceError: the disk refuses.
            ConfigError: a newer Spotter wrote the file.
        """
        db = self._opened()
        with translated(self._path, "write"), db:
            db.execute("BEGIN IMMEDIATE")
            db.execute(
                "INSERT OR REPLACE INTO answers (id, content, answer) VALUES (?, ?, ?)",
                (answered.id, answered.content, answered.answer),
            )
            db.execute(
                "DELETE FROM answers WHERE no NOT IN (SELECT no FROM answers ORDER BY no DESC LIMIT ?)",
                (self._limit,),
            )

    def close(self) -> None:
        """Let the file go."""
        if self._db is not None:
            self._db.close()
            self._db = None

    def _opened(self) -> sqlite3.Connection:
        if self._db is None:
            try:
                self._db = open_database(self._path, _ANSWERS)
            except DamagedError as error:
                aside = move_aside(self._path)
                log.warning("%s: %s; moved to %s, a new one begins", self._path, error, aside)
                self._db = open_database(self._path, _ANSWERS)
        return self._db
