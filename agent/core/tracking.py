"""Detections over time become tracks: the same thing keeps its id from frame to frame.

Association is greedy, best pair first (core/following.py). The optimal assignment gives the same answer
wherever boxes of different things overlap less than boxes of the same thing, which is the case for slots,
grids and items on a belt; norfair and SORT's successors report the same. A configured region (one with a
name) is associated by its name, because it is the place that is watched, whatever stands in it.

What the edge of the picture cuts off shows less of a thing than was seen before: such looks count only until
there is one at all of it. So do looks at what a label covers: only until there are `CLEAR` without it.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from agent.core.following import Course, matched, speed_of, touches_edge
from agent.core.settings import check_range, setting
from agent.core.types import Track

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agent.core.types import Detection, Frame, Look


NEARLY_WHOLE: Final = 0.9
"""Share of a thing that counts as all of it: what a hand holds is whole, though its box is at the edge."""


CLEAR: Final = 2
"""Clear looks that make the others superfluous: one alone may be of a bad moment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackingSettings:
    """When two detections are the same thing."""

    iou: float = setting("overlap (intersection over union) from which a box continues a track", 0.3)
    patience_s: float = setting("seconds that a thing may be out of sight before its track ends", 1.5)

    def __post_init__(self) -> None:
        check_range("iou", self.iou, 0.05, 0.95)
        check_range("patience_s", self.patience_s, 0.0, 3600.0)


class Tracker:
    """The tracks of one camera. `update` is the only way in; tracks that come out never change."""

    def __init__(self, camera: str, settings: TrackingSettings, window: int) -> None:
        self._camera = camera
        self._settings = settings
        self._window = window
        self._live: list[Track] = []
        self._outdated: set[str] = set()  # tracks whose looks are to begin anew
        self._firm: set[str] = set()  # tracks that were seen in the latest frame, or hidden by it
        self._speeds: dict[str, tuple[float, float]] = {}  # track → pixels per second
        self._whole: dict[str, int] = {}  # track → px² of it when it was last seen in whole

    @property
    def live(self) -> tuple[Track, ...]:
        """Tracks that have not ended, in order of birth."""
        return tuple(self._live)

    def update(self, frame: Frame, detections: Sequence[Detection]) -> tuple[Track, ...]:
        """Take in one frame's detections.

        Returns:
            Tracks that ended (`ended` is True), then the tracks seen in this frame, in detection order.
        """
        ended = list(self.end()) if frame.cut else []
        partner, covering, covered = self._associated(frame, detections)
        seen: list[Track] = []
        for number, detection in enumerate(detections):
            if number in covering:
                continue
            known = partner.get(number)
            seen.append(
                self._born(frame, detection, number)
                if known is None
                else self._continued(known, frame, detection)
            )
        updated = {track.id: track for track in seen}
        kept: list[Track] = []
        for track in self._live:
            if track.id in updated:
                kept.append(updated.pop(track.id))
            elif frame.at - track.last_at > self._settings.patience_s:
                ended.append(replace(track, ended=True))
            else:
                kept.append(track)
        self._live = kept + list(updated.values())
        live = {track.id for track in self._live}
        self._firm = {track.id for track in seen} | (covered & live)
        self._speeds = {track: speed for track, speed in self._speeds.items() if track in live}
        self._whole = {track: area for track, area in self._whole.items() if track in live}
        return (*ended, *seen)

    def look_clearly(self, track: str, look: Look) -> Track | None:
        """A look without what lies over a thing, in the frame that was taken in last; the track with it.

        None where no such track is followed.
        """
        for number, each in enumerate(self._live):
            if each.id == track:
                clear = (*filter(_is_clear, each.looks), look)
                kept = clear if len(clear) >= CLEAR else (*each.looks, look)
                self._live[number] = replace(each, looks=kept[-self._window :])
                return self._live[number]
        return None

    def renew(self) -> None:
        """What the looks of running tracks are compared with has changed: with the next look they begin anew.

        A track that ends before it had one ends with what was known of it.
        """
        self._outdated = {track.id for track in self._live}

    def end(self) -> tuple[Track, ...]:
        """End every track: the scene was cut, or the camera is lost."""
        ended = tuple(replace(track, ended=True) for track in self._live)
        self._live = []
        for held in (self._outdated, self._firm, self._speeds, self._whole):
            held.clear()
        return ended

    def _associated(
        self, frame: Frame, detections: Sequence[Detection]
    ) -> tuple[dict[int, Track], frozenset[int], set[str]]:
        """Detection number → the track it continues; detections that hide tracks; the hidden ones."""
        named = {track.region.name: track for track in self._live if track.region.name}
        partner = {
            number: named.pop(each.region.name)
            for number, each in enumerate(detections)
            if each.region.name in named
        }
        free = [number for number, each in enumerate(detections) if not each.region.name]
        loose = [
            Course(track, self._speeds.get(track.id, (0.0, 0.0)))
            for track in self._live
            if not track.region.name
        ]
        firm = [each for each in loose if each.track.id in self._firm]
        lost = [each for each in loose if each.track.id not in self._firm]
        found = matched(
            firm,
            lost,
            [detections[number] for number in free],
            self._settings.iou,
            frame.at,
            (frame.width, frame.height),
        )
        courses = firm + lost
        partner |= {free[row]: courses[column].track for row, column in found.partner.items()}
        covering = frozenset(free[row] for row in found.covering)
        return partner, covering, {firm[n].track.id for n in found.covered}

    def _continued(self, track: Track, frame: Frame, detection: Detection) -> Track:
        anew = detection.anew or track.id in self._outdated
        self._outdated.discard(track.id)
        before = () if anew else track.looks
        now: tuple[Look, ...] = (detection.look,)
        if not detection.region.name:
            size = frame.width, frame.height
            late = frame.at - track.last_at
            self._speeds[track.id] = speed_of(track.region.box, detection.region.box, late, *size)
            x1, y1, x2, y2 = detection.region.box
            area = (x2 - x1) * (y2 - y1)
            if not touches_edge(detection.region.box, *size):
                self._whole[track.id] = area
            elif before and area < NEARLY_WHOLE * self._whole.get(track.id, 0):
                now = ()
        if sum(map(_is_clear, before)) >= CLEAR:
            now = ()
        return replace(
            track,
            region=detection.region,
            last_at=frame.at,
            last_utc=frame.utc,
            frames=track.frames + 1,
            looks=(*before, *now)[-self._window :],
            turn=track.turn + detection.anew,
        )

    def _born(self, frame: Frame, detection: Detection, number: int) -> Track:
        place = detection.region.name or ",".join(map(str, detection.region.box))
        identity = f"{self._camera}/{round(frame.utc * 1000)}/{frame.source}/{place}/{number}"
        return Track(
            id=hashlib.sha256(identity.encode()).hexdigest()[:16],
            camera=self._camera,
            region=detection.region,
            first_at=frame.at,
            first_utc=frame.utc,
            last_at=frame.at,
            last_utc=frame.utc,
            frames=1,
            looks=(detection.look,),
        )


def _is_clear(look: Look) -> bool:
    return look.clear
