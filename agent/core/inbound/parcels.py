"""Which of the things that are followed is which parcel, and which of them passed.

A track ends when its thing is out of sight for a moment, and another one begins when it is back. It is the
same parcel when it is where that one would be by now, standing or going on, when nothing that was read on
it says otherwise, and when it looks alike. A parcel is told when it left, or stands behind the line: then
nothing more will be learned of it.
"""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np

from agent.core.inbound.gate import Gate, Side, middle_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from agent.core.gs1 import Said
    from agent.core.scene import Scene
    from agent.core.types import Box, Recognition, Track

ALIKE: Final = 0.55
"""Least similarity of what was seen before and after. Views of one drawn parcel have 0.8 or more among each
other, those of two with another print 0.2 to 0.5."""

NEAR: Final = 0.6
"""How far from where it would be by now, in lengths of the box."""

SPEED_MEMORY: Final = 0.7
"""Of the speed so far that counts on with each frame."""

OUTSIDE: Final = 8
"""Parcels that left on their way in and come back first where a belt runs backwards: 5 m of it."""

ANSWERS: Final = 8
"""What its picture was taken for that is remembered: one that changes more often says little."""

_SHARES: Final = (0.0, 0.25, 0.5, 0.75, 1.0)
"""Of the time that it was out of sight: the belt may have stood for a part of it."""


@dataclass(slots=True)
class Parcel:
    """One parcel, as far as it is known. The application changes it."""

    id: str
    track: str
    box: Box
    middle: tuple[float, float]
    first_utc: float
    seen_at: float
    seen_utc: float
    side: Side
    speed: tuple[float, float] = (0.0, 0.0)  # shares of the picture per second
    size: tuple[float, float] = (0.0, 0.0)  # likewise, at its largest
    gone: bool = False  # its track ended
    left: str = ""  # "in" or "back": the edge that it was last seen at
    passed_at: float | None = None  # when it went behind the line; None: it is not behind
    passed_utc: float = 0.0
    told: bool = False
    reads: dict[str, tuple[str, Said]] = field(default_factory=dict)  # text → format and what it says
    times: Counter[str] = field(default_factory=Counter)  # text → in how many looks it was read
    shown: set[str] = field(default_factory=set)  # GTINs of them that the catalogue has pictures of
    answer: Recognition | None = None  # the latest that is worth something
    answers: deque[Recognition] = field(default_factory=lambda: deque(maxlen=ANSWERS))  # the latest of all
    look: NDArray[np.float32] | None = None  # `(D,)`, sum of unit rows

    def expected_at(self, at: float) -> tuple[float, float]:
        """Where its middle would be, had it gone on."""
        late = at - self.seen_at
        return self.middle[0] + self.speed[0] * late, self.middle[1] + self.speed[1] * late


@dataclass(frozen=True, slots=True)
class Passing:
    """What happened to parcels with one scene."""

    settled: tuple[Parcel, ...]  # passed, and nothing more will be learned of them
    returned: tuple[Parcel, ...]  # were told, and went back


