"""What a device learned itself, beside the release of head office: which of it counts, and when it may go.

A picture that was enrolled is one more reference of its SKU. A forgotten SKU hides the pictures that the
release has of it; pictures enrolled for it afterwards count. So that going back to the release before loses
nothing, what a release has taken in is first only passed over while that release is in use, and goes when a
second one has it too:

    learned ─a release has it─▶ taken in ─the next one has it too─▶ gone
       ▲                          │
       └──another has it not──────┘
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from agent.core.matching import VIEW_LIMIT, Changes, key_of
from agent.core.types import Product

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

REFERENCE_LIMIT: Final = 5_000
"""Pictures that a device may learn. Comparing with 5,000 rows of 1,280 numbers takes 2.5 ms a frame; who has
more to teach has head office for it."""

FORGOTTEN_LIMIT: Final = 20_000
"""SKUs that may be forgotten: some 3 MB, and one search for their numbers in each look."""

SAME: Final = 0.96
"""Similarity from which a reference of the release is the very picture that was enrolled. Measured on 296
photos of groceries with a public MobileNet: encoded anew as JPEG at least 0.995 (0.990 through a projection),
also resized from four times as large 0.989 (0.982); another photo of the same product at most 0.90 (0.84)."""

_NUMBERS_FROM: Final = 1 << 38
"""Numbers of products that only this device knows: head office counts from 1, and would get here after 270
billion products."""

_VIEWS_FROM: Final = VIEW_LIMIT // 2
"""Views of what was enrolled: 8 million of them, above those that head office counts from 0."""


def is_learned(product: int) -> bool:
    """Whether only this device knows the product with this number."""
    return product >= _NUMBERS_FROM


@dataclass(frozen=True, slots=True)
class Reference:
    """One picture that was enrolled."""

    id: int  # from 1, never used twice
    sku: str
    picture: str  # sha256 of its JPEG
    sight: str  # what made its embedding, see `sight_of`
    utc: float  # s, Unix
    taken: str = ""  # release that has it

    @property
    def path(self) -> str:
        """Where it stands in the product folder that is made of what was learned."""
        return f"images/{self.sku}/learned-{self.picture[:16]}.jpg"


@dataclass(frozen=True, slots=True)
class Forgotten:
    """An SKU whose pictures in the release do not count."""

    sku: str
    utc: float  # s, Unix
    taken: str = ""  # release that has it not, or has what was enrolled instead


@dataclass(frozen=True, slots=True)
class LearnedProduct:
    """What was said of an SKU when it was enrolled. `no` is never used twice."""

    no: int  # from 1
    sku: str
    texts: Mapping[str, str]

    @property
    def product(self) -> Product:
        """As a row of the catalogue."""
        texts: dict[str, Any] = dict(self.texts)
        return Product(_NUMBERS_FROM + self.no, self.sku, **texts)


@dataclass(frozen=True, slots=True)
class Learned:
    """All of it."""

    references: tuple[Reference, ...] = ()  # ascending
    products: Mapping[str, LearnedProduct] = field(default_factory=dict)  # by SKU
    forgotten: tuple[Forgotten, ...] = ()


@dataclass(frozen=True, slots=True)
class Counts:
    """How much was learned, for people."""

    references: int = 0  # pictures that count beside the release
    products: int = 0  # SKUs they are of
    forgotten: int = 0  # SKUs whose pictures in the release do not count
    taken: int = 0  # what the release in use has taken in


NOTHING_LEARNED: Final = Counts()


def sight_of(fingerprint: str, crop: float) -> str:
    """Embeddings compare only between equal models, of equal shares of their pictures."""
    return f"{fingerprint} {crop:g}"


def key_of_learned(product: int, reference: Reference) -> int:
    """The key of an enrolled picture of product number `product`."""
    return key_of(product, _VIEWS_FROM + reference.id % _VIEWS_FROM)


def active(learned: Learned, release: str) -> Learned:
    """What counts beside this release."""
    return Learned(
        tuple(each for each in learned.references if each.taken != release or not release),
        learned.products,
        tuple(each for each in learned.forgotten if each.taken != release or not release),
    )


def counted(learned: Learned, release: str) -> Counts:
    """How much of it counts beside this release."""
    now = active(learned, release)
    return Counts(
        references=len(now.references),
        products=len({each.sku for each in now.references}),
        forgotten=len(now.forgotten),
        taken=len(learned.references) + len(learned.forgotten) - len(now.references) - len(now.forgotten),
    )


def changes_of(
    learned: Learned, rows: Mapping[int, NDArray[np.float32]], number: Callable[[str], int]
) -> Changes:
    """What to search beside the release. `rows`: id → vector of the release's kind, of those that have one.

    `number(sku)` is the product number of an SKU in the release, 0 where it has none.
    """
    seen = [each for each in learned.references if each.id in rows]
    numbers = {sku: number(sku) or learned.products[sku].product.no for sku in {each.sku for each in seen}}
    left_out = {number(each.sku) for each in learned.forgotten} - {0}
    if not seen:
        return Changes(left_out=np.array(sorted(left_out), np.uint64))
    return Changes(
        rows=np.stack([rows[each.id] for each in seen]),
        keys=np.array([key_of_learned(numbers[each.sku], each) for each in seen], np.uint64),
        left_out=np.array(sorted(left_out), np.uint64),
    )


@dataclass(frozen=True, slots=True)
class Settlement:
    """What becomes of what was learned, now that another release is in use."""

    taken: tuple[Reference | Forgotten, ...] = ()  # the release has it
    back: tuple[Reference | Forgotten, ...] = ()  # it counts again: the release has it not
    gone: tuple[Reference | Forgotten, ...] = ()  # a second release has it

    def __bool__(self) -> bool:
        return bool(self.taken or self.back or self.gone)


def settle(
    learned: Learned, release: str, similarity: Mapping[int, float], holds: Callable[[str], bool]
) -> Settlement:
    """What `release` makes of it.

    `similarity`: id of a reference → how near the nearest picture of the same SKU in the release is; none
    where there is none. `holds(sku)`: whether the release has this SKU.

    A forgotten SKU is done with when the release has it no longer, or has a picture that was enrolled for it
    afterwards: then head office has put its pictures right.
    """
    found = {each.id for each in learned.references if similarity.get(each.id, -1.0) >= SAME}
    renewed = {each.sku for each in learned.references if each.id in found}
    pairs: list[tuple[Reference | Forgotten, bool]] = [
        (each, each.id in found) for each in learned.references
    ]
    pairs += [(each, not holds(each.sku) or each.sku in renewed) for each in learned.forgotten]
    taken, back, gone = [], [], []
    for each, has in pairs:
        if not has:
            if each.taken:
                back.append(each)
        elif not each.taken:
            taken.append(each)
        elif each.taken != release:
            gone.append(each)
    return Settlement(tuple(taken), tuple(back), tuple(gone))


def listed(learned: Learned, release: str) -> list[dict[str, object]]:
    """One row for each SKU, in order: what was learned of it, and how much of that `release` has taken in."""
    everything: tuple[Reference | Forgotten, ...] = (*learned.references, *learned.forgotten)
    references = Counter(each.sku for each in learned.references)
    forgotten = {each.sku for each in learned.forgotten}
    taken = Counter(each.sku for each in everything if release and each.taken == release)
    return [
        {
            "sku": sku,
            "name": learned.products[sku].texts.get("name", "") if sku in learned.products else "",
            "references": references[sku],
            "forgotten": sku in forgotten,
            "taken": taken[sku],
        }
        for sku in sorted({each.sku for each in everything})
    ]
