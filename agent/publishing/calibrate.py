"""Fits what similarities of a catalogue are worth, on the catalogue itself: see core/calibration.py.

A camera's picture comes from another day than the photos of the catalogue, and those of one product come in
bursts: whoever leaves out one photo finds its twin. So each sampled reference plays the query without the
nearer half of its siblings (`LEFT_OUT`), once with the others in the gallery, as a known thing, and once with
all of its product left out, as a thing that the catalogue lacks.

Measured on Grocery Store, gallery 2,640 training photos: how near the own product comes (a quarter, half and
three quarters of the queries come less near), and how often it is the first:

                                   one left out        half left out       validation photos
    models/base                    .93 .95 .97  99 %   .78 .84 .88  80 %   .74 .83 .89  77 %
    public MobileNetV1 1.0/224,
    with its projection            .78 .84 .88 100 %   .55 .62 .68  81 %   .51 .60 .68  77 %
    without                        .89 .92 .94  97 %   .74 .79 .82  16 %   .77 .81 .84  66 %

So the half is right where a projection was fitted on the photos, the usual case. Where neither projection nor
model knows them it is far too shy: photos of one day in one shop resemble each other whatever they show. And
where the model was trained on the very photos it may say nothing at all: of a later base every photo found a
sibling at .95, with and without the half, and new ones only at .82. Then what the model's description says of
new photos takes its place (`trusted`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from agent.core.calibration import DEFAULT_CALIBRATION, PRIOR, TAIL_SHARE, Calibration
from agent.core.evidence import WEIGHED
from agent.core.matching import SUPPORT, VIEW_BITS
from agent.core.others import usual_nearness
from agent.publishing.logistic import fit_choice, fit_logistic

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    Vectors = Callable[[NDArray[np.uint64]], NDArray[np.float32]]
    Rows = Callable[[NDArray[np.int64]], NDArray[np.float32]]
    Reals = NDArray[np.float64]

SAMPLE = 2_000
"""References that play the query. The curves have five numbers: at 2,000 they move by some per cent of
themselves between samples, which is less than between two days in a shop."""

LEFT_OUT = 0.5
"""Share of a picture's siblings, the nearest to it, that are no reference to it."""

LEAST_QUERIES = 20
LEAST_PRODUCTS = 5
"""Below these the default is the better guess."""

_BLOCK = 8_192  # references compared at once: 2,000 × 8,192 float32 are 64 MB
_DIGITS = 6


@dataclass(frozen=True, slots=True)
class _Asked:
    """What the queries found. Rows are queries; similarities are -1 where there is nothing."""

    own: Reals  # (N, SUPPORT) of the own product's nearest references that were left in, nearest first
    others: Reals  # (N, WEIGHED) of the nearest other products, nearest first
    support: Reals  # (N,) mean similarity of the nearest references of the nearest other product


