"""Compares a picture with references of a few products that it may show.

    points     how well the points of the picture are found again in a product's references, wherever they lie
    layout     how many of them lie there as on one flat side seen from elsewhere
    tint       which of two products the picture is nearer to in colour, in the places where these differ
    detail     … and in drawing: a word, a picture
    palette    how alike the colours are that cover the middle of the picture

For tint and detail the picture and both references are laid over each other (core/between.py), so that what
the packages have in common does not count. Each is a difference between two products: above 0 speaks for the
first. What each is worth is another matter, see core/second_look.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations
from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

from agent.core.between import PICTURE_PX, Laid, apart, between, straightened
from agent.core.local_features import ASKED_POINTS, LocalFeatures, describe, distances

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Matrix = NDArray[np.float64]
    Pixels = NDArray[np.uint8]
    Places = NDArray[np.float32]

MEASURES: Final = ("points", "layout", "tint", "detail", "palette")

_NEAR: Final = 0.7
"""Squared distance from which two points have nothing in common: the nearest of 1,000 points of other
products is on average this far away."""

_MIDDLE: Final = 4.0
"""How much less a point counts outside the middle: at the edge of the picture e^-1, in a corner e^-2."""

_POINTS_SCALE: Final = 5.0  # of the sum over points, so that all measures are about 1
_RATIO: Final = 0.85**2  # the nearest point of a reference is so much nearer than its second
_SHARED: Final = 1.0
"""Most that points say between two products that were laid over each other. Nearly all points lie on what the
packages share, and are nearer in references that happen to be taken as the picture was: of flavours that
differ in a word 8 px high they spoke for the wrong one by up to 3.4, more than what a planogram expects."""
_TOLERANCE: Final = 0.035  # of a picture's side, between where a point lies and where it should
_LEAST_PAIRS: Final = 4  # an affine map takes three; by chance four or five fit one
_ROUNDS: Final = 300
_TRIED: Final = 2  # references per product whose layout is looked at: those with most pairs
_PERSPECTIVE: Final = 12  # pairs from which a perspective is worth more than an affine map
_LEAST_OVERLAID: Final = 7  # pairs from which a layout is one: a map that is wrong shows other places
_LEAST_AREA: Final = 0.05  # of a thing in the one picture to that in the other
_BENT: Final = 0.5  # what perspective may change of a matrix
_WIDER: Final = 3.0  # times the part with shared points: where references differ there are none
_AROUND: Final = 31  # pixels around the points of a reference belong to it
_GRID: Final = 4  # the palette is of so many by so many parts, each with its own histogram
_BINS: Final = (12, 4)  # of hue and saturation
_BIN_OF_HUE: Final = np.arange(256) * _BINS[0] // 180 * _BINS[1]
_BIN_OF_SATURATION: Final = np.arange(256) * _BINS[1] // 256


@dataclass(frozen=True, slots=True, eq=False)
class Reference:
    """One picture of a product."""

    key: int
    features: LocalFeatures
    picture: Pixels  # (PICTURE_PX, PICTURE_PX, 3) uint8 BGR, whatever the shape of the original


@dataclass(frozen=True, slots=True, eq=False)
class Query:
    """What is asked about, prepared once for all products."""

    features: LocalFeatures
    picture: Pixels  # twice as large as those of references: the product may fill half of it


@dataclass(frozen=True, slots=True, eq=False)
class _Fit:
    """How a reference lies in the picture."""

    reference: Reference
    before: Places  # of the points that fit, in the reference
    after: Places  # … in the picture
    affine: Matrix | None  # (2, 3) from the ones to the others

    @property
    def inliers(self) -> int:
        """Points that fit."""
        return len(self.before)


def query_of(picture: Pixels) -> Query:
    """Of a picture, `(H, W, 3)` uint8 BGR. 15 ms: half or more of what a closer look costs."""
    return Query(describe(picture, ASKED_POINTS), small(picture, 2 * PICTURE_PX))


def small(picture: Pixels, side: int = PICTURE_PX) -> Pixels:
    """The picture in `side` × `side` pixels."""
    return np.asarray(cv2.resize(picture, (side, side), interpolation=cv2.INTER_AREA), np.uint8)


def compare(query: Query, products: Sequence[Sequence[Reference]]) -> NDArray[np.float64]:
    """Every product against every other: `(n, n, len(MEASURES))`, `[i, j] == -[j, i]`.

    0 where nothing is known. Products without references are compared with nobody.
    """
    count = len(products)
    points, layout, palette = np.zeros(count), np.zeros(count), np.zeros(count)
    found: list[_Fit | None] = [None] * count
    colours = _palette(query.picture)
    for number, references in enumerate(products):
        if not references:
            continue
        points[number], found[number] = _found_again(query.features, references)
        fit = found[number]
        layout[number] = np.log1p(max(0, fit.inliers - _LEAST_PAIRS)) if fit else 0.0
        palette[number] = max(_alike(colours, _palette_of(reference)) for reference in references)
    measures = np.zeros((count, count, len(MEASURES)))
    held = np.array([bool(references) for references in products], bool)
    for place, values in ((0, points), (1, layout), (4, palette)):
        measures[:, :, place] = (values[:, None] - values) * (held[:, None] & held)
    measures[:, :, 2:4] = _laid_over(query, found, products)
    overlaid = measures[:, :, 2:4].any(axis=2)
    measures[overlaid, 0] = measures[overlaid, 0].clip(-_SHARED, _SHARED)
    return measures


def _found_again(seen: LocalFeatures, references: Sequence[Reference]) -> tuple[float, _Fit | None]:
    """How well the points are found in all references together, and how the best one of these lies there."""
    rows = np.concatenate([reference.features.rows for reference in references])
    if not (len(seen) and len(rows)):
        return 0.0, None
    squares = distances(seen, rows)
    off = seen.places - 0.5
    weight = np.exp(-_MIDDLE * (off * off).sum(axis=1))
    total = float(weight @ np.maximum(0, _NEAR - squares.min(axis=1))) / _POINTS_SCALE
    pairings, start = [], 0
    for reference in references:
        stop = start + len(reference.features)
        pairings.append((_pairs(squares[:, start:stop]), reference))
        start = stop
    pairings.sort(key=lambda item: -len(item[0]))
    best = None
    for pairs, reference in pairings[:_TRIED]:
        if best is not None and len(pairs) <= best.inliers:
            break  # it cannot lie there more surely
        fit = _fit(seen, reference, pairs)
        if best is None or fit.inliers > best.inliers:
            best = fit
    return total, best


def _pairs(squares: NDArray[np.float32]) -> NDArray[np.intp]:
    """`(p, 2)`: which points are each other's nearest, and nearer than the second nearest by far."""
    if squares.shape[1] < 2 or squares.shape[0] < 2:
        return np.empty((0, 2), np.intp)
    two = np.partition(squares, 1, axis=1)[:, :2]
    nearest, back = squares.argmin(axis=1), squares.argmin(axis=0)
    here = np.arange(len(squares))
    good = (back[nearest] == here) & (two[:, 0] < _RATIO * two[:, 1])
    return np.stack([here[good], nearest[good]], axis=1)


