"""Two outboxes for two ways out: what one of them may send, both have on the disk."""

from __future__ import annotations

import os
import random
import resource
import shutil
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest

from agent.adapters.outbox import Half, Outbox, OutboxSettings, Twofold
from agent.adapters.outbox.file import File
from agent.core.errors import DeviceError
from agent.core.losses import Cause
from agent.core.types import Message

JOURNEYS = int(os.environ.get("SPOTTER_JOURNEYS", "6"))


def fact(number: int, topic: str = "a", size: int = 10) -> Message:
    return Message(topic, b" " * size, f"{number:032x}", 1000.0)


def open_both(folder: Path, **bounds: int) -> Twofold:
    settings = OutboxSettings(**bounds)
    return Twofold(folder / "outbox.db", Half(folder / "webhook.db", settings), settings)


def on_disk(path: Path) -> set[str]:
    """Ids in the file, as another process finds them after kill -9."""
    with closing(sqlite3.connect(path)) as db:
        return {row[0] for row in db.execute("SELECT id FROM messages")}


def ids(outbox: Outbox) -> list[str]:
    return [stored.message.id for stored in outbox.pending(limit=10_000)]


def test_both_have_every_fact_in_order_and_forget_it_apart(tmp_path: Path) -> None:
    both = open_both(tmp_path)
    facts = [fact(n, "ab"[n % 2]) for n in range(10)]
    both.put(facts[:4])
    both.put(facts[4:])
    assert ids(both) == ids(both.second) == [], "nothing is sent before it is safe"
    both.sync()
    expected = [message.id for message in facts]
    assert ids(both) == ids(both.second) == expected
    both.delivered([stored.seq for stored in both.pending(limit=6)])
    both.second.delivered([stored.seq for stored in both.second.pending(limit=2)])
    both.close()
    again = open_both(tmp_path)
    assert ids(again) == expected[6:]
    assert ids(again.second) == expected[2:]
    again.close()


def test_each_has_its_own_bounds_and_its_own_account(tmp_path: Path) -> None:
    """The webhook is dead: its outbox is full, and the broker's is not."""
    both = open_both(tmp_path, max_bytes=10_000)
    for number in range(100):
        both.put([fact(number, size=500)])
        both.sync()
        both.delivered([stored.seq for stored in both.pending()])
    assert (both.dropped, both.depth()[0]) == (0, 0)
    assert both.second.dropped > 70
    (loss,) = both.second.losses()
    assert (loss.cause, loss.count) == (Cause.FULL, both.second.dropped)
    assert both.losses() == ()
    both.close()


def test_what_is_for_one_goes_to_one(tmp_path: Path) -> None:
    both = open_both(tmp_path)
    both.keep(fact(1))
    both.second.announce(lambda _: fact(2))
    both.put([fact(3)])
    both.sync()
    assert ids(both) == [fact(1).id, fact(3).id]
    assert ids(both.second) == [fact(3).id]
    both.close()


def test_what_one_of_them_alone_holds_is_flushed_too(tmp_path: Path) -> None:
    both = open_both(tmp_path, max_message_bytes=1000)
    both.put([fact(1, size=2000)])  # too large for both
    both.sync()
    both.second.announce(lambda _: fact(2))
    assert both.dirty
    both.sync()
    assert not both.dirty
    assert ids(both.second) == [fact(2).id]
    both.close()


