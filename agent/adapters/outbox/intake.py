"""Where facts are left: whoever puts one waits for nobody, neither for a disk nor for a lock."""

from __future__ import annotations

import queue
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from agent.core.types import Message


class Intake:
    """Any thread may put and wait; one at a time takes."""

    def __init__(self) -> None:
        self._left: deque[Sequence[Message]] = deque()  # append and popleft are atomic
        self._bell: queue.SimpleQueue[None] = (
            queue.SimpleQueue()
        )  # its put never waits, a condition's notify may

    def __len__(self) -> int:
        return len(self._left)

    def put(self, messages: Sequence[Message]) -> None:
        """Leave them, in order."""
        self._left.append(messages)
        self.ring()

    def ring(self) -> None:
        """Wake who waits."""
        if self._bell.empty():
            self._bell.put(None)

    def wait(self, timeout_s: float) -> None:
        """Until somebody rings, or `timeout_s` went by."""
        with suppress(queue.Empty):
            self._bell.get(timeout=timeout_s)

    def take(self) -> Iterator[Message]:
        """All that was left until now, in order."""
        with suppress(IndexError):
            while True:
                yield from self._left.popleft()
