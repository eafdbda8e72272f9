"""From the outbox to the broker: birth, then states, then facts; repeated until they are acknowledged.

One thread calls `step` again and again. What goes next is decided in `core/lanes.py`; here it is done.

    connected ─▶ birth sent ─acknowledged▶ born: states that differ from what this connection has been told,
        ▲                                        then facts, each topic in order
        └────────────── lost ◀──────────────────┘
"""

from __future__ import annotations

import logging
import random
from collections import deque
from functools import partial
from math import inf
from typing import TYPE_CHECKING, Final

from agent.core.delivery import Ack, Down, Status, Up
from agent.core.errors import DeviceError
from agent.core.incoming import Incoming
from agent.core.lanes import Lanes
from agent.core.refusals import TAKEN, Refusals
from agent.core.types import Delivery, Message
from agent.core.wire import late
from agent.states import States, nothing_gone

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from agent.core.clock import Clock
    from agent.core.delivery import Network, Signal, Store
    from agent.core.wire import Wire
    from agent.states import Gone

log = logging.getLogger(__name__)

_ANNOUNCE_EVERY_S: Final = 10.0
"""Losses that go on are summed up so long before they are told."""

_BREATH_S: Final = 0.002
"""While several are under way, acknowledgements are left to come together for so long: a look at the network
costs as much as ten messages. It comes after what is sent, for mosquitto holds acknowledgements back until it
hears that the last were received (Nagle's algorithm). Its 20 in two breaths are 5,000 a second."""

_BIRTH: Final = 0
"""Token of the birth. Facts have their seq, from 1; states count down from -1."""

_ANSWERS: Final = 64
"""Answers that wait in memory while there is no connection. Who asked repeats a question that got none."""


