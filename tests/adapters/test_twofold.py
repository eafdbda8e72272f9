"""Two outboxes for two ways out: what one of them may send, both have on the disk."""

from __future__ import annotations

import os
import random
import resource
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest

from agent.adapters.outbox import Outbox, OutboxSettings, Twofold
from agent.adapters.outbox.file import File
from agent.core.errors import DeviceError
from agent.core.losses import Cause
from agent.core.types import Message

JOURNEYS = int(os.environ.get("SPOTTER_JOURNEYS", "8"))


def fact(number: int, topic: str = "a", size: int = 10) -> Message:
    return Message(topic, b" " * size, f"{number:032x}", 1000.0)


def open_both(folder: Path, **bounds: int) -> Twofold:
    settings = OutboxSettings(**bounds)
    return Twofold(folder / "outbox.db", Outbox(folder / "webhook.db", settings), settings)


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


@pytest.mark.parametrize("seed", range(JOURNEYS))
def test_at_no_moment_may_one_send_what_the_other_has_not_stored(tmp_path: Path, seed: int) -> None:
    """Any order of what the threads of a daemon do, while another one puts."""
    rng = random.Random(seed)
    both = open_both(tmp_path)
    second = both.second
    stop = threading.Event()
    count = [0]
    told: dict[Outbox, set[str]] = {both: set(), second: set()}

    def put() -> None:
        while not stop.wait(rng.random() / 2000):
            both.put([fact(count[0] + n) for n in range(3)])
            count[0] += 3

    thread = threading.Thread(target=put)
    thread.start()
    try:
        for _ in range(40):
            rng.choice([both.sync, both.store, both.topics, second.topics, both.depth, second.depth])()
            first_sends, second_sends = set(ids(both)), set(ids(second))
            assert first_sends <= on_disk(second.path) | told[second]
            assert second_sends <= on_disk(both.path) | told[both]
            for outbox in rng.sample([both, second], rng.randint(0, 2)):
                some = outbox.pending(limit=rng.randint(1, 5))
                told[outbox] |= {stored.message.id for stored in some}
                outbox.delivered([stored.seq for stored in some])
    finally:
        stop.set()
        thread.join()
    both.close()
    put_so_far = [fact(n).id for n in range(count[0])]
    for outbox in (both, second):
        assert told[outbox] | on_disk(outbox.path) == set(put_so_far)


def test_the_first_is_flushed_then_the_second_and_then_both_may_send(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
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
    assert flushed == ["outbox.db", "webhook.db"]
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
