"""Things without a name: noted where they are recognised, kept and told of by another thread.

recognise ──note──▶ deque ──tend (main)──▶ disk, and what is told of it
"""

from __future__ import annotations

import logging
from collections import deque
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np

from agent.adapters.images import encode_jpeg
from agent.adapters.sightings import Sightings
from agent.core.errors import AgentError, InputError, quoted
from agent.core.evidence import ONE_LOOK, decide
from agent.core.repeats import USUAL
from agent.core.sightings import Sighting
from agent.core.types import Look, Phase, Verdict
from agent.learning import Picture

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from agent.core.clock import Clock
    from agent.core.sightings import SightingSettings, Thing
    from agent.core.types import Frame, Message, Recognition
    from agent.core.wire import Wire
    from agent.learning import Taught, Teacher
    from agent.memory import DeviceMemory

log = logging.getLogger(__name__)

FOLDER: Final = "unknown"
"""Within the state directory."""

WAITING: Final = 256
"""Sightings between two beats of the main thread; more is a flood, of which the latest are enough."""

CROPS: Final = 64
"""Tracks whose picture waits for their end."""

TOLD_S: Final = 10.0
"""Between two messages: what was seen is counted, not reported one by one."""

QUALITY: Final = 92  # as of what is enrolled


class Unknowns:
    """`note` is for the thread that recognises, `tend` and `close` for the main one."""

    def __init__(
        self,
        settings: SightingSettings,
        state: Path,
        memory: Callable[[], DeviceMemory],
        wire: Wire,
        tell: Callable[[Message], None],
        report: Callable[[str], None],
        clock: Clock,
        clear: Callable[[bytes], bytes] = lambda picture: picture,
    ) -> None:
        """`memory()`: what is recognised with. `report(reason)`: what is wrong with keeping them.
        `clear(jpeg)`: the picture without people, for the thread that keeps it.
        """
        self._settings = settings
        self._folder = state / FOLDER
        self._memory = memory
        self._wire = wire
        self._tell = tell
        self._report = report
        self._clock = clock
        self._clear = clear
        self._noted: deque[Sighting] = deque(maxlen=WAITING)
        self._crops: dict[str, bytes] = {}  # track → JPEG
        self._store: Sightings | None = None
        self._state: tuple[int, str, int] | None = None  # of disk and memory, when it was last settled
        self._due = True  # something is to be told
        self._next = 0.0  # s, monotonic: not before then

    def note(self, recognitions: Sequence[Recognition], frame: Frame | None) -> None:
        """What was just told; `frame` shows it, unless it went away without one."""
        if not self._settings.things:
            return
        for each in recognitions:
            track = each.track
            unknown = each.verdict is Verdict.UNKNOWN
            if each.phase is not Phase.END:
                if unknown and frame is not None and self._settings.pictures:
                    self._keep_crop(track.id, frame, each)
                continue
            picture = self._crops.pop(track.id, b"")
            rows = [look.embedding for look in track.looks if look.embedding is not None]
            if unknown and rows:
                mean = np.mean(rows, axis=0).astype(np.float32)
                sight = self._memory().sight
                self._noted.append(Sighting(track.camera, track.last_utc, sight, mean, picture))

    def tend(self) -> None:
        """Several times a second: what was noted goes to the disk, and is told of now and then."""
        if not self._settings.things:
            return
        try:
            self._look()
            self._report("")
        except AgentError as error:
            self._report(str(error))

    def close(self) -> None:
        """Keep what was noted last, and let the disk go."""
        self.tend()
        if self._store is not None:
            self._store.close()
            self._store = None

    def _look(self) -> None:
        if self._store is None:
            self._store = Sightings(self._folder)
        taken = []
        while self._noted:
            noted = self._noted.popleft()
            taken.append(replace(noted, picture=self._clear(noted.picture)))
        if taken:
            alike = self._settings.similarity or self._memory().calibration.alike or USUAL
            try:
                self._store.take(taken, self._settings, alike, self._clock.utc())
            except AgentError:
                self._noted.extendleft(reversed(taken))  # the disk may have room again at the next beat
                raise
            self._due = True
        memory = self._memory()
        state = (self._store.changed(), memory.release, memory.version)
        if state != self._state:  # it was changed by a command line, or what was unknown may be known by now
            self._store.drop(known_by_now(self._store.things(), memory))
            self._state = state
            self._due = True
        if self._due and self._clock.monotonic() >= self._next:
            self._tell(self._wire.unknown(self._store.things(), self._clock.utc()))
            self._due, self._next = False, self._clock.monotonic() + TOLD_S

    def _keep_crop(self, track: str, frame: Frame, recognition: Recognition) -> None:
        x1, y1, x2, y2 = recognition.track.region.box
        part = frame.image[max(0, y1) : y2, max(0, x1) : x2]
        if part.size:
            self._crops[track] = encode_jpeg(part, QUALITY)
            while len(self._crops) > CROPS:
                del self._crops[next(iter(self._crops))]


def kept(state: Path) -> list[Thing]:
    """What is kept in a state directory; nothing is made where nothing is.

    Raises:
        DeviceError: it cannot be read.
        ConfigError: a newer Spotter wrote it.
    """
    if not (state / FOLDER).exists():
        return []
    with closing(Sightings(state / FOLDER)) as store:
        return store.things()


def known_by_now(things: Sequence[Thing], memory: DeviceMemory) -> list[int]:
    """Ids of those that what is recognised with has a name for by now."""
    same = [thing for thing in things if thing.sight == memory.sight]
    if not same:
        return []
    found = memory.nearest(np.stack([thing.centre for thing in same]))
    return [
        thing.id
        for thing, near in zip(same, found, strict=True)
        if decide([Look(near)], memory.calibration, ONE_LOOK).verdict is Verdict.KNOWN
    ]


def enrol(
    store: Sightings, teacher: Callable[[], Teacher], number: int, sku: str, texts: Mapping[str, str]
) -> Taught:
    """Make a thing a product of this device, by the pictures that were kept of it.

    `teacher()` is only asked for where there are any.

    Raises:
        InputError: there is no such thing, or it has no pictures; says what to do. Or as `Teacher.enrol`.
        DeviceError: the disk failed or is full, or an inference failed.
        ModelError: the model's answer is no embedding.
    """
    thing = next((each for each in store.things() if each.id == number), None)
    if thing is None:
        raise InputError(f"unknown {number}: expected one of `spotter unknown list`, found none")
    if not thing.pictures:
        raise InputError(
            f"unknown {number}: expected pictures, found none: set unknown.pictures to keep them from now on,"
            f" or photograph it: `spotter enrol {quoted(sku)} PHOTO`"
        )
    pictures = [Picture(f"unknown {number}", store.pictures.get(digest)) for digest in thing.pictures]
    taught = teacher().enrol(sku, pictures, texts)
    store.drop([number])
    return taught