def _fit(seen: LocalFeatures, reference: Reference, pairs: NDArray[np.intp]) -> _Fit:
    before, after = reference.features.places[pairs[:, 1]], seen.places[pairs[:, 0]]
    return _Fit(reference, *_map(before, after))


def _map(before: Places, after: Places) -> tuple[Places, Places, Matrix | None]:
    """Those of these places that fit one flat thing seen twice, and the map from the one to the other."""
    none = before[:0], after[:0], None
    if len(before) < _LEAST_PAIRS:
        return none
    matrix, good = cv2.estimateAffine2D(
        before, after, ransacReprojThreshold=_TOLERANCE, maxIters=_ROUNDS, confidence=0.99
    )
    if matrix is None or not np.isfinite(matrix).all():
        return none
    if not _LEAST_AREA < abs(np.linalg.det(matrix[:, :2])) < 1 / _LEAST_AREA:
        return none
    chosen = good.ravel().astype(bool)
    return before[chosen], after[chosen], np.asarray(matrix, np.float64)


def _bent(before: Places, after: Places, affine: Matrix) -> Matrix:
    """The map as a `(3, 3)` matrix, with perspective where enough places say which."""
    whole = np.vstack([affine, (0, 0, 1)])
    if len(before) >= _PERSPECTIVE:
        bent, _ = cv2.findHomography(before, after, 0)
        if bent is not None and np.isfinite(bent).all() and np.abs(bent - whole).max() < _BENT:
            return np.asarray(bent, np.float64)
    return whole


