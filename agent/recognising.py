"""The recognise loop: mailbox → pipeline → application → wire → outbox. Runs in one thread of `daemon.py`.

The watchdog is fed here and nowhere else: a process whose timers run but which recognises nothing is dead.
"""

from __future__ import annotations

import logging
from collections import deque
from typing import TYPE_CHECKING, Protocol

from agent.capturing import Lost
from agent.core.errors import AgentError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from agent.channel import Latest
    from agent.core.clock import Clock
    from agent.core.types import Event, Frame, Message, Recognition
    from agent.metrics import Metrics
    from agent.pipeline import Eyes, Memory, Pipeline

log = logging.getLogger(__name__)


class Store(Protocol):
    """Where facts are safe: `adapters.outbox.Outbox`."""

    def put(self, messages: Sequence[Message]) -> None:
        """Take them in; waits for nobody."""


class App(Protocol):
    """What recognitions mean here: one of `apps/`."""

    def update(self, recognitions: Sequence[Recognition]) -> tuple[Event, ...]:
        """Events worth telling."""


class Recogniser:
    """The loop. Other threads may call `replace` and `adopt`; they take effect between two frames."""

    def __init__(
        self,
        pipeline: Pipeline,
        cameras: Sequence[str],
        app: App,
        mailbox: Latest[Frame | Lost],
        store: Store,
        to_message: Callable[[Event], Message],
        say: Callable[[str, str, str], None],
        feed_watchdog: Callable[[], None],
        clock: Clock,
        metrics: Metrics,
        note: Callable[[Sequence[Recognition], Frame | None], None] = lambda _told, _frame: None,
    ) -> None:
        """`say(camera, state, reason)` is told when a camera's pictures cannot be used, and when they can.

        `note(recognitions, frame)` hears what was told, and of which picture.
        """
        self._pipeline = pipeline
        self._cameras = tuple(cameras)
        self._sight: tuple[Eyes, Memory] | None = None  # the latest that was adopted
        self._next: deque[tuple[Pipeline, tuple[str, ...]]] = deque(maxlen=1)  # append and pop are atomic
        self._app = app
        self._mailbox = mailbox
        self._store = store
        self._to_message = to_message
        self._say = say
        self._feed = feed_watchdog
        self._clock = clock
        self._metrics = metrics
        self._note = note
        self._unusable: dict[str, str] = {}  # camera → why its pictures are not used

    def replace(self, pipeline: Pipeline, cameras: Sequence[str]) -> None:
        """Go on with another pipeline from the next frame; what the old one followed ends."""
        self._next.append((pipeline, tuple(cameras)))

    def adopt(self, memory: Memory, eyes: Eyes) -> None:
        """Compare with another catalogue, by its own eyes, from the next frame; no frame waits for it."""
        self._sight = (eyes, memory)

    def run(self, idle_s: float) -> None:
        """Until the process stops and the mailbox is empty. `idle_s`: the longest wait for a frame."""
        while True:
            stopping = self._clock.wait(0.0)
            item = self._mailbox.take(0.0 if stopping else idle_s)
            self._feed()
            if self._next:
                self._switch(*self._next.pop())
            if self._sight is not None:
                self._pipeline.use(*self._sight)
            if item is not None:
                self._handle(item[1])
            elif stopping:
                break
        self._close_all()

    def _handle(self, item: Frame | Lost) -> None:
        if item.camera not in self._cameras:
            return  # of a camera that was taken out of the configuration a moment ago
        if isinstance(item, Lost):
            self._close(item.camera, item.at, item.utc)
            return
        began = self._clock.monotonic()
        try:
            recognitions = self._pipeline.step(item)
        except AgentError as error:
            self._refuse(item.camera, str(error))
            return
        self._metrics.time("step", self._clock.monotonic() - began)
        self._metrics.count(f"frames.recognised.{item.camera}")
        if self._unusable.pop(item.camera, ""):
            self._say(item.camera, "online", "")
        self._tell(recognitions, item)

    def _refuse(self, camera: str, reason: str) -> None:
        self._metrics.count(f"frames.refused.{camera}")
        if self._unusable.get(camera) != reason:
            self._unusable[camera] = reason
            log.error("camera %s: pictures are not used: %s", camera, reason)
            self._say(camera, "stalled", f"its pictures are not used: {reason}")

    def _switch(self, pipeline: Pipeline, cameras: tuple[str, ...]) -> None:
        self._close_all()
        self._pipeline, self._cameras = pipeline, cameras
        self._unusable.clear()

    def _close_all(self) -> None:
        for camera in self._cameras:
            self._close(camera, self._clock.monotonic(), self._clock.utc())

    def _close(self, camera: str, at: float, utc: float) -> None:
        try:
            self._tell(self._pipeline.close(camera, at, utc))
        except AgentError as error:
            log.error("camera %s: the end of what it saw is not told: %s", camera, error)

    def _tell(self, recognitions: Sequence[Recognition], frame: Frame | None = None) -> None:
        if recognitions:
            self._note(recognitions, frame)
            messages = [self._to_message(event) for event in self._app.update(recognitions)]
            self._store.put(messages)
            self._metrics.count("facts.decided", len(messages))
