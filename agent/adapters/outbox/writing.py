"""What one transaction does to the outbox's file, and what is dropped for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.core.losses import Cause, Ledger, Loss

if TYPE_CHECKING:
    from collections.abc import Callable

    from agent.adapters.outbox.file import Change, Waiting
    from agent.adapters.outbox.memory import Work

Dropped = tuple["Waiting", Cause]


def write(
    change: Change, work: Work, max_age_s: float, may_drop: Callable[[Waiting, bool], bool]
) -> list[Dropped]:
    """Bring the file up to date; what was dropped, booked together with it.

    `may_drop(message, old)` is asked before each.
    """
    change.delete(work.done)
    change.insert(work.rows)
    dropped = _beyond_bounds(change, work, max_age_s, may_drop)
    change.delete(item.seq for item, _ in dropped)
    if dropped or work.booked:
        ledger = Ledger(work.losses)
        for item, cause in dropped:
            ledger.book(loss_of(item, cause))
        change.book(ledger.losses())
        change.set("dropped", work.dropped + len(dropped))
    if work.retained:
        change.retain(work.retained)
    if work.age_s is not None:
        change.set("age_s", work.age_s)
    if work.fed is not None:
        change.set("fed", work.fed)
    return dropped


def loss_of(item: Waiting, cause: Cause) -> Loss:
    """A message in the file that is given up."""
    return Loss(item.topic, cause, 1, item.utc, item.utc)


def _beyond_bounds(
    change: Change, work: Work, max_age_s: float, may_drop: Callable[[Waiting, bool], bool]
) -> list[Dropped]:
    """The oldest, as long as there is too much; and once a while what is too old."""
    excess_bytes, age_s = work.excess_bytes, work.age_s
    found: list[Dropped] = []
    if excess_bytes <= 0 and age_s is None:
        return found
    for item in change.oldest():
        old = age_s is not None and item.born_s < age_s - max_age_s
        if not old and excess_bytes <= 0:
            break
        if may_drop(item, old):
            found.append((item, Cause.OLD if old else Cause.FULL))
            excess_bytes -= item.bytes
    return found
