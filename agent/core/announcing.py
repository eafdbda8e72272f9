"""Which decisions are worth telling: a thing is new, its answer changed, or it is gone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from agent.core.types import Phase, Verdict

if TYPE_CHECKING:
    from agent.core.evidence import DecisionSettings
    from agent.core.types import Decision, Track


@dataclass(frozen=True, slots=True)
class Announcement:
    """What to tell of a track now. `revision` counts from 0 within the track."""

    phase: Phase
    revision: int


@dataclass(slots=True)
class _Told:
    """What was last told of a track."""

    verdict: Verdict
    product: int | None
    revision: int
    turn: int  # of the track, then


class Announcer:
    """Remembers what was last told of each track of one camera, and since when one is undecided."""

    def __init__(self, settings: DecisionSettings) -> None:
        self._settings = settings
        self._told: dict[str, _Told] = {}
        self._undecided: dict[str, float] = {}  # track → when it was first seen undecided, s, monotonic

    def wants(self, track: Track) -> bool:
        """Whether a decision on this track could lead to an announcement at all.

        Its looks are counted, not its frames: they may have begun anew.
        """
        return track.ended or len(track.looks) >= self._settings.looks

    def waits(self, track: Track) -> bool:
        """Whether time alone, without another look, may lead to an announcement."""
        return track.id in self._undecided

    def due(self, track: Track, decision: Decision) -> tuple[Announcement, ...]:
        """What is to be told, oldest first; usually nothing. Changes nothing: `tell` does, once it is told.

        What is undecided is told when `patience_s` is over, for the first time also when all looks are there.
        A configured place that ends before it had its looks is told of all the same, because somebody asked
        to watch it; a proposed box that flickered up is not.
        """
        told = self._told.get(track.id)
        if told is None:
            if track.ended:
                both = (Announcement(Phase.NEW, 0), Announcement(Phase.END, 1))
                return both if track.region.name else ()
            enough = len(track.looks) >= self._settings.looks
            return (Announcement(Phase.NEW, 0),) if enough and self._ready(track, decision) else ()
        if track.ended:
            return (Announcement(Phase.END, told.revision + 1),)
        same = (decision.verdict, decision.product) == (told.verdict, told.product)
        if told.turn == track.turn and (same or _still(told, decision)):
            return ()
        return (Announcement(Phase.UPDATE, told.revision + 1),) if self._ready(track, decision) else ()

    def tell(self, track: Track, decision: Decision, announcements: tuple[Announcement, ...]) -> None:
        """Remember that `announcements`, which `due` gave, were told."""
        if track.ended:
            self._told.pop(track.id, None)
        elif announcements:
            self._told[track.id] = _Told(
                decision.verdict, decision.product, announcements[-1].revision, track.turn
            )
        if decision.settled or track.ended or announcements:
            self._undecided.pop(track.id, None)
        else:
            first = track.id not in self._told
            self._undecided.setdefault(track.id, track.first_at if first else track.last_at)

    def _ready(self, track: Track, decision: Decision) -> bool:
        first = track.id not in self._told
        if decision.settled or (first and len(track.looks) >= self._settings.window):
            return True
        since = self._undecided.get(track.id, track.first_at if first else track.last_at)
        return track.last_at - since >= self._settings.patience_s


def _still(told: _Told, decision: Decision) -> bool:
    """Whether a test that named a product, which ended it, would have to be reopened for no reason.

    Looks are forgotten, and the same picture again is no new evidence; while the product is still the best
    answer, and likelier than none, it stays named.
    """
    best = decision.options[0].product if decision.options else None
    return decision.verdict is Verdict.AMBIGUOUS and told.product is not None and told.product == best
