"""The store loop: soon on the disk, and a disk that refuses is said, rests, and is used again."""

from __future__ import annotations

import resource
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from agent.adapters.outbox import Outbox
from agent.core.types import Message
from agent.storing import TIDY_S, Storer
from tests.support.clock import ManualClock

if TYPE_CHECKING:
    from collections.abc import Iterator


class Setting:
    """A storer with a real outbox; rounds are called by hand."""

    def __init__(self, path: Path) -> None:
        self.clock = ManualClock()
        self.outbox = Outbox(path)
        self.woken = 0
        self.said: list[str] = []
        self.storer = Storer(self.outbox, self._wake, self.said.append, self.clock)

    def _wake(self) -> None:
        self.woken += 1

    def round(self, later_s: float = 0.0) -> None:
        self.clock.at += later_s
        self.storer.round()

    def put(self, number: int = 0) -> None:
        self.outbox.put([Message("t/a", b"%d" % number, "", 0.0)])


@pytest.fixture
def setting(tmp_path: Path) -> Iterator[Setting]:
    made = Setting(tmp_path / "outbox.db")
    with closing(made.outbox):
        yield made


def test_the_first_fact_is_flushed_at_once_and_what_follows_soon_is_stored_and_flushed_together(
    setting: Setting,
) -> None:
    setting.put()
    setting.round()
    assert (setting.outbox.dirty, setting.woken) == (False, 1)
    for _ in range(3):
        setting.put()
        setting.round(later_s=0.05)
        assert (setting.outbox.dirty, setting.outbox.unsaved, setting.woken) == (True, 0, 1)
    setting.round(later_s=0.15)
    assert (setting.outbox.dirty, setting.woken) == (False, 2)


def test_it_waits_for_the_flush_that_is_due_and_otherwise_until_it_tidies_up(setting: Setting) -> None:
    assert setting.storer._idle_s(setting.clock.at) == TIDY_S
    setting.put()
    setting.round()
    setting.put()
    setting.round(later_s=0.05)
    assert setting.storer._idle_s(setting.clock.at) == pytest.approx(0.2)


def test_facts_grow_old_by_the_time_that_passes_here(tmp_path: Path) -> None:
    setting = Setting(tmp_path / "outbox.db")
    with closing(setting.outbox):
        setting.put()
        setting.round()
        setting.round(later_s=setting.outbox.settings.max_age_s + 1)
        assert setting.outbox.dropped == 1


@contextmanager
def full_disk() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_is_said_once_rests_longer_and_longer_and_is_used_again(
    setting: Setting, caplog: pytest.LogCaptureFixture
) -> None:
    setting.put(1)
    with full_disk():
        for _ in range(3):
            setting.round(later_s=1.0)
    assert all("the disk takes no facts, they wait in memory" in said for said in setting.said)
    assert setting.woken == 3, "they are sent from there"
    assert setting.clock.waits == sorted(set(setting.clock.waits))
    assert [r.levelname for r in caplog.records] == ["ERROR"]
    setting.round(later_s=1.0)
    assert setting.said[-1] == ""
    assert not setting.outbox.dirty


def test_a_file_that_was_damaged_is_said_with_its_new_name(tmp_path: Path) -> None:
    (tmp_path / "outbox.db").write_bytes(b"damage" * 100)
    setting = Setting(tmp_path / "outbox.db")
    with closing(setting.outbox):
        setting.round()
    assert setting.said == [
        f"it was damaged, and what waited in it is lost: it was moved to {tmp_path}/outbox.db.corrupt-1"
    ]


def test_it_ends_with_the_process(setting: Setting) -> None:
    setting.clock.stop()
    setting.storer.run()
