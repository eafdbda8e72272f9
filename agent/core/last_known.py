"""What was known last in each named place, before what is there now.

What a place held before somebody reached in, or stood before it, mostly stands there again. That is
expected and not seen, so it is a prior (core/clues.py). A thing never speaks for itself: only what was known
of the one before it counts, and not for ever.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from agent.core.types import Track

LASTS_S: Final = 900.0
"""Seconds after which what was known says nothing any more: a guess."""

STAYS: Final = 0.8
"""How often the same product stands there after a change within that time: a guess, as a planogram's is."""


@dataclass(slots=True)
class _Known:
    thing: tuple[str, int]  # track, turn
    sku: str
    at: float  # when it was seen last


class LastKnown:
    """Of one camera. Regions without a name are no places; bounded by the names that are configured."""

    def __init__(self) -> None:
        self._now: dict[str, _Known] = {}
        self._before: dict[str, _Known] = {}

    def saw(self, track: Track) -> None:
        """In every frame: it is still there."""
        known = self._now.get(track.region.name)
        if known is not None and known.thing == (track.id, track.turn):
            known.at = track.last_at

    def answered(self, track: Track, sku: str) -> None:
        """Tell what a track is known to be now; empty: nothing any more, or not yet."""
        place, thing = track.region.name, (track.id, track.turn)
        if not place:
            return
        now = self._now.get(place)
        if not sku:
            if now is not None and now.thing == thing:
                del self._now[place]  # a name that was taken back is expected of nothing else
            return
        if now is not None and now.thing != thing:
            self._before[place] = now
        self._now[place] = _Known(thing, sku, track.last_at)

    def before(self, track: Track) -> str:
        """SKU of what was known in this track's place before it; empty where nothing was, or long ago."""
        place, thing = track.region.name, (track.id, track.turn)
        known = self._now.get(place)
        if known is not None and known.thing == thing:
            known = self._before.get(place)
        return known.sku if known is not None and track.last_at - known.at < LASTS_S else ""