class Publisher:
    """Owns the order of what is sent. All but `step` and `close` may be called by any thread."""

    def __init__(
        self,
        outbox: Store,
        broker: Network,
        wire: Wire,
        clock: Clock,
        jitter: Callable[[], float] = random.random,
        heed: Callable[[Incoming], None] = lambda _incoming: None,
        report: Callable[[str], None] = lambda _reason: None,
        overhear: Callable[[Message], None] = lambda _message: None,
    ) -> None:
        """`heed(incoming)` is told what others send us; it must not wait.

        `report(reason)` is told what is wrong with delivery, and with nothing that all is well again.
        `overhear(message)` is told all but facts, by whichever thread says them.
        """
        self._heed = heed
        self._overhear = overhear
        self._report = report
        self._reported: str | None = None
        self._outbox = outbox
        self._broker = broker
        self._wire = wire
        self._clock = clock
        self._jitter = jitter
        self._lanes = Lanes()
        self.states = States(outbox, wire)
        self._answers: deque[Message] = deque(maxlen=_ANSWERS)  # append and popleft are atomic
        self._telling: dict[int, Message] = {}  # states and answers under way, by token
        self._token = 0
        self._limit = 0
        self._born = False
        self._done: list[int] = []  # acknowledged, not yet deleted
        self._announced_at = -inf
        self._refusals = Refusals()
        self._complaint = ""

    def set_state(self, message: Message) -> None:
        """What is true of this topic from now on; told again on every new connection."""
        self.states.set(message)
        self._overhear(message)
        self._broker.wake()

    def forget_state(self, topic: str) -> None:
        """Take back what was set: the broker retains it no longer."""
        self.states.forget(topic)
        self._broker.wake()

    def retire(self, cameras: Collection[str], gone: Gone = nothing_gone) -> None:
        """Take back whatever was set of other cameras, or of what is `gone` of these: see `States.retire`."""
        self.states.retire(cameras, gone)
        self._broker.wake()

    def announce(self, message: Message | None) -> None:
        """Tell Home Assistant of this device, also where nothing changed; None: take back what was told."""
        self.states.announce(message)
        self._broker.wake()

    def answer(self, message: Message) -> None:
        """Send it once, soon: it is kept in memory alone."""
        self._answers.append(message)
        self._overhear(message)
        self._broker.wake()

    def wake(self) -> None:
        """Something was put into the outbox."""
        self._broker.wake()

    @property
    def status(self) -> Status:
        """How delivery stands now."""
        error = self._broker.last_error or self._refusals.text or self._broker.warning
        return Status(self._born, error, self._lanes.flying, self._lanes.aside, self._lanes.parked)

    def step(self, timeout_s: float) -> None:
        """Send what may be sent, wait for up to `timeout_s`, take in what happened.

        Raises:
            DeviceError: the disk cannot be read. Nothing is lost, and states still go out; call again later.
        """
        now = self._clock.monotonic()
        self._announce(now)
        failure: DeviceError | None = None
        try:
            self._send(now)
        except DeviceError as error:
            failure = error
        rest_s = _BREATH_S if self._lanes.flying > 1 else 0.0
        for signal in self._broker.service(max(0.0, min(timeout_s, self._lanes.due_at(now) - now)), rest_s):
            self._take_in(signal)
        self._delete_done()
        trouble = self.status.error
        if trouble != self._reported:
            self._reported = trouble
            self._report(trouble)  # before `_send` tells the states of a new connection
        if failure is not None:
            raise failure

    def close(self, timeout_s: float = 3.0) -> None:
        """Make the last facts durable, give them and then `offline` half the time each, and say farewell.

        Raises:
            DeviceError: the disk refuses.
        """
        began = self._clock.monotonic()
        failures: list[DeviceError] = []

        def tried(work: Callable[[], None]) -> None:
            try:
                work()
            except DeviceError as error:
                failures.append(error)

        tried(self._outbox.sync)
        while self._born and self._unfinished() and self._clock.monotonic() < began + timeout_s / 2:
            tried(partial(self.step, 0.1))
            if failures:
                break
        tried(partial(self._say_offline, began + timeout_s))
        self._delete_done()
        self._born = False
        self._broker.close(max(0.1, began + timeout_s - self._clock.monotonic()))
        if failures:
            raise failures[0]

    def _announce(self, now: float) -> None:
        if self._born and now - self._announced_at >= _ANNOUNCE_EVERY_S and self._outbox.losses():
            self._announced_at = now
            self._outbox.announce(partial(self._wire.lost, utc=self._clock.utc()))

    def _send(self, now: float) -> None:
        if not self._born:
            return
        while self._limit > self._lanes.flying + len(self._telling):
            message = self.states.next()
            if message is None:
                break
            self._tell(message)  # when it is lost, a new connection tells all states
        while self._answers and self._limit > self._lanes.flying + len(self._telling):
            self._tell(self._answers.popleft())
        if self.states.untold or self._telling:
            return  # a fact is never heard before the state that it belongs to
        for topic, after, count in self._lanes.offers(self._outbox.topics(), now):
            if not self._send_facts(topic, after, count):
                return

    def _tell(self, message: Message) -> None:
        self._token -= 1
        self._telling[self._token] = message
        self._broker.publish(self._token, message)

    def _send_facts(self, topic: str, after: int, count: int) -> bool:
        """Up to `count` facts of one topic. False: nothing more can be sent now."""
        utc = self._clock.utc()
        while stored := self._outbox.pending(after, count, topic):
            for item in stored:
                may = self._lanes.send(item)
                if may is None:
                    return True
                if may and not self._broker.publish(item.seq, late(item.message, utc)):
                    return False  # the connection is gone; `Down` follows
                count -= may
            after = stored[-1].seq
            if count == 0:
                break
        return True

    def _take_in(self, signal: Signal) -> None:
        if isinstance(signal, Ack):
            self._take_ack(signal)
        elif isinstance(signal, Up):
            self._limit = signal.limit
            self._refusals.connected()
            self._lanes.up(signal.limit)
            self._broker.publish(_BIRTH, self._wire.availability("online"))
        elif isinstance(signal, Down):
            self._born = False
            self._telling.clear()
            self._lanes.down(self._clock.monotonic())
            self._complain(signal.reason)
        elif isinstance(signal, Incoming):
            self._heed(signal)
        else:
            self._refusals.deaf(signal.reason)
            self._complain(signal.reason)

    def _take_ack(self, ack: Ack) -> None:
        for token in ack.tokens:
            if token < _BIRTH:
                self._take_state(token, ack)
            elif token == _BIRTH:
                self._take_birth(ack)
        self._take_facts([token for token in ack.tokens if token > _BIRTH], ack)

    def _take_birth(self, ack: Ack) -> None:
        if ack.outcome not in TAKEN:
            topics = f"{self._wire.root}/#"
            self._broker.drop(f"it lets us in, but not write to {topics}: {ack.reason}")
            return
        self.states.connected()
        self._born = True
        self._complaint = ""
        log.info("the broker has us: %s", self._wire.root)

    def _take_state(self, token: int, ack: Ack) -> None:
        message = self._telling.pop(token, None)
        if message is None or message.delivery is Delivery.FACT:
            return  # an answer goes to a topic that somebody else chose: whether it is let in is theirs
        self._note(message.topic, ack)
        self.states.told(message)

    def _take_facts(self, seqs: list[int], ack: Ack) -> None:
        lanes, now, r = self._lanes, self._clock.monotonic(), self._jitter()
        for topic in dict.fromkeys(message.topic for seq in seqs if (message := lanes.message(seq))):
            self._note(topic, ack)
        self._done += [seq for seq in seqs if lanes.acked(seq, ack.outcome, now, r)]

    def _note(self, topic: str, ack: Ack) -> None:
        if reason := self._refusals.note(topic, ack):
            self._complain(reason)

    def _complain(self, text: str) -> None:
        """The first time a warning, then quietly until all was well again."""
        log.log(logging.DEBUG if text == self._complaint else logging.WARNING, "%s", text)
        self._complaint = text

    def _delete_done(self) -> None:
        if self._done:
            self._outbox.delivered(self._done)
            self._done = []

    def _unfinished(self) -> bool:
        if self.states.untold or self._answers or self._telling or self._lanes.flying:
            return True
        now = self._clock.monotonic()
        return next(self._lanes.offers(self._outbox.topics(), now), None) is not None

    def _say_offline(self, deadline: float) -> None:
        if not self._born:
            return
        self._tell(self._wire.availability("offline"))
        while self._token in self._telling and self._clock.monotonic() < deadline:
            for signal in self._broker.service(max(0.0, deadline - self._clock.monotonic())):
                self._take_in(signal)
