"""Commands: taken from the network without a wait, done one after the other by a thread of their own.

    publish ──take──▶ a bounded queue ──run──▶ teacher, sync ──answer──▶ publish

The same thread lets each new release settle what was learned, so that nobody else writes to it.
"""

from __future__ import annotations

import hashlib
import logging
import queue
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final, Protocol

from agent.core.commands import Answers, Enrol, Forget, Request
from agent.core.errors import AgentError, InputError, quoted
from agent.learning import Picture

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from agent.core.clock import Clock
    from agent.core.commands import Command
    from agent.core.incoming import Incoming
    from agent.core.types import Message
    from agent.core.wire import Wire
    from agent.learning import Teacher
    from agent.metrics import Metrics

log = logging.getLogger(__name__)

WAITING_LIMIT: Final = 8
"""Commands that wait: of the largest kind they are 64 MB, and the last of them waits for seconds already."""

_LOOK_S: Final = 0.5
"""How often it is looked whether another release is in use, while no command comes."""

_SMALL_BYTES: Final = 10_000
"""A request up to this size is read for its id even when there is no time for it: some 50 µs."""


class School(Protocol):
    """Who has the teacher of the release in use: `holding.Holding`."""

    def teacher(self) -> Teacher:
        """The same one until another release is in use. May raise AgentError."""


class Commander:
    """`take` may be called by any thread."""

    def __init__(
        self,
        school: School,
        resync: Callable[[], None] | None,
        allow: Collection[str],
        wire: Wire,
        answer: Callable[[Message], None],
        clock: Clock,
        metrics: Metrics,
    ) -> None:
        """`resync` has the next look for a release at once; None where there is no server."""
        self._school = school
        self._resync = resync
        self._allow = frozenset(allow)
        self._wire = wire
        self._answer = answer
        self._clock = clock
        self._metrics = metrics
        self._waiting: queue.Queue[Incoming] = queue.Queue(WAITING_LIMIT)
        self._answers = Answers()
        self._settled: Teacher | None = None
        self._complaint = ""

    def take(self, incoming: Incoming) -> None:
        """Have it done soon, or answer at once that there is no time for it."""
        name = self._wire.command_name(incoming.topic)
        if name not in self._allow or incoming.retained:
            return  # not one that was asked for, or sent before this connection, perhaps long ago
        try:
            self._waiting.put_nowait(incoming)
        except queue.Full:
            self._metrics.count("commands.refused")
            error = f"expected at most {WAITING_LIMIT} commands at once, found one more: send it again later"
            payload = self._wire.command_result(name, _identity(incoming), {}, error)
            self._answer(self._wire.answer(name, payload, incoming, self._clock.utc()))

    def run(self) -> None:
        """Until the process stops."""
        while not self._clock.wait(0.0):
            self._settle()
            try:
                incoming = self._waiting.get(timeout=_LOOK_S)
            except queue.Empty:
                continue
            name = self._wire.command_name(incoming.topic)
            payload = self._done(name, incoming.payload)
            self._answer(self._wire.answer(name, payload, incoming, self._clock.utc()))

    def _done(self, name: str, data: bytes) -> bytes:
        """Do what is asked for; the answer."""
        identity, content = "", hashlib.sha256(name.encode() + b"\0" + data).hexdigest()
        try:
            request = Request(data)
            identity = request.id
            held = self._answers.of(identity, content)
            if held is not None:
                return held
            result = self._obeyed(request.command(name))
        except (AgentError, ValueError) as error:
            log.warning("command %s %s: %s", name, quoted(identity), error)
            self._metrics.count("commands.failed")
            return self._wire.command_result(name, identity, {}, str(error))
        log.info("command %s %s: %s", name, quoted(identity), result)
        self._metrics.count("commands.done")
        payload = self._wire.command_result(name, identity, result, "")
        self._answers.keep(identity, content, payload)
        return payload

    def _obeyed(self, command: Command) -> dict[str, Any]:
        if isinstance(command, Enrol):
            pictures = [Picture(f"image[{number}]", data) for number, data in enumerate(command.images)]
            return asdict(self._school.teacher().enrol(command.sku, pictures, command.texts))
        if isinstance(command, Forget):
            return asdict(self._school.teacher().forget(command.sku))
        if self._resync is None:
            raise InputError("resync: expected sync in the configuration, found no such key")
        self._resync()
        return {}

    def _settle(self) -> None:
        """Once for each release that comes into use; where the disk refuses, again at the next look."""
        try:
            teacher = self._school.teacher()
            if teacher is not self._settled:
                teacher.settle()
                self._settled = teacher
            self._complaint = ""
        except AgentError as error:
            log.log(logging.DEBUG if self._complaint == str(error) else logging.ERROR, "learned: %s", error)
            self._complaint = str(error)


def _identity(incoming: Incoming) -> str:
    try:
        return Request(incoming.payload).id if len(incoming.payload) <= _SMALL_BYTES else ""
    except ValueError:
        return ""
