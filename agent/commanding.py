"""Commands: taken from the network without a wait, done one after the other by a thread of their own.

publish ──take──▶ a bounded queue ──run──▶ doing ──answer──▶ publish
"""

from __future__ import annotations

import hashlib
import logging
import queue
from typing import TYPE_CHECKING, Any, Final, Protocol

from agent.channel import Question
from agent.core.commands import COMMANDS
from agent.core.errors import AgentError, DeviceError, quoted
from agent.core.requests import Answered, Answers, Bucket, Request

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from agent.core.clock import Clock
    from agent.core.incoming import Incoming
    from agent.core.requests import Command
    from agent.core.types import Message
    from agent.core.wire import Wire
    from agent.metrics import Metrics

log = logging.getLogger(__name__)

WAITING_LIMIT: Final = 8
"""Commands that wait: of the largest kind they are 64 MB, and the last of them waits for seconds already."""

_LOOK_S: Final = 0.5
"""How often what has to be done without a command is looked after."""

_ANSWER_S: Final = 60.0
"""How long somebody waits before a page: for a dozen photos, or all probes of a catalogue."""

_SMALL_BYTES: Final = 10_000
"""A request up to this size is read for its id even when there is no time for it: some 50 µs."""


class Doer(Protocol):
    """Who does what is asked for: `doing.Doing`."""

    def do(self, command: Command) -> Mapping[str, Any]:
        """What came of it. AgentError or ValueError: why it was not done."""

    def tend(self) -> None:
        """Look after what has to be done without a command."""


class Book(Protocol):
    """Answers on the disk: `adapters.answers.AnswerBook`. Both may raise DeviceError or ConfigError."""

    def held(self) -> Sequence[Answered]:
        """Those of earlier runs, oldest first."""

    def keep(self, answered: Answered) -> None:
        """At return it survives a power cut."""

    def close(self) -> None:
        """Let it go."""


class Commander:
    """`take` is for one thread and `run` for another. `take` neither waits nor fails."""

    def __init__(
        self,
        doer: Doer,
        book: Book,
        allow: Collection[str],
        wire: Wire,
        answer: Callable[[Message], None],
        clock: Clock,
        metrics: Metrics,
    ) -> None:
        self._doer = doer
        self._book = book
        self._wire = wire
        self._answer = answer
        self._clock = clock
        self._metrics = metrics
        self._buckets = {name: Bucket(COMMANDS[name].per_minute, COMMANDS[name].burst) for name in allow}
        self._waiting: queue.Queue[Incoming | Question[Mapping[str, Any]]] = queue.Queue(WAITING_LIMIT)
        self._answers: Answers | None = None
        self._complaint = ""

    def take(self, incoming: Incoming) -> None:
        """Have it done soon, or answer at once that there is no time for it."""
        name = self._wire.command_name(incoming.topic)
        if name not in self._buckets or incoming.retained:
            return  # not one that was asked for, or sent before this connection, perhaps long ago
        form = COMMANDS[name]
        wait_s = self._buckets[name].wait_s(self._clock.monotonic())
        if wait_s:
            many = f"{form.burst} at once and {form.per_minute:g} a minute"
            self._refuse(name, incoming, f"expected at most {many}, found one more: wait {wait_s:.1f} s")
            return
        try:
            self._waiting.put_nowait(incoming)
        except queue.Full:
            most = f"expected at most {WAITING_LIMIT} commands at once"
            self._refuse(name, incoming, f"{most}, found one more: send it again later")

    def run(self) -> None:
        """Until the process stops."""
        while not self._clock.wait(0.0):
            self._doer.tend()
            try:
                incoming = self._waiting.get(timeout=_LOOK_S)
            except queue.Empty:
                continue
            if isinstance(incoming, Question):
                incoming.do()
                continue
            name = self._wire.command_name(incoming.topic)
            self._say(name, self._done(name, incoming.payload), incoming)

    def ask(self, command: Command) -> Mapping[str, Any]:
        """Have it done after those that wait; what came of it. For any thread but that of `run`.

        Raises:
            DeviceError: too many wait, or it was not done in time; it may be done later.
            AgentError, ValueError: it was refused.
        """
        question = Question(lambda: self._doer.do(command))
        try:
            self._waiting.put_nowait(question)
        except queue.Full:
            raise DeviceError(
                f"expected at most {WAITING_LIMIT} commands at once, found one more: send it again later"
            ) from None
        answer = question.answer(_ANSWER_S)
        log.info("command %s: done, as it was told over the web", command.name)
        self._metrics.count("commands.done")
        return answer

    def close(self) -> None:
        """Let the book of answers go, when `run` has ended."""
        self._book.close()

    def _done(self, name: str, data: bytes) -> bytes:
        """Do what is asked for; the answer."""
        identity, content = "", hashlib.sha256(name.encode() + b"\0" + data).hexdigest()
        try:
            request = Request(data)
            identity = request.id
            held = self._remembered().of(identity, content)
            if held is not None:
                return held
            result = self._doer.do(request.command(name))
        except (AgentError, ValueError) as error:
            log.warning("command %s %s: %s", name, quoted(identity), error)
            self._metrics.count("commands.failed")
            return self._wire.command_result(name, identity, {}, str(error))
        log.info("command %s %s: done", name, quoted(identity))
        self._metrics.count("commands.done")
        payload = self._wire.command_result(name, identity, result, "")
        if COMMANDS[name].kept:
            self._keep(Answered(identity, content, payload))
        return payload

    def _refuse(self, name: str, incoming: Incoming, error: str) -> None:
        self._metrics.count("commands.refused")
        self._say(name, self._wire.command_result(name, _identity(incoming), {}, error), incoming)

    def _say(self, name: str, payload: bytes, incoming: Incoming) -> None:
        self._answer(self._wire.answer(name, payload, incoming, self._clock.utc()))

    def _remembered(self) -> Answers:
        if self._answers is None:
            held: Sequence[Answered] = ()
            try:
                held = self._book.held()
            except AgentError as error:
                self._complain(str(error))
            self._answers = Answers(held)
        return self._answers

    def _keep(self, answered: Answered) -> None:
        """On the disk before the answer goes out; where the disk refuses, in memory alone."""
        self._remembered().keep(answered)
        try:
            self._book.keep(answered)
            self._complaint = ""
        except AgentError as error:
            self._complain(str(error))

    def _complain(self, text: str) -> None:
        """The first time a warning, then quietly until it went well again."""
        level = logging.DEBUG if text == self._complaint else logging.WARNING
        log.log(level, "answers are remembered until the next start only: %s", text)
        self._complaint = text


def _identity(incoming: Incoming) -> str:
    try:
        return Request(incoming.payload).id if len(incoming.payload) <= _SMALL_BYTES else ""
    except ValueError:
        return ""
