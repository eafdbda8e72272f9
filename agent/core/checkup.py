"""What a catalogue's own pictures say of its health: copies, products that look alike, missing views.

Similarities mean something else under each model and projection, so they are measured against two of the
catalogue itself: what is typical of the nearest two pictures of one product, and what two pictures of
different products have in common (the background):

    apart       (1 - similarity) / (1 - typical)                     0 the same picture, 1 as usual
    closeness   (similarity - background) / (typical - background)   0 strangers, 1 as pictures of one product

The thresholds were measured on Grocery Store (2,640 photos of 81 products) with the public MobileNetV1
1.0/224, raw (1,024 numbers) and through the catalogue's projection (256).
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

import numpy as np

from agent.core.matching import VIEW_BITS, product_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

COPY_APART: Final = 0.1
"""A photo saved again as JPEG is 0.002 to 0.08 apart, brightened by a tenth 0.03 to 0.09, made smaller by a
fifth 0.06 to 0.19; of 2,640 different photos none is nearer than 0.14 to one of its product (raw: one is)."""

ALIKE_APART: Final = 0.5
"""A product half of whose pictures are nearer than this to another one was photographed from one spot: one
picture in twenty of the whole catalogue is."""

LOOKALIKE_SHARE: Final = 0.25
LOOKALIKE_CLOSENESS: Final = 0.5
"""Products look alike when this share of one's pictures has the other for nearest stranger, this close. Such
were 53 of 3,240 pairs (raw: 61), and 42 % (raw: 39 %) of the mistakes on 296 validation photos lay between
them. Leaving out single pictures finds 9 %: beside each lie others of the same minute."""

FEW: Final = 5
"""Pictures. With one per product 25 % of the photos were recognised, with five 50 %, with thirty 61 %."""

_LEAST_SPREAD: Final = 0.02
"""Of 1 - typical: a catalogue of nothing but copies has none, and nothing would be near anything."""


@dataclass(frozen=True, slots=True, eq=False)
class Neighbours:
    """What lies nearest to every reference, `keys` `(R,)` ascending; nothing is similarity -1 and key 0."""

    keys: NDArray[np.uint64]
    own: NDArray[np.float32]  # (R,) similarity to the nearest other picture of its product
    own_key: NDArray[np.uint64]
    other: NDArray[np.float32]  # (R,) … to the nearest picture of another product
    other_key: NDArray[np.uint64]
    background: float  # median similarity of two pictures of different products


class Views(StrEnum):
    """What is wrong with the pictures of a product, the worst first."""

    NONE = "none"
    ONE = "one"
    FEW = "few"
    ALIKE = "alike"


@dataclass(frozen=True, slots=True)
class Copies:
    """Pictures of one product that are one picture."""

    product: int
    groups: tuple[tuple[int, ...], ...]  # keys; of each group one is enough

    @property
    def useless(self) -> int:
        """Pictures that may go."""
        return sum(len(group) - 1 for group in self.groups)


@dataclass(frozen=True, slots=True)
class Shared:
    """One picture in two products: one of the two is a mistake."""

    key: int
    other_key: int
    similarity: float


@dataclass(frozen=True, slots=True)
class Lookalike:
    """Two products, seen from the one whose pictures lie nearer to the other."""

    product: int
    other: int
    pictures: int  # of `product`
    near: int  # … whose nearest stranger is `other`
    mistaken: int  # … which lie nearer to `other` than to any other picture of `product`
    closeness: float
    key: int  # the nearest two
    other_key: int

    @property
    def weight(self) -> float:
        """What comes first: how many pictures lie how near, and how many are mistaken already."""
        return (self.closeness * self.near + self.mistaken) / self.pictures


@dataclass(frozen=True, slots=True)
class Thin:
    """A product whose pictures do not show enough of it."""

    product: int
    pictures: int
    views: Views


@dataclass(frozen=True, slots=True)
class Checkup:
    """All findings, each kind worst first."""

    asked: int  # pictures whose product has another one
    right: int  # … and whose nearest neighbour is of that product
    shared: tuple[Shared, ...]
    lookalikes: tuple[Lookalike, ...]
    copies: tuple[Copies, ...]
    thin: tuple[Thin, ...]


def examine(products: Iterable[int], near: Neighbours) -> Checkup:
    """Judge a catalogue of `products`, numbers of which some may have no picture."""
    paired = near.own_key > 0
    typical = float(np.median(near.own[paired])) if paired.any() else 1 - _LEAST_SPREAD
    spread = max(_LEAST_SPREAD, 1 - typical)
    apart = (1 - near.own) / spread
    copies = _copies(near, paired & (apart <= COPY_APART))
    surplus = {item.product: item.useless for item in copies}
    strayed = (near.other_key > 0) & ((1 - near.other) / spread <= COPY_APART)
    return Checkup(
        asked=int(paired.sum()),
        right=int((near.own > near.other)[paired].sum()),
        shared=_shared(near, strayed),
        lookalikes=_lookalikes(near, 1 - spread, near.keys[strayed]),
        copies=copies,
        thin=_thin(products, near, apart, surplus),
    )


def _of(keys: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The product of each key."""
    return keys >> np.uint64(VIEW_BITS)


