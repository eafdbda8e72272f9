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
from enum import StrEnum
from math import inf
from typing import TYPE_CHECKING, Final, Protocol

from agent.core.clock import Backoff
from agent.core.incoming import Deaf, Incoming

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from agent.core.losses import Loss
    from agent.core.types import Message


@dataclass(frozen=True, slots=True)
class Stored:
    """A message in the outbox. `seq` counts up from 1 and is never used twice in one run."""

    seq: int
    message: Message


class Outcome(StrEnum):
    """What became of a published message."""

    ACCEPTED = "accepted"
    UNHEARD = "unheard"  # the broker took it, and nobody subscribes to its topic
    REFUSED = "refused"  # by the broker, with a reason
    UNSENDABLE = "unsendable"  # this connection cannot carry it: too big


@dataclass(frozen=True, slots=True)
class Up:
    """A connection was made."""

    limit: int  # messages that may be under way at once


@dataclass(frozen=True, slots=True)
class Down:
    """The connection was lost, or could not be made."""

    reason: str


@dataclass(frozen=True, slots=True)
class Ack:
    """The fate of one message: `token` is what `publish` was given."""

    token: int
    outcome: Outcome
    reason: str = ""


Signal = Up | Down | Ack | Incoming | Deaf


class Store(Protocol):
    """Where facts wait: `adapters.outbox.Outbox`."""

    def store(self) -> None:
        """Write what is in memory alone."""

    def sync(self) -> None:
        """Make what was put survive a power cut."""

    def topics(self) -> tuple[str, ...]:
        """Topics with waiting messages."""

    def pending(self, after: int = 0, limit: int = 50, topic: str | None = None) -> Sequence[Stored]:
        """Waiting messages in order."""

    def delivered(self, seqs: Sequence[int]) -> None:
        """Forget these."""

    def losses(self) -> Sequence[Loss]:
        """What was dropped, and not told of yet."""

    def announce(self, tell: Callable[[Loss], Message]) -> None:
        """Put a message for each of them instead."""

    def retain(self, topic: str, *, held: bool) -> bool:
        """Remember that the broker retains this topic, or does so no longer. True: that is new."""

    def retained(self) -> Mapping[str, bool]:
        """Topics that the broker retains (True), or should no longer (False)."""


class Network(Protocol):
    """The way to the broker: `adapters.broker.Broker`."""

    @property
    def connected(self) -> bool:
        """Whether the broker has let us in."""

    @property
    def last_error(self) -> str:
        """Why not."""

    @property
    def warning(self) -> str:
        """What the operator should know although there is a connection; empty when nothing."""

    def publish(self, token: int, message: Message) -> bool:
        """Hand over a message; False when there is no connection."""

    def service(self, timeout_s: float) -> Sequence[Signal]:
        """Let the network work; what happened."""

    def drop(self, reason: str) -> None:
        """Break the connection."""

    def wake(self) -> None:
        """End `service` soon."""

    def close(self, timeout_s: float) -> None:
        """Say farewell."""


@dataclass(frozen=True, slots=True)
class Status:
    """How delivery stands, for `health`."""

    online: bool  # the broker has our birth
    error: str  # why not, or what it refused last; empty when all is well
    flying: int  # facts under way
    aside: int  # facts passed over: too big for this broker, or it hangs up on them
    unheard: int  # topics whose facts wait for a subscriber


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
            lane = self._lanes.setdefault(topic, _Lane())
            waits = lane.parked_until > now or (lane.rewound and lane.flying)
            count = 0 if waits else min(room, lane.window - len(lane.flying))
            if count > 0:
                yield topic, lane.cursor, count

    def send(self, stored: Stored) -> bool | None:
        """May this message go out now? True: it is under way from here. False: pass it over. None: wait."""
        seq, topic = stored.seq, stored.message.topic
        lane = self._lanes.setdefault(topic, _Lane())
        if seq in self._aside:
            lane.cursor = seq
            return False
        if self._alone() or (self._strikes.get(seq, 0) >= SUSPECT and self._flying):
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

    def _alone(self) -> bool:
        return len(self._flying) == 1 and self._strikes.get(next(iter(self._flying)), 0) >= SUSPECT
