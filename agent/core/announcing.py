"""Which decisions are worth telling: a thing is new, its answer changed, or it is gone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from agent.core.types import Phase

if TYPE_CHECKING:
    from agent.core.types import Decision, Track, Verdict


@dataclass(frozen=True, slots=True)
class Announcement:
    """What to tell of a track now. `revision` counts from 0 within the track."""

    phase: Phase
    revision: int


class Announcer:
    """Remembers what was last told of each track of one camera."""

    def __init__(self, looks: int) -> None:
        self._looks = looks
        self._told: dict[str, tuple[Verdict, int | None, int]] = {}

    def wants(self, track: Track) -> bool:
        """Whether a decision on this track could lead to an announcement at all.

        Its looks are counted, not its frames: they may have begun anew.
        """
        return track.ended or len(track.looks) >= self._looks

    def due(self, track: Track, decision: Decision) -> tuple[Announcement, ...]:
        """What is to be told, oldest first; usually nothing. Changes nothing: `tell` does, once it is told.

        A configured place that ends before it had its looks is told of all the same, because somebody asked
        to watch it; a proposed box that flickered up is not.
        """
        told = self._told.get(track.id)
        if told is None:
            if track.ended:
                both = (Announcement(Phase.NEW, 0), Announcement(Phase.END, 1))
                return both if track.region.name else ()
            return (Announcement(Phase.NEW, 0),) if len(track.looks) >= self._looks else ()
        if track.ended:
            return (Announcement(Phase.END, told[2] + 1),)
        if (decision.verdict, decision.product) == told[:2]:
            return ()
        return (Announcement(Phase.UPDATE, told[2] + 1),)

    def tell(self, track: Track, decision: Decision, announcements: tuple[Announcement, ...]) -> None:
        """Remember that `announcements`, which `due` gave, were told."""
        if track.ended:
            self._told.pop(track.id, None)
        elif announcements:
            self._told[track.id] = (decision.verdict, decision.product, announcements[-1].revision)
