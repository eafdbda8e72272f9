"""The straight path from a frame to recognitions. No clock, no thread, no disk: `step(frame)` decides all.

A region whose pixels did not change keeps its last answer, so that cost follows change; that answer counts
again with every frame, because it is what the camera still shows. It is kept only after as many real looks as
an answer needs, so that no thing is named from one picture counted twice. Eyes and catalogue
are replaced together, between two frames, by one assignment; they are read once per step. What was learned or
forgotten beside it changes its version: then everything is looked at again, and a track goes on with new
looks.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from agent.core.expecting import Expectations
from agent.core.looking import looks_at
from agent.core.tracking import Tracker
from agent.core.types import Detection
from agent.core.unlabelled import without_codes
from agent.telling import Memory as Told
from agent.telling import Teller
from agent.viewing import View

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from agent.core.codes import Read
    from agent.core.evidence import DecisionSettings
    from agent.core.second_look import Closer
    from agent.core.tracking import TrackingSettings
    from agent.core.types import Candidate, Frame, Look, Recognition, Region, Track
    from agent.viewing import CameraPlan


class Eyes(Protocol):
    """What turns regions into embeddings: `adapters.embedder.Embedder`."""

    def embed(self, image: NDArray[np.uint8], regions: Sequence[Region]) -> NDArray[np.float32]:
        """`(N, D)` unit rows, one per region."""


class SecondLook(Protocol):
    """A closer look where the first one leaves it undecided: `second_look.SecondLook`."""

    def improved(
        self,
        image: NDArray[np.uint8],
        regions: Sequence[Region],
        looks: Sequence[Look],
        memory: Memory,
        *,
        barcodes: bool = True,
    ) -> list[Look]:
        """The looks in their order, some with more clues; without `barcodes` none of these."""


class Memory(Told, Protocol):
    """What the eyes' embeddings are compared with: `adapters.catalogue.Catalogue`."""

    @property
    def closer(self) -> Closer | None:
        """What closer looks compare with; None while there is no catalogue."""

    @property
    def version(self) -> int:
        """Another number after answers may have changed. Asked once per frame."""

    def nearest(self, embeddings: NDArray[np.float32], limit: int = 8) -> list[tuple[Candidate, ...]]:
        """Per row the nearest products, best first, at most `limit` of them."""


@dataclass(slots=True)
class Tally:
    """What `step` did since it was made; the caller reads it."""

    frames: int = 0
    embedded: int = 0
    reused: int = 0


