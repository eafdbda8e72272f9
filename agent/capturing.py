"""One camera's loop: open, pass frames on, say how it is, and open again when it is lost.

Runs in the thread that `daemon.py` gives it. Nothing it does can hurt another camera: they share only the
mailbox, where each has its own slot.
"""

from __future__ import annotations

import logging
import random
import threading
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from agent.core.clock import SLICE_S, StoppableClock
from agent.core.errors import AgentError, ConfigError
from agent.core.types import Frame

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from agent.core.clock import Backoff, Clock
    from agent.metrics import Metrics

log = logging.getLogger(__name__)

STALL_S = 5.0
"""Seconds without a picture from which a live camera is called stalled. A frozen server is noticed by the
reader itself after 4 to 6 s, so this speaks first only where the reader hangs."""

STALL_FRAMES = 4
"""… and at least this many frame intervals, for cameras that are asked once a minute."""


class Camera(Protocol):
    """What is captured from: `adapters.camera.open_camera`."""

    @property
    def waits(self) -> bool:
        """Whether the source can wait for the reader, so that nothing need be dropped."""

    def frames(self) -> Iterator[Frame]:
        """Open, yield, and return at the end of a finite source; DeviceError when lost."""


class Mailbox(Protocol):
    """Where frames are left: `gate.Gate`, in front of a `channel.Latest`."""

    def put(self, key: str, value: Frame | Lost, wait_s: float = 0.0) -> bool:
        """False, when there was no room for that long."""

    def discard(self, key: str) -> None:
        """Forget what lies there of this camera."""


@dataclass(frozen=True, slots=True)
class Lost:
    """In the mailbox instead of a frame: this camera shows nothing any more."""

    camera: str
    at: float
    utc: float


def follow(old: Frame | Lost, new: Frame | Lost) -> Frame | Lost:
    """What the mailbox holds when `new` replaces `old` unread: a cut that nobody saw is still a cut."""
    if isinstance(new, Frame) and (isinstance(old, Lost) or old.cut):
        return replace(new, cut=True)
    return new


class Capture:
    """The loop of one camera."""

    def __init__(
        self,
        camera: str,
        fps: float,
        open_source: Callable[[Clock], Camera],
        mailbox: Mailbox,
        say: Callable[[str, str, str], None],
        clock: Clock,
        backoff: Backoff,
        metrics: Metrics,
    ) -> None:
        """`say(camera, state, reason)` is told every change of state: online, stalled, offline."""
        self.camera = camera
        self._stall_s = max(STALL_S, STALL_FRAMES / fps if fps > 0 else 0.0)
        self._open = open_source
        self._mailbox = mailbox
        self._say = say
        self._clock = StoppableClock(clock)
        self._backoff = backoff
        self._metrics = metrics
        self._lock = threading.Lock()  # held while something is said or put, so that `stop` is final
        self._state = ("", "")
        self._last_at = clock.monotonic()
        self._live = False

    def stop(self) -> None:
        """When this returns, nothing more is said or passed on; the loop ends soon."""
        with self._lock:
            self._clock.stopped = True
            self._mailbox.discard(self.camera)

    def run(self) -> None:
        """Until `stop`, the end of a finite source, or the end of the process."""
        self._loop()
        if self._clock.wait(0.0):
            self._set("offline", "the agent was stopped")

    def look_for_stall(self) -> None:
        """Called from outside the loop, about once a second: says `stalled` when the loop hangs."""
        silent_s = self._clock.monotonic() - self._last_at
        if self._state[0] == "online" and self._live and silent_s > self._stall_s:
            self._set("stalled", f"no picture for more than {self._stall_s:g} s")

    def _loop(self) -> None:
        attempt = 0
        source: Camera | None = None
        while not self._clock.wait(0.0):
            taken = 0
            try:
                source = source or self._open(self._clock)  # kept: it remembers what it complained of already
                for frame in source.frames():
                    if not self._pass_on(replace(frame, cut=True) if taken == 0 else frame, source.waits):
                        return
                    taken += 1
            except AgentError as error:
                attempt = 0 if taken else attempt + 1
                self._lost(str(error), attempt)
                if isinstance(error, ConfigError):
                    attempt = max(attempt, 8)  # opening again helps only after somebody mended it
            else:
                if not self._clock.wait(0.0):
                    self._lost("the source has ended", 0)
                return
            if self._clock.wait(self._backoff.delay_s(attempt, random.random())):
                return

    def _pass_on(self, frame: Frame, waits: bool) -> bool:
        """False: the loop is to end."""
        self._live = not waits  # a source that waits, for us or for new pictures, is not hanging
        self._set("online", "")
        self._metrics.count(f"frames.taken.{self.camera}")
        return self._put(frame, waits)

    def _put(self, item: Frame | Lost, waits: bool) -> bool:
        while not self._clock.wait(0.0):
            with self._lock:
                if self._clock.stopped:
                    return False
                done = self._mailbox.put(self.camera, item, wait_s=SLICE_S if waits else 0.0)
            if done:
                self._last_at = self._clock.monotonic()
                return not self._clock.wait(0.0)
        return False

    def _lost(self, reason: str, attempt: int) -> None:
        level = logging.WARNING if attempt == 0 or self._state[0] == "" else logging.DEBUG
        log.log(level, "camera %s: %s", self.camera, reason)
        self._metrics.count(f"camera.lost.{self.camera}")
        self._set("offline", reason)
        self._put(Lost(self.camera, self._clock.monotonic(), self._clock.utc()), not self._live)

    def _set(self, state: str, reason: str) -> None:
        with self._lock:
            if (state, reason) == self._state or self._clock.stopped:
                return
            self._state = (state, reason)
            self._say(self.camera, state, reason)
