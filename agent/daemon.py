"""The running agent: owns every thread, the signals and the watchdog. The parts are built by `assembly.py`.

capture (one per camera) ──Latest──▶ recognise (one) ──Outbox──▶ store (one): the disk
                                                           ├────▶ publish (one)     main: signals, stalls
                                                           └────▶ webhook (one, where there is one)
                       sync (one) ──another catalogue──▶ recognise
                       learn (one): commands from publish, and what a release makes of what was learned
                       pages (one, where `web` is configured): they and the API; slow answers in workers
                       sparkplug (one): what is said, once more for other hosts, where that is configured
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

from agent.adapters.camera import open_camera
from agent.adapters.system import Signals
from agent.applying import gone, proposers
from agent.assembly import Assembly
from agent.capturing import Capture
from agent.channel import Question
from agent.config import read_again
from agent.core.clock import Backoff
from agent.core.errors import AgentError, DeviceError
from agent.delivering import deliver

if TYPE_CHECKING:
    from collections.abc import Callable

    from agent.adapters.system import Notifier, SystemClock
    from agent.config import CameraEntry

log = logging.getLogger(__name__)

IDLE_S = 1.0
"""Longest wait of a loop that has nothing to do. The watchdog is fed at least this often."""

TICK_S = 0.25
"""Beat of the main thread."""

RELOAD_S = 20.0
"""How long somebody waits who asked for the configuration to be taken over."""

JOIN_S = 5.0
"""How long stopping waits for all captures together, then for recognise, then for publish: with the unit's
TimeoutStopSec of 30 s in sight. A reader that hangs in a driver is left behind."""

RESTART = Backoff(first_s=0.5, limit_s=5.0)
"""Pauses of a worker that failed. The longest leaves a watchdog of 30 s room."""

GOOD_S = 60.0
"""A worker that ran this long failed for the first time again."""


class Daemon:
    """Everything that runs. `run()` returns when a signal asked it to."""

    def __init__(self, config_path: str, clock: SystemClock, notifier: Notifier) -> None:
        """Read the configuration and build every part. Raises as `Assembly`."""
        self._config_path = config_path
        self._clock = clock
        self._notifier = notifier
        self._signals = Signals()
        self._captures: dict[str, Capture] = {}
        self._threads: list[threading.Thread] = []
        self._asked: deque[Question[frozenset[str]]] = deque()
        self.parts = Assembly(config_path, clock, partial(notifier.send, "WATCHDOG=1"), self._ask_reload)

    def run(self) -> None:
        """Until SIGTERM or SIGINT. SIGHUP re-reads the configuration."""
        self._signals.listen()
        self.parts.holding.say_info()
        self.parts.holding.say_index(None)
        self.parts.bridges.begin(
            self.parts.publisher, self.parts.health
        )  # before the topics go that it named
        self._retire()
        self._start("store", self.parts.storer.run)
        last = partial(self._join, "recognise", JOIN_S)
        self._start("publish", partial(deliver, self.parts.publisher, self._clock, IDLE_S, last))
        for name, work in self.parts.sinks.loops.items():
            self._start(name, work)
        self._start("recognise", partial(self.parts.recogniser.run, self._idle_s()))
        self._start("learn", self.parts.commander.run)
        if self.parts.updater is not None:
            self._start("sync", self.parts.updater.run)
        if self.parts.web is not None:
            self._start("pages", self.parts.web.run)
        self._start("sparkplug", self.parts.bridges.run)
        for camera in self.parts.settings.cameras:
            self._start_camera(camera)
        self._notifier.send(f"READY=1\nSTATUS={len(self._captures)} cameras, {self.parts.holding.release}")
        log.info("ready: %d cameras, catalogue %s", len(self._captures), self.parts.holding.release)
        while not (self._signals.stop or self._clock.wait(TICK_S)):
            self._take_over_what_is_asked()
            for capture in self._captures.values():
                capture.look_for_stall()
            self.parts.gate.tend()
            self.parts.holding.tend()
            self.parts.reviews.tend()
            self.parts.strangers.tend(self.parts.settings, self.parts.holding.sight.memory)
            self.parts.bridges.tend()
            self.parts.books.tick(self._captures)
        self._stop()

    def _idle_s(self) -> float:
        return min(IDLE_S, self._notifier.watchdog_s / 4) if self._notifier.watchdog_s else IDLE_S

    def _stop(self) -> None:
        """Captures first, then what they fed, so that every decided fact reaches the outbox."""
        log.info("stopping")
        self._notifier.send("STOPPING=1")
        self._clock.stop()
        self._take_over_what_is_asked()  # nothing: whoever waits for it is told so
        self.parts.mailbox.close()
        loops = ("store", "publish", *self.parts.sinks.loops)
        for name in ("pages", "sync", "learn", "capture", "recognise", "sparkplug", *loops):
            self.parts.sinks.wake()
            self._join(name, JOIN_S)
        self.parts.kept.tend(self._clock.monotonic(), self.parts.recogniser.kept, last=True)
        self.parts.filing.tend()
        self.parts.books.say(self._captures)
        self.parts.holding.unknowns.close()
        self.parts.reviews.close()
        self.parts.commander.close()
        with suppress(DeviceError):  # the publish thread met it too, and said so
            self.parts.outbox.close()
        log.info("stopped")

    def _start(self, name: str, work: Callable[[], None]) -> None:
        thread = threading.Thread(target=self._guarded, args=(name, work), name=name, daemon=True)
        self._threads = [kept for kept in self._threads if kept.is_alive()]
        self._threads.append(thread)
        thread.start()

    def _guarded(self, name: str, work: Callable[[], None]) -> None:
        """The one guard around each worker: a defect is logged whole, and the worker begins again."""
        attempt = 0
        while True:
            began = self._clock.monotonic()
            try:
                work()
                return
            except Exception:  # the last line of defence of an unattended device
                log.exception("%s failed; it begins again", name)
                self.parts.metrics.count(f"worker.failed.{name}")
            attempt = 0 if self._clock.monotonic() - began > GOOD_S else attempt + 1
            if self._clock.wait(RESTART.delay_s(attempt, 0.5)):
                return

    def _join(self, name: str, timeout_s: float) -> None:
        """Wait for the threads whose names begin so, all together at most so long."""
        end = self._clock.monotonic() + timeout_s
        for thread in self._threads:
            if thread.name.startswith(name):
                thread.join(max(0.0, end - self._clock.monotonic()))

    def _retire(self) -> None:
        """The broker forgets what is no longer there."""
        cameras = self.parts.settings.cameras
        self.parts.publisher.retire([camera.id for camera in cameras], gone(cameras, self.parts.apps))

    def _start_camera(self, camera: CameraEntry) -> None:
        capture = Capture(
            camera=camera.id,
            fps=camera.fps,
            open_source=partial(open_camera, camera),
            mailbox=self.parts.gate,
            say=self.parts.gate.say,
            clock=self._clock,
            backoff=camera.backoff(),
            metrics=self.parts.metrics,
        )
        self._captures[camera.id] = capture
        self.parts.gate.add(camera.id)
        self._start(f"capture {camera.id}", capture.run)

    def _ask_reload(self) -> frozenset[str]:
        """Have the configuration taken over; what changed. For any thread but the main one.

        Raises:
            AgentError: nothing was taken over; or it was not in time, and may be later.
        """
        question = Question(self._read_config_again)
        self._asked.append(question)
        return question.answer(RELOAD_S)

    def _take_over_what_is_asked(self) -> None:
        if self._signals.reload:
            self._signals.reload = False
            self._asked.append(Question(self._read_config_again))  # nobody waits; what is wrong is logged
        while self._asked:
            self._asked.popleft().do()

    def _read_config_again(self) -> frozenset[str]:
        """Take over what can change while running; an invalid file leaves everything as it is."""
        if self._signals.stop:
            raise DeviceError("expected an agent that goes on, found it stopping: a start reads the file")
        try:
            new, changed = read_again(self._config_path, self.parts.settings)
            if not changed:
                log.info("configuration unchanged")
                return changed
            # Both before anything changes: what they are made of may be wrong.
            apps = self.parts.remake_apps(new)
            pipeline = self.parts.holding.pipeline(new, proposers(apps))
        except AgentError as error:
            log.error("configuration not taken over: %s", error)
            raise
        self.parts.log_level.configure(new.log.level)
        old_cameras = {camera.id: camera for camera in self.parts.settings.cameras}
        new_cameras = {camera.id: camera for camera in new.cameras}
        for name, camera in old_cameras.items():
            if new_cameras.get(name) != camera:
                self._captures.pop(name).stop()
        self.parts.settings, self.parts.apps = new, apps
        self.parts.veil.settle({name: camera.privacy for name, camera in new_cameras.items()})
        self.parts.bridges.watch(new.cameras)
        self.parts.showing.forget_but(list(new_cameras))
        self.parts.recogniser.replace(pipeline, apps, self._retire)
        for name, camera in new_cameras.items():
            if old_cameras.get(name) != camera:
                self._start_camera(camera)
        log.info("configuration taken over: %s", ", ".join(sorted(changed)))
        return changed
