"""What is remembered of one camera from frame to frame: where to look, what was seen, what is followed.

A configured region is the same place by its name. A proposed one is the place of an earlier one that it
overlaps; where that still looks the same, the earlier box is kept, so that a box which trembles on a thing
that stands still is neither looked at again nor told as another.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol

from agent.core.boxes import paired
from agent.core.changes import changed, replaced, signature

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from agent.core.changes import ChangeSettings
    from agent.core.codes import Read
    from agent.core.tracking import Tracker
    from agent.core.types import Frame, Look, Region, Track
    from agent.telling import Memory, Teller

SAME_PLACE: Final = 0.5
"""Overlap (intersection over union) from which a proposed region is where an earlier one was. Over a video of
bottles and hands the boxes of tracks kept 0.91 (motion) and 0.95 (detector) from one frame to the next."""

PLACES: Final = 64
"""Proposed regions that are remembered, the latest: four frames of as many as are looked at by default."""


class Proposer(Protocol):
    """Where to look in the pictures of one camera: `FixedRegions`, `Motion`, `DetectorRegions`."""

    def regions(self, frame: Frame) -> tuple[Region, ...]:
        """The regions of this frame. Frames come in their order.

        Raises:
            InputError: the configured regions do not fit the picture.
            DeviceError: what proposes them could not be used.
        """


class Reader(Protocol):
    """What reads barcodes of one camera: `reading.Reader`."""

    def codes(self, frame: Frame, tracks: Sequence[Track]) -> tuple[Read, ...]:
        """Codes that were read in this frame. Frames come in their order."""


@dataclass(frozen=True, slots=True)
class CameraPlan:
    """Where to look in the pictures of one camera, and when not to look again."""

    proposer: Proposer
    changes: ChangeSettings
    expected: Mapping[str, str] = field(default_factory=dict)  # name of a region → SKU of what belongs there
    carried: frozenset[str] = frozenset()  # SKUs of the store's assortment; empty: all of the catalogue
    reader: Reader | None = None  # of barcodes; the picture is then judged without them
    steady: bool = False  # its regions are places where things lie: what looks otherwise is another thing


@dataclass(frozen=True, slots=True)
class Seen:
    """The last real look at a region."""

    region: Region
    signature: NDArray[np.uint8]
    at: float
    looks: int  # real ones since its pixels last changed
    look: Look


@dataclass(frozen=True, slots=True)
class Place:
    """Where to look in this frame, and the last look there."""

    region: Region
    signature: NDArray[np.uint8]
    before: Seen | None
    same: bool  # whether it looks as it did then

    @property
    def replaced(self) -> bool:
        """Whether it shows another thing than at the last look."""
        return self.before is not None and not self.same and replaced(self.before.signature, self.signature)

    @property
    def looks(self) -> int:
        """Real looks since it last changed."""
        return self.before.looks if self.before is not None and self.same else 0


@dataclass(slots=True)
class View:
    """One camera, as the pipeline left it."""

    plan: CameraPlan
    tracker: Tracker
    teller: Teller
    named: dict[str, Seen] = field(default_factory=dict)
    found: list[Seen] = field(default_factory=list)  # of proposed regions, the latest last
    memory: Memory | None = None
    version: int = 0  # of the memory
    codes: tuple[Read, ...] = ()  # read in the latest frame

    def forget(self) -> None:
        """Everything is to be looked at again."""
        self.named.clear()
        self.found.clear()

    def places(self, frame: Frame) -> list[Place]:
        """Where to look, in the order of the proposer. Raises as that does."""
        regions = self.plan.proposer.regions(frame)
        if frame.cut:
            self.forget()
        near = _nearest(regions, self.found)
        return [
            self._place(frame, region, self.named.get(region.name) if region.name else near.get(number))
            for number, region in enumerate(regions)
        ]

    def kept(self, place: Place, at: float, looks: int) -> Look | None:
        """The last look, where it counts again: it looks the same, and there were as many as `looks`."""
        seen = place.before
        if seen is None or place.looks < looks or at - seen.at >= self.plan.changes.refresh_s:
            return None
        return seen.look

    def remember(self, place: Place, at: float, look: Look) -> None:
        """`look` is a real one, taken of `place` just now."""
        seen = Seen(place.region, place.signature, at, place.looks + 1, look)
        if place.region.name:
            self.named[place.region.name] = seen
        else:
            self.found = [*(each for each in self.found if each is not place.before), seen][-PLACES:]

    def _place(self, frame: Frame, region: Region, before: Seen | None) -> Place:
        changes = self.plan.changes
        steady = region
        if before is not None and not region.name and frame.at - before.at < changes.refresh_s:
            steady = before.region
        now = signature(frame.image, steady)
        if before is not None and steady.box == before.region.box:
            if not changed(before.signature, now, changes.tolerance):
                return Place(steady, now, before, same=True)
            if steady is not region:
                now = signature(frame.image, region)
        return Place(region, now, before, same=False)


def _nearest(regions: Sequence[Region], found: Sequence[Seen]) -> dict[int, Seen]:
    """Number of a proposed region → the last look at its place; each look belongs to one region at most."""
    loose = [number for number, region in enumerate(regions) if not region.name]
    boxes = [regions[number].box for number in loose]
    near = paired(boxes, [seen.region.box for seen in found], SAME_PLACE)
    return {loose[row]: found[column] for row, column in near.items()}
