"""The straight path from a frame to recognitions. No clock, no thread, no disk: `step(frame)` decides all.

A region whose pixels did not change keeps its last answer, so that cost follows change. The catalogue may be
replaced between two frames by one assignment; it is read once per step.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from agent.core.announcing import Announcer
from agent.core.changes import changed, signature
from agent.core.evidence import decide
from agent.core.regions import propose
from agent.core.tracking import Tracker
from agent.core.types import Detection, NamedOption, Phase, Recognition

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from agent.core.changes import ChangeSettings
    from agent.core.evidence import Calibration, DecisionSettings
    from agent.core.regions import RegionSettings
    from agent.core.tracking import TrackingSettings
    from agent.core.types import Candidate, Decision, Frame, Product, Region, Track


class Eyes(Protocol):
    """What turns regions into embeddings: `adapters.embedder.Embedder`."""

    def embed(self, image: NDArray[np.uint8], regions: Sequence[Region]) -> NDArray[np.float32]:
        """`(N, D)` unit rows, one per region."""


class Memory(Protocol):
    """What the eyes' embeddings are compared with: `adapters.catalogue.Catalogue`."""

    @property
    def release(self) -> str:
        """Which catalogue this is."""

    @property
    def calibration(self) -> Calibration:
        """The curve fitted on this catalogue."""

    def nearest(self, embeddings: NDArray[np.float32]) -> list[tuple[Candidate, ...]]:
        """Per row the nearest products, best first."""

    def product(self, no: int) -> Product:
        """The row of a product."""

    def reference(self, key: int) -> str:
        """The picture a reference was made from."""


@dataclass(frozen=True, slots=True)
class CameraPlan:
    """Where to look in the pictures of one camera, and when not to look again."""

    regions: RegionSettings
    changes: ChangeSettings


@dataclass(slots=True)
class Tally:
    """What `step` did since it was made; the caller reads it."""

    frames: int = 0
    embedded: int = 0
    reused: int = 0


@dataclass(slots=True)
class _Seen:
    """The last real look at a configured region."""

    signature: NDArray[np.uint8]
    at: float
    candidates: tuple[Candidate, ...]


@dataclass(slots=True)
class _View:
    """What is remembered of one camera."""

    plan: CameraPlan
    tracker: Tracker
    announcer: Announcer
    size: tuple[int, int] = (0, 0)
    regions: tuple[Region, ...] = ()
    seen: dict[str, _Seen] = field(default_factory=dict)
    memory: Memory | None = None
    weighed: dict[str, tuple[tuple[Candidate, ...], ...]] = field(default_factory=dict)  # track → its looks


class Pipeline:
    """One for all cameras, used by one thread. `catalogue` may be assigned at any time by another."""

    def __init__(
        self,
        eyes: Eyes,
        catalogue: Memory,
        cameras: Mapping[str, CameraPlan],
        decision: DecisionSettings,
        tracking: TrackingSettings,
    ) -> None:
        self.catalogue = catalogue
        self.tally = Tally()
        self._eyes = eyes
        self._decision = decision
        self._views = {
            name: _View(plan, Tracker(name, tracking, decision.window), Announcer(decision.looks))
            for name, plan in cameras.items()
        }

    def step(self, frame: Frame) -> tuple[Recognition, ...]:
        """Everything worth telling after this frame, in the order in which it happened.

        Raises:
            ValueError: the camera's regions do not fit its picture (names the region).
            KeyError: the frame is from a camera that was not configured.
        """
        view, memory = self._views[frame.camera], self.catalogue
        gone = self._start_over(view, memory, frame)
        if (frame.width, frame.height) != view.size:
            view.regions = propose(view.plan.regions, frame.width, frame.height)
            view.size = (frame.width, frame.height)
            view.seen.clear()
        detections = self._look(view, memory, frame)
        self.tally.frames += 1
        tracks = view.tracker.update(frame, detections)
        told = [r for track in tracks for r in self._tell(view, memory, track, frame.at, frame.utc)]
        return (*gone, *told)

    def close(self, camera: str, at: float, utc: float) -> tuple[Recognition, ...]:
        """The camera is lost or the daemon stops: every track of it ends."""
        view = self._views[camera]
        memory = view.memory or self.catalogue
        view.seen.clear()
        return tuple(r for track in view.tracker.end() for r in self._tell(view, memory, track, at, utc))

    def _start_over(self, view: _View, memory: Memory, frame: Frame) -> tuple[Recognition, ...]:
        """Another catalogue numbers its products its own way: what was seen with the old one ends."""
        if view.memory is memory:
            return ()
        gone = self.close(frame.camera, frame.at, frame.utc) if view.memory else ()
        view.memory = memory
        return gone

    def _look(self, view: _View, memory: Memory, frame: Frame) -> list[Detection]:
        changes = view.plan.changes
        signatures = [signature(frame.image, region) for region in view.regions]
        kept: dict[int, tuple[Candidate, ...]] = {}
        for number, region in enumerate(view.regions):
            seen = view.seen.get(region.name)
            if seen is None or frame.at - seen.at >= changes.refresh_s or frame.cut:
                continue
            if not changed(seen.signature, signatures[number], changes.tolerance):
                kept[number] = seen.candidates
        fresh = [number for number in range(len(view.regions)) if number not in kept]
        self.tally.reused += len(kept)
        self.tally.embedded += len(fresh)
        if fresh:
            embeddings = self._eyes.embed(frame.image, [view.regions[number] for number in fresh])
            for number, candidates in zip(fresh, memory.nearest(embeddings), strict=True):
                kept[number] = candidates
                name = view.regions[number].name
                view.seen[name] = _Seen(signatures[number], frame.at, candidates)
        unchanged = set(range(len(view.regions))).difference(fresh)
        return [
            Detection(region, kept[number], reused=number in unchanged)
            for number, region in enumerate(view.regions)
        ]

    def _tell(
        self, view: _View, memory: Memory, track: Track, at: float, utc: float
    ) -> tuple[Recognition, ...]:
        if not view.announcer.wants(track):
            return ()
        if track.ended:
            view.weighed.pop(track.id, None)
        elif view.weighed.get(track.id) == track.looks:
            return ()  # the same looks give the same answer, which was told
        else:
            view.weighed[track.id] = track.looks
        decision = decide(track.looks, memory.calibration, self._decision)
        return tuple(
            _recognition(memory, track, decision, announcement.phase, announcement.revision, at, utc)
            for announcement in view.announcer.announce(track, decision)
        )


def _recognition(
    memory: Memory, track: Track, decision: Decision, phase: Phase, revision: int, at: float, utc: float
) -> Recognition:
    options = []
    for option in decision.options:
        product = memory.product(option.product)
        options.append(
            NamedOption(
                sku=product.sku,
                name=product.name,
                similarity=option.similarity,
                probability=option.probability,
                reference=memory.reference(option.key),
            )
        )
    return Recognition(
        track=track,
        phase=phase,
        revision=revision,
        verdict=decision.verdict,
        product=None if decision.product is None else memory.product(decision.product),
        probability=decision.probability,
        similarity=decision.similarity,
        margin=decision.margin,
        reason=decision.reason,
        options=tuple(options),
        release=memory.release,
        at=at,
        utc=utc,
    )
