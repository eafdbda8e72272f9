"""Compares a picture with references of a few products that it may show, by what can be measured, not learned.

    points     how well the points of the picture are found again in a product's references, wherever they lie
    layout     how many of them lie there as on one flat side seen from elsewhere
    overlay    which of two products the picture is nearer to in colour, in the places where these differ: both
               references are laid over the picture, so that the rest of the package does not count
    palette    how alike the colours are that cover the middle of the picture

Each is a difference between two products: above 0 speaks for the first. What each is worth is another matter,
see core/second_look.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

from agent.core.local_features import LocalFeatures, describe, distances

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Matrix = NDArray[np.float64]
    Pixels = NDArray[np.uint8]
    Lab = NDArray[np.float32]
    Places = NDArray[np.float32]

MEASURES: Final = ("points", "layout", "overlay", "detail", "palette")

PICTURE_PX: Final = 160
"""Sides of the small pictures that are laid over each other: a word is some pixels of them, noise is less
than one."""

_NEAR: Final = 0.7
"""Squared distance from which two points have nothing in common: the nearest of 1,000 points of other
products is on average this far away."""

_MIDDLE: Final = 4.0
"""How much less a point counts that is not in the middle: at the edge of the picture e^-1, in a corner e^-2."""

_POINTS_SCALE: Final = 5.0  # of the sum over points, so that all measures are about 1
_RATIO: Final = 0.85**2  # the nearest point of a reference is so much nearer than its second
_TOLERANCE: Final = 0.035  # of a picture's side, between where a point lies and where it should
_LEAST_PAIRS: Final = 4  # an affine map takes three; by chance four or five fit one
_ROUNDS: Final = 300
_TRIED: Final = 2  # references per product whose layout is looked at: those with most pairs
_PERSPECTIVE: Final = 12  # pairs from which a perspective is worth more than an affine map
_LEAST_OVERLAID: Final = 7  # pairs from which a layout is one: a map that is wrong shows other places
_LEAST_AREA: Final = 0.05  # of a thing in the one picture to that in the other
_BENT: Final = 0.5  # what perspective may change of a matrix
_DIFFERENT: Final = 12.0  # levels of Lab: more than light and JPEG make of the same thing
_WIDER: Final = 9  # pixels around the points that two references share belong to what both show, too
_FAR: Final = 60.0  # levels of Lab from which a pixel counts no more than others
_LEAST_DIFFERENT: Final = 12  # pixels: fewer are noise
_LEAST_INSIDE: Final = 0.05  # of a reference must be seen
_SPOT: Final = 7  # pixels that are taken together as one colour
_BLOCK: Final = 16
_STRIDE: Final = 8
_CONTRAST: Final = 6.0  # levels within a block that shows something
_SAME_DRAWING: Final = 0.96
_PARTS: Final = 8  # that differ are compared: those that differ most
_LOOSE: Final = 3  # pixels by which a map may be wrong
_GRID: Final = 4  # the palette is of so many by so many parts, each with its own histogram
_BINS: Final = (12, 4)  # of hue and saturation


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
    inliers: int
    matrix: Matrix | None  # (3, 3) from places in the reference to places in the picture


def query_of(picture: Pixels) -> Query:
    """Of a picture, `(H, W, 3)` uint8 BGR. 16 ms: nearly all that a second look costs."""
    return Query(describe(picture), small(picture, 2 * PICTURE_PX))


def small(picture: Pixels, side: int = PICTURE_PX) -> Pixels:
    """The picture in `side` × `side` pixels."""
    return np.asarray(cv2.resize(picture, (side, side), interpolation=cv2.INTER_AREA), np.uint8)


def compare(query: Query, products: Sequence[Sequence[Reference]]) -> NDArray[np.float64]:
    """Every product against every other: `(n, n, len(MEASURES))`, `[i, j] == -[j, i]`, 0 where nothing is known.

    Products without references are compared with nobody.
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
    held = np.array([bool(references) for references in products])
    for place, values in ((0, points), (1, layout), (4, palette)):
        measures[:, :, place] = (values[:, None] - values) * (held[:, None] & held)
    measures[:, :, 2:4] = _overlays(query, found, products)
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
    mapped = _map(reference.features.places[pairs[:, 1]], seen.places[pairs[:, 0]])
    return _Fit(reference, int(mapped[0].sum()), mapped[1]) if mapped else _Fit(reference, 0, None)


