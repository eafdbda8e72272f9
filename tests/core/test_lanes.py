"""What goes next: order within a topic, windows, parking, and messages that break the connection."""

from __future__ import annotations

from collections import defaultdict
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.delivery import Outcome, Stored, Up
from agent.core.lanes import ASIDE, ASIDE_S, Lanes
from agent.core.types import Message


class Disk:
    """An outbox in memory."""

    def __init__(self, *topics: str) -> None:
        self.rows = {n: Stored(n, Message(t, b"", str(n), 0.0)) for n, t in enumerate(topics, 1)}

    def topics(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(row.message.topic for row in self.rows.values()))

    def pending(self, after: int, limit: int, topic: str) -> list[Stored]:
        rows = [r for r in self.rows.values() if r.message.topic == topic and r.seq > after]
        return rows[:limit]


def send(lanes: Lanes, disk: Disk, now: float = 0.0) -> list[int]:
    """Everything that may go out now, as the publisher does it."""
    sent = []
    for topic, start, room in lanes.offers(disk.topics(), now):
        after, count = start, room
        while count and (rows := disk.pending(after, count, topic)):
            verdicts = [lanes.send(stored) for stored in rows]
            sent += [stored.seq for stored, verdict in zip(rows, verdicts, strict=True) if verdict]
            if None in verdicts:
                break
            after, count = rows[-1].seq, count - sum(map(bool, verdicts))
    return sent


def take(lanes: Lanes, disk: Disk, *seqs: int, outcome: Outcome = Outcome.ACCEPTED, now: float = 0.0) -> None:
    for seq in seqs:
        if lanes.acked(seq, outcome, now, 0.0):
            del disk.rows[seq]


def connected(limit: int = 50) -> Lanes:
    lanes = Lanes()
    lanes.up(limit)
    return lanes


def test_nothing_is_sent_without_a_connection_or_without_messages() -> None:
    assert send(Lanes(), Disk("a")) == []
    assert send(connected(), Disk()) == []


def test_a_topic_begins_with_one_and_opens_as_messages_are_taken() -> None:
    lanes, disk = connected(), Disk(*"a" * 20)
    assert send(lanes, disk) == [1]
    assert send(lanes, disk) == []
    take(lanes, disk, 1)
    assert send(lanes, disk) == [2, 3]
    take(lanes, disk, 2, 3)
    assert send(lanes, disk) == [4, 5, 6, 7]
    take(lanes, disk, 4)
    assert send(lanes, disk) == [8, 9]


def test_no_more_than_the_broker_allows_are_under_way_and_topics_take_turns() -> None:
    lanes, disk = connected(limit=3), Disk(*"aaaaaabbbbbbcccccc")
    seen: defaultdict[str, list[int]] = defaultdict(list)
    while disk.rows:
        sent = send(lanes, disk)
        assert 0 < len(sent) <= lanes.flying <= 3
        for seq in sent:
            seen[disk.rows[seq].message.topic].append(seq)
        take(lanes, disk, *sent)
    assert seen == {"a": [*range(1, 7)], "b": [*range(7, 13)], "c": [*range(13, 19)]}


def test_what_nobody_heard_parks_its_topic_and_others_go_on() -> None:
    lanes, disk = connected(), Disk("a", "b", "a", "b")
    assert sorted(send(lanes, disk)) == [1, 2]
    take(lanes, disk, 1, outcome=Outcome.UNHEARD)
    take(lanes, disk, 2)
    assert send(lanes, disk) == [4]
    assert lanes.parked == 1
    due = lanes.due_at(0.0)
    assert 0.5 <= due <= 2.0
    assert send(lanes, disk, due - 0.01) == []
    assert send(lanes, disk, due) == [1]
    take(lanes, disk, 1, now=due)
    assert lanes.parked == 0
    assert send(lanes, disk, due) == [3]
    assert lanes.due_at(due) == inf


def test_a_topic_parked_again_and_again_waits_longer_up_to_a_limit() -> None:
    lanes, disk, now, waits = connected(), Disk("a"), 0.0, []
    for _ in range(10):
        assert send(lanes, disk, now) == [1]
        take(lanes, disk, 1, outcome=Outcome.UNHEARD, now=now)
        waits.append(lanes.due_at(now) - now)
        now = lanes.due_at(now)
    assert waits == sorted(waits)
    assert waits[0] < 3
    assert waits[-1] <= 30


def test_after_a_message_nobody_heard_the_topic_begins_again_there_once_nothing_is_under_way() -> None:
    lanes, disk = connected(), Disk(*"a" * 8)
    take(lanes, disk, *send(lanes, disk))
    take(lanes, disk, *send(lanes, disk))
    assert send(lanes, disk) == [4, 5, 6, 7]
    take(lanes, disk, 4)
    take(lanes, disk, 5, 6, outcome=Outcome.UNHEARD)
    assert send(lanes, disk, 100.0) == []  # 7 is still under way: it must not be sent twice
    take(lanes, disk, 7, outcome=Outcome.UNHEARD)
    assert send(lanes, disk, 100.0) == [5]
    take(lanes, disk, 5)
    assert send(lanes, disk, 100.0) == [6, 7]