def calibrate(keys: NDArray[np.uint64], vectors: Vectors) -> Calibration:
    """The numbers for a catalogue of references `keys` `(R,)`, ascending; `vectors(keys)` are their rows.

    The default ones where there are fewer than 5 products or 20 references whose product has another one.
    """
    products = keys >> np.uint64(VIEW_BITS)
    queries = _sample(products)
    count = len(np.unique(products))
    if len(queries) < LEAST_QUERIES or count < LEAST_PRODUCTS:
        return DEFAULT_CALIBRATION
    asked = np.concatenate([vectors(keys[part]) for part in np.array_split(queries, -(-len(queries) // 512))])
    own = _own(keys, products, queries, asked, vectors)
    found = _Asked(own, *_others(keys, products, products[queries], asked, vectors))
    source = f"{len(queries)} of {len(keys)} references of {count} products, half of the siblings left out"
    return _fitted(found, source)


def calibrate_on(
    photos: NDArray[np.float32],
    shown: NDArray[np.uint64],
    keys: NDArray[np.uint64],
    vectors: Vectors,
    source: str,
) -> Calibration:
    """The same, by photos that are no references: their rows `(N, d)`, and the products shown `(N,)`."""
    products = keys >> np.uint64(VIEW_BITS)
    own = np.full((len(photos), SUPPORT), -1.0)
    for product in np.unique(shown):
        here = np.flatnonzero(shown == product)
        start, stop = np.searchsorted(products, [product, product + np.uint64(1)])
        nearest = -np.sort(-(photos[here] @ vectors(keys[start:stop]).T), axis=1)[:, :SUPPORT]
        own[here, : nearest.shape[1]] = nearest
    return _fitted(_Asked(own, *_others(keys, products, shown, photos, vectors)), source)


_NAMELESS: Final = 0.1
"""Rate of wrong names half way from the usual picture to the reference itself, from which a fit is of no use.
Seven drawn products, two of them flavours of one thing, came to 0.6; ten that differ more to 0.02."""


def trusted(own: Calibration, model: Calibration | None, *, projected: bool) -> Calibration:
    """The numbers to use: `own`, fitted on the catalogue, or those of the model's description.

    The model's where the catalogue was too small to fit any, or to let anything be named; and where its
    pictures are nearer to each other than new ones come to what the model was trained on: then it was trained
    on these. Not with a projection, which makes other similarities.
    """
    if model is None or projected:
        return own
    near = (1 + own.nearest) / 2
    nameless = own.false_accept(own.evidence(near, 0.0, near), 1) > _NAMELESS
    return model if own == DEFAULT_CALIBRATION or own.nearest > model.nearest or nameless else own


def _fitted(found: _Asked, source: str) -> Calibration:
    count = len(found.own)
    known, unknown = _known(found), _unknown(found)
    outcome = np.repeat([True, False], count)
    bias, weights = fit_logistic(np.concatenate([known, unknown]), outcome, _weights(count))
    own, others = found.own[:, 0], found.others
    identity = fit_choice(own, others[:, : WEIGHED - 1])
    evidence = bias + unknown @ weights - PRIOR
    tail, fall = _tail(evidence)
    lead = identity * (others[:, 0] - np.maximum(own, others[:, 1]))
    rival_tail, rival_fall = _tail(np.where(others[:, 0] > own, lead, -np.inf))
    numbers = {
        "bias": bias,
        "similarity": weights[0],
        "margin": weights[1],
        "support": weights[2],
        "identity": identity,
        "unknown": evidence.mean(),
        "tail": tail,
        "fall": fall,
        "rival_tail": rival_tail,
        "rival_fall": rival_fall,
        "nearest": np.median(own),
    }
    rounded: dict[str, Any] = {name: round(float(value), _DIGITS) for name, value in numbers.items()}
    return Calibration(**rounded, source=source)


def usual_cosine(products: NDArray[np.uint64], rows: Rows) -> float:
    """The cosine of two photos of one product, in the middle of a sample; 0 where no product has two.

    `products` `(R,)` is the product of each reference, equal ones side by side; `rows(places)` are the raw
    embeddings `(N, D)` at places among them: looks are compared as the model sees them.
    """
    places = _sample(products)
    if len(places) == 0:
        return 0.0
    starts = np.searchsorted(products, products[places], side="left")
    counts = np.searchsorted(products, products[places], side="right") - starts
    # of another burst, if there is
    partners = starts + (places - starts + np.maximum(1, counts // 2)) % counts
    cosines = (rows(places) * rows(partners)).sum(axis=1)
    return round(float(np.clip(np.median(cosines), 0, _ALIKE_LIMIT)), _DIGITS)


def beside_others(own: Calibration, model: Calibration | None, rows: Rows, references: int) -> Calibration:
    """The same with the directions of what is no product, where the model's description has any.

    `rows(places)` as in `usual_cosine`: how near they come to those says from where nearness is unusual.
    """
    if model is None or not model.others or references == 0:
        return own
    places = np.linspace(0, references - 1, min(SAMPLE, references)).astype(np.int64)
    return replace(own, others=model.others, others_from=usual_nearness(rows(places), model.others))


_ALIKE_LIMIT = 0.95
"""Where all photos of a product are nearly the same, a look that is no nearer than this is new."""


def _weights(queries: int) -> Reals:
    """How many observations each query stands for: known things are `KNOWN_SHARE` of all."""
    share = 1 / (1 + np.exp(-PRIOR))
    return np.repeat([2 * share, 2 * (1 - share)], queries)


def _known(found: _Asked) -> Reals:
    """Similarity, margin and support `(N, 3)` of the best answer with the own product in the gallery."""
    own, best, second = found.own[:, 0], found.others[:, 0], found.others[:, 1]
    right = own > best
    nearest, rival = np.maximum(own, best), np.where(right, best, np.maximum(own, second))
    support = np.where(right, _mean(found.own), found.support)
    return np.stack([nearest, nearest - np.maximum(rival, 0), support], axis=1)


def _unknown(found: _Asked) -> Reals:
    """The same without it."""
    best, second = found.others[:, 0], found.others[:, 1]
    return np.stack([best, best - np.maximum(second, 0), found.support], axis=1)


def _mean(similarities: Reals) -> Reals:
    """Of those in each row that are there."""
    there = similarities > -1
    mean: Reals = np.where(there, similarities, 0).sum(axis=1) / np.maximum(there.sum(axis=1), 1)
    return mean


def _tail(values: Reals) -> tuple[float, float]:
    """Where the upper `TAIL_SHARE` of the values begins, and the mean of what they have beyond that.

    Values of -∞ are there but never high. Where fewer than that share are finite, the line that all of them
    make is drawn on to where that share would be.
    """
    ordered = np.sort(values)[::-1]
    finite = ordered[np.isfinite(ordered)]
    wanted = max(1, round(TAIL_SHARE * len(ordered)))
    if len(finite) > wanted:
        start = float(finite[wanted])
        fall = max(_LEAST_FALL, float((finite[:wanted] - start).mean()))
        alike = float(np.mean(ordered >= start))  # more than the share where many are the same
        return start + fall * max(0.0, float(np.log(alike / (TAIL_SHARE + 1 / len(ordered))))), fall
    fall = max(_LEAST_FALL, float(np.abs(finite).mean()) if len(finite) else 1.0)
    share = max(len(finite), 0.5) / len(ordered)  # half a query where none is: it cannot be told from none
    return fall * float(np.log(share / TAIL_SHARE)), fall


_LEAST_FALL = 0.05
"""Of a tail, natural log: what falls faster does so for want of pictures."""


def _sample(products: NDArray[np.uint64]) -> NDArray[np.int64]:
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
    keys: NDArray[np.uint64],
    products: NDArray[np.uint64],
    queries: NDArray[np.int64],
    asked: NDArray[np.float32],
    vectors: Vectors,
) -> Reals:
    """Similarities `(N, SUPPORT)` to the nearest of the siblings that are left in."""
    own = np.full((len(queries), SUPPORT), -1.0)
    for product in np.unique(products[queries]):
        here = np.flatnonzero(products[queries] == product)
        start, stop = np.searchsorted(products, [product, product + np.uint64(1)])
        similarities = asked[here] @ vectors(keys[start:stop]).T
        similarities[np.arange(len(here)), queries[here] - start] = 2  # itself, the first to be left out
        ordered = -np.sort(-similarities, axis=1)[:, 1:]
        kept = ordered[:, int(LEFT_OUT * ordered.shape[1]) :][:, :SUPPORT]
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
