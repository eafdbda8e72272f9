"""What is expected where a thing is before it is looked at: priors, which evidence weighs (core/clues.py).

What belongs in the place, what was known there last, and what the store carries at all. Each helps to choose
between products that look alike; none makes something a product that it does not look like.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Protocol

from agent.core.clues import expected
from agent.core.errors import quoted
from agent.core.last_known import STAYS, LastKnown
from agent.core.learned import is_learned

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from agent.core.types import Clue, Product, Track

SLOT: Final = "slot"
LAST: Final = "last"
STORE: Final = "store"
"""What a prior may be for."""

IN_PLACE: Final = 0.8
"""How often what belongs in a place stands there: a guess."""

_RIVALS: Final = 100
"""Products that might stand there instead. From 6 on it is the limit of a prior that counts."""

CARRIED_ELSEWHERE: Final = 0.02
"""How often a thing is of a product that the store does not carry, beside one that it carries: a guess."""


class Memory(Protocol):
    """Where products are looked up: `memory.DeviceMemory`. Any method may raise CatalogueError."""

    def product(self, no: int) -> Product:
        """The row of a product."""

    def by_sku(self, sku: str) -> Product | None:
        """The product with this SKU."""

    def is_left_out(self, no: int) -> bool:
        """Whether this device was told to forget it."""


class Expectations:
    """Those of one camera."""

    def __init__(
        self,
        belongs: Mapping[str, str] = MappingProxyType({}),
        *,
        steady: bool = False,
        carried: Collection[str] = (),
    ) -> None:
        """`belongs`: name of a configured region → SKU of what belongs there.

        `steady`: regions are places where things lie, and what was there before says something. `carried`:
        SKUs of the store's assortment; without any it has all of the catalogue.
        """
        self._belongs = belongs
        self._steady = steady
        self._last = LastKnown()
        self._carried = frozenset(carried)

    def saw(self, track: Track) -> None:
        """In every frame: it is still there."""
        if self._steady:
            self._last.saw(track)

    def answered(self, track: Track, sku: str) -> None:
        """Tell what a track is known to be now; empty: nothing any more, or not yet."""
        if self._steady:
            self._last.answered(track, sku)

    def forget(self) -> None:
        """What comes next is seen anew, be it the same things: those must not speak for themselves."""
        self._last = LastKnown()

    def priors(self, memory: Memory, track: Track, *, anew: bool = False) -> tuple[Clue, ...]:
        """What is expected of this track; one product is not expected twice, one that was forgotten never.

        `anew`: it has nothing to do with what was there before.

        Raises:
            CatalogueError: the products table could not be used.
        """
        belongs = self._belongs.get(track.region.name, "")
        before = "" if anew else self._last.before(track)
        said = [(SLOT, belongs, IN_PLACE), (LAST, before if before != belongs else "", STAYS)]
        found = [(what, memory.by_sku(sku), share) for what, sku, share in said if sku]
        here = [
            expected(what, product.no, share, _RIVALS)
            for what, product, share in found
            if product is not None and not memory.is_left_out(product.no)
        ]
        return (*here, *self._elsewhere(memory, track, {clue.product for clue in here}))

    def _elsewhere(self, memory: Memory, track: Track, here: Collection[int]) -> list[Clue]:
        """Against what the store does not carry, but for what is expected all the same.

        Products that this device alone knows were taught where they are.
        """
        if not self._carried:
            return []
        seen = {each.product for look in track.looks for each in look.candidates} - set(here)
        return [
            expected(STORE, product, CARRIED_ELSEWHERE, 2)
            for product in sorted(seen)
            if not is_learned(product) and memory.product(product).sku not in self._carried
        ]


def carries_nothing(carried: Collection[str], memory: Memory) -> str:
    """What is wrong with an assortment of whose products the catalogue has none; empty where it has some.

    Raises:
        CatalogueError: the products table could not be used.
    """
    if not carried or any(memory.by_sku(sku) for sku in carried):
        return ""
    few = ", ".join(quoted(sku) for sku in sorted(carried)[:3])
    return (
        f"decision.assortment: expected SKUs of products in the catalogue, found none of its {len(carried)} "
        f"there ({few}): the store's assortment helps with nothing"
    )
