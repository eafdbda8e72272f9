"""The recognise loop: mailbox → pipeline → application → wire → outbox. Runs in one thread of `daemon.py`.

The watchdog is fed here and nowhere else: a process whose timers run but which recognises nothing is dead.
"""

from __future__ import annotations

import logging
from collections import deque
from typing import TYPE_CHECKING, Protocol

from agent.capturing import Lost
from agent.core.errors import DeviceError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from agent.channel import Latest
    from agent.core.clock import Clock
    from agent.core.types import Event, Frame, Message, Recognition
    from agent.metrics import Metrics
    from agent.pipeline import Memory, Pipeline

log = logging.getLogger(__name__)

UNSAVED_LIMIT = 1000
"""Messages kept in memory while the disk refuses them (about 1 MB)."""


class Store(Protocol):
    """Where facts are safe: `adapters.outbox.Outbox`."""

    def put(self, messages: Sequence[Message]) -> None:
        """Durable at return; DeviceError when the disk refuses."""


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
        wake_publisher: Callable[[], None],
        feed_watchdog: Callable[[], None],
        clock: Clock,
        metrics: Metrics,
    ) -> None:
        self._pipeline = pipeline
        self._cameras = tuple(cameras)
        self._next: tuple[Pipeline, tuple[str, ...]] | None = None
        self._memory: Memory | None = None  # the latest that was adopted
        self._app = app
        self._mailbox = mailbox
        self._store = store
        self._to_message = to_message
        self._wake = wake_publisher
        self._feed = feed_watchdog
        self._clock = clock
        self._metrics = metrics
        self._unsaved: deque[Message] = deque()
        self._complained: set[str] = set()

    def replace(self, pipeline: Pipeline, cameras: Sequence[str]) -> None:
        """Go on with another pipeline from the next frame; what the old one followed ends."""
        self._next = (pipeline, tuple(cameras))

    def adopt(self, memory: Memory) -> None:
        """Compare with another catalogue from the next frame; no frame waits for it."""
        self._memory = memory

    def run(self, idle_s: float) -> None:
        """Until the process stops and the mailbox is empty. `idle_s`: the longest wait for a frame."""
        while True:
            stopping = self._clock.wait(0.0)
            item = self._mailbox.take(0.0 if stopping else idle_s)
            self._feed()
            if self._next is not None:
                self._switch(*self._next)
            if self._memory is not None:
                self._pipeline.catalogue = self._memory
            if item is not None:
                self._handle(item[1])
            elif stopping:
                break
            if self._unsaved:
                self._save([])
        self._close_all()

    def _handle(self, item: Frame | Lost) -> None:
        if item.camera not in self._cameras:
            return  # of a camera that was taken out of the configuration a moment ago
        if isinstance(item, Lost):
            self._tell(self._pipeline.close(item.camera, item.at, item.utc))
            return
        began = self._clock.monotonic()
        try:
            recognitions = self._pipeline.step(item)
        except ValueError as error:
            level = logging.DEBUG if item.camera in self._complained else logging.ERROR
            self._complained.add(item.camera)
            log.log(level, "camera %s: picture not used: %s", item.camera, error)
            self._metrics.count(f"frames.refused.{item.camera}")
            return
        self._metrics.time("step", self._clock.monotonic() - began)
        self._metrics.count(f"frames.recognised.{item.camera}")
        self._tell(recognitions)

    def _switch(self, pipeline: Pipeline, cameras: tuple[str, ...]) -> None:
        self._next = None
        self._close_all()
        self._pipeline, self._cameras = pipeline, cameras
        self._complained.clear()

    def _close_all(self) -> None:
        for camera in self._cameras:
            self._tell(self._pipeline.close(camera, self._clock.monotonic(), self._clock.utc()))

    def _tell(self, recognitions: Sequence[Recognition]) -> None:
        if recognitions:
            self._save([self._to_message(event) for event in self._app.update(recognitions)])

    def _save(self, messages: Sequence[Message]) -> None:
        """Facts become durable here; while the disk refuses they wait in memory, bounded and counted."""
        self._unsaved.extend(messages)
        while len(self._unsaved) > UNSAVED_LIMIT:
            self._unsaved.popleft()
            self._metrics.count("facts.lost")
        try:
            self._store.put(tuple(self._unsaved))
        except DeviceError as error:
            level = logging.DEBUG if "disk" in self._complained else logging.ERROR
            self._complained.add("disk")
            log.log(level, "facts wait in memory (%d): %s", len(self._unsaved), error)
            return
        for message in self._unsaved:
            log.debug("decided %s", message.id)
        self._metrics.count("facts.decided", len(self._unsaved))
        self._unsaved.clear()
        self._complained.discard("disk")
        self._wake()
