"""What pictures find in a catalogue when they play the query: its own references, or photos that are none.

A camera's picture comes from another day than the photos of the catalogue, and those of one product come in
bursts: whoever leaves out one photo finds its twin. So each sampled reference plays the query without the
nearer half of its siblings (`LEFT_OUT`), once with the others in the gallery, as a known thing, and once with
all of its product left out, as a thing that the catalogue lacks.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from agent.core.evidence import WEIGHED
from agent.core.matching import SUPPORT, VIEW_BITS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    from agent.core.model_spec import NewPhotos

    Vectors = Callable[[NDArray[np.uint64]], NDArray[np.float32]]
    Reals = NDArray[np.float64]

SAMPLE = 2_000
"""References that play the query. The curves have five numbers: at 2,000 they move by some per cent of
themselves between samples, which is less than between two days in a shop."""

STRANGERS = 20
"""Products that what is known of other shops counts as, where a catalogue's own say how near strangers come:
ten that somebody chose may lie far apart, and what they lack be more like one of them. Strangers and products
of the catalogue that are named at 0.01, percent, the models/base before, single looks, by what it counts as:

                                                    0          10          20          40          80
    10 drawn packages, means of six shops   26.3 100.0    3.4 100.0    1.6 100.0    0.5  99.4    0.0  96.7
    24 drawn packages, three shops          14.1 100.0    2.6  99.5    1.0  98.6    1.0  98.1    0.0  97.7
    24 cartons on a belt                     0.0  86.7    0.0  85.0    0.0  83.3    0.0  81.7    0.0  78.3
    10 products of Grocery Store, four sets 13.3  83.5    1.3  70.1    0.3  59.1    0.0  51.9    0.0  40.6
    20 …                                     5.1  68.5    2.4  61.9    1.5  57.3    0.9  49.2    0.8  44.3
    40 …                                     1.0  40.0    0.5  38.9    0.5  38.4    0.5  38.0    0.5  36.7

Only the nearest product is nearer to them: with all of them so, the lead of the nearest before the next seems
to say something of strangers, and at 20 it names 7.3 % of those of the first line. The standard error of the
own products' mean in its place left 67 % of one shop's strangers named: its ten lay evenly far apart."""

LEFT_OUT = 0.5
"""Share of a picture's siblings, the nearest to it, that are no reference to it."""

_BLOCK = 8_192  # references compared at once: 2,000 × 8,192 float32 are 64 MB


@dataclass(frozen=True, slots=True)
class Asked:
    """What the queries found. Rows are queries; similarities are -1 where there is nothing."""

    shown: NDArray[np.uint64]  # (N,) product of each
    own: Reals  # (N, SUPPORT) of the own product's nearest references that were left in, nearest first
    others: Reals  # (N, WEIGHED) of the nearest other products, nearest first
    support: Reals  # (N,) mean similarity of the nearest references of the nearest other product

    @property
    def nearest(self) -> float:
        """Similarity of a query to its own product, in the middle."""
        return float(np.median(self.own[:, 0]))

    def as_new(self, photos: NewPhotos) -> Asked:
        """As if the queries were new photos: no nearer to their own product, and nearer to the others."""
        lower = np.minimum(0, _at_ranks(self.own[:, 0], photos.own) - self.own[:, 0])[:, None]
        return replace(
            self,
            own=np.where(self.own > -1, np.maximum(self.own + lower, -1), -1),
            others=_raised(self.others, photos.nearer),
            support=_raised(self.support, photos.nearer),
        )

    def as_lacking(self, photos: NewPhotos) -> Asked:
        """As things that the catalogue lacks: no less near than `STRANGERS` and its products together say."""
        count = len(np.unique(self.shown))
        further = np.maximum(0, _at_ranks(self.others[:, 0], photos.others) - self.others[:, 0])
        further *= STRANGERS / (STRANGERS + count)
        return replace(
            self,
            others=np.column_stack([_raised(self.others[:, 0], further), self.others[:, 1:]]),
            support=_raised(self.support, further),
        )


def _at_ranks(values: Reals, quantiles: Sequence[float]) -> Reals:
    """For each value the one that lies where it does, among those of these quantiles, evenly spaced."""
    ranks = (np.argsort(np.argsort(values, kind="stable"), kind="stable") + 0.5) / len(values)
    return np.interp(ranks, np.linspace(0, 1, len(quantiles)), quantiles)


def _raised(similarities: Reals, by: float | Reals) -> Reals:
    """Those that are there, moved."""
    return np.where(similarities > -1, np.clip(similarities + by, -1, 1), -1)


