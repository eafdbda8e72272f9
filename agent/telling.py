"""From the tracks of one camera to what is worth telling: weighed, looked up, and told once."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Protocol

from agent.core.announcing import Announcer
from agent.core.clues import expected
from agent.core.evidence import decide
from agent.core.last_known import STAYS, LastKnown
from agent.core.types import NamedOption, Recognition

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from agent.core.announcing import Announcement
    from agent.core.calibration import Calibration
    from agent.core.evidence import DecisionSettings
    from agent.core.types import Clue, Decision, Look, Product, Track

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


IN_PLACE: Final = 0.8
"""How often what belongs in a place stands there: a guess."""

_RIVALS: Final = 100
"""Products that might stand there instead. From 6 on it is the limit of a prior that counts."""


class Teller:
    """Tells of the tracks of one camera."""

    def __init__(
        self,
        settings: DecisionSettings,
        expected: Mapping[str, str] = MappingProxyType({}),
        *,
        steady: bool = False,
    ) -> None:
        """`expected`: name of a configured region → SKU of what belongs there.

        `steady`: regions are places where things lie, and what was there before says something.
        """
        self._settings = settings
        self._expected = expected
        self._last = LastKnown() if steady else None
        self._announcer = Announcer(settings)
        self._weighed: dict[str, tuple[Look, ...]] = {}  # track → its looks

    def tell(self, memory: Memory, tracks: Sequence[Track], at: float, utc: float) -> tuple[Recognition, ...]:
        """What is worth telling of these tracks now, in their order.

        Everything is weighed and looked up before anything counts as told: a failure loses no fact.

        Raises:
            DeviceError: the products table could not be used; nothing was told.
        """
        weighed = []
        for track in tracks:
            if self._last is not None:
                self._last.saw(track)
            if not self._announcer.wants(track):
                continue
            same = self._weighed.get(track.id) == track.looks
            if same and not track.ended and not self._announcer.waits(track):
                continue  # the same looks give the same answer, which was told
            priors = self._priors(memory, track)
            decision = decide(track.looks, memory.calibration, self._settings, priors=priors)
            due = self._announcer.due(track, decision)
            weighed.append((track, decision, due, _named(memory, decision) if due else None))
        told: list[Recognition] = []
        for track, decision, due, names in weighed:
            self._announcer.tell(track, decision, due)
            if self._last is not None and names is not None and names[0] is not None:
                self._last.knew(track, names[0].sku)
            if track.ended:
                self._weighed.pop(track.id, None)
            else:
                self._weighed[track.id] = track.looks
            if names is not None:
                told += [_recognition(track, decision, names, each, memory.release, at, utc) for each in due]
        return tuple(told)

    def _priors(self, memory: Memory, track: Track) -> tuple[Clue, ...]:
        """What belongs where this is, and what was there before; one product is not expected twice."""
        belongs = self._expected.get(track.region.name, "")
        before = self._last.before(track) if self._last is not None else ""
        said = [("slot", belongs, IN_PLACE), ("last", before if before != belongs else "", STAYS)]
        found = [(what, memory.by_sku(sku), share) for what, sku, share in said if sku]
        return tuple(expected(what, product.no, share, _RIVALS) for what, product, share in found if product)


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
