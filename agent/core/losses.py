"""Facts that were given up: how many of which topic, why, and from when to when."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


class Cause(StrEnum):
    """Why a fact was given up."""

    FULL = "full"  # more waited than may be kept: the oldest went
    OLD = "old"  # it waited longer than facts are kept
    TOO_LARGE = "too_large"  # one message of this size is never taken
    DAMAGED = "damaged"  # the file that it waited in cannot be read


@dataclass(frozen=True, slots=True)
class Loss:
    """Facts of one topic that were given up for one cause."""

    topic: str  # empty: of any
    cause: Cause
    count: int  # 0: nobody knows how many
    first_utc: float | None = None  # when the earliest of them happened, s, Unix; None: nobody knows
    last_utc: float | None = None


class Ledger:
    """Losses that nobody was told of yet, one line for each topic and cause."""

    def __init__(self, losses: Iterable[Loss] = ()) -> None:
        self._lines = {(loss.topic, loss.cause): loss for loss in losses}

    def __len__(self) -> int:
        return len(self._lines)

    def losses(self) -> tuple[Loss, ...]:
        """All of them, the line that was begun first in front."""
        return tuple(self._lines.values())

    def book(self, loss: Loss) -> None:
        """Add to the line of its topic and cause. A number that nobody knows makes the sum unknown."""
        key = (loss.topic, loss.cause)
        line = self._lines.get(key)
        if line is not None:
            times = [
                t for t in (line.first_utc, line.last_utc, loss.first_utc, loss.last_utc) if t is not None
            ]
            loss = Loss(
                *key,
                count=line.count + loss.count if line.count and loss.count else 0,
                first_utc=min(times, default=None),
                last_utc=max(times, default=None),
            )
        self._lines[key] = loss

    def clear(self) -> None:
        """They were told."""
        self._lines.clear()
