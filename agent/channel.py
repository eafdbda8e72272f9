"""One-slot mailboxes between threads: the newest value wins, and what it replaced is counted."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


class Latest(Generic[T]):
    """One slot per key, one reader, any number of writers.

    A live camera puts with `wait_s=0`: the newest frame wins and the one it replaces is counted in
    `dropped`. A source that can wait (a folder, a recording) puts with `wait_s>0`, and nothing is dropped.
    Keys are served oldest first, so that one busy camera cannot starve another.
    """

    def __init__(self, merge: Callable[[T, T], T] | None = None) -> None:
        """`merge(old, new)` stands where `old` was replaced unread; without it, `new` does."""
        self._merge = merge
        self._slots: OrderedDict[str, T] = OrderedDict()
        self._dropped: dict[str, int] = {}
        self._changed = threading.Condition()
        self._closed = False

    def put(self, key: str, value: T, wait_s: float = 0.0) -> bool:
        """Leave `value` for the reader.

        Returns False, leaving the slot as it was, when `wait_s` > 0 and the slot was still taken after
        that long; the caller tries again.
        """
        with self._changed:
            if key in self._slots:
                if wait_s > 0:
                    free = self._changed.wait_for(lambda: self._closed or key not in self._slots, wait_s)
                    if not free:
                        return False
                else:
                    self._dropped[key] = self._dropped.get(key, 0) + 1
                    if self._merge is not None:
                        value = self._merge(self._slots[key], value)
            self._slots[key] = value  # a replaced value keeps its place in the queue
            self._changed.notify_all()
            return True

    def take(self, timeout_s: float) -> tuple[str, T] | None:
        """The value that waited longest, with its key; None after `timeout_s`, or when closed and empty."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or bool(self._slots), timeout_s)
            if not self._slots:
                return None
            item = self._slots.popitem(last=False)
            self._changed.notify_all()
            return item

    def discard(self, key: str) -> None:
        """Forget an unread value of this key; it is not counted."""
        with self._changed:
            self._slots.pop(key, None)
            self._changed.notify_all()

    def dropped(self, key: str) -> int:
        """How many values of this key were replaced before they were read."""
        with self._changed:
            return self._dropped.get(key, 0)

    def close(self) -> None:
        """Wake everybody who waits; later puts still succeed and later takes drain what is left."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