def _map(before: Places, after: Places) -> tuple[NDArray[np.bool_], Matrix] | None:
    """Which of these places fit one flat thing seen twice, and the matrix from the one to the other."""
    if len(before) < _LEAST_PAIRS:
        return None
    matrix, good = cv2.estimateAffine2D(
        before, after, ransacReprojThreshold=_TOLERANCE, maxIters=_ROUNDS, confidence=0.99
    )
    if matrix is None or not np.isfinite(matrix).all():
        return None
    if not _LEAST_AREA < abs(np.linalg.det(matrix[:, :2])) < 1 / _LEAST_AREA:
        return None
    whole = np.vstack([matrix, (0, 0, 1)])
    chosen = good.ravel().astype(bool)
    if chosen.sum() >= _PERSPECTIVE:
        bent, _ = cv2.findHomography(before[chosen], after[chosen], 0)
        if bent is not None and np.isfinite(bent).all() and np.abs(bent - whole).max() < _BENT:
            whole = bent
    return chosen, whole


def _overlays(
    query: Query, found: Sequence[_Fit | None], products: Sequence[Sequence[Reference]]
) -> NDArray[np.float64]:
    """Overlay and detail of every product against every other, `(n, n, 2)`.

    The reference that lies in the picture most surely is the frame: picture and rivals are laid over it.
    """
    measures = np.zeros((len(products), len(products), 2))
    surest = max((fit for fit in found if fit), key=lambda fit: fit.inliers, default=None)
    if surest is None or surest.matrix is None or surest.inliers < _LEAST_OVERLAID:
        return measures
    seen = _straightened(query.picture, surest.matrix)
    laid: dict[int, tuple[Lab, NDArray[np.bool_]]] = {}
    for number, references in enumerate(products):
        fit = found[number]
        if fit is surest:
            here = _straightened(surest.reference.picture, np.eye(3))
            laid[number] = here, np.ones(here.shape[:2], bool)
        elif fit is not None:
            rival, matrix, common = _counterpart(surest.reference, tuple(references))
            if matrix is not None:
                laid[number] = _straightened(rival.picture, matrix), common
    for one in laid:
        for other in laid:
            if one < other:
                measures[one, other] = _nearer(
                    seen, laid[one][0], laid[other][0], laid[one][1] & laid[other][1]
                )
                measures[other, one] = -measures[one, other]
    return measures


@lru_cache(maxsize=128)  # rivals meet again and again; as much as 128 products in memory, 20 MB
def _counterpart(
    one: Reference, others: tuple[Reference, ...]
) -> tuple[Reference, Matrix | None, NDArray[np.bool_]]:
    """Which of the others shows the same side, how it lies (one → other), and the part of the one in both."""
    pairs = [_pairs(distances(one.features, other.features.rows)) for other in others]
    best = max(range(len(others)), key=lambda number: len(pairs[number]))
    here, there = one.features.places[pairs[best][:, 0]], others[best].features.places[pairs[best][:, 1]]
    common = np.zeros((PICTURE_PX, PICTURE_PX), np.uint8)
    mapped = _map(here, there)
    if mapped is None or mapped[0].sum() < _LEAST_OVERLAID:
        return others[best], None, common.astype(bool)
    hull = cv2.convexHull(here[mapped[0]] * PICTURE_PX)
    cv2.fillConvexPoly(common, np.rint(hull).astype(np.int32), 1)
    return others[best], mapped[1], cv2.dilate(common, np.ones((_WIDER, _WIDER), np.uint8)).astype(bool)


def _straightened(picture: Pixels, matrix: Matrix) -> NDArray[np.float32]:
    """The picture as a reference shows it, of whose places `matrix` makes places in the picture.

    `(PICTURE_PX, PICTURE_PX, 3)` Lab; NaN where the picture ends.
    """
    height, width = picture.shape[:2]
    there = np.array([(width, 0, -0.5), (0, height, -0.5), (0, 0, 1)])
    here = np.array([(1 / PICTURE_PX, 0, 0.5 / PICTURE_PX), (0, 1 / PICTURE_PX, 0.5 / PICTURE_PX), (0, 0, 1)])
    lab = cv2.GaussianBlur(cv2.cvtColor(picture, cv2.COLOR_BGR2LAB), (3, 3), 0).astype(np.float32)
    seen = cv2.warpPerspective(
        lab,
        there @ matrix @ here,
        (PICTURE_PX, PICTURE_PX),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=(np.nan, np.nan, np.nan),
    )
    return np.asarray(seen, np.float32)


def _nearer(seen: Lab, one: Lab, other: Lab, common: NDArray[np.bool_]) -> tuple[float, float]:
    """Where a picture lies between two others in the places in which these differ: -1 the other, 1 the one.

    The first number is of the colours pixel by pixel, the second of the drawing of the parts around them,
    each looked for nearby: words are lost where a map is a pixel off.
    """
    inside = common & np.isfinite(seen + one + other).all(axis=2)
    if inside.sum() < _LEAST_INSIDE * inside.size:
        return 0.0, 0.0
    seen, one, other = (np.nan_to_num(each) for each in (seen, one, other))
    other = _in_light_of(other, one, inside)
    apart = np.linalg.norm(one - other, axis=2)
    alike = inside & (apart <= np.median(apart[inside]))
    other = _in_light_of(other, one, alike)
    seen = _in_light_of(seen, (one + other) / 2, alike)
    return _coloured_like(seen, one, other, inside), _drawn_like(seen, one, other, inside)


