"""Pictures on their way from the captures: held back while a camera is paused, the latest kept.

    capture ──put──▶ gate ──▶ mailbox ──▶ recognise

It also knows how each camera is, because a pause is told on the topic where the captures tell their own.
"""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

from agent.capturing import Lost
from agent.core.errors import InputError, quoted
from agent.core.payload import rfc3339
from agent.core.types import Frame

if TYPE_CHECKING:
    from collections.abc import Callable

    from agent.channel import Latest
    from agent.core.clock import Clock
    from agent.core.types import Message
    from agent.core.wire import Wire

log = logging.getLogger(__name__)


class Gate:
    """Any thread may call any of it."""

    def __init__(
        self,
        mailbox: Latest[Frame | Lost],
        tell: Callable[[Message], None],
        wire: Wire,
        clock: Clock,
        *,
        keep: bool,
        veil: Callable[[Frame], Frame] = lambda frame: frame,
    ) -> None:
        """`tell(message)` is for what is true from then on. `keep`: the latest picture of each camera.

        `veil(frame)`: what others may see of it.
        """
        self._mailbox = mailbox
        self._tell = tell
        self._wire = wire
        self._clock = clock
        self._keep = keep
        self._veil = veil
        self._lock = threading.Lock()  # the next three
        self._states: dict[str, tuple[str, str]] = {}  # camera → state and reason, pauses left out
        self._paused: dict[str, tuple[float, float]] = {}  # camera → until when: s, monotonic and Unix
        self._latest: dict[str, Frame] = {}

    def put(self, key: str, value: Frame | Lost, wait_s: float = 0.0) -> bool:
        """As `Latest.put`. While the camera is paused its picture is dropped, or waited with."""
        if isinstance(value, Frame):
            if self._paused and self._is_paused(key):
                if wait_s > 0:
                    self._clock.wait(wait_s)
                return wait_s <= 0
            if self._keep:
                self._latest[key] = value
        return self._mailbox.put(key, value, wait_s)

    def discard(self, key: str) -> None:
        """As `Latest.discard`; of this camera nothing is known any more."""
        self._mailbox.discard(key)
        with self._lock:
            for kept in (self._states, self._paused, self._latest):
                kept.pop(key, None)

    def add(self, camera: str) -> None:
        """There is a camera, which has not said anything yet."""
        with self._lock:
            self._states.setdefault(camera, ("offline", "it was not opened yet"))

    def say(self, camera: str, state: str, reason: str) -> None:
        """How a camera is from now on. One that was taken away a moment ago says nothing any more."""
        with self._lock:
            if camera not in self._states:
                return
            log.info("camera %s is %s%s", camera, state, f": {reason}" if reason else "")
            self._states[camera] = (state, reason)
            self._tell_of(camera)

    def states(self) -> dict[str, tuple[str, str]]:
        """Camera → state and reason, as they are told."""
        with self._lock:
            return {camera: self._shown(camera) for camera in self._states}

    def pause(self, camera: str, for_s: float) -> tuple[list[str], float]:
        """Look at no picture of a camera, or of all where it is empty; which, and until when (Unix seconds).

        Raises:
            InputError: there is no such camera.
        """
        cameras = self._named(camera)
        now, utc = self._clock.monotonic(), self._clock.utc()
        with self._lock:
            for name in cameras:
                self._paused[name] = (now + for_s, utc + for_s)
                self._latest.pop(name, None)
                self._tell_of(name)
        for name in cameras:
            self._mailbox.put(name, Lost(name, now, utc))  # what is followed ends here
        return cameras, utc + for_s

    def resume(self, camera: str) -> list[str]:
        """End the pause of a camera, or of all; which were paused.

        Raises:
            InputError: there is no such camera.
        """
        cameras = self._named(camera)
        with self._lock:
            return self._end(cameras)

    def tend(self) -> None:
        """Several times a second: end the pauses whose time is over."""
        now = self._clock.monotonic()
        with self._lock:
            self._end([camera for camera, (until, _) in self._paused.items() if until <= now])

    def latest(self, camera: str) -> Frame:
        """The latest picture, as others may see it.

        Raises:
            InputError: there is no such camera, or it shows nothing now.
        """
        (name,) = self._named(camera)
        frame = self._latest.get(name)
        state, reason = self.states()[name]
        if frame is None or state != "online":
            raise InputError(f"camera {quoted(name)}: expected pictures, found none: it is {state}: {reason}")
        return self._veil(frame)

    def given(self, camera: str) -> Frame:
        """The same, also of a camera whose pictures are not used, or that stalled: to see what is wrong.

        Raises: as `latest`.
        """
        frame = self._latest.get(camera)
        if frame is not None and self.states()[camera][0] == "stalled":
            return self._veil(frame)
        return self.latest(camera)

    def _named(self, camera: str) -> list[str]:
        with self._lock:
            known = sorted(self._states)
        if camera and camera not in known:
            raise InputError(f"camera: expected one of {', '.join(known)}, found {quoted(camera)}")
        return [camera] if camera else known

    def _is_paused(self, camera: str) -> bool:
        until = self._paused.get(camera)
        return until is not None and self._clock.monotonic() < until[0]

    def _end(self, cameras: list[str]) -> list[str]:
        ended = [camera for camera in cameras if self._paused.pop(camera, None)]
        for camera in ended:
            self._tell_of(camera)
        return ended

    def _shown(self, camera: str) -> tuple[str, str]:
        state, reason = self._states[camera]
        if camera in self._paused and state != "offline":
            return "paused", f"until {rfc3339(self._paused[camera][1])}, as it was told"
        return state, reason

    def _tell_of(self, camera: str) -> None:
        state, reason = self._shown(camera)
        self._tell(self._wire.camera_status(camera, state, reason, self._clock.utc()))
