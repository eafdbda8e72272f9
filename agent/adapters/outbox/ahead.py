"""A backlog, read from the file some more messages at a time than are asked for.

The broker takes ten or twenty at once, and to ask the file costs as much as twenty of its messages.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from agent.adapters.outbox.file import File
    from agent.core.delivery import Stored

_MORE: Final = 60
"""Messages that are read beyond those that are asked for."""

_KEPT_BYTES: Final = 200_000
"""Of one topic. More is read again: large messages cost more than to ask for them."""


class Ahead:
    """What was read of each topic, and not asked for yet. Any thread may call."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rest: dict[str, tuple[int, list[tuple[Stored, int]]]] = {}  # topic → behind which seq, and what

    def read(
        self, file: File, after: int, upto: int, limit: int, topic: str | None
    ) -> list[tuple[Stored, int]]:
        """As `File.read`. Raises DeviceError."""
        if topic is None:
            return file.read(after, upto, limit, None)
        with self._lock:
            behind, rows = self._rest.pop(topic, (after, []))
            if behind != after:
                rows = []
            if len(rows) < limit:
                last = rows[-1][0].seq if rows else after
                rows = rows + file.read(last, upto, limit + _MORE - len(rows), topic)
                if sum(size for _, size in rows) > _KEPT_BYTES:
                    return rows[:limit]
            if len(rows) > limit:
                self._rest[topic] = (rows[limit - 1][0].seq, rows[limit:])
            return rows[:limit]

    def forget(self) -> None:
        """The file is another, or lacks some of what it had."""
        with self._lock:
            self._rest.clear()
