"""The running agent: builds the parts, owns every thread, the signals and the watchdog.

capture (one per camera) ──Latest──▶ recognise (one) ──Outbox──▶ store (one): the disk
                                                           ├────▶ publish (one)     main: signals, stalls
                                                           └────▶ webhook (one, where there is one)
                       sync (one) ──another catalogue──▶ recognise
                       learn (one): commands from publish, and what a release makes of what was learned
"""

from __future__ import annotations

import logging
import signal
import threading
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from agent.adapters.camera import open_camera
from agent.apps.watch import Watch
from agent.bookkeeping import Bookkeeper
from agent.capturing import Capture, Lost, follow
from agent.channel import Latest
from agent.config import load_config, read_again
from agent.core.clock import Backoff
from agent.core.errors import AgentError, DeviceError
from agent.core.wire import Wire
from agent.doing import Doing
from agent.gate import Gate
from agent.health import Health
from agent.holding import Holding
from agent.loglevel import LogLevel
from agent.metrics import Metrics
from agent.parts import make_pipeline, open_outbox, open_sight
from agent.recognising import Recogniser
from agent.sinks import open_sinks
from agent.state import lock_state
from agent.storing import Storer

if TYPE_CHECKING:
    from collections.abc import Callable

    from agent.adapters.system import Notifier, SystemClock
    from agent.config import CameraEntry
    from agent.core.types import Frame

log = logging.getLogger(__name__)

IDLE_S = 1.0
"""Longest wait of a loop that has nothing to do. The watchdog is fed at least this often."""

