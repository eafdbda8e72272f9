"""What passes from thread to thread: the newest value of a key, or a question and its answer."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, Generic, TypeVar

from agent.core.errors import AgentError, DeviceError

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")
A = TypeVar("A")


class Question(Generic[A]):
    """Work that another thread is asked to do, with what comes of it."""

    def __init__(self, work: Callable[[], A]) -> None:
        self._work = work
        self._done = threading.Event()
        self._answers: list[A] = []
        self._error: Exception = RuntimeError("expected an answer, found that the work failed: see the log")

    def do(self) -> None:
        """Do it. A refusal goes to whoever asked; a defect is of whoever does it, and is raised there."""
        try:
            self._answers.append(self._work())
        except (AgentError, ValueError) as error:
            self._error = error
        finally:
            self._done.set()

    def answer(self, timeout_s: float) -> A:
        """What came of it.

        Raises:
            AgentError, ValueError: it was refused.
            DeviceError: nobody did it in time.
            RuntimeError: it failed.
        """
        if not self._done.wait(timeout_s):
            raise DeviceError(f"expected an answer within {timeout_s:g} s, found none")
        if not self._answers:
            raise self._error
        return self._answers[0]


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
        self._woken = False

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
        """The value that waited longest, with its key.

        None after `timeout_s`, when woken, or when closed and empty.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._woken or bool(self._slots), timeout_s)
            self._woken = False
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

    def wake(self) -> None:
        """Whoever takes, or takes next, does not wait: there is something else to do."""
        with self._changed:
            self._woken = True
            self._changed.notify_all()

    def close(self) -> None:
        """Wake everybody who waits; later puts still succeed and later takes drain what is left."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
