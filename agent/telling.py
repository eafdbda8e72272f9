"""From the tracks of one camera to what is worth telling: weighed, looked up, and told once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from agent.core.announcing import Announcer
from agent.core.evidence import decide
from agent.core.expecting import Expectations
from agent.core.types import NamedOption, Recognition

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agent.core.announcing import Announcement
    from agent.core.calibration import Calibration
    from agent.core.evidence import DecisionSettings
    from agent.core.types import Decision, Look, Product, Track

    Names = tuple[Product | None, tuple[NamedOption, ...]]
    """The product that is known, and the options, looked up."""


class Memory(Protocol):
    """What an answer is made with: `adapters.catalogue.Catalogue`."""

    @property
    def release(self) -> str:
        """Which catalogue this is."""

    @property
    def calibration(self) -> Calibration:
        """What was fitted on this catalogue."""

    def product(self, no: int) -> Product:
        """The row of a product."""

    def reference(self, key: int) -> str:
        """The picture a reference was made from."""

    def by_sku(self, sku: str) -> Product | None:
        """The product with this SKU."""

    def is_left_out(self, no: int) -> bool:
        """Whether this device was told to forget it."""


class Teller:
    """Tells of the tracks of one camera."""

    def __init__(self, settings: DecisionSettings, expectations: Expectations | None = None) -> None:
        """`expectations` of the camera; without, nothing is expected."""
        self._settings = settings
        self._expectations = expectations or Expectations()
        self._announcer = Announcer(settings)
        self._weighed: dict[str, tuple[Look, ...]] = {}  # track → its looks

    def tell(
        self, memory: Memory, tracks: Sequence[Track], at: float, utc: float, *, cut: bool = False
    ) -> tuple[Recognition, ...]:
        """What is worth telling of these tracks now, in their order; after a `cut` another scene begins.

        Everything is weighed and looked up before anything counts as told: a failure loses no fact.

        Raises:
            DeviceError: the products table could not be used; nothing was told.
        """
        weighed = []
        for track in tracks:
            self._expectations.saw(track)
            if not self._announcer.wants(track):
                continue
            same = self._weighed.get(track.id) == track.looks
            if same and not track.ended and not self._announcer.waits(track):
                continue  # the same looks give the same answer, which was told
            priors = self._expectations.priors(memory, track, anew=cut and not track.ended)
            decision = decide(track.looks, memory.calibration, self._settings, priors=priors)
            due = self._announcer.due(track, decision)
            weighed.append((track, decision, due, _named(memory, decision) if due else None))
        if cut:
            self.forget()
        told: list[Recognition] = []
        for track, decision, due, names in weighed:
            self._announcer.tell(track, decision, due)
            if track.ended:
                self._weighed.pop(track.id, None)
            else:
                self._weighed[track.id] = track.looks
            if names is not None and not track.ended:
                self._expectations.answered(track, names[0].sku if names[0] is not None else "")
            if names is not None:
                told += [_recognition(track, decision, names, each, memory.release, at, utc) for each in due]
        return tuple(told)

    def forget(self) -> None:
        """The camera was lost, another scene began, or other products are known: nothing of before counts."""
        self._expectations.forget()


def _named(memory: Memory, decision: Decision) -> Names:
    options = []
    for option in decision.options:
        product = memory.product(option.product)
        options.append(
            NamedOption(
                sku=product.sku,
                name=product.name,
                similarity=option.similarity,
                probability=option.probability,
                reference=memory.reference(option.key) if option.key else "",
                clues=option.clues,
                gtin=product.gtin,
            )
        )
    known = None if decision.product is None else memory.product(decision.product)
    return known, tuple(options)


def _recognition(
    track: Track,
    decision: Decision,
    names: Names,
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
        false_accept=decision.false_accept,
        independent=decision.independent,
        evidence=decision.evidence,
    )