def _copies(near: Neighbours, same: NDArray[np.bool_]) -> tuple[Copies, ...]:
    groups: dict[int, set[int]] = {}  # key → the group it is in
    for key, twin in zip(near.keys[same].tolist(), near.own_key[same].tolist(), strict=True):
        group = groups.get(key, {key}) | groups.get(twin, {twin})
        groups.update(dict.fromkeys(group, group))
    found: dict[int, set[tuple[int, ...]]] = defaultdict(set)
    for key, group in groups.items():
        found[product_of(key)].add(tuple(sorted(group)))
    copies = [Copies(product, tuple(sorted(sets))) for product, sets in found.items()]
    return tuple(sorted(copies, key=lambda item: (-item.useless, item.product)))


def _shared(near: Neighbours, same: NDArray[np.bool_]) -> tuple[Shared, ...]:
    pairs: dict[tuple[int, int], float] = {}
    columns = (near.keys[same].tolist(), near.other_key[same].tolist(), near.other[same].tolist())
    for key, other, similarity in zip(*columns, strict=True):
        pairs[min(key, other), max(key, other)] = similarity
    ranked = sorted(pairs.items(), key=lambda item: (-item[1], item[0]))
    return tuple(Shared(key, other, similarity) for (key, other), similarity in ranked)


def _lookalikes(near: Neighbours, typical: float, strayed: NDArray[np.uint64]) -> tuple[Lookalike, ...]:
    """A picture that strayed into another product makes nobody look alike: it is to be removed."""
    own, other = _of(near.keys), _of(near.other_key)
    scale = max(_LEAST_SPREAD, typical - near.background)
    closeness = (near.other - near.background) / scale
    sizes = dict(zip(*(column.tolist() for column in np.unique(own, return_counts=True)), strict=True))
    order = np.lexsort((other, own))
    order = order[(other[order] > 0) & ~np.isin(near.other_key[order], strayed)]
    starts = np.flatnonzero(np.r_[True, np.diff(own[order]) > 0] | np.r_[True, np.diff(other[order]) != 0])
    found: dict[tuple[int, int], Lookalike] = {}
    for places in np.split(order, starts[1:]) if len(order) else ():
        product, stranger = int(own[places[0]]), int(other[places[0]])
        nearest = places[near.other[places].argmax()]
        item = Lookalike(
            product=product,
            other=stranger,
            pictures=sizes[product],
            near=len(places),
            mistaken=int(((near.other >= near.own) & (near.own_key > 0))[places].sum()),
            closeness=float(closeness[places].mean()),
            key=int(near.keys[nearest]),
            other_key=int(near.other_key[nearest]),
        )
        many = item.near >= LOOKALIKE_SHARE * item.pictures and item.closeness >= LOOKALIKE_CLOSENESS
        pair = (min(product, stranger), max(product, stranger))
        if (many or item.mistaken) and (pair not in found or item.weight > found[pair].weight):
            found[pair] = item
    return tuple(sorted(found.values(), key=lambda item: (-item.weight, item.product)))


def _thin(
    products: Iterable[int], near: Neighbours, apart: NDArray[np.float32], surplus: dict[int, int]
) -> tuple[Thin, ...]:
    unique, firsts, counts = np.unique(_of(near.keys), return_index=True, return_counts=True)
    places = dict(zip(unique.tolist(), zip(firsts.tolist(), counts.tolist(), strict=True), strict=True))
    found = []
    for product in products:
        first, count = places.get(product, (0, 0))
        different = count - surplus.get(product, 0)
        if different < FEW:
            views = Views.NONE if count == 0 else Views.ONE if different == 1 else Views.FEW
        elif np.median(apart[first : first + count]) <= ALIKE_APART:
            views = Views.ALIKE
        else:
            continue
        found.append((list(Views).index(views), different, Thin(product, different, views)))
    return tuple(item for *_, item in sorted(found, key=lambda one: (*one[:2], one[2].product)))
