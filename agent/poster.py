"""From an outbox to a webhook: states, then facts, several in a request; repeated until they are taken.

One thread calls `step` again and again, and is the only one that waits for the server. What goes next is
decided in `core/posts.py`; here it is done.
"""

from __future__ import annotations

import hashlib
import logging
import random
import threading
from math import inf
from typing import TYPE_CHECKING, Final, Protocol

from agent.core.delivery import Stored
from agent.core.errors import DeviceError
from agent.core.posts import Answer, Fate, Posts
from agent.core.wire import late
from agent.core.wire.posted import posted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from agent.core.clock import Clock
    from agent.core.losses import Loss
    from agent.core.types import Message
    from agent.core.wire import Envelope, Wire
    from agent.metrics import Metrics

log = logging.getLogger(__name__)

_IDLE_S: Final = 1.0
"""Longest wait without a look at whether the process is to stop."""

_BODY_BYTES: Final = 900_000
"""Of the contents of a request: nginx, as it comes, takes a million."""

_ANNOUNCE_S: Final = 10.0
_ANNOUNCE_DOWN_S: Final = 3600.0
"""How often losses are told: while events are taken, and while they are not. What is told is kept whatever
else is dropped, and so must not become much."""

_AGAIN_S: Final = 600.0
"""How often it is looked from the beginning, for what was passed over. What was taken is deleted seconds
later: with a look from there each time, a backlog cost ten times as much."""

_SAID_AFTER: Final = 2
"""A server that takes the second attempt was not in trouble."""


class Store(Protocol):
    """Where facts wait: `adapters.outbox.Outbox`."""

    trouble: str
    moved_aside: Path | None

    def pending(self, after: int = 0, limit: int = 50, topic: str | None = None) -> Sequence[Stored]:
        """Waiting messages in order."""

    def delivered(self, seqs: Sequence[int]) -> None:
        """Forget these."""

    def losses(self) -> Sequence[Loss]:
        """What was dropped, and not told of yet."""

    def announce(self, tell: Callable[[Loss], Message]) -> None:
        """Put a message for each of them instead."""

    def depth(self) -> tuple[int, int]:
        """Waiting messages and their bytes."""

    @property
    def dropped(self) -> int:
        """Facts given up."""


class Hook(Protocol):
    """The way there: `adapters.webhook.Webhook`."""

    shown: str

    def post(self, body: bytes, content_type: str, identity: str) -> Answer:
        """One request; waits for its answer."""

    def close(self) -> None:
        """Let the connection go."""