def test_a_retained_message_that_nobody_heard_is_where_it_belongs() -> None:
    lanes = connected()
    stored = Stored(1, Message("a", b"", "1", 0.0, retain=True))
    assert lanes.send(stored)
    assert lanes.acked(1, Outcome.UNHEARD, 0.0, 0.0)


def test_what_the_broker_refuses_is_kept_and_tried_again_later_than_what_nobody_heard() -> None:
    lanes, disk = connected(), Disk("a")
    send(lanes, disk)
    take(lanes, disk, 1, outcome=Outcome.REFUSED)
    assert disk.rows
    assert lanes.due_at(0.0) >= 5.0


def test_a_refusal_outlives_the_connection_and_a_missing_reader_does_not() -> None:
    lanes, disk = connected(), Disk("a", "b")
    send(lanes, disk)
    take(lanes, disk, 1, outcome=Outcome.REFUSED)
    take(lanes, disk, 2, outcome=Outcome.UNHEARD)
    lanes.down(0.0)
    lanes.up(50)
    assert send(lanes, disk, 0.0) == [2]
    assert send(lanes, disk, lanes.due_at(0.0)) == [1]


def test_what_is_too_big_is_passed_over_until_the_next_connection() -> None:
    lanes, disk = connected(), Disk("a", "a")
    send(lanes, disk)
    take(lanes, disk, 1, outcome=Outcome.UNSENDABLE)
    assert (send(lanes, disk), lanes.aside) == ([2], 1)
    take(lanes, disk, 2)
    lanes.down(1.0)
    lanes.up(50)
    assert (send(lanes, disk, 1.0), lanes.aside) == ([1], 0)


def test_after_a_break_each_topic_begins_with_its_first_message_alone() -> None:
    lanes, disk = connected(), Disk(*"ab" * 10)
    for _ in range(3):
        take(lanes, disk, *send(lanes, disk))
    flying = send(lanes, disk)
    assert len(flying) > 2
    lanes.down(0.0)
    assert lanes.flying == 0
    assert send(lanes, disk) == []
    lanes.up(50)
    first = {t: disk.pending(0, 1, t)[0].seq for t in "ab"}
    assert sorted(send(lanes, disk)) == sorted(first.values())


def test_an_acknowledgement_of_an_earlier_connection_means_nothing() -> None:
    lanes, disk = connected(), Disk("a")
    send(lanes, disk)
    lanes.down(0.0)
    assert not lanes.acked(1, Outcome.ACCEPTED, 0.0, 0.0)


def test_a_message_that_breaks_the_connection_is_found_and_set_aside_and_the_others_arrive() -> None:
    lanes, disk = Lanes(), Disk(*"abcabcabc")
    poison, connections, arrived = 5, 0, []
    while len(arrived) < 8:
        connections += 1
        assert connections <= ASIDE + 2, (lanes.aside, arrived)
        lanes.up(50)
        while sent := send(lanes, disk, 0.0):
            if poison in sent:
                break
            arrived += sent
            take(lanes, disk, *sent)
        lanes.down(0.0)
    assert arrived.count(8) == 1  # of the same topic, behind it
    assert set(disk.rows) == {poison}


def test_what_was_set_aside_is_tried_again_after_an_hour() -> None:
    lanes, disk = Lanes(), Disk("a")
    for _ in range(ASIDE):
        lanes.up(50)
        assert send(lanes, disk) == [1]
        lanes.down(10.0)
    for now, sent in ((11.0, []), (10.0 + ASIDE_S, []), (20.0 + ASIDE_S, [1])):
        lanes.up(50)
        assert send(lanes, disk, now) == sent
        lanes.down(now)


@given(st.lists(st.sampled_from("abc"), min_size=1, max_size=30), st.data())
def test_whatever_happens_first_arrivals_are_in_order_and_nothing_is_lost(
    topics: list[str], data: st.DataObject
) -> None:
    """A topic's reader is away or there, never in between two acknowledgements of one burst."""
    lanes, disk, now, broken = connected(limit=5), Disk(*topics), 0.0, 0
    arrived: dict[str, list[int]] = {t: [] for t in "abc"}
    for _ in range(400):
        if not disk.rows:
            break
        sent = send(lanes, disk, now)
        mask = data.draw(st.integers(0, 7)) if sent else 0
        away = {topic for bit, topic in enumerate("abc") if mask >> bit & 1}
        breaks = data.draw(st.booleans()) if sent and broken < ASIDE - 1 else False
        broken += breaks
        for number, seq in enumerate(sent):
            topic = topics[seq - 1]
            if breaks and number == len(sent) // 2:
                lanes.down(now)
                lanes.up(5)
                break
            if topic not in away:
                arrived[topic].append(seq)
            take(lanes, disk, seq, outcome=Outcome.UNHEARD if topic in away else Outcome.ACCEPTED, now=now)
        now += 60.0
    for topic, seqs in arrived.items():
        left = [r.seq for r in disk.rows.values() if r.message.topic == topic]
        assert [*seqs, *left] == [n for n, t in enumerate(topics, 1) if t == topic]


def test_signals_are_plain_values() -> None:
    assert Up(3) == Up(3)
    with pytest.raises(AttributeError):
        Up(3).limit = 4  # type: ignore[misc]