def _laid_over(
    query: Query, found: Sequence[_Fit | None], products: Sequence[Sequence[Reference]]
) -> NDArray[np.float64]:
    """Tint and detail of every product against every other, `(n, n, 2)`.

    The reference that lies in the picture most surely is the frame: picture and rivals are laid over it.
    """
    measures = np.zeros((len(products), len(products), 2))
    surest = max((fit for fit in found if fit), key=lambda fit: fit.inliers, default=None)
    if surest is None or surest.affine is None or surest.inliers < _LEAST_OVERLAID:
        return measures
    seen = straightened(query.picture, _bent(surest.before, surest.after, surest.affine))
    frame = surest.reference
    shown = {
        number: (frame,) if fit is surest else tuple(references)
        for number, (fit, references) in enumerate(zip(found, products, strict=True))
        if fit is not None
    }
    laid = {number: here for number, references in shown.items() if (here := _laid(frame, references))}
    for one, other in combinations(laid, 2):
        measures[one, other] = between(seen, laid[one], laid[other], _apart(laid[one], laid[other]))
        measures[other, one] = -measures[one, other]
    return measures


@lru_cache(maxsize=128)  # rivals meet again and again: 0.1 MB each, and the references of 128 products
def _laid(frame: Reference, references: tuple[Reference, ...]) -> Laid | None:
    """The one of these that shows the same side as the frame, laid over it."""
    if references == (frame,):
        return straightened(frame.picture, np.eye(3))
    return _counterpart(frame, references)


_apart = lru_cache(maxsize=128)(apart)
"""By the pictures that `_laid` keeps: 4 KB each beside these."""


def _counterpart(one: Reference, others: tuple[Reference, ...]) -> Laid | None:
    pairs = [_pairs(distances(one.features, other.features.rows)) for other in others]
    best = max(range(len(others)), key=lambda number: len(pairs[number]))
    here, there, affine = _map(
        one.features.places[pairs[best][:, 0]], others[best].features.places[pairs[best][:, 1]]
    )
    if affine is None or len(here) < _LEAST_OVERLAID:
        return None
    laid = straightened(others[best].picture, _bent(here, there, affine))
    shared = cv2.convexHull(here).reshape(-1, 2)
    wide = shared.mean(axis=0) + _WIDER * (shared - shared.mean(axis=0))
    common = laid.inside
    for places in (wide, cv2.convexHull(one.features.places).reshape(-1, 2)):
        area = np.zeros((PICTURE_PX, PICTURE_PX), np.uint8)
        cv2.fillConvexPoly(area, np.rint(places * PICTURE_PX).astype(np.int32), 1)
        common = common & cv2.dilate(area, np.ones((_AROUND, _AROUND), np.uint8)).astype(bool)
    return Laid(laid.lab, common)


@lru_cache(maxsize=256)  # 1 KB each
def _palette_of(reference: Reference) -> NDArray[np.float32]:
    return _palette(reference.picture)


def _palette(picture: Pixels) -> NDArray[np.float32]:
    """Square roots of the shares of hue and saturation in parts of the picture, the middle counting most."""
    hsv = cv2.cvtColor(small(picture), cv2.COLOR_BGR2HSV)
    bins = _BIN_OF_HUE[hsv[:, :, 0]] + _BIN_OF_SATURATION[hsv[:, :, 1]]
    side, most = PICTURE_PX // _GRID, _BINS[0] * _BINS[1]
    parts = bins.reshape(_GRID, side, _GRID, side) + most * np.arange(_GRID**2).reshape(_GRID, 1, _GRID, 1)
    rows = np.bincount(parts.ravel(), minlength=most * _GRID**2).reshape(_GRID**2, most) / side**2
    middle = np.abs(np.arange(_GRID) - (_GRID - 1) / 2)
    weight = np.exp(-0.5 * (middle[:, None] ** 2 + middle**2)).ravel()
    return np.asarray(np.sqrt(rows * (weight / weight.sum())[:, None]), np.float32).ravel()


def _alike(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    """Bhattacharyya's coefficient in [0, 1], stretched: 0.5 to 0.9 are usual."""
    return 5.0 * float(one @ other)