def ask_references(keys: NDArray[np.uint64], vectors: Vectors) -> Asked:
    """A sample of the references `keys` `(R,)`, ascending, plays the query; rows are `vectors(keys)`."""
    products = keys >> np.uint64(VIEW_BITS)
    queries = sample(products)
    asked = np.concatenate(
        [vectors(keys[part]) for part in np.array_split(queries, max(1, -(-len(queries) // 512)))]
    )
    shown = products[queries]
    own = _own(products, shown, asked, lambda start, stop: vectors(keys[start:stop]), queries)
    return Asked(shown, own, *_others(keys, products, shown, asked, vectors))


def ask_photos(
    photos: NDArray[np.float32],
    shown: NDArray[np.uint64],
    keys: NDArray[np.uint64],
    vectors: Vectors,
) -> Asked:
    """Photos that are no references: their rows `(N, d)`, and the products shown `(N,)`."""
    products = keys >> np.uint64(VIEW_BITS)
    own = _own(products, shown, photos, lambda start, stop: vectors(keys[start:stop]))
    return Asked(shown, own, *_others(keys, products, shown, photos, vectors))


def nearness(products: NDArray[np.uint64], rows: Callable[[NDArray[np.int64]], NDArray[np.float32]]) -> float:
    """`Asked.nearest` of references whose products are `(R,)`, equal ones side by side, without all others.

    `rows(places)` are the embeddings `(N, D)` at places among them, unit rows. -1 where no product has two.
    """
    order = np.argsort(products, kind="stable")
    ascending = products[order]
    queries = sample(ascending)
    if len(queries) == 0:
        return -1.0
    asked = rows(order[queries])
    own = _own(ascending, ascending[queries], asked, lambda start, stop: rows(order[start:stop]), queries)
    return float(np.median(own[:, 0]))


def sample(products: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Positions of references whose product has another one, evenly spread, at most `SAMPLE`."""
    same = products[1:] == products[:-1]
    siblings = np.zeros(len(products), bool)
    siblings[1:] |= same
    siblings[:-1] |= same
    positions = np.flatnonzero(siblings)
    if len(positions) > SAMPLE:
        positions = positions[np.linspace(0, len(positions) - 1, SAMPLE).astype(np.int64)]
    return positions


def _own(
    products: NDArray[np.uint64],
    shown: NDArray[np.uint64],
    asked: NDArray[np.float32],
    siblings: Callable[[int, int], NDArray[np.float32]],
    places: NDArray[np.int64] | None = None,
) -> Reals:
    """Similarities `(N, SUPPORT)` to the nearest references of the product shown.

    `siblings(start, stop)` are the rows of those references, whose products are `products`, ascending.
    `places` `(N,)` are those of the queries among the references, where they are some: then to the nearest of
    the siblings that are left in.
    """
    own = np.full((len(shown), SUPPORT), -1.0)
    for product in np.unique(shown):
        here = np.flatnonzero(shown == product)
        start, stop = np.searchsorted(products, [product, product + np.uint64(1)])
        similarities = asked[here] @ siblings(start, stop).T
        left_out = 0
        if places is not None:
            similarities[np.arange(len(here)), places[here] - start] = 2  # itself, the first to be left out
            left_out = 1 + int(LEFT_OUT * (stop - start - 1))
        kept = -np.sort(-similarities, axis=1)[:, left_out:][:, :SUPPORT]
        own[here, : kept.shape[1]] = kept
    return own


def _others(
    keys: NDArray[np.uint64],
    products: NDArray[np.uint64],
    shown: NDArray[np.uint64],
    asked: NDArray[np.float32],
    vectors: Vectors,
) -> tuple[Reals, Reals]:
    """Similarities `(N, WEIGHED)` of the nearest other products, and the support `(N,)` of the first."""
    found = np.full((len(asked), WEIGHED), -1.0, np.float32)
    support = np.full(len(asked), -1.0)
    for start, stop in _whole_products(products):
        similarities = asked @ vectors(keys[start:stop]).T
        firsts = np.flatnonzero(np.r_[True, products[start + 1 : stop] != products[start : stop - 1]])
        names = products[start:stop][firsts]
        nearest = np.maximum.reduceat(similarities, firsts, axis=1)
        nearest[names[None] == shown[:, None]] = -1
        column = nearest.argmax(axis=1)
        better = np.flatnonzero(nearest.max(axis=1) > found[:, 0])
        ends = np.r_[firsts[1:], stop - start]
        for row, place in zip(better.tolist(), column[better].tolist(), strict=True):
            references = similarities[row, firsts[place] : ends[place]]
            support[row] = np.sort(references)[-SUPPORT:].mean()
        found = -np.sort(-np.concatenate([found, nearest], axis=1), axis=1)[:, :WEIGHED]
    return found.astype(np.float64), support


def _whole_products(products: NDArray[np.uint64]) -> Iterator[tuple[int, int]]:
    """Ranges of about `_BLOCK` references that cut no product in two."""
    start = 0
    while start < len(products):
        last = min(start + _BLOCK, len(products)) - 1
        stop = int(np.searchsorted(products, products[last], side="right"))
        yield start, stop
        start = stop
