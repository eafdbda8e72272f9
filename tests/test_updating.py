"""When rounds happen, and that what is in use follows the disk. Time is moved by hand."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise

import pytest

from agent.core.errors import AgentError, CatalogueError, DeviceError, TransferError, VerifyError
from agent.core.syncing import Generation, Outcome, Result
from agent.updating import Updater
from tests.support.clock import ManualClock


def generation(number: int) -> Generation:
    return Generation(str(number), "default", number, f"{number:016x}", f"{number:064x}")


@dataclass
class Scene:
    """A sync that ends as the test says, and a shelf that it may change."""

    ends: list[AgentError | Outcome] = field(default_factory=list)
    rounds: list[tuple[float, bool]] = field(default_factory=list)
    shown: Generation | None = None
    used: list[int] = field(default_factory=list)
    said: list[tuple[float, str]] = field(default_factory=list)
    broken: bool = False
    at_round: Callable[[int], None] = lambda _number: None
    stop_after: int = 5

    def __post_init__(self) -> None:
        self.clock = ManualClock(at=0.0)

    def round(self, *, insist: bool) -> Outcome:
        self.rounds.append((self.clock.at, insist))
        self.at_round(len(self.rounds))
        if len(self.rounds) >= self.stop_after:
            self.clock.stop()
        end = self.ends.pop(0) if self.ends else Outcome(Result.UNCHANGED)
        if isinstance(end, AgentError):
            raise end
        return end

    def current(self) -> Generation | None:
        return self.shown

    def use(self, generation: Generation) -> None:
        if self.broken:
            raise CatalogueError("damaged")
        self.used.append(generation.number)

    def run(self, in_use: str = "") -> Scene:
        self.updater = Updater(
            self,
            self,
            self.use,
            lambda seconds, trouble: self.said.append((seconds, trouble)),
            self.clock,
            300.0,
            in_use,
            jitter=lambda: 0.5,  # type: ignore[arg-type]
        )
        self.updater.run()
        return self

    @property
    def gaps(self) -> list[float]:
        times = [0.0, *(at for at, _ in self.rounds)]
        return [later - earlier for earlier, later in pairwise(times)]


def test_rounds_come_at_their_interval_and_the_first_soon() -> None:
    assert Scene().run().gaps == pytest.approx([15, 300, 300, 300, 300], abs=1)


def test_after_a_failure_the_next_round_comes_sooner_but_not_ever_sooner() -> None:
    scene = Scene(ends=[TransferError("away")] * 8, stop_after=8).run()
    assert scene.gaps == pytest.approx([15, 22.5, 45, 90, 180, 225, 225, 225], abs=1)


def test_what_is_refused_is_not_asked_for_sooner() -> None:
    assert Scene(ends=[VerifyError("bad")] * 5).run().gaps == pytest.approx([15, 300, 300, 300, 300], abs=1)


def test_after_every_round_it_is_said_when_the_next_one_comes() -> None:
    scene = Scene(ends=[DeviceError("full")], stop_after=2).run()
    assert [seconds for seconds, _ in scene.said] == pytest.approx([15, 22.5, 300], abs=1)
    assert [trouble for _, trouble in scene.said] == ["", "full", ""]


def test_what_became_current_is_used_once() -> None:
    def change(number: int) -> None:
        scene.shown = generation(number // 2)

    scene = Scene(at_round=change)
    assert scene.run().used == [0, 1, 2]


def test_what_is_in_use_already_is_not_opened_again() -> None:
    assert Scene(shown=generation(3)).run(in_use=f"{3:016x}").used == []


def test_what_another_process_changed_is_followed_without_a_round() -> None:
    scene = Scene(shown=generation(7), stop_after=1)
    assert scene.run().used == [7]
    assert len(scene.rounds) == 1
    assert [seconds for seconds, _ in scene.said] == pytest.approx([15, 14, 300], abs=1), "and said at once"


def test_a_generation_that_cannot_be_used_is_tried_once_and_said(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        scene = Scene(shown=generation(7), broken=True).run()
    assert scene.used == []
    assert [record.getMessage() for record in caplog.records] == [
        "release 7 cannot be used, the one in use stays: damaged"
    ]
    assert [trouble for _, trouble in scene.said[1:]] == [caplog.messages[0]] * 6


def test_the_same_complaint_is_made_once(caplog: pytest.LogCaptureFixture) -> None:
    ends: list[AgentError | Outcome] = [
        TransferError("away"),
        TransferError("away"),
        Outcome(Result.UNCHANGED),
    ]
    with caplog.at_level(logging.INFO):
        Scene(ends=ends, stop_after=4).run()
    assert [(r.levelname, r.getMessage()) for r in caplog.records] == [
        ("WARNING", "sync: away"), ("INFO", "sync: well again"),
    ]  # fmt: skip


def test_asked_for_it_comes_at_once_and_insists() -> None:
    scene = Scene(stop_after=2)
    scene.at_round = lambda _number: scene.updater.ask()
    assert scene.run().rounds[1][1]
    assert scene.gaps[1] <= 1
