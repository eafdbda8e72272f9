"""Detections over time become tracks: the same thing keeps its id while it overlaps its last place.

Association is greedy by intersection over union, best pair first. The optimal assignment gives the same
answer wherever boxes of different things overlap less than boxes of the same thing, which is the case for
slots, grids and items on a belt; norfair and SORT's successors report the same. A configured region (one
with a name) is associated by its name, because it is the place that is watched, whatever stands in it.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from agent.core.boxes import paired
from agent.core.settings import check_range, setting
from agent.core.types import Track

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agent.core.types import Detection, Frame


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
        partner = _associate(self._live, detections, self._settings.iou)
        seen: list[Track] = []
        for number, detection in enumerate(detections):
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
        return (*ended, *seen)

    def renew(self) -> None:
        """What the looks of running tracks are compared with has changed: with the next look they begin anew.

        A track that ends before it had one ends with what was known of it.
        """
        self._outdated = {track.id for track in self._live}

    def end(self) -> tuple[Track, ...]:
        """End every track: the scene was cut, or the camera is lost."""
        ended = tuple(replace(track, ended=True) for track in self._live)
        self._live = []
        self._outdated.clear()
        return ended

    def _continued(self, track: Track, frame: Frame, detection: Detection) -> Track:
        before = () if detection.anew or track.id in self._outdated else track.looks
        self._outdated.discard(track.id)
        return replace(
            track,
            region=detection.region,
            last_at=frame.at,
            last_utc=frame.utc,
            frames=track.frames + 1,
            looks=(*before, detection.look)[-self._window :],
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


def _associate(live: Sequence[Track], detections: Sequence[Detection], least: float) -> dict[int, Track]:
    """Detection number → the track it continues."""
    if not live or not detections:
        return {}
    partner: dict[int, Track] = {}
    named = {track.region.name: track for track in live if track.region.name}
    for number, detection in enumerate(detections):
        if detection.region.name in named:
            partner[number] = named.pop(detection.region.name)
    loose = [track for track in live if not track.region.name]
    free = [number for number, detection in enumerate(detections) if not detection.region.name]
    boxes = [detections[number].region.box for number in free]
    pairs = paired(boxes, [track.region.box for track in loose], least)
    return partner | {free[row]: loose[column] for row, column in pairs.items()}
