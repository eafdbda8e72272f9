"""Fits what similarities of a catalogue are worth, on the catalogue itself: see core/calibration.py.

Measured on Grocery Store, gallery 2,640 training photos: how near the own product comes (a quarter, half and
three quarters of the queries come less near), and how often it is the first:

                                   one left out        half left out       validation photos
    an early models/base           .93 .95 .97  99 %   .78 .84 .88  80 %   .74 .83 .89  77 %
    public MobileNetV1 1.0/224,
    with its projection            .78 .84 .88 100 %   .55 .62 .68  81 %   .51 .60 .68  77 %
    without                        .89 .92 .94  97 %   .74 .79 .82  16 %   .77 .81 .84  66 %

So leaving out the nearer half (publishing/asked.py) is right where a projection was fitted on the photos, the
usual case. Where neither projection nor model knows them it is far too shy: photos of one day in one shop
resemble each other whatever they show. And where the model was trained on the very photos, or they are studio
pictures that differ in little, they say nothing of new ones: of a later base every photo found a sibling at
.95, with and without the half, and new ones only at .82.

What pictures of *other* products say holds all the same. How near the nearest product came to those that the
catalogue lacks, mean and what 5 % exceed, by its references, in truth, and on the model's own photos:

    the next models/base                by references    in truth      photos of the description
    24 cartons, eight studio pictures        .50 .62     .48 .64       .57 .79
    10 packages, seven pictures              .47 .65     .51 .68       .57 .79
    photos trained on                        .53 .76     .57 .79       .57 .79

So the description says how near new photos come to their own product, and how much nearer to others than
those trained on (.04), and the catalogue where its products lie, as far as they are many (`STRANGERS`). Of
200 cartons on a belt 85 were named by picture and barcode both in place of 56 by the description's numbers
alone. On Grocery Store, of 20 products left out twelve times over, numbers cross-validated: 1.4 % of the
unknown and 44 % of the known named at 0.01 (1.3 and 40), calibration error .042 and .038 (.039 and .047); of
five photos 1.5 and 60 % (2.3 and 59), .046 and .054 (.060 and .059).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from agent.core.calibration import DEFAULT_CALIBRATION, PRIOR, TAIL_SHARE, Calibration
from agent.core.evidence import WEIGHED
from agent.core.matching import VIEW_BITS
from agent.core.model_spec import NewPhotos
from agent.core.others import usual_nearness
from agent.publishing.asked import SAMPLE, Asked, ask_references, sample
from agent.publishing.logistic import fit_choice, fit_logistic

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from agent.core.model_spec import ModelSpec

    Vectors = Callable[[NDArray[np.uint64]], NDArray[np.float32]]
    Rows = Callable[[NDArray[np.int64]], NDArray[np.float32]]
    Reals = NDArray[np.float64]

LEAST_QUERIES = 20
LEAST_PRODUCTS = 5
"""Below these the default is the better guess."""

QUANTILES = 11
"""Of how near new photos come, the least and the most among them."""

_DIGITS = 6


def calibrate(
    keys: NDArray[np.uint64], vectors: Vectors, model: ModelSpec | None = None, *, projected: bool = False
) -> Calibration:
    """The numbers for a catalogue of references `keys` `(R,)`, ascending; `vectors(keys)` are their rows.

    By the catalogue alone where nothing is known of its `model`, and where its vectors are `projected`, which
    makes other similarities. Otherwise, where its pictures are nearer to each other than new ones come to
    what the model was trained on, they say nothing of new ones, be it that it was trained on these or that
    they are all of one kind: then how near new ones come is taken from the model's description, and how far
    products lie apart from the catalogue. The numbers of the description itself stand in where the catalogue
    has fewer than 5 products or 20 references whose product has another one, and where it would let nothing
    be named; without a description, the default ones.
    """
    expected = None if model is None or projected else model.calibration
    products = keys >> np.uint64(VIEW_BITS)
    queries, count = len(sample(products)), len(np.unique(products))
    if queries < LEAST_QUERIES or count < LEAST_PRODUCTS:
        return expected or DEFAULT_CALIBRATION
    found = ask_references(keys, vectors)
    source = f"{queries} of {len(keys)} references of {count} products, half of the siblings left out"
    if model is None or expected is None:
        return _fitted(found, found, source)
    new = model.new_photos
    if round(found.nearest, _DIGITS) > expected.nearest:
        if new is None:
            return expected
        found = found.as_new(new)
        source += ", as near as new photos of the model come"
    own = _fitted(found, found.as_lacking(new) if new else found, source)
    return expected if _is_nameless(own) else own


def calibrate_on(found: Asked, source: str) -> Calibration:
    """The same by photos that are no references, see `ask_photos`; they are what new ones are like."""
    return _fitted(found, found, source)


def new_photos(found: Asked, usual: Asked) -> NewPhotos:
    """What is new in photos `found` against the references that played the query, `usual`."""
    shares = np.linspace(0, 1, QUANTILES)
    own, others = (
        tuple(np.quantile(each[:, 0], shares).round(_DIGITS).tolist()) for each in (found.own, found.others)
    )
    nearer = float(found.others[:, 0].mean() - usual.others[:, 0].mean())
    return NewPhotos(own=own, others=others, nearer=round(max(0.0, nearer), _DIGITS))


_NAMELESS: Final = 0.1
"""Rate of wrong names half way from the usual picture to the reference itself, from which a fit is of no use.
Seven drawn products, two of them flavours of one thing, came to 0.6; ten that differ more to 0.02."""


def _is_nameless(own: Calibration) -> bool:
    near = (1 + own.nearest) / 2
    return own.false_accept(own.evidence(near, 0.0, near), 1) > _NAMELESS


def _fitted(found: Asked, lacking: Asked, source: str) -> Calibration:
    """By what the queries found as known things, and as `lacking` ones: the same, as far as these go."""
    count = len(found.own)
    known, unknown = _known(found), _unknown(lacking)
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
        "nearest": found.nearest,
    }
    rounded: dict[str, Any] = {name: round(float(value), _DIGITS) for name, value in numbers.items()}
    return Calibration(**rounded, source=source)


def usual_cosine(products: NDArray[np.uint64], rows: Rows) -> float:
    """The cosine of two photos of one product, in the middle of a sample; 0 where no product has two.

    `products` `(R,)` is the product of each reference, equal ones side by side; `rows(places)` are the raw
    embeddings `(N, D)` at places among them: looks are compared as the model sees them.
    """
    places = sample(products)
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


def through_haze(own: Calibration, model: Calibration | None) -> Calibration:
    """The same with what the model's description says of looks that lack detail; without it, nothing of them.

    Where references of several sizes are in the catalogue small looks find those: the error of the table in
    core/haze.py at 40 pixels is 0.083 then, and 0.080 with haze. A projection makes other similarities.
    """
    if model is None:
        return replace(own, full=0.0, flatter=0.0, raised=0.0)
    return replace(own, full=model.full, flatter=model.flatter, raised=model.raised)


_ALIKE_LIMIT = 0.95
"""Where all photos of a product are nearly the same, a look that is no nearer than this is new."""


def _weights(queries: int) -> Reals:
    """How many observations each query stands for: known things are `KNOWN_SHARE` of all."""
    share = 1 / (1 + np.exp(-PRIOR))
    return np.repeat([2 * share, 2 * (1 - share)], queries)


def _known(found: Asked) -> Reals:
    """Similarity, margin and support `(N, 3)` of the best answer with the own product in the gallery."""
    own, best, second = found.own[:, 0], found.others[:, 0], found.others[:, 1]
    right = own > best
    nearest, rival = np.maximum(own, best), np.where(right, best, np.maximum(own, second))
    support = np.where(right, _mean(found.own), found.support)
    return np.stack([nearest, nearest - np.maximum(rival, 0), support], axis=1)


def _unknown(found: Asked) -> Reals:
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
