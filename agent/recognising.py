"""The recognise loop: mailbox → pipeline → application → wire → outbox. Runs in one thread of `daemon.py`.

Every camera has an application of its own, which this thread alone touches: whoever else wants something of
one asks for it, and it is done between two frames.

The watchdog is fed here and nowhere else: a process whose timers run but which recognises nothing is dead.
"""

from __future__ import annotations

import logging
from collections import deque
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar

from agent.capturing import Lost
from agent.channel import Question
from agent.core.errors import AgentError, InputError, quoted
from agent.core.scene import TROUBLE, Scene
from agent.core.types import Recognition

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from agent.channel import Latest
    from agent.core.clock import Clock
    from agent.core.types import Event, Frame, Message
    from agent.metrics import Metrics
    from agent.pipeline import Eyes, Memory, Pipeline

log = logging.getLogger(__name__)

T = TypeVar("T")

ANSWER_S: Final = 5.0
"""How long is waited for an application that is asked: far longer than any frame takes."""


class Store(Protocol):
    """Where facts are safe: `adapters.outbox.Outbox`."""

    def put(self, messages: Sequence[Message]) -> None:
        """Take them in; waits for nobody."""


class App(Protocol):
    """What recognitions mean here: one of `apps/`."""

    def update(self, scene: Scene) -> tuple[Event, ...]:
        """Events worth telling, in their order. Called for each frame that was looked at, and for the end."""

    def kept(self) -> Mapping[str, Any] | None:
        """What it needs to go on after a restart, as plain data that nobody changes; None: nothing."""