def _coloured_like(seen: Lab, one: Lab, other: Lab, inside: NDArray[np.bool_]) -> float:
    """Over the places in which the two have another colour: where the picture's lies on the way between."""
    way = cv2.blur(one - other, (_SPOT, _SPOT))
    differ = inside & (np.linalg.norm(way, axis=2) > _DIFFERENT)
    if differ.sum() < _LEAST_DIFFERENT:
        return 0.0
    off = cv2.blur(seen - (one + other) / 2, (_SPOT, _SPOT))[differ]
    way = way[differ]
    length = np.einsum("nc,nc->n", way, way)
    along = np.clip(2 * np.einsum("nc,nc->n", off, way) / length, -1.5, 1.5)
    return float(np.average(along, weights=np.minimum(length, _FAR**2)) / 1.5)


def _drawn_like(seen: Lab, one: Lab, other: Lab, inside: NDArray[np.bool_]) -> float:
    """Over the blocks in which the two are drawn otherwise: how much nearer the picture's drawing is to one."""
    worst = []
    for y, x in _blocks():
        here = slice(y, y + _BLOCK), slice(x, x + _BLOCK)
        if (
            not inside[here].all()
            or max(float(one[here].std(axis=(0, 1)).max()), float(other[here].std(axis=(0, 1)).max()))
            < _CONTRAST
        ):
            continue
        worst.append((min(_likeness(one[here], other, y, x), _likeness(other[here], one, y, x)), y, x))
    worst = [each for each in sorted(worst)[:_PARTS] if each[0] < _SAME_DRAWING]
    total = 0.0
    for _, y, x in worst:
        here = slice(y, y + _BLOCK), slice(x, x + _BLOCK)
        total += _likeness(one[here], seen, y, x) - _likeness(other[here], seen, y, x)
    return float(np.clip(total / sum(1 - each[0] for each in worst), -1.5, 1.5)) if worst else 0.0


def _blocks() -> list[tuple[int, int]]:
    starts = range(_LOOSE, PICTURE_PX - _BLOCK - _LOOSE + 1, _STRIDE)
    return [(y, x) for y in starts for x in starts]


def _likeness(block: Lab, picture: Lab, y: int, x: int) -> float:
    """Correlation of a block with a picture, where it is best near its place."""
    window = picture[y - _LOOSE : y + _BLOCK + _LOOSE, x - _LOOSE : x + _BLOCK + _LOOSE]
    found = float(cv2.matchTemplate(window, block, cv2.TM_CCOEFF_NORMED).max())
    return found if -1 <= found <= 1 else 0.0


def _in_light_of(colours: Lab, those: Lab, where: NDArray[np.bool_]) -> Lab:
    """Colours as they would be in the light of others: lightness by gain and offset, a and b by an offset."""
    out = colours.copy()
    out[:, :, 1:] += np.median((those - colours)[where][:, 1:], axis=0)
    x, y = colours[where][:, 0], those[where][:, 0]
    spread = float(x.std())
    gain = float(np.clip(np.cov(x, y)[0, 1] / spread**2, 0.5, 2.0)) if spread > 1 else 1.0
    out[:, :, 0] = (colours[:, :, 0] - x.mean()) * gain + y.mean()
    return out


@lru_cache(maxsize=256)  # 1 KB each
def _palette_of(reference: Reference) -> NDArray[np.float32]:
    return _palette(reference.picture)


def _palette(picture: Pixels) -> NDArray[np.float32]:
    """Square roots of the shares of hue and saturation in parts of the picture, the middle counting most."""
    hsv = cv2.cvtColor(small(picture), cv2.COLOR_BGR2HSV)
    hue = hsv[:, :, 0].astype(int) * _BINS[0] // 180
    bins = hue * _BINS[1] + hsv[:, :, 1].astype(int) * _BINS[1] // 256
    side = PICTURE_PX // _GRID
    parts = bins.reshape(_GRID, side, _GRID, side).swapaxes(1, 2).reshape(_GRID**2, -1)
    rows = np.stack([np.bincount(part, minlength=_BINS[0] * _BINS[1]) for part in parts]) / side**2
    middle = np.abs(np.arange(_GRID) - (_GRID - 1) / 2)
    weight = np.exp(-0.5 * (middle[:, None] ** 2 + middle**2)).ravel()
    return np.asarray(np.sqrt(rows * (weight / weight.sum())[:, None]), np.float32).ravel()


def _alike(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    """Bhattacharyya's coefficient in [0, 1], stretched: 0.5 to 0.9 are usual."""
    return 5.0 * float(one @ other)
