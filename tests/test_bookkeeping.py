"""Numbers are told every so often, and losses at once."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from agent.adapters.outbox import Outbox
from agent.bookkeeping import FIGURES_S, Bookkeeper
from agent.channel import Latest
from agent.metrics import Metrics, MetricsSettings
from tests.support.clock import ManualClock


def book(folder: Path, clock: ManualClock, interval_s: float, told: list[tuple[float, float]]) -> Bookkeeper:
    metrics = Metrics()
    metrics.count("frames.taken.cam", 7)
    mailbox: Latest[int] = Latest()
    mailbox.put("cam", 1)
    mailbox.put("cam", 2)

    def publish(figures: dict[str, float], uptime_s: float) -> None:
        told.append((uptime_s, figures["frames.taken.cam"] - figures["frames.dropped.cam"]))

    return Bookkeeper(Outbox(folder / "outbox.db"), mailbox, metrics, clock, interval_s, publish)


def test_figures_are_published_at_their_interval(tmp_path: Path) -> None:
    clock, told = ManualClock(), list[tuple[float, float]]()
    books = book(tmp_path, clock, 60, told)
    for _ in range(13):
        books.tick(["cam"])
        clock.at += 10
    assert told == [(60.0, 6), (120.0, 6)]


def test_a_daemon_that_stood_still_does_not_make_up_for_it(tmp_path: Path) -> None:
    clock, told = ManualClock(), list[tuple[float, float]]()
    books = book(tmp_path, clock, 60, told)
    clock.at += 1000
    for _ in range(5):
        books.tick(["cam"])
    assert [uptime_s for uptime_s, _ in told] == [1000.0]


def test_none_are_published_where_none_are_wanted_and_the_log_has_them(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    clock, told = ManualClock(), list[tuple[float, float]]()
    books = book(tmp_path, clock, 0, told)
    clock.at += FIGURES_S
    with caplog.at_level(logging.INFO, "agent"):
        books.tick(["cam"])
    assert told == []
    assert "frames.taken.cam=7" in caplog.text


def test_an_interval_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^interval_s: expected a number from 0 to 86400"):
        MetricsSettings(interval_s=-1)
