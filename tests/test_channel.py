"""The newest value wins, and what it replaced is counted."""

from __future__ import annotations

import threading

from agent.channel import Latest


def test_nothing_is_there_at_first() -> None:
    assert Latest[int]().take(0.0) is None


def test_the_newest_wins_and_the_loss_is_counted() -> None:
    box: Latest[int] = Latest()
    for value in range(5):
        assert box.put("a", value)
    assert box.take(0.0) == ("a", 4)
    assert box.take(0.0) is None
    assert (box.dropped("a"), box.dropped("b")) == (4, 0)


def test_a_busy_key_does_not_starve_another() -> None:
    box: Latest[int] = Latest()
    box.put("busy", 1)
    box.put("quiet", 1)
    box.put("busy", 2)
    assert [box.take(0.0), box.take(0.0)] == [("busy", 2), ("quiet", 1)]


def test_a_writer_that_can_wait_loses_nothing() -> None:
    box: Latest[int] = Latest()
    box.put("a", 0)
    assert not box.put("a", 1, wait_s=0.01), "still taken: the writer tries again"
    received = []

    def write() -> None:
        for value in range(1, 200):
            while not box.put("a", value, wait_s=5):
                pass

    writer = threading.Thread(target=write)
    writer.start()
    while len(received) < 200:
        item = box.take(5.0)
        assert item is not None
        received.append(item[1])
    writer.join()
    assert received == list(range(200))
    assert box.dropped("a") == 0


def test_closing_wakes_the_reader_and_keeps_what_is_there() -> None:
    box: Latest[int] = Latest()
    closer = threading.Timer(0.05, box.close)
    closer.start()
    assert box.take(30.0) is None
    box.put("a", 1)
    assert box.take(30.0) == ("a", 1)
    assert box.take(30.0) is None
