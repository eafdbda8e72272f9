"""Which stored message goes to the broker next: order within a topic, retries, and what is given up for now.

Decides without I/O; `agent/publisher.py` acts. The rules:

1. Messages of one topic go out in order. After a new connection, and after a message that was not taken, a
   topic sends one at a time; each one taken opens its window by one, up to the limit. So a backlog runs at
   full speed, and yet nothing overtakes a message that has to be repeated because its reader was away.
2. A message that nobody heard (PUBACK 0x10: no matching subscriber) or that the broker refused stays. Its
   topic is parked, then its first message is tried again; other topics go on.
3. A message that was under way each time a connection broke may be what breaks it (a broker hangs up on a
   packet that is too big for it, and under MQTT 3.1.1 says nothing). After two breaks it goes out alone;
   after two more it is set aside for an hour, and is still in the outbox then.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import inf
from typing import TYPE_CHECKING, Final

from agent.core.clock import Backoff
from agent.core.delivery import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from agent.core.delivery import Stored
    from agent.core.types import Message

SUSPECT: Final = 2
"""Breaks after which a message goes out alone."""

ASIDE: Final = 4
"""Breaks after which a message is set aside."""

ASIDE_S: Final = 3600.0
"""For so long a message stays aside: an innocent one on a bad link comes back the same day, a guilty one
costs four connections an hour."""

UNHEARD_WAIT: Final = Backoff(first_s=2.0, limit_s=30.0)
"""A reader that restarts is back within seconds; one that is away for days costs two probes a minute."""

REFUSED_WAIT: Final = Backoff(first_s=10.0, limit_s=300.0)
"""An access rule is changed by a person."""


_IDLE_LANES: Final = 100
"""Topics remembered though nothing waits in them, so that the next message finds its window open."""


@dataclass(slots=True)
class _Lane:
    """One topic."""

    cursor: int = 0  # seq of the last message that was sent, or passed over
    window: int = 1
    flying: set[int] = field(default_factory=set)
    rewound: bool = False  # wait for what is under way, then begin again behind the cursor
    parked_until: float = -inf
    attempts: int = 0  # times parked since a message was taken
    refused: bool = False  # parked because the broker refused a message, not for want of a reader


class Lanes:
    """The state of all topics. `now` is monotonic seconds, `r` a random number in [0, 1)."""

    def __init__(self) -> None:
        self._lanes: dict[str, _Lane] = {}
        self._flying: dict[int, Message] = {}
        self._strikes: dict[int, int] = {}
        self._aside: dict[int, float] = {}  # seq → when it may be tried again
        self._limit = 0
        self._turn = 0

    @property
    def flying(self) -> int:
        """Messages under way."""
        return len(self._flying)

    @property
    def parked(self) -> int:
        """Topics whose first message was not taken when it was last tried."""
        return sum(lane.attempts > 0 for lane in self._lanes.values())

    @property
    def aside(self) -> int:
        """Messages passed over in this session."""
        return len(self._aside)

    def up(self, limit: int) -> None:
        """A new connection carries `limit` messages at once."""
        self._limit = limit

    def down(self, now: float) -> None:
        """The connection broke: whatever is under way will be sent again, each topic from its beginning."""
        for seq in self._flying:
            self._strikes[seq] = self._strikes.get(seq, 0) + 1
        self._aside = {seq: until for seq, until in self._aside.items() if until > now}
        for seq, strikes in list(self._strikes.items()):
            if strikes >= ASIDE:
                self._aside[seq] = now + ASIDE_S
                del self._strikes[seq]
        self._flying.clear()
        self._lanes = {
            topic: _Lane(parked_until=lane.parked_until, attempts=lane.attempts, refused=True)
            for topic, lane in self._lanes.items()
            if lane.refused  # mosquitto 2.0.11 hangs up after each refusal: what it allows must get through
        }
        self._limit = 0

    def offers(self, topics: Sequence[str], now: float) -> Iterator[tuple[str, int, int]]:
        """Topics that may send: `(topic, after, count)`, read up to `count` messages behind seq `after`.

        Each call begins with another topic, so that a busy one cannot starve the others.
        """
        self._turn += 1
        start = self._turn % len(topics) if topics else 0
        if len(self._lanes) > len(topics) + _IDLE_LANES:
            kept = set(topics)
            self._lanes = {t: lane for t, lane in self._lanes.items() if t in kept or lane.flying}
        for topic in (*topics[start:], *topics[:start]):
            room = self._limit - len(self._flying)
            if room <= 0 or self._alone():
                return
            lane = self._lane(topic)
            waits = lane.parked_until > now or (lane.rewound and lane.flying)
            count = 0 if waits else min(room, lane.window - len(lane.flying))
            if count > 0:
                yield topic, lane.cursor, count

    def send(self, stored: Stored) -> bool | None:
        """May this message go out now? True: it is under way from here. False: pass it over. None: wait."""
        seq = stored.seq
        lane = self._lane(stored.message.topic)
        if seq in self._aside:
            lane.cursor = seq
            return False
        if self._strikes and (self._alone() or (self._strikes.get(seq, 0) >= SUSPECT and self._flying)):
            return None
        lane.cursor = seq
        lane.rewound = False
        lane.flying.add(seq)
        self._flying[seq] = stored.message
        return True

    def message(self, seq: int) -> Message | None:
        """A message that is under way."""
        return self._flying.get(seq)

    def acked(self, seq: int, outcome: Outcome, now: float, r: float) -> bool:
        """What became of a message. True: it is done with and may be deleted."""
        message = self._flying.pop(seq, None)
        if message is None:
            return False  # of a connection before this one: it was, or will be, sent again
        self._strikes.pop(seq, None)
        lane = self._lanes[message.topic]
        lane.flying.discard(seq)
        kept_there = outcome is Outcome.UNHEARD and message.retain
        if outcome is Outcome.ACCEPTED or kept_there:
            lane.attempts, lane.refused = 0, False
            lane.window = 1 if lane.rewound else min(lane.window + 1, self._limit)
            return True
        if outcome is Outcome.UNSENDABLE:
            self._aside[seq] = now  # until the next connection
            return False
        wait = UNHEARD_WAIT if outcome is Outcome.UNHEARD else REFUSED_WAIT
        lane.refused = outcome is Outcome.REFUSED
        if not lane.rewound:
            lane.parked_until = now + wait.delay_s(lane.attempts, r)
            lane.attempts += 1
        lane.cursor = min(lane.cursor, seq - 1)
        lane.window, lane.rewound = 1, True
        return False

    def due_at(self, now: float) -> float:
        """When the next parked topic is to be tried again; infinity when none is parked."""
        times = (lane.parked_until for lane in self._lanes.values())
        return min((time for time in times if time > now), default=inf)

    def _lane(self, topic: str) -> _Lane:
        lane = self._lanes.get(topic)
        if lane is None:
            lane = self._lanes[topic] = _Lane()
        return lane

    def _alone(self) -> bool:
        return len(self._flying) == 1 and self._strikes.get(next(iter(self._flying)), 0) >= SUSPECT
