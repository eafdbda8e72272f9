"""What was seen and told a moment ago, kept for whoever looks. The recognise thread never waits for them.

Nothing is encoded and nothing is copied here: a frame and a few facts are held until the next ones come.
"""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict, deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from agent.core.types import Recognition

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from agent.core.scene import Scene
    from agent.core.types import Event, Frame

log = logging.getLogger(__name__)


class Ear(Protocol):
    """Somebody who looks; must not wait."""

    def seen(self, shown: Shown) -> None:
        """A camera shows this now."""

    def told(self, event: Event) -> None:
        """Something was told."""


@dataclass(frozen=True, slots=True)
class Shown:
    """What a camera showed last."""

    scene: Scene
    number: int  # counts up within the run, over all cameras
    frame: Frame | None  # the latest picture, also where this scene has none
    known: Mapping[str, Recognition] = field(default_factory=dict)  # track → what was last told of it


class Showing:
    """`show` is for the recognise thread, the rest for any."""

    def __init__(self, remembered: int, decided: int) -> None:
        """`remembered`: events that are kept for later; `decided`: things whose latest answer is."""
        self._decided: OrderedDict[str, Recognition] = OrderedDict()  # track → what was last told of it
        self._most = decided
        self._shown: dict[str, Shown] = {}
        self._recent: deque[Event] = deque(maxlen=remembered)
        self._number = 0
        self._ears: tuple[Ear, ...] = ()
        self._lock = threading.Lock()  # of changes of the ears
        self._deciding = threading.Lock()  # of the decisions; held for microseconds

    def show(self, scene: Scene, events: Sequence[Event]) -> None:
        """Keep what `scene.camera` shows now, and what was told of it."""
        self._number += 1
        before = self._shown.get(scene.camera)
        known = dict(before.known) if before is not None else {}
        for event in events:
            if isinstance(event.body, Recognition):
                known[event.body.track.id] = event.body
                self._decide(event.body)
        if scene.frame is not None or scene.recognitions or not events:
            followed = {track.id for track in scene.tracks}
            known = {track: told for track, told in known.items() if track in followed}
            self._shown[scene.camera] = Shown(scene, self._number, scene.frame, known)
        self._recent.extend(events)
        if self._ears:
            self._tell(self._ears, scene.camera, events)

    def latest(self, camera: str) -> Shown | None:
        """What this camera showed last; None where it has shown nothing yet."""
        return self._shown.get(camera)

    def recent(self) -> list[Event]:
        """What was told of late, oldest first."""
        while True:
            try:
                return list(self._recent)
            except RuntimeError:  # another one came meanwhile
                continue

    def decisions(self) -> list[Recognition]:
        """The latest answer to each of the things that were seen of late, oldest first."""
        with self._deciding:
            return list(self._decided.values())

    def forget_but(self, cameras: Sequence[str]) -> None:
        """Those that were taken away show nothing any more."""
        self._shown = {camera: shown for camera, shown in self._shown.items() if camera in cameras}

    def join(self, ear: Ear) -> Callable[[], None]:
        """Have it told everything from now on. How to stop that."""
        with self._lock:
            self._ears = (*self._ears, ear)

        def leave() -> None:
            with self._lock:
                self._ears = tuple(each for each in self._ears if each is not ear)

        return leave

    def _decide(self, told: Recognition) -> None:
        with self._deciding:
            self._decided.pop(told.track.id, None)
            self._decided[told.track.id] = told
            while len(self._decided) > self._most:
                self._decided.popitem(last=False)

    def _tell(self, ears: Sequence[Ear], camera: str, events: Sequence[Event]) -> None:
        shown = self._shown.get(camera)
        for ear in ears:
            if shown is not None:
                ear.seen(shown)
            for event in events:
                ear.told(event)
