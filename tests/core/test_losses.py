"""What was dropped is summed up by topic and cause."""

from __future__ import annotations

from agent.core.losses import Cause, Ledger, Loss


def test_losses_of_one_topic_and_cause_become_one_line() -> None:
    ledger = Ledger([Loss("a", Cause.FULL, 2, 10.0, 20.0)])
    ledger.book(Loss("b", Cause.FULL, 1, 5.0, 5.0))
    ledger.book(Loss("a", Cause.OLD, 1, 1.0, 1.0))
    ledger.book(Loss("a", Cause.FULL, 3, 15.0, 30.0))
    assert ledger.losses() == (
        Loss("a", Cause.FULL, 5, 10.0, 30.0),
        Loss("b", Cause.FULL, 1, 5.0, 5.0),
        Loss("a", Cause.OLD, 1, 1.0, 1.0),
    )
    ledger.clear()
    assert len(ledger) == 0


def test_what_nobody_knows_stays_unknown_in_the_sum() -> None:
    ledger = Ledger()
    ledger.book(Loss("", Cause.DAMAGED, 0))
    ledger.book(Loss("", Cause.DAMAGED, 3, 7.0, 8.0))
    assert ledger.losses() == (Loss("", Cause.DAMAGED, 0, 7.0, 8.0),)