TICK_S = 0.25
"""Beat of the main thread."""

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
        """Read the configuration and build every part.

        Raises:
            ConfigError: the configuration, the model or the catalogue is wrong.
            DeviceError: the state directory cannot be used.
        """
        self._config_path = config_path
        self._clock = clock
        self._notifier = notifier
        self.metrics = Metrics()
        self._settings = load_config(config_path)
        self._log_level = LogLevel(self._settings.log.level)
        self._reload = threading.Event()
        self._mailbox: Latest[Frame | Lost] = Latest(follow)
        self._captures: dict[str, Capture] = {}
        self._threads: list[threading.Thread] = []
        sight = open_sight(self._settings)
        self._state_lock = lock_state(Path(self._settings.state_dir))
        self._outbox = open_outbox(self._settings)
        self._wire = Wire(self._settings.mqtt.prefix, self._settings.site, self._settings.device)
        self._sinks = open_sinks(
            self._settings,
            self._outbox,
            self._wire,
            clock,
            self.metrics,
            heed=lambda incoming: self._commander.take(incoming),  # noqa: PLW0108  it is made below
            report=lambda part, reason: self._health.report(part, reason),  # noqa: PLW0108  likewise
        )
        self._publisher = self._sinks.publisher
        self._gate = Gate(
            self._mailbox,
            self._publisher.set_state,
            self._wire,
            clock,
            keep="snapshot" in self._settings.commands.allow,
        )
        self._recogniser = Recogniser(
            pipeline=make_pipeline(self._settings, sight.eyes, sight.memory, clock, self.metrics),
            cameras=[camera.id for camera in self._settings.cameras],
            app=Watch(),
            mailbox=self._mailbox,
            store=self._outbox,
            to_message=self._wire.event,
            say=self._gate.say,
            feed_watchdog=partial(notifier.send, "WATCHDOG=1"),
            clock=clock,
            metrics=self.metrics,
            note=lambda told, frame: self._holding.unknowns.note(told, frame),  # noqa: PLW0108  it is made below
        )
        self._books = Bookkeeper(
            self._outbox,
            self._mailbox,
            self.metrics,
            clock,
            self._settings.metrics.interval_s,
            self._publish_figures,
        )
        self._health = Health(self._wire, self._publisher.set_state, clock)
        self._storer = Storer(self._outbox, self._sinks.wake, partial(self._health.report, "outbox"), clock)
        self._holding = Holding(
            settings=self._settings,
            sight=sight,
            recogniser=self._recogniser,
            wire=self._wire,
            tell=self._publisher.set_state,
            health=self._health,
            clock=clock,
            metrics=self.metrics,
        )
        self._updater = self._holding.updater()
        self._commander = Doing(
            settings=self._settings,
            holding=self._holding,
            gate=self._gate,
            health=self._health,
            log_level=self._log_level,
            resync=self._updater.ask if self._updater else None,
            reload=self._ask_reload,
            clock=clock,
        ).commander(self._wire, self._publisher.answer, self.metrics)

    def run(self) -> None:
        """Until SIGTERM or SIGINT. SIGHUP re-reads the configuration."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self._clock.stop())
        signal.signal(signal.SIGHUP, lambda *_: self._reload.set())
        self._holding.say_info()
        self._holding.say_index(None)
        self._publisher.retire([camera.id for camera in self._settings.cameras])
        self._start("store", self._storer.run)
        self._start("publish", self._publish)
        for name, work in self._sinks.loops.items():
            self._start(name, work)
        self._start("recognise", partial(self._recogniser.run, self._idle_s()))
        self._start("learn", self._commander.run)
        if self._updater is not None:
            self._start("sync", self._updater.run)
        for camera in self._settings.cameras:
            self._start_camera(camera)
        self._notifier.send(f"READY=1\nSTATUS={len(self._captures)} cameras, {self._holding.release}")
        log.info("ready: %d cameras, catalogue %s", len(self._captures), self._holding.release)
        while not self._clock.wait(TICK_S):
            if self._reload.is_set():
                self._reload.clear()
                self._read_config_again()
            for capture in self._captures.values():
                capture.look_for_stall()
            self._gate.tend()
            self._holding.tend()
            self._books.tick(self._captures)
        self._stop()

    def _idle_s(self) -> float:
        return min(IDLE_S, self._notifier.watchdog_s / 4) if self._notifier.watchdog_s else IDLE_S

    def _stop(self) -> None:
        """Captures first, then what they fed, so that every decided fact reaches the outbox."""
        log.info("stopping")
        self._notifier.send("STOPPING=1")
        self._mailbox.close()
        for name in ("sync", "learn", "capture", "recognise", "store", "publish", *self._sinks.loops):
            self._sinks.wake()
            end = self._clock.monotonic() + JOIN_S
            for thread in self._threads:
                if thread.name.startswith(name):
                    thread.join(max(0.0, end - self._clock.monotonic()))
        self._books.say(self._captures)
        self._holding.unknowns.close()
        self._commander.close()
        with suppress(DeviceError):  # the publish thread met it too, and said so
            self._outbox.close()
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
                self.metrics.count(f"worker.failed.{name}")
            attempt = 0 if self._clock.monotonic() - began > GOOD_S else attempt + 1
            if self._clock.wait(RESTART.delay_s(attempt, 0.5)):
                return

    def _publish(self) -> None:
        complained = False
        while not self._clock.wait(0.0):
            try:
                self._publisher.step(IDLE_S)
                complained = False
            except DeviceError as error:
                log.log(logging.DEBUG if complained else logging.ERROR, "outbox: %s", error)
                complained = True
                self._clock.wait(IDLE_S)
        for thread in self._threads:
            if thread.name == "recognise":
                thread.join(JOIN_S)
        try:
            self._publisher.close()
        except DeviceError as error:
            log.error("outbox: %s", error)

    def _start_camera(self, camera: CameraEntry) -> None:
        capture = Capture(
            camera=camera.id,
            fps=camera.fps,
            open_source=partial(open_camera, camera),
            mailbox=self._gate,
            say=self._gate.say,
            clock=self._clock,
            backoff=camera.backoff(),
            metrics=self.metrics,
        )
        self._captures[camera.id] = capture
        self._gate.add(camera.id)
        self._start(f"capture {camera.id}", capture.run)

    def _publish_figures(self, figures: dict[str, float], uptime_s: float) -> None:
        if self._publisher.status.online:  # later they would be of no use
            self._publisher.answer(self._wire.metrics(figures, uptime_s, self._clock.utc()))

    def _ask_reload(self) -> frozenset[str]:
        """What is going to be taken over. ConfigError: nothing is."""
        _, changed = read_again(self._config_path, self._settings)
        self._reload.set()
        return changed

    def _read_config_again(self) -> None:
        """Take over what can change while running; an invalid file leaves everything as it is."""
        try:
            new, changed = read_again(self._config_path, self._settings)
            if not changed:
                log.info("configuration unchanged")
                return
            pipeline = self._holding.pipeline(new)  # before anything changes: its detector may be wrong
        except AgentError as error:
            log.error("configuration not taken over: %s", error)
            return
        self._log_level.configure(new.log.level)
        old_cameras = {camera.id: camera for camera in self._settings.cameras}
        new_cameras = {camera.id: camera for camera in new.cameras}
        for name, camera in old_cameras.items():
            if new_cameras.get(name) != camera:
                self._captures.pop(name).stop()
        self._settings = new
        self._publisher.retire(new_cameras)
        self._recogniser.replace(pipeline, list(new_cameras))
        for name, camera in new_cameras.items():
            if old_cameras.get(name) != camera:
                self._start_camera(camera)
        log.info("configuration taken over: %s", ", ".join(sorted(changed)))