class Journey:
    """A device that is run by hand, while another thread puts facts."""

    def __init__(self, folder: Path, rng: random.Random, patch: pytest.MonkeyPatch) -> None:
        self.folder, self.rng = folder, rng
        self.both = open_both(folder)
        self.told: dict[Half, set[str]] = {self.both: set(), self.both.second: set()}
        self.crashes = 0
        self.put_so_far = 0
        self.stop = threading.Event()
        store, flush = Half.store, File.flush

        def stored(half: Half) -> None:
            store(half)
            if half is self.both.second and rng.random() < 0.2:
                self.crash()  # between the two

        def flushed(file: File) -> None:
            flush(file)
            if file.path.parent == folder:
                self.copy(file.path, "flushed")

        for half in self.told:
            self.copy(half.path, "flushed")
        patch.setattr(Half, "store", stored)
        patch.setattr(File, "flush", flushed)

    def put(self) -> None:
        while not self.stop.wait(self.rng.random() / 1000):
            self.both.put([fact(self.put_so_far + n) for n in range(3)])
            self.put_so_far += 3

    def copy(self, path: Path, into: str) -> None:
        target = self.folder / into
        target.mkdir(exist_ok=True)
        for tail in ("", "-wal"):
            (target / (path.name + tail)).unlink(missing_ok=True)
            if (path.parent / (path.name + tail)).exists():
                shutil.copy(path.parent / (path.name + tail), target)

    def crash(self) -> None:
        """Now: kill -9 leaves both files as they are, a power cut any of them as it was flushed."""
        for from_flushed in ((), ("outbox.db",), ("webhook.db",), ("outbox.db", "webhook.db")):
            self.crashes += 1
            left = self.folder / f"left-{self.crashes}"
            left.mkdir()
            for half in self.told:
                self.copy(half.path, left.name)
                if half.path.name in from_flushed:
                    for tail in ("", "-wal"):
                        shutil.copy(self.folder / "flushed" / (half.path.name + tail), left)
            again = open_both(left)
            first = self.told[self.both] | set(ids(again))
            second = self.told[self.both.second] | set(ids(again.second))
            assert first == second, (from_flushed, len(first - second), len(second - first))
            assert on_disk(again.path) >= first - self.told[self.both], "before anything of it is sent"
            again.close()
            shutil.rmtree(left)

    def step(self) -> None:
        both, second = self.both, self.both.second
        self.rng.choice([both.sync, both.sync, both.store, both.topics, second.topics, self.crash])()
        for half in self.rng.sample([both, second], self.rng.randint(0, 2)):
            some = half.pending(limit=self.rng.randint(1, 5))
            self.told[half] |= {stored.message.id for stored in some}
            half.delivered([stored.seq for stored in some])


@pytest.mark.parametrize("seed", range(JOURNEYS))
def test_neither_is_told_what_the_other_never_will_be_wherever_it_ends(
    tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    journey = Journey(tmp_path, random.Random(seed), monkeypatch)
    thread = threading.Thread(target=journey.put)
    thread.start()
    try:
        for _ in range(15):
            journey.step()
    finally:
        journey.stop.set()
        thread.join()
    monkeypatch.undo()
    journey.both.close()
    everything = {fact(n).id for n in range(journey.put_so_far)}
    for half, told in journey.told.items():
        assert told | on_disk(half.path) == everything
    assert journey.crashes


def test_a_new_file_on_one_side_is_not_filled_from_the_other(tmp_path: Path) -> None:
    """A damaged file is set aside, and its loss told: what the other one holds was told there long ago."""
    for lost in ("outbox.db", "webhook.db"):
        folder = tmp_path / lost
        folder.mkdir()
        both = open_both(folder)
        both.put([fact(n) for n in range(50)])
        both.close()
        for tail in ("", "-wal"):
            (folder / (lost + tail)).unlink(missing_ok=True)
        both = open_both(folder)
        both.put([fact(50), fact(51)])
        both.store()
        both.close()
        both = open_both(folder)
        kept = both.second if lost == "outbox.db" else both
        assert ids(kept) == [fact(n).id for n in range(52)]
        assert ids(both if kept is both.second else both.second) == [fact(50).id, fact(51).id]
        both.close()


def test_both_are_flushed_before_either_may_send(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a power cut leaves is what was flushed: at each flush it is seen what may be sent."""
    both = open_both(tmp_path)
    flushed: list[str] = []
    flush = File.flush

    def watched(self: File) -> None:
        assert ids(both) == ids(both.second) == []
        flush(self)
        flushed.append(self.path.name)

    monkeypatch.setattr(File, "flush", watched)
    both.put([fact(1)])
    both.sync()
    assert flushed == ["webhook.db", "outbox.db"]
    assert ids(both) == ids(both.second) == [fact(1).id]
    both.close()


@contextmanager
def full_disk() -> Iterator[None]:
    """No file of this process grows."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_disk_that_refuses_stops_neither_way(tmp_path: Path) -> None:
    both = open_both(tmp_path)
    with full_disk():
        both.put([fact(1)])
        with pytest.raises(DeviceError):
            both.sync()
        assert both.trouble
        assert both.second.trouble
        assert ids(both) == ids(both.second) == [fact(1).id], "from memory"
    both.sync()
    assert (both.trouble, both.second.trouble) == ("", "")
    assert on_disk(both.path) == on_disk(both.second.path) == {fact(1).id}
    both.close()


def test_a_second_file_that_cannot_be_made_does_not_stop_the_first(tmp_path: Path) -> None:
    (tmp_path / "webhook.db").mkdir()
    both = open_both(tmp_path)
    both.put([fact(1)])
    both.sync()
    assert ids(both) == [fact(1).id]
    assert "webhook.db" in both.second.trouble
    assert not both.dirty, "or the storer would not rest"
    assert ids(both.second) == [fact(1).id], "from memory"
    with suppress(DeviceError):
        both.close()