class Newest:
    """The latest state of each topic that was not taken yet, oldest first. Any thread may call.

    They are in memory alone: a daemon that starts says all of them anew. Their tokens count down from -1.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: dict[str, Stored] = {}
        self._token = 0

    def set(self, message: Message) -> None:
        """What is true of this topic from now on, in place of what waits; nothing, where it is empty."""
        with self._lock:
            self._waiting.pop(message.topic, None)
            if message.payload:
                self._token -= 1
                self._waiting[message.topic] = Stored(self._token, message)

    def waiting(self) -> tuple[Stored, ...]:
        """All of them."""
        with self._lock:
            return tuple(self._waiting.values())

    def taken(self, tokens: Sequence[int]) -> None:
        """Forget these, where nothing newer took their place."""
        with self._lock:
            self._waiting = {
                topic: stored for topic, stored in self._waiting.items() if stored.seq not in tokens
            }


class Poster:
    """Owns what is posted. All but `step` and `run` may be called by any thread."""

    def __init__(
        self,
        outbox: Store,
        hook: Hook,
        wire: Wire,
        clock: Clock,
        report: Callable[[str], None],
        *,
        envelope: Envelope = "plain",
        batch: int = 50,
        tell: Callable[[Message], None] = lambda _message: None,
        metrics: Metrics | None = None,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        """`report(reason)` is told what is wrong, and with nothing that all is well again.

        `tell(message)` is for what others should know too: the losses.
        """
        self._outbox = outbox
        self._hook = hook
        self._wire = wire
        self._clock = clock
        self._report = report
        self._envelope: Envelope = envelope
        self._tell = tell
        self._metrics = metrics
        self._jitter = jitter
        self._posts = Posts(batch)
        self._states = Newest()
        self._bell = threading.Event()
        self._announced_at = -inf
        self._after = 0  # seq: what waits up to here is passed over
        self._began_at = -inf
        self._dropped = outbox.dropped
        self._reported = ""

    def set_state(self, message: Message) -> None:
        """Post it soon, unless a newer one of its topic comes first."""
        self._states.set(message)
        self._bell.set()

    def wake(self) -> None:
        """There may be more to post."""
        self._bell.set()

    def run(self) -> None:
        """Until the process stops. What was not taken until then waits on the disk."""
        while not self._clock.wait(0.0):
            try:
                self.step(_IDLE_S)
            except DeviceError as error:
                log.debug("webhook: %s", error)  # whoever stores says so
                self._clock.wait(_IDLE_S)
        self._hook.close()

    def step(self, timeout_s: float) -> None:
        """One request, where there is something to post and its time has come; else a wait.

        Raises:
            DeviceError: the disk cannot be read. Nothing is lost; call again later.
        """
        self._bell.clear()
        now = self._clock.monotonic()
        self._announce(now)
        items = self._next(now)
        if items:
            self._post(items)
        self._say(self._clock.monotonic())
        if not items:
            self._bell.wait(min(timeout_s, max(0.0, self._posts.due - now) or timeout_s))

    def _next(self, now: float) -> list[Stored]:
        """States, then facts in order, as many as may go now."""
        room, found, size = self._posts.room(now), list[Stored](), 0
        if not room:
            return found
        for stored in self._candidates(now, room):
            size += len(stored.message.payload)
            if found and size > _BODY_BYTES:
                break
            found.append(stored)
            if len(found) == room:
                break
        if not found and self._posts.exhausted():
            self._after = 0
        return found

    def _candidates(self, now: float, room: int) -> Iterator[Stored]:
        for stored in self._states.waiting():
            if not self._posts.passes(stored.seq, now):
                yield stored
        if now - self._began_at > _AGAIN_S:
            self._began_at, self._after = now, 0
        after = self._after
        while rows := self._outbox.pending(after, room):
            yield from (row for row in rows if not self._posts.passes(row.seq, now))
            after = rows[-1].seq

    def _post(self, items: Sequence[Stored]) -> None:
        utc = self._clock.utc()
        messages = [late(item.message, utc) if item.seq > 0 else item.message for item in items]
        body, content_type = posted(messages, self._wire.root, self._envelope)
        identity = hashlib.sha256("".join(message.id for message in messages).encode()).hexdigest()[:32]
        said = self._hook.post(body, content_type, identity)
        tokens = [item.seq for item in items]
        plainly = not self._posts.doubtful
        if self._posts.answered(tokens, said, self._clock.monotonic(), self._jitter()):
            self._states.taken(tokens)
            self._outbox.delivered([token for token in tokens if token > 0])
            self._after = max(self._after, tokens[-1]) if plainly else 0
        else:
            self._after = 0
        level = logging.DEBUG if said.fate is Fate.TAKEN or self._reported else logging.WARNING
        log.log(level, "webhook %s: %d events %s %s", self._hook.shown, len(items), said.fate, said.reason)

    def _announce(self, now: float) -> None:
        every_s = _ANNOUNCE_S if self._posts.good else _ANNOUNCE_DOWN_S
        if now - self._announced_at < every_s or not self._outbox.losses():
            return
        self._announced_at = now
        told: list[Message] = []

        def tell(loss: Loss) -> Message:
            told.append(self._wire.lost(loss, self._clock.utc(), "webhook"))
            return told[-1]

        self._outbox.announce(tell)
        for message in told:
            self._tell(message)

    def _say(self, now: float) -> None:
        """What is wrong, where that is news; and what is lost, at once."""
        reason = self._trouble(now)
        if reason != self._reported:
            if not reason:
                log.info("webhook %s: all is well again", self._hook.shown)
            self._reported = reason
            self._report(reason)
        lost = self._outbox.dropped
        if lost > self._dropped:
            log.error("webhook: %d facts dropped; …/lost tells which", lost - self._dropped)
            self._dropped = lost
        if self._metrics is not None:
            waiting, size = self._outbox.depth()
            for name, value in (("waiting", waiting), ("bytes", size), ("dropped", lost)):
                self._metrics.set(f"webhook.{name}", value)

    def _trouble(self, now: float) -> str:
        posts = self._posts
        if posts.reason and (posts.failures >= _SAID_AFTER or posts.shut):
            return f"{self._hook.shown}: {posts.reason}"
        if aside := posts.aside(now):
            return f"{self._hook.shown}: {aside} events are passed over: {posts.unfit}"
        if self._outbox.trouble:
            return f"the disk takes no facts, they wait in memory: {self._outbox.trouble}"
        moved = self._outbox.moved_aside
        return f"what waited was damaged and is lost: it was moved to {moved}" if moved else ""