class Pipeline:
    """One for all cameras, used by one thread. `use` may be called at any time by another."""

    def __init__(
        self,
        eyes: Eyes,
        catalogue: Memory,
        cameras: Mapping[str, CameraPlan],
        decision: DecisionSettings,
        tracking: TrackingSettings,
        second: SecondLook | None = None,
    ) -> None:
        self._sight = (eyes, catalogue)
        self.tally = Tally()
        self._decision = decision
        self._second = second
        self._views = {
            name: View(
                plan,
                Tracker(name, tracking, decision.window),
                Teller(decision, Expectations(plan.expected, steady=plan.steady, carried=plan.carried)),
            )
            for name, plan in cameras.items()
        }

    def use(self, eyes: Eyes, catalogue: Memory) -> None:
        """Look and compare with these from the next frame."""
        self._sight = (eyes, catalogue)

    def step(self, frame: Frame) -> tuple[Recognition, ...]:
        """Everything worth telling after this frame, in the order in which it happened.

        Raises:
            InputError: the camera's regions do not fit its picture (names the region).
            DeviceError: a model or the products table could not be used; the frame is not told of.
            KeyError: the frame is from a camera that was not configured.
        """
        view, (eyes, memory) = self._views[frame.camera], self._sight
        gone = self._start_over(view, memory, frame)
        self._renew(view, memory)
        detections = self._look(view, eyes, memory, frame)
        self.tally.frames += 1
        tracks = view.tracker.update(frame, detections)
        if view.plan.reader is not None:
            read = view.plan.reader.codes(frame, view.tracker.live)
            view.codes = tuple(replace(each, shown=_is_shown(each, memory)) for each in read)
            tracks = self._beside_labels(view, eyes, memory, frame, tracks)
        return (*gone, *view.teller.tell(memory, tracks, frame.at, frame.utc, cut=frame.cut))

    def tracks(self, camera: str) -> tuple[Track, ...]:
        """What is followed now, in order of birth. KeyError: the camera was not configured."""
        return self._views[camera].tracker.live

    def codes(self, camera: str) -> tuple[Read, ...]:
        """Barcodes that were read in the latest frame. KeyError: the camera was not configured."""
        return self._views[camera].codes

    def close(self, camera: str, at: float, utc: float) -> tuple[Recognition, ...]:
        """The camera is lost or the daemon stops: every track of it ends."""
        view = self._views[camera]
        memory = view.memory or self._sight[1]
        view.forget()
        view.codes = ()
        told = view.teller.tell(memory, view.tracker.end(), at, utc)
        view.teller.forget()
        return told

    def _start_over(self, view: View, memory: Memory, frame: Frame) -> tuple[Recognition, ...]:
        """Another catalogue numbers its products its own way: what was seen with the old one ends."""
        if view.memory is memory:
            return ()
        gone = self.close(frame.camera, frame.at, frame.utc) if view.memory else ()
        view.memory = memory
        return gone

    def _renew(self, view: View, memory: Memory) -> None:
        """Something was learned or forgotten: answers of before count no longer, what is followed goes on."""
        version = memory.version
        if version != view.version:
            view.version = version
            view.forget()
            view.tracker.renew()

    def _look(self, view: View, eyes: Eyes, memory: Memory, frame: Frame) -> list[Detection]:
        places = view.places(frame)
        again = [view.kept(place, frame.at, self._decision.looks) for place in places]
        kept = {number: look for number, look in enumerate(again) if look is not None}
        fresh = [number for number in range(len(places)) if number not in kept]
        self.tally.reused += len(kept)
        self.tally.embedded += len(fresh)
        if fresh:
            regions = [places[number].region for number in fresh]
            found = self._fresh(view, eyes, memory, frame.image, regions)
            for number, look in zip(fresh, found, strict=True):
                kept[number] = look
                view.remember(places[number], frame.at, look)
        steady = view.plan.steady
        return [
            Detection(place.region, kept[number], anew=steady and place.replaced)
            for number, place in enumerate(places)
        ]

    def _beside_labels(
        self, view: View, eyes: Eyes, memory: Memory, frame: Frame, tracks: tuple[Track, ...]
    ) -> tuple[Track, ...]:
        """The tracks, those whose barcodes were read in this frame with a look that these do not cover."""
        coded = {read.track for read in view.codes}
        seen = [track for track in tracks if track.id in coded]
        if not seen:
            return tracks
        image = without_codes(frame.image, [read.place for read in view.codes])
        looks = self._fresh(view, eyes, memory, image, [track.region for track in seen])
        self.tally.embedded += len(seen)
        better = {
            track.id: view.tracker.look_clearly(track.id, replace(look, clear=True))
            for track, look in zip(seen, looks, strict=True)
        }
        return tuple(better.get(track.id) or track for track in tracks)

    def _fresh(
        self, view: View, eyes: Eyes, memory: Memory, image: NDArray[np.uint8], regions: Sequence[Region]
    ) -> list[Look]:
        embeddings = eyes.embed(image, regions)
        found = looks_at(image, regions, embeddings, memory.nearest(embeddings))
        if self._second is None:
            return found
        # Where barcodes are told by themselves a picture must not be judged by them as well.
        return self._second.improved(image, regions, found, memory, barcodes=view.plan.reader is None)


def _is_shown(read: Read, memory: Memory) -> bool:
    number = read.said.content or read.said.gtin
    closer = memory.closer
    return bool(number) and closer is not None and closer.by_gtin(number) is not None
