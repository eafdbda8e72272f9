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
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from agent.adapters.outbox import Outbox, OutboxSettings
from agent.core.errors import ConfigError, DeviceError
from agent.core.types import Delivery, Message
from tests.conftest import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


def fact(number: int, topic: str = "t/a", size: int = 0) -> Message:
    return Message(topic, b"%d" % number + b" " * size, f"{number:032x}", float(number))


def state(number: int, topic: str = "t/state") -> Message:
    return Message(topic, b"%d" % number, f"{number:032x}", 0.0, retain=True, delivery=Delivery.STATE)


def numbers(outbox: Outbox) -> list[int]:
    """What waits, in order, as `fact` and `state` numbered it."""
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
    messages = [fact(1), Message("t/ü", b"\0\xff", "x" * 32, 2.5, qos=0, retain=True), fact(3)]
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


def test_a_state_replaces_the_waiting_state_of_its_topic_and_no_fact(outbox: Outbox) -> None:
    outbox.put([state(1), fact(2, "t/state"), state(3, "t/other"), state(4)])
    outbox.put([state(5), state(6)])
    assert numbers(outbox) == [2, 3, 6]
    assert outbox.depth()[0] == 3


def test_the_acknowledgement_of_a_replaced_state_does_not_take_its_successor(outbox: Outbox) -> None:
    outbox.put([state(1)])
    outbox.sync()
    (first,) = outbox.pending()
    outbox.put([state(2)])
    outbox.delivered([first.seq])
    assert numbers(outbox) == [2]


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
        outbox.put([state(0)])
        for n in range(1, 300):
            outbox.put([fact(n, size=1000)])
        kept = numbers(outbox)
        assert kept[0] == 0, "a state is not dropped"
        assert kept[1:] == [*range(300 - len(kept) + 1, 300)]
        assert 90_000 < outbox.depth()[1] <= 100_000
        assert outbox.dropped == 300 - len(kept)
    with closing(Outbox(path, settings)) as outbox:
        assert outbox.dropped == 300 - len(kept)
        outbox.put([fact(n, size=1000) for n in range(300, 600)])
        assert numbers(outbox)[-1] == 599
        assert outbox.depth()[1] <= 100_000


def test_states_alone_may_exceed_max_bytes(path: Path) -> None:
    with closing(Outbox(path, OutboxSettings(max_bytes=10_000))) as outbox:
        big = [Message(f"t/{n}", b"x" * 1000, "", 0.0, delivery=Delivery.STATE) for n in range(20)]
        outbox.put(big)
        assert outbox.depth()[0] == 20
        outbox.put([fact(1)])
        assert (outbox.depth()[0], outbox.dropped) == (20, 1)


def test_facts_grow_old_only_while_time_is_let_pass(path: Path) -> None:
    settings = OutboxSettings(max_age_s=100.0)
    with closing(Outbox(path, settings)) as outbox:
        outbox.put([fact(1), state(2)])
        outbox.age(60.0)
        outbox.put([fact(3)])
    with closing(Outbox(path, settings)) as outbox:
        outbox.age(39.0)
        assert numbers(outbox) == [1, 2, 3]
        outbox.age(2.0)
        assert (numbers(outbox), outbox.dropped) == ([2, 3], 1)


def test_a_message_that_is_too_big_is_refused_with_its_whole_batch(outbox: Outbox) -> None:
    with pytest.raises(ValueError, match=r"^t/a: expected at most 131072 bytes, found 1310\d\d"):
        outbox.put([fact(1), fact(2, size=131_072)])
    assert outbox.depth() == (0, 0)


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
        db.execute("PRAGMA user_version=2")
    before = path.read_bytes()
    with pytest.raises(ConfigError, match=rf"^{path}: expected format 1, found 2"):
        Outbox(path)
    assert path.read_bytes() == before


def test_a_path_that_cannot_be_a_file_is_a_device_error(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "absent" / "outbox.db"):
        with pytest.raises(DeviceError, match=f"^{path}: open: "):
            Outbox(path)


def test_a_full_disk_refuses_and_nothing_is_half_stored(path: Path) -> None:
    """The kernel refuses to let files of this process grow, as a full disk does."""
    outbox = Outbox(path)
    outbox.put([fact(1)])
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    log_bytes = path.with_name("outbox.db-wal").stat().st_size
    resource.setrlimit(resource.RLIMIT_FSIZE, (log_bytes + 8192, hard))
    try:
        for _ in range(2):
            with pytest.raises(DeviceError, match=f"^{path}: put: "):
                outbox.put([fact(2), fact(3, size=100_000)])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert outbox.depth()[0] == 1
    outbox.put([fact(4)])
    assert numbers(outbox) == [1, 4]
    outbox.close()
    assert integrity(path) == "ok"


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
                time.sleep(0.001)  # some 10 MB a second; a lock of Python's is not fair to the other thread
        except DeviceError as error:
            failures.append(error)

    thread = threading.Thread(target=fill)
    thread.start()
    seen: list[int] = []
    biggest, log_path = 0, outbox.path.with_name("outbox.db-wal")
    end = time.monotonic() + 30
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
from agent.adapters.outbox import Outbox, queue
from agent.core.types import Message
queue._LOG_BYTES = 100_000  # begin the log anew all the time
outbox = Outbox(sys.argv[1])
def keep():
    while True:
        outbox.sync()
threading.Thread(target=keep, daemon=True).start()
number = int(sys.argv[2])
while True:
    outbox.put([Message("t/a", b"%d" % (number + n), "", 0.0) for n in range(3)])
    number += 3
    print(number - 1, flush=True)
"""


@pytest.mark.timeout(120)
def test_what_was_put_survives_kill_9_at_any_moment(path: Path) -> None:
    """20 times; every batch whose `put` returned is there, whole and in order."""
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


CALLS = "trace=access,fsync,fdatasync,sync_file_range,msync,sync,syncfs"
TRACED = """
import os, sys
from agent.adapters.outbox import Outbox
from agent.core.types import Message
outbox = Outbox(sys.argv[1])
message = Message("t/a", b"x" * 1000, "", 0.0)
os.access("/mark-put", os.F_OK)
for _ in range(1000):
    outbox.put([message])
os.access("/mark-sync", os.F_OK)
outbox.sync()
os.access("/mark-put-again", os.F_OK)
for _ in range(100):
    outbox.put([message])
outbox.delivered(range(1, 100))
os.access("/mark-end", os.F_OK)
outbox.close()
"""


def test_put_never_flushes_and_sync_flushes_the_log(path: Path) -> None:
    """As the kernel saw it. 1000 facts exceed the log's bound, so the second round follows a checkpoint."""
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
    assert "sync" not in between
    flushed = text.split("/mark-sync")[1].split("/mark-put-again")[0]
    assert "outbox.db-wal" in flushed
    assert "outbox.db>" in flushed  # the checkpoint
    assert "sync" not in text.split("/mark-put-again")[1].split("/mark-end")[0]