class Parcels:
    """The parcels of one dock. `update` is the only way in, and scenes come in their order."""

    def __init__(self, gate: Gate, hidden_s: float, settle_s: float) -> None:
        self._gate = gate
        self._hidden_s = hidden_s
        self._settle_s = settle_s
        self._held: dict[str, Parcel] = {}  # id → parcel, oldest first
        self._of_track: dict[str, str] = {}  # track → parcel
        self._outside: deque[Parcel] = deque(maxlen=OUTSIDE)  # left on their way in, the latest last

    @property
    def held(self) -> tuple[Parcel, ...]:
        """Those that are in sight, or were a moment ago."""
        return tuple(self._held.values())

    def of_track(self, track: str) -> Parcel | None:
        """The parcel that a track is of."""
        return self._held.get(self._of_track.get(track, ""))

    def update(self, scene: Scene) -> Passing:
        """Take in one scene. Without a frame everything that passed is settled."""
        if scene.frame is None:
            self._hear(scene)
            return self._emptied()
        width, height = scene.frame.width, scene.frame.height
        live = {track.id for track in scene.tracks}
        for parcel in self._held.values():
            parcel.gone = parcel.track not in live
        returned = []
        for track in scene.tracks:
            if track.last_at != scene.at:
                continue  # not seen in this frame
            known = self.of_track(track.id) or self._found_again(track, scene, width, height)
            if known is None:
                self._begun(track, width, height)
            elif self._moved(known, track, scene, width, height):
                returned.append(known)
        self._hear(scene)
        return Passing(self._settled(scene), tuple(returned))

    def settle_all(self) -> tuple[Parcel, ...]:
        """A shipment is closed: what passed and was not told yet, as it is known now."""
        ripe = [parcel for parcel in self._held.values() if parcel.passed_at is not None and not parcel.told]
        for parcel in ripe:
            parcel.told = True
        return tuple(ripe)

    def _begun(self, track: Track, width: int, height: int) -> None:
        middle = middle_of(track.region.box, width, height)
        parcel = Parcel(
            id=track.id,
            track=track.id,
            box=track.region.box,
            middle=middle,
            first_utc=track.first_utc,
            seen_at=track.last_at,
            seen_utc=track.last_utc,
            side=self._gate.side(middle),
            size=_size(track.region.box, width, height),
            look=_look(track),
        )
        self._held[parcel.id] = parcel
        self._of_track[track.id] = parcel.id

    def _moved(self, parcel: Parcel, track: Track, scene: Scene, width: int, height: int) -> bool:
        """A parcel is where its track is now. True: it was told, and went back."""
        middle = middle_of(track.region.box, width, height)
        late = scene.at - parcel.seen_at
        if late > 0:
            now = [(new - old) / late for new, old in zip(middle, parcel.middle, strict=True)]
            share = SPEED_MEMORY if parcel.speed != (0.0, 0.0) else 0.0
            parcel.speed = (
                share * parcel.speed[0] + (1 - share) * now[0],
                share * parcel.speed[1] + (1 - share) * now[1],
            )
        new_size = _size(track.region.box, width, height)
        parcel.size = max(parcel.size[0], new_size[0]), max(parcel.size[1], new_size[1])
        parcel.track, parcel.gone = track.id, False
        parcel.box, parcel.middle = track.region.box, middle
        parcel.seen_at, parcel.seen_utc = scene.at, scene.utc
        look = _look(track)
        if look is not None:
            parcel.look = look if parcel.look is None else parcel.look + look
        gate = self._gate
        parcel.left = (
            "in"
            if gate.leaving(track.region.box, width, height)
            else "back"
            if gate.going_back(track.region.box, width, height)
            else ""
        )
        return self._crossed(parcel, scene)

    def _crossed(self, parcel: Parcel, scene: Scene) -> bool:
        side = self._gate.side(parcel.middle)
        before, told = parcel.side, parcel.told
        if side is Side.BEHIND and before is Side.BEFORE and not self._gate.beside(parcel.middle):
            parcel.passed_at, parcel.passed_utc = scene.at, scene.utc
            parcel.side = side
        elif side is Side.BEFORE and before is not Side.BEFORE:
            back = parcel.passed_at is not None
            parcel.passed_at, parcel.told, parcel.side = None, False, side
            return back and told
        elif side is Side.BEHIND and before is Side.WITHIN:
            parcel.side = side  # it began on the line: it came from nowhere
        return False

    def _hear(self, scene: Scene) -> None:
        """What was read and recognised on the parcels."""
        for read in scene.codes:
            parcel = self.of_track(read.track)
            if parcel is not None:
                parcel.reads.setdefault(read.text, (read.format, read.said))
                parcel.times[read.text] += 1
                if read.shown:
                    parcel.shown.add(read.said.content or read.said.gtin)
        for recognition in scene.recognitions:
            parcel = self.of_track(recognition.track.id)
            if parcel is None:
                continue
            parcel.answers.append(recognition)
            if _better(recognition, parcel.answer):
                parcel.answer = recognition

    def _found_again(self, track: Track, scene: Scene, width: int, height: int) -> Parcel | None:
        """The parcel out of sight that this new track is of, the nearest one of those that may be it."""
        middle = middle_of(track.region.box, width, height)
        said = [read.said for read in scene.codes if read.track == track.id]
        best: tuple[float, Parcel] | None = None
        for parcel in self._held.values():
            if not parcel.gone or scene.at - parcel.seen_at > self._hidden_s:
                continue
            away = _apart(parcel, middle, scene.at)
            if away < (best[0] if best else NEAR) and _may_be(parcel, said, _look(track)):
                best = away, parcel
        found = best[1] if best else self._come_back(track, said, width, height)
        if found is not None:
            self._of_track[track.id] = found.id
        return found

    def _come_back(self, track: Track, said: Sequence[Said], width: int, height: int) -> Parcel | None:
        """The belt runs backwards: what left last comes in again where it left."""
        if not self._outside or not self._gate.leaving(track.region.box, width, height):
            return None
        if not _may_be(self._outside[-1], said, _look(track)):
            return None
        parcel = self._outside.pop()
        self._held[parcel.id] = parcel
        return parcel

    def _settled(self, scene: Scene) -> tuple[Parcel, ...]:
        settled = []
        for parcel in tuple(self._held.values()):
            away = parcel.gone and (bool(parcel.left) or scene.at - parcel.seen_at > self._hidden_s)
            waits = parcel.passed_at is not None and scene.at - parcel.passed_at > self._settle_s
            if parcel.passed_at is not None and not parcel.told and (away or waits):
                parcel.told = True
                settled.append(parcel)
            if away:
                self._forget(parcel)
                if parcel.left == "in":
                    self._outside.append(parcel)
        return tuple(settled)

    def _emptied(self) -> Passing:
        settled = self.settle_all()
        self._held.clear()
        self._outside.clear()
        self._of_track.clear()
        return Passing(settled, ())

    def _forget(self, parcel: Parcel) -> None:
        del self._held[parcel.id]
        self._of_track = {track: each for track, each in self._of_track.items() if each != parcel.id}


def _size(box: Box, width: int, height: int) -> tuple[float, float]:
    return (box[2] - box[0]) / width, (box[3] - box[1]) / height


def _look(track: Track) -> NDArray[np.float32] | None:
    return track.looks[-1].embedding if track.looks else None


def _apart(parcel: Parcel, middle: tuple[float, float], at: float) -> float:
    """In lengths of the box, from the nearest point between where it was and where it would be by now."""
    across, down = (max(side, 1e-3) for side in parcel.size)
    places = (parcel.expected_at(parcel.seen_at + share * (at - parcel.seen_at)) for share in _SHARES)
    return min(max(abs(middle[0] - x) / across, abs(middle[1] - y) / down) for x, y in places)


def _may_be(parcel: Parcel, said: Sequence[Said], look: NDArray[np.float32] | None) -> bool:
    units = {each.sscc for _, each in parcel.reads.values() if each.sscc}
    if units and any(each.sscc and each.sscc not in units for each in said):
        return False
    if look is None or parcel.look is None:
        return True
    length = float(np.linalg.norm(parcel.look)) * float(np.linalg.norm(look))
    return length == 0 or float(parcel.look @ look) / length >= ALIKE


def _better(new: Recognition, old: Recognition | None) -> bool:
    """A name is better than none, and the later answer better than the earlier."""
    return old is None or old.product is None or new.product is not None
