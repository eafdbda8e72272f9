"""The disk queue: order, bounds, coalescing, and what survives kill -9, full disks and damage."""

from __future__ import annotations

import logging
import os
import random
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

import pytest

from agent.adapters.outbox import Outbox, OutboxSettings
from agent.core.errors import ConfigError, DeviceError
from agent.core.losses import Cause, Loss
from agent.core.types import Message
from tests.conftest import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


def fact(number: int, topic: str = "t/a", size: int = 0) -> Message:
    return Message(topic, b"%d" % number + b" " * size, f"{number:032x}", float(number))


def numbers(outbox: Outbox) -> list[int]:
    """What waits, in order, as `fact` numbered it."""
    outbox.sync()
    return [int(stored.message.payload) for stored in outbox.pending(limit=1_000_000)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "outbox.db"


@pytest.fixture
def outbox(path: Path) -> Iterator[Outbox]:
    with closing(Outbox(path)) as opened:
        yield opened


def test_an_empty_outbox_has_nothing(outbox: Outbox) -> None:
    assert (outbox.pending(), outbox.topics(), outbox.depth(), outbox.dropped) == ([], (), (0, 0), 0)
    outbox.put([])
    outbox.delivered([])
    outbox.delivered([1, 2, 3])
    outbox.sync()
    assert not outbox.dirty


def test_messages_come_back_whole_and_in_order(outbox: Outbox) -> None:
    odd = Message("t/ü", b"\0\xff", "x" * 32, 2.5, 0, retain=True, content_type="text/plain", expiry_s=7)
    messages = [fact(1), odd, fact(3)]
    outbox.put(messages[:2])
    outbox.put(messages[2:])
    outbox.sync()
    stored = outbox.pending()
    assert [s.message for s in stored] == messages
    assert [s.seq for s in stored] == sorted({s.seq for s in stored})
    assert outbox.pending(after=stored[0].seq, limit=1) == stored[1:2]
    assert outbox.pending(topic="t/a") == [stored[0], stored[2]]
    assert set(outbox.topics()) == {"t/a", "t/ü"}


def test_only_what_survives_a_power_cut_is_handed_out(outbox: Outbox) -> None:
    outbox.put([fact(1)])
    assert (outbox.dirty, outbox.pending()) == (True, [])
    outbox.sync()
    outbox.put([fact(2)])
    assert [s.message for s in outbox.pending()] == [fact(1)]


def test_delivered_messages_are_gone_and_the_counts_follow(outbox: Outbox) -> None:
    outbox.put([fact(n, topic=f"t/{n % 2}") for n in range(2000)])
    outbox.sync()
    outbox.delivered([s.seq for s in outbox.pending(limit=1500)])
    assert numbers(outbox) == [*range(1500, 2000)]
    assert outbox.depth() == (500, 500 * (3 + 4))
    outbox.delivered([s.seq for s in outbox.pending(limit=1500, topic="t/0")])
    assert outbox.topics() == ("t/1",)


def test_what_was_not_handed_out_is_not_delivered(outbox: Outbox) -> None:
    """A number of an earlier life must not take a message away."""
    outbox.put([fact(1)])
    outbox.sync()
    outbox.delivered([outbox.pending()[0].seq + 1, -1])
    assert outbox.depth()[0] == 1


def test_what_was_delivered_stays_so_although_it_is_deleted_later(path: Path) -> None:
    """It goes with what is stored next; until then nobody sees it."""
    with closing(Outbox(path)) as outbox:
        outbox.put([fact(n) for n in range(100)])
        outbox.sync()
        outbox.delivered([s.seq for s in outbox.pending(limit=60)])
        assert [int(s.message.payload) for s in outbox.pending(limit=10)] == [*range(60, 70)]
        assert outbox.depth()[0] == 40
        with closing(sqlite3.connect(path)) as reader:
            assert reader.execute("SELECT COUNT(*) FROM messages").fetchone() == (100,)
            outbox.store()
            assert reader.execute("SELECT COUNT(*) FROM messages").fetchone() == (40,)
    with closing(Outbox(path)) as outbox:
        assert numbers(outbox) == [*range(60, 100)]


def test_everything_is_there_after_closing_and_opening(path: Path) -> None:
    with closing(Outbox(path)) as outbox:
        outbox.put([fact(n) for n in range(10)])
        outbox.sync()
        outbox.delivered([outbox.pending()[0].seq])
        depth = outbox.depth()
    with closing(Outbox(path)) as outbox:
        assert outbox.depth() == depth
        assert [int(s.message.payload) for s in outbox.pending()] == [*range(1, 10)]
        outbox.put([fact(10)])
        assert numbers(outbox) == [*range(1, 11)]


# ── bounds ──────────────────────────────────────────────────────────────────────────────────────────────


def test_beyond_max_bytes_the_oldest_facts_are_dropped_counted_and_remembered(path: Path) -> None:
    settings = OutboxSettings(max_bytes=100_000)
    with closing(Outbox(path, settings)) as outbox:
        for n in range(300):
            outbox.put([fact(n, size=1000)])
            outbox.store()
        kept = numbers(outbox)
        assert kept == [*range(300 - len(kept), 300)]
        assert 90_000 < outbox.depth()[1] <= 100_000
        assert outbox.dropped == 300 - len(kept)
    with closing(Outbox(path, settings)) as outbox:
        assert outbox.dropped == 300 - len(kept)
        assert outbox.losses() == (Loss("t/a", Cause.FULL, 300 - len(kept), 0.0, 299.0 - len(kept)),)
        outbox.put([fact(n, size=1000) for n in range(300, 600)])
        assert numbers(outbox)[-1] == 599
        assert outbox.depth()[1] <= 100_000


def test_what_may_have_arrived_is_not_dropped_for_want_of_room(path: Path) -> None:
    """Otherwise more would be told of as lost than is."""
    with closing(Outbox(path, OutboxSettings(max_bytes=10_000))) as outbox:
        outbox.put([fact(n, size=1000) for n in range(9)])
        outbox.sync()
        under_way = outbox.pending(limit=2)
        outbox.put([fact(n, size=1000) for n in range(9, 15)])
        assert numbers(outbox) == [0, 1, *range(8, 15)]
        outbox.delivered([s.seq for s in under_way])
        outbox.store()
        assert (outbox.dropped, outbox.depth()[0]) == (6, 7)


def backlog(outbox: Outbox, after: int = 0) -> list[int]:
    """What waits of one topic behind seq `after`, a few at a time as a broker takes them."""
    found = []
    while stored := outbox.pending(after, 7, "t/a"):
        found += [int(each.message.payload) for each in stored]
        after = stored[-1].seq
    return found


def test_a_backlog_is_handed_out_in_order_also_from_the_middle_again(path: Path) -> None:
    with closing(Outbox(path)) as outbox:
        outbox.put([fact(n, "t/b" if n % 3 else "t/a") for n in range(600)])
        outbox.sync()
    with closing(Outbox(path)) as outbox:
        everything = [*range(0, 600, 3)]
        assert backlog(outbox) == everything
        middle = outbox.pending(0, 50, "t/a")[-1].seq
        assert backlog(outbox, middle) == everything[50:]
        outbox.put([fact(600, "t/a")])
        outbox.sync()
        assert backlog(outbox, middle) == [*everything[50:], 600]


def test_what_was_dropped_is_not_handed_out_though_it_was_read_before(path: Path) -> None:
    with closing(Outbox(path)) as outbox:
        outbox.put([fact(n, size=1000) for n in range(30)])
        outbox.sync()
    with closing(Outbox(path, OutboxSettings(max_bytes=40_000))) as outbox:
        first = outbox.pending(0, 5, "t/a")
        outbox.put([fact(n, size=1000) for n in range(30, 50)])
        outbox.sync()
        left = backlog(outbox, first[-1].seq)
        assert 0 < outbox.dropped < 25
        assert left == [*range(5 + outbox.dropped, 50)]


def test_facts_grow_old_only_while_time_is_let_pass(path: Path) -> None:
    settings = OutboxSettings(max_age_s=100.0)
    with closing(Outbox(path, settings)) as outbox:
        outbox.put([fact(1)])
        outbox.age(60.0)
        outbox.put([fact(3)])
    with closing(Outbox(path, settings)) as outbox:
        outbox.age(39.0)
        assert numbers(outbox) == [1, 3]
        outbox.age(59.0)
        assert (numbers(outbox), outbox.dropped) == ([3], 1)
        assert outbox.losses() == (Loss("t/a", Cause.OLD, 1, 1.0, 1.0),)


def test_a_message_that_is_too_large_is_dropped_alone(
    outbox: Outbox, caplog: pytest.LogCaptureFixture
) -> None:
    outbox.put([fact(1), fact(2, size=131_072), fact(3)])
    assert numbers(outbox) == [1, 3]
    assert outbox.losses() == (Loss("t/a", Cause.TOO_LARGE, 1, 2.0, 2.0),)
    assert "t/a: expected at most 131072 bytes, found 131076" in caplog.text


# ── what was dropped is told ────────────────────────────────────────────────────────────────────────────


def account(loss: Loss) -> Message:
    return Message("t/lost", f"{loss.topic} {loss.cause} {loss.count}".encode(), "", 0.0)


def overfull(path: Path, count: int) -> Outbox:
    """Holds nine facts of `count`."""
    outbox = Outbox(path, OutboxSettings(max_bytes=10_000))
    outbox.put([fact(n, size=1000) for n in range(count)])
    outbox.sync()
    return outbox


def test_an_account_takes_the_place_of_what_was_dropped_and_is_never_dropped_itself(path: Path) -> None:
    with closing(overfull(path, 20)) as outbox:
        outbox.announce(account)
        assert outbox.losses() == ()
        outbox.put([fact(n, size=1000) for n in range(20, 30)])
        outbox.sync()
        outbox.announce(account)
    with closing(Outbox(path, OutboxSettings(max_bytes=10_000))) as outbox:
        told = [s.message.payload for s in outbox.pending(topic="t/lost")]
        assert told == [b"t/a full 11", b"t/a full 10"]
        assert (outbox.dropped, outbox.losses()) == (21, ())


def test_an_account_and_its_losses_are_never_both_there_nor_both_gone(path: Path) -> None:
    """Killed between the two: the file has the one or the other."""
    outbox = overfull(path, 20)
    outbox.announce(account)
    with closing(sqlite3.connect(path)) as reader:
        count = "SELECT (SELECT COUNT(*) FROM lost), (SELECT COUNT(*) FROM messages WHERE topic = 't/lost')"
        assert reader.execute(count).fetchone() == (1, 0)
        outbox.store()
        assert reader.execute(count).fetchone() == (0, 1)
    outbox.close()


def test_losses_of_two_topics_and_causes_stand_apart(path: Path) -> None:
    with closing(Outbox(path, OutboxSettings(max_bytes=10_000, max_message_bytes=2000))) as outbox:
        outbox.put([fact(n, topic=f"t/{n % 2}", size=1000) for n in range(14)])
        outbox.put([fact(99, topic="t/0", size=2000)])
        outbox.store()
        assert set(outbox.losses()) == {
            Loss("t/0", Cause.FULL, 3, 0.0, 4.0),
            Loss("t/1", Cause.FULL, 2, 1.0, 3.0),
            Loss("t/0", Cause.TOO_LARGE, 1, 99.0, 99.0),
        }


# ── what a broker retains ───────────────────────────────────────────────────────────────────────────────


def test_retained_topics_are_remembered_over_restarts(path: Path) -> None:
    with closing(Outbox(path)) as outbox:
        assert outbox.retain("t/a", held=True)
        assert not outbox.retain("t/a", held=True)
        outbox.retain("t/b", held=True)
        outbox.retain("t/a", held=False)
        outbox.put([Message("t/result", b"{}", "", 0.0, retain=True)])
    with closing(Outbox(path)) as outbox:
        assert outbox.retained() == {"t/b": True, "t/a": False, "t/result": True}
        outbox.retain("t/a", held=True)
    with closing(Outbox(path)) as outbox:
        assert outbox.retained()["t/a"]


def test_of_topics_that_are_gone_the_latest_are_remembered(path: Path) -> None:
    with closing(Outbox(path)) as outbox:
        outbox.retain("t/held", held=True)
        for number in range(100):
            outbox.retain(f"t/{number}", held=True)
            outbox.store()
            outbox.retain(f"t/{number}", held=False)
    with closing(Outbox(path)) as outbox:
        assert outbox.retained() == {"t/held": True} | {f"t/{n}": False for n in range(36, 100)}


BAD_SETTINGS = {
    "max_bytes": {"max_bytes": 0},
    "max_age_s": {"max_age_s": float("nan")},
    "max_message_bytes": {"max_message_bytes": -1},
    "sync_s": {"sync_s": 1e9},
}


@pytest.mark.parametrize(("field", "values"), BAD_SETTINGS.items())
def test_settings_out_of_range_are_refused(field: str, values: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=f"^{field}: expected"):
        OutboxSettings(**values)  # type: ignore[arg-type]


# ── files that are not what they should be ──────────────────────────────────────────────────────────────


def ruin_with(content: bytes) -> Callable[[Path], None]:
    return lambda path: (path.write_bytes(content), None)[1]


def flip_pages(path: Path) -> None:
    content = bytearray(path.read_bytes())
    for offset in range(4096, len(content), 64):
        content[offset] ^= 0xFF
    path.write_bytes(bytes(content))


def make_foreign(path: Path) -> None:
    path.unlink()
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE recipes (name TEXT)")


DAMAGE: dict[str, Callable[[Path], None]] = {
    "text": ruin_with(b"hello " * 1000),
    "zeros": ruin_with(b"\0" * 8192),
    "random bytes": ruin_with(random.Random(1).randbytes(8192)),
    "cut short": lambda path: os.truncate(path, 6000),
    "pages overwritten": flip_pages,
    "a database of another program": make_foreign,
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE.keys())
def test_a_damaged_file_is_moved_aside_and_a_new_one_begun(
    path: Path, caplog: pytest.LogCaptureFixture, damage: Callable[[Path], None]
) -> None:
    with closing(Outbox(path)) as outbox:
        outbox.put([fact(n) for n in range(500)])
    damage(path)
    ruined = path.read_bytes()
    with closing(Outbox(path)) as outbox:
        assert outbox.moved_aside == path.with_name("outbox.db.corrupt-1")
        outbox.put([fact(1)])
        assert numbers(outbox) == [1]
    assert path.with_name("outbox.db.corrupt-1").read_bytes() == ruined
    (record,) = [r for r in caplog.records if r.levelno == logging.WARNING]
    assert str(path) in record.getMessage()
    assert "outbox.db.corrupt-1" in record.getMessage()


def test_of_damaged_files_the_latest_three_are_kept(path: Path) -> None:
    for n in range(5):
        path.write_bytes(b"damage %d " % n * 100)
        Outbox(path).close()
    assert sorted(p.name for p in path.parent.glob("*corrupt*")) == [
        "outbox.db.corrupt-3",
        "outbox.db.corrupt-4",
        "outbox.db.corrupt-5",
    ]


def test_an_empty_file_is_a_new_outbox(path: Path) -> None:
    path.touch()
    with closing(Outbox(path)) as outbox:
        assert outbox.moved_aside is None
        outbox.put([fact(1)])
        assert numbers(outbox) == [1]


def test_a_file_of_a_newer_spotter_is_left_alone(path: Path) -> None:
    Outbox(path).close()
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA user_version=3")
    before = path.read_bytes()
    with pytest.raises(ConfigError, match=rf"^{path}: expected format 2, found 3"):
        Outbox(path)
    assert path.read_bytes() == before


def test_the_loss_of_a_damaged_file_is_told_though_nobody_knows_how_much(path: Path) -> None:
    path.write_bytes(b"damage" * 1000)
    with closing(Outbox(path)) as outbox:
        assert outbox.losses() == (Loss("", Cause.DAMAGED, 0),)


def test_a_file_that_is_damaged_while_it_is_used_is_set_aside_and_what_it_held_is_counted(path: Path) -> None:
    with closing(Outbox(path)) as outbox:
        outbox.put([fact(n, topic=f"t/{n % 2}", size=500) for n in range(5000)])
        outbox.sync()
        with closing(sqlite3.connect(path)) as other:
            other.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        flip_pages(path)
        with pytest.raises(DeviceError, match=r"malformed|not a database"):
            outbox.pending(limit=5000)
        outbox.put([fact(7)])
        assert numbers(outbox) == [7]
        assert outbox.moved_aside == path.with_name("outbox.db.corrupt-1")
        assert set(outbox.losses()) == {Loss(f"t/{n}", Cause.DAMAGED, 2500) for n in range(2)}
        assert outbox.dropped == 5000


# ── a disk that refuses ─────────────────────────────────────────────────────────────────────────────────


@contextmanager
def full_disk(path: Path, more_bytes: int = 0) -> Iterator[None]:
    """The kernel refuses to let files of this process grow, as a full disk does."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    log_path = path.with_name("outbox.db-wal")
    log_bytes = log_path.stat().st_size if log_path.exists() else 0
    resource.setrlimit(resource.RLIMIT_FSIZE, (log_bytes + more_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_refuses_and_nothing_is_half_stored(path: Path) -> None:
    outbox = Outbox(path)
    outbox.put([fact(1)])
    outbox.store()
    with full_disk(path, 8192):
        outbox.put([fact(2), fact(3, size=100_000)])
        for _ in range(2):
            with pytest.raises(DeviceError, match=f"^{path}: put: "):
                outbox.store()
        assert path.name in outbox.trouble
        assert (outbox.unsaved, outbox.depth()[0]) == (2, 3)
    outbox.put([fact(4)])
    assert numbers(outbox) == [1, 2, 3, 4]
    assert (outbox.trouble, outbox.unsaved) == ("", 0)
    outbox.close()
    assert integrity(path) == "ok"


def test_while_the_disk_is_full_facts_are_sent_from_memory_in_order_and_once(path: Path) -> None:
    outbox = Outbox(path)
    outbox.put([fact(n) for n in range(3)])
    outbox.sync()
    outbox.delivered([outbox.pending()[0].seq])
    sent: list[int] = []
    with full_disk(path):
        outbox.put([fact(n, topic=f"t/{'ab'[n % 2]}") for n in range(3, 200)])
        with pytest.raises(DeviceError):
            outbox.sync()
        after = 0
        while waiting := outbox.pending(after, limit=7, topic="t/a"):
            sent += [int(s.message.payload) for s in waiting]
            outbox.delivered([s.seq for s in waiting])
            after = waiting[-1].seq
        assert sent == [1, 2, *range(4, 200, 2)]
        with pytest.raises(DeviceError):
            outbox.sync()
    assert numbers(outbox) == [*range(3, 200, 2)]
    outbox.close()
    with closing(Outbox(path)) as outbox:
        assert numbers(outbox) == [*range(3, 200, 2)]


def test_memory_is_bounded_while_the_disk_is_full_and_what_goes_is_told(path: Path) -> None:
    with closing(Outbox(path)) as outbox:
        with full_disk(path):
            for n in range(2000):
                outbox.put([fact(n, size=10_000)])
            with pytest.raises(DeviceError):
                outbox.store()
            assert 1500 < outbox.unsaved < 1600
        kept = numbers(outbox)
        assert kept == [*range(2000 - len(kept), 2000)]
        assert outbox.losses() == (Loss("t/a", Cause.FULL, 2000 - len(kept), 0.0, 1999.0 - len(kept)),)


def test_without_a_file_it_goes_on_in_memory_until_there_can_be_one(tmp_path: Path) -> None:
    folder = tmp_path / "absent"
    outbox = Outbox(folder / "outbox.db")
    assert "unable to open" in outbox.trouble
    outbox.put([fact(1), fact(2)])
    with pytest.raises(DeviceError, match=f"^{folder}/outbox.db: open: "):
        outbox.sync()
    (first, _) = outbox.pending()
    outbox.delivered([first.seq])
    folder.mkdir()
    outbox.put([fact(3)])
    assert numbers(outbox) == [2, 3]
    assert outbox.trouble == ""
    outbox.close()


def test_what_was_put_before_the_file_could_be_opened_comes_behind_what_is_in_it(tmp_path: Path) -> None:
    folder, away = tmp_path / "state", tmp_path / "away"
    folder.mkdir()
    with closing(Outbox(folder / "outbox.db")) as outbox:
        outbox.put([fact(1), fact(2)])
        outbox.retain("t/old", held=True)
    folder.rename(away)
    outbox = Outbox(folder / "outbox.db")
    outbox.put([fact(3)])
    outbox.retain("t/new", held=True)
    (early,) = outbox.pending()
    away.rename(folder)
    assert numbers(outbox) == [1, 2, 3]
    assert outbox.retained() == {"t/old": True, "t/new": True}
    outbox.delivered([early.seq])
    assert numbers(outbox) == [1, 2]
    outbox.close()


# ── two threads, another process, kill -9 ───────────────────────────────────────────────────────────────


def integrity(path: Path) -> str:
    with closing(sqlite3.connect(path)) as db:
        return str(db.execute("PRAGMA integrity_check").fetchone()[0])


def test_putting_and_draining_at_once_keeps_order_and_bounds_the_log(outbox: Outbox) -> None:
    """30 MB pass through the log; it stays near its bound."""
    total = 1500
    failures: list[Exception] = []

    def fill() -> None:
        try:
            for n in range(total):
                outbox.put([fact(n, topic=f"t/{n % 3}", size=20_000)])
                time.sleep(0.001)  # some 10 MB a second
        except DeviceError as error:
            failures.append(error)

    thread = threading.Thread(target=fill)
    thread.start()
    seen: list[int] = []
    biggest, log_path = 0, outbox.path.with_name("outbox.db-wal")
    end = time.monotonic() + 120
    while len(seen) < total and time.monotonic() < end:
        outbox.sync()
        batch = outbox.pending(limit=20)
        seen += [int(s.message.payload) for s in batch]
        outbox.delivered([s.seq for s in batch])
        biggest = max(biggest, log_path.stat().st_size)
    thread.join()
    assert (failures, seen, outbox.depth()) == ([], [*range(total)], (0, 0))
    assert biggest < 40_000_000


def test_another_process_may_look_meanwhile(outbox: Outbox) -> None:
    outbox.put([fact(1)])
    outbox.store()
    with closing(sqlite3.connect(outbox.path)) as reader:
        reader.execute("BEGIN")
        assert reader.execute("SELECT COUNT(*) FROM messages").fetchone() == (1,)
        outbox.put([fact(n, size=100_000) for n in range(2, 100)])
        outbox.sync()  # cannot begin the log anew while somebody reads in it
        assert len(numbers(outbox)) == 99
    outbox.put([fact(100)])
    assert len(numbers(outbox)) == 100


CHILD = """
import sys, threading
from agent.adapters.outbox import Outbox, file
from agent.core.types import Message
file._LOG_BYTES = 100_000  # begin the log anew all the time
outbox = Outbox(sys.argv[1])
def keep():
    while True:
        outbox.sync()
threading.Thread(target=keep, daemon=True).start()
number = int(sys.argv[2])
while True:
    outbox.put([Message("t/a", b"%d" % (number + n), "", 0.0) for n in range(3)])
    outbox.store()
    number += 3
    print(number - 1, flush=True)
"""


@pytest.mark.timeout(400)
def test_what_was_stored_survives_kill_9_at_any_moment(path: Path) -> None:
    """20 times; every batch that was stored is there, whole and in order."""
    chance = random.Random(7)
    said = -1
    for _ in range(20):
        child = subprocess.Popen(
            [sys.executable, "-c", CHILD, str(path), str(said + 1)],
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        assert child.stdout is not None
        lines = [child.stdout.readline()]
        time.sleep(chance.uniform(0.0, 0.1))
        child.send_signal(signal.SIGKILL)
        lines += child.stdout.read().splitlines()
        child.wait()
        child.stdout.close()
        said = int([line for line in lines if line][-1])
        with closing(Outbox(path)) as outbox:
            found = numbers(outbox)
            assert outbox.moved_aside is None
        assert found == [*range(len(found))]
        assert said < len(found) <= said + 1 + 3
        assert len(found) % 3 == 0
        assert integrity(path) == "ok"
        said = len(found) - 1


CALLS = "trace=access,pwrite64,write,fsync,fdatasync,sync_file_range,msync,sync,syncfs"
TRACED = """
import os, sys
from agent.adapters.outbox import Outbox
from agent.core.types import Message
outbox = Outbox(sys.argv[1])
message = Message("t/a", b"x" * 1000, "", 0.0)
os.access("/mark-put", os.F_OK)
for _ in range(1000):
    outbox.put([message])
    outbox.store()
os.access("/mark-sync", os.F_OK)
outbox.sync()
os.access("/mark-put-again", os.F_OK)
outbox.put([message])
outbox.delivered([stored.seq for stored in outbox.pending()])
os.access("/mark-end", os.F_OK)
outbox.close()
"""


def test_storing_flushes_nothing_sync_flushes_the_log_and_put_touches_no_file(path: Path) -> None:
    """As the kernel saw it. 1000 transactions exceed the log's bound, so a checkpoint follows."""
    strace = shutil.which("strace")
    if strace is None or subprocess.run([strace, "true"], capture_output=True).returncode:
        pytest.skip("strace is not installed, or may not trace here")
    trace = path.with_name("trace")
    subprocess.run(
        [strace, "-f", "-y", "-e", CALLS, "-o", trace, sys.executable, "-c", TRACED, path],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=True,
    )
    text = trace.read_text()
    between = text.split("/mark-put")[1].split("/mark-sync")[0]
    assert between.count("sync(") <= 1, "of the header of a log that begins"
    flushed = text.split("/mark-sync")[1].split("/mark-put-again")[0]
    assert "outbox.db-wal" in flushed
    assert "outbox.db>" in flushed  # the checkpoint
    put = text.split("/mark-put-again")[1].split("/mark-end")[0]
    assert "outbox.db" not in put
    assert "sync" not in put


def test_what_was_delivered_here_and_there_is_deleted_and_nothing_between(path: Path) -> None:
    with closing(Outbox(path)) as outbox:
        outbox.put([fact(n) for n in range(40)])
        outbox.sync()
        stored = outbox.pending(limit=40)
        gone = {0, 1, 2, 7, 9, 10, 39}
        outbox.delivered([stored[n].seq for n in sorted(gone, reverse=True)])
        outbox.store()
    with closing(Outbox(path)) as outbox:
        assert numbers(outbox) == [n for n in range(40) if n not in gone]