class Recogniser:
    """The loop. Other threads may call `replace` and `adopt`; they take effect between two frames."""

    def __init__(
        self,
        pipeline: Pipeline,
        apps: Mapping[str, App],
        mailbox: Latest[Frame | Lost],
        store: Store,
        to_message: Callable[[Event], Message],
        say: Callable[[str, str, str], None],
        feed_watchdog: Callable[[], None],
        clock: Clock,
        metrics: Metrics,
        note: Callable[[Sequence[Recognition], Frame | None], None] = lambda _told, _frame: None,
        tell_state: Callable[[Message], None] = lambda _message: None,
        show: Callable[[Scene, Sequence[Event]], None] = lambda _scene, _events: None,
        report: Callable[[str, str], None] = lambda _part, _reason: None,
    ) -> None:
        """`apps`: of each camera.

        `say(camera, state, reason)` is told when a camera's pictures cannot be used, and when they can.
        `note(recognitions, frame)` hears what was told, and of which picture; `tell_state(message)` what is
        true from then on; `show(scene, events)` of every scene; `report(part, reason)` what an application
        finds wrong with its camera, and an empty reason when it no longer does. They must not wait.
        """
        self._pipeline = pipeline
        self._apps = dict(apps)
        self._sight: tuple[Eyes, Memory] | None = None  # the latest that was adopted
        self._next: deque[tuple[Pipeline, dict[str, App], Callable[[], None]]] = deque(
            maxlen=1
        )  # append and pop are atomic
        self._asked: deque[Question[Any]] = deque()
        self.kept: dict[str, Mapping[str, Any]] = {}  # camera → what its application needs after a restart
        self._mailbox = mailbox
        self._store = store
        self._to_message = to_message
        self._say = say
        self._feed = feed_watchdog
        self._clock = clock
        self._metrics = metrics
        self._note = note
        self._tell_state = tell_state
        self._show = show
        self._report = report
        self._reported: dict[str, set[str]] = {}  # camera → what its application found something wrong with
        self._looked = 0, 0  # what the pipeline's tally of embedded and reused regions was
        self._unusable: dict[str, str] = {}  # camera → why its pictures are not used

    @property
    def applications(self) -> Mapping[str, App]:
        """Of each camera. Whoever is not this thread reads only what never changes of them."""
        return self._apps

    def replace(
        self, pipeline: Pipeline, apps: Mapping[str, App], then: Callable[[], None] = lambda: None
    ) -> None:
        """Go on with another pipeline from the next frame; what the old one followed ends.

        `then()` is called when nothing of the old applications is told any more.
        """
        self._next.append((pipeline, dict(apps), then))

    def ask(self, camera: str, work: Callable[[App, float, float], tuple[T, tuple[Event, ...]]]) -> T:
        """Have the application of a camera do something between two frames.

        `work(app, at, utc)` gives the answer, and events that are told.

        Raises:
            InputError: there is no such camera.
            AgentError, ValueError: `work` refuses.
            DeviceError: the loop is too busy, or stopped.
        """

        def worked() -> T:
            app = self._apps.get(camera)
            if app is None:
                raise InputError(f"camera: expected one of {', '.join(self._apps)}, found {quoted(camera)}")
            scene = Scene(camera, self._clock.monotonic(), self._clock.utc())
            answer, events = work(app, scene.at, scene.utc)
            self._publish(scene, app, events)
            return answer

        question = Question(worked)
        self._asked.append(question)
        self._mailbox.wake()
        return question.answer(ANSWER_S)

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
                pipeline, apps, then = self._next.pop()
                self._switch(pipeline, apps)
                then()
            if self._sight is not None:
                self._pipeline.use(*self._sight)
            while self._asked:
                self._asked.popleft().do()
            if item is not None:
                self._handle(item[1])
            elif stopping:
                break
        self._close_all()

    def _handle(self, item: Frame | Lost) -> None:
        if item.camera not in self._apps:
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
        self._count_looks()
        if self._unusable.pop(item.camera, ""):
            self._say(item.camera, "online", "")
        tracks = self._pipeline.tracks(item.camera)
        codes = self._pipeline.codes(item.camera)
        self._tell(Scene(item.camera, item.at, item.utc, recognitions, tracks, item, codes))

    def _count_looks(self) -> None:
        """Regions that were embedded, and those whose last answer counted again."""
        tally, (embedded, reused) = self._pipeline.tally, self._looked
        self._metrics.count("regions.embedded", tally.embedded - embedded)
        self._metrics.count("regions.reused", tally.reused - reused)
        self._looked = tally.embedded, tally.reused

    def _refuse(self, camera: str, reason: str) -> None:
        self._metrics.count(f"frames.refused.{camera}")
        if self._unusable.get(camera) != reason:
            self._unusable[camera] = reason
            log.error("camera %s: pictures are not used: %s", camera, reason)
            self._say(camera, "stalled", f"its pictures are not used: {reason}")

    def _switch(self, pipeline: Pipeline, apps: dict[str, App]) -> None:
        self._close_all()
        self._pipeline, self._apps, self._looked = pipeline, apps, (0, 0)
        self.kept = {camera: kept for camera, kept in self.kept.items() if camera in apps}
        self._unusable.clear()
        for camera in set(self._reported) - set(apps):
            for part in self._reported.pop(camera):
                self._report(part, "")

    def _complain(self, camera: str, event: Event) -> None:
        if isinstance(event.body, Recognition):
            return
        part, reason = str(event.body["part"]), str(event.body["reason"])
        reported = self._reported.setdefault(camera, set())
        (reported.add if reason else reported.discard)(part)
        self._report(part, reason)

    def _close_all(self) -> None:
        for camera in self._apps:
            self._close(camera, self._clock.monotonic(), self._clock.utc())

    def _close(self, camera: str, at: float, utc: float) -> None:
        try:
            self._tell(Scene(camera, at, utc, self._pipeline.close(camera, at, utc)))
        except AgentError as error:
            log.error("camera %s: the end of what it saw is not told: %s", camera, error)

    def _tell(self, scene: Scene) -> None:
        if scene.recognitions:
            self._note(scene.recognitions, scene.frame)
        app = self._apps[scene.camera]
        self._publish(scene, app, app.update(scene))

    def _publish(self, scene: Scene, app: App, events: Sequence[Event]) -> None:
        if events:
            for event in events:
                if event.kind == TROUBLE:
                    self._complain(scene.camera, event)
            events = [event for event in events if event.kind != TROUBLE]
            messages = [self._to_message(event) for event in events]
            for message in messages:
                if message.retain:
                    self._tell_state(message)
            facts = [message for message in messages if not message.retain]
            self._store.put(facts)
            self._metrics.count("facts.decided", len(facts))
            kept = app.kept()
            if kept is not None:
                self.kept = {**self.kept, scene.camera: kept}
        self._show(scene, events)
