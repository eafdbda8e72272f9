"""The straight path from a frame to recognitions. No clock, no thread, no disk: `step(frame)` decides all.

A region whose pixels did not change keeps its last answer, so that cost follows change; that answer counts
again with every frame, because it is what the camera still shows. It is kept only after as many real looks as
an answer needs, so that no thing is named from one picture counted twice. Eyes and catalogue
are replaced together, between two frames, by one assignment; they are read once per step. What was learned or
forgotten beside it changes its version: then everything is looked at again, and a track goes on with new
looks.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from agent.core.announcing import Announcer
from agent.core.changes import changed, signature
from agent.core.errors import InputError
from agent.core.evidence import decide
from agent.core.regions import propose
from agent.core.tracking import Tracker
from agent.core.types import Detection, NamedOption, Recognition

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from agent.core.announcing import Announcement
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
    def version(self) -> int:
        """Another number after answers may have changed. Asked once per frame."""

    @property
    def calibration(self) -> Calibration:
        """The curve fitted on this catalogue."""

    def nearest(self, embeddings: NDArray[np.float32], limit: int = 8) -> list[tuple[Candidate, ...]]:
        """Per row the nearest products, best first, at most `limit` of them."""

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
    looks: int  # real ones since its pixels last changed
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
    version: int = 0  # of the memory
    weighed: dict[str, tuple[tuple[Candidate, ...], ...]] = field(default_factory=dict)  # track → its looks


class Pipeline:
    """One for all cameras, used by one thread. `use` may be called at any time by another."""

    def __init__(
        self,
        eyes: Eyes,
        catalogue: Memory,
        cameras: Mapping[str, CameraPlan],
        decision: DecisionSettings,
        tracking: TrackingSettings,
    ) -> None:
        self._sight = (eyes, catalogue)
        self.tally = Tally()
        self._decision = decision
        self._views = {
            name: _View(plan, Tracker(name, tracking, decision.window), Announcer(decision.looks))
            for name, plan in cameras.items()
        }

    def use(self, eyes: Eyes, catalogue: Memory) -> None:
        """Look and compare with these from the next frame."""
        self._sight = (eyes, catalogue)

    def step(self, frame: Frame) -> tuple[Recognition, ...]:
        """Everything worth telling after this frame, in the order in which it happened.

        Raises:
            InputError: the camera's regions do not fit its picture (names the region).
            DeviceError: the model or the products table could not be used; the frame is not told of.
            KeyError: the frame is from a camera that was not configured.
        """
        view, (eyes, memory) = self._views[frame.camera], self._sight
        gone = self._start_over(view, memory, frame)
        self._renew(view, memory)
        if (frame.width, frame.height) != view.size:
            try:
                view.regions = propose(view.plan.regions, frame.width, frame.height)
            except ValueError as error:
                raise InputError(f"regions: {error}") from None
            view.size = (frame.width, frame.height)
            view.seen.clear()
        detections = self._look(view, eyes, memory, frame)
        self.tally.frames += 1
        tracks = view.tracker.update(frame, detections)
        return (*gone, *self._tell(view, memory, tracks, frame.at, frame.utc))

    def close(self, camera: str, at: float, utc: float) -> tuple[Recognition, ...]:
        """The camera is lost or the daemon stops: every track of it ends."""
        view = self._views[camera]
        memory = view.memory or self._sight[1]
        view.seen.clear()
        return self._tell(view, memory, view.tracker.end(), at, utc)

    def _start_over(self, view: _View, memory: Memory, frame: Frame) -> tuple[Recognition, ...]:
        """Another catalogue numbers its products its own way: what was seen with the old one ends."""
        if view.memory is memory:
            return ()
        gone = self.close(frame.camera, frame.at, frame.utc) if view.memory else ()
        view.memory = memory
        return gone

    def _renew(self, view: _View, memory: Memory) -> None:
        """Something was learned or forgotten: answers of before count no longer, what is followed goes on."""
        version = memory.version
        if version != view.version:
            view.version = version
            view.seen.clear()
            view.tracker.renew()

    def _look(self, view: _View, eyes: Eyes, memory: Memory, frame: Frame) -> list[Detection]:
        changes = view.plan.changes
        signatures = [signature(frame.image, region) for region in view.regions]
        kept: dict[int, tuple[Candidate, ...]] = {}
        looks = [1] * len(view.regions)
        for number, region in enumerate(view.regions):
            seen = view.seen.get(region.name)
            if seen is None or frame.cut or changed(seen.signature, signatures[number], changes.tolerance):
                continue
            if frame.at - seen.at < changes.refresh_s and seen.looks >= self._decision.looks:
                kept[number] = seen.candidates
            looks[number] = seen.looks + 1
        fresh = [number for number in range(len(view.regions)) if number not in kept]
        self.tally.reused += len(kept)
        self.tally.embedded += len(fresh)
        if fresh:
            embeddings = eyes.embed(frame.image, [view.regions[number] for number in fresh])
            for number, candidates in zip(fresh, memory.nearest(embeddings), strict=True):
                kept[number] = candidates
                name = view.regions[number].name
                view.seen[name] = _Seen(signatures[number], frame.at, looks[number], candidates)
        return [Detection(region, kept[number]) for number, region in enumerate(view.regions)]

    def _tell(
        self, view: _View, memory: Memory, tracks: Sequence[Track], at: float, utc: float
    ) -> tuple[Recognition, ...]:
        """Everything is weighed and looked up before anything counts as told: a failure loses no fact."""
        weighed = []
        for track in tracks:
            if not view.announcer.wants(track):
                continue
            if not track.ended and view.weighed.get(track.id) == track.looks:
                continue  # the same looks give the same answer, which was told
            decision = decide(track.looks, memory.calibration, self._decision)
            due = view.announcer.due(track, decision)
            weighed.append((track, decision, due, _named(memory, decision) if due else None))
        told: list[Recognition] = []
        for track, decision, due, names in weighed:
            view.announcer.tell(track, decision, due)
            if track.ended:
                view.weighed.pop(track.id, None)
            else:
                view.weighed[track.id] = track.looks
            if names is not None:
                told += [_recognition(track, decision, names, each, memory.release, at, utc) for each in due]
        return tuple(told)


_Names = tuple["Product | None", tuple[NamedOption, ...]]
"""The product that is known, and the options, looked up."""


def _named(memory: Memory, decision: Decision) -> _Names:
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
    known = None if decision.product is None else memory.product(decision.product)
    return known, tuple(options)


def _recognition(
    track: Track,
    decision: Decision,
    names: _Names,
    announcement: Announcement,
    release: str,
    at: float,
    utc: float,
) -> Recognition:
    return Recognition(
        track=track,
        phase=announcement.phase,
        revision=announcement.revision,
        verdict=decision.verdict,
        product=names[0],
        probability=decision.probability,
        similarity=decision.similarity,
        margin=decision.margin,
        reason=decision.reason,
        options=names[1],
        release=release,
        at=at,
        utc=utc,
    )
