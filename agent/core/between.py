"""Where a picture lies between two others that are laid over it, in the places in which these two differ.

The places come from the two themselves, so that a band of another colour or another word is found by itself,
and light and focus, which change the whole picture, say nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Lab = NDArray[np.float32]
    """Lightness, a and b, `(…, 3)`."""

    Drawing = NDArray[np.float32]
    """Lightness alone, `(PICTURE_PX, PICTURE_PX)`. Of 292 errors at the drawn flavours of four shops 67 were
    left by it and 68 by all three, at three times the cost; what has another colour is seen elsewhere."""

PICTURE_PX: Final = 160
"""Sides of the small pictures that are laid over each other: a word is some pixels of them, noise is less
than one."""

_DIFFERENT: Final = 12.0  # levels of Lab: more than light and JPEG make of the same thing
_FAR: Final = 60.0  # levels of Lab from which a pixel counts no more than others
_LEAST_DIFFERENT: Final = 12  # pixels: fewer are noise
_LEAST_INSIDE: Final = 0.05  # of a reference must be seen
_SPOT: Final = 7  # pixels that are taken together as one colour
_BLOCK: Final = 16
_STRIDE: Final = 8
_CONTRAST: Final = 6.0  # levels within a block that shows something
_SAME_DRAWING: Final = 0.98
_SUSPECTS: Final = 10  # blocks that are looked for nearby; with 16 as many errors of 238 were left
_SOME: Final = slice(None, None, 3), slice(None, None, 3)  # pixels that say what the light is
_PARTS: Final = 8  # that differ are compared: those that differ most
_LOOSE: Final = 3  # pixels by which a map may be wrong
_WARP: Final = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP  # outside is 0


@dataclass(frozen=True, slots=True, eq=False)
class Laid:
    """A picture as a reference shows it."""

    lab: NDArray[np.uint8]  # (PICTURE_PX, PICTURE_PX, 3) lightness, a and b
    inside: NDArray[np.bool_]  # (PICTURE_PX, PICTURE_PX): where it shows the same side


def straightened(picture: NDArray[np.uint8], matrix: NDArray[np.float64]) -> Laid:
    """The picture, `(H, W, 3)` uint8 BGR, as a reference shows it, its places made by `matrix`."""
    height, width = picture.shape[:2]
    there = np.array([(width, 0, -0.5), (0, height, -0.5), (0, 0, 1)])
    here = np.array([(1 / PICTURE_PX, 0, 0.5 / PICTURE_PX), (0, 1 / PICTURE_PX, 0.5 / PICTURE_PX), (0, 0, 1)])
    whole, size = there @ matrix @ here, (PICTURE_PX, PICTURE_PX)
    lab = cv2.GaussianBlur(cv2.cvtColor(picture, cv2.COLOR_BGR2LAB), (3, 3), 0)
    seen = cv2.warpPerspective(lab, whole, size, flags=_WARP)
    ground = cv2.warpPerspective(np.full((height, width), 255, np.uint8), whole, size, flags=_WARP)
    return Laid(np.asarray(seen, np.uint8), ground == 255)  # less where its edge shows through


@dataclass(frozen=True, slots=True, eq=False)
class Apart:
    """In what two pictures that are laid over a third differ, whatever is compared with them."""

    light: tuple[Lab, Lab]  # gain and offset that give the other the light of the one
    alike: NDArray[np.bool_]  # of the sampled pixels, those that differ least: they say what the light is
    blocks: tuple[tuple[float, int, int], ...]  # likeness and top left corner, the least alike first


def apart(one: Laid, other: Laid) -> Apart:
    """Where these two differ in what both show: half of the work of `between`, the same for every picture."""
    inside = one.inside & other.inside
    alike = inside[_SOME].copy()
    if not alike.any():
        return Apart((np.ones(3, np.float32), np.zeros(3, np.float32)), alike, ())
    a, b = (_real(each.lab[_SOME][alike]) for each in (one, other))
    off = _length(a - _lit(b, *_light(b, a)))
    same = off <= np.median(off)  # what differs would be taken for light
    alike[alike] = same
    light = _light(b[same], a[same])
    one_lit, other_lit = _within(inside, one), _lit(_within(inside, other), *light)
    return Apart(light, alike, _drawn_apart(_lightness(one_lit), _lightness(other_lit), inside))


def between(seen: Laid, one: Laid, other: Laid, differences: Apart) -> tuple[float, float]:
    """Where a picture lies between two others in the places in which these differ: -1 the other, 1 the one.

    The first number is of the colours pixel by pixel, the second of the drawing of the parts around them,
    each looked for nearby: words are lost where a map is a pixel off. `differences` are what `apart` says of
    the two.
    """
    inside = seen.inside & one.inside & other.inside
    some = inside[_SOME] & differences.alike
    if np.count_nonzero(inside) < _LEAST_INSIDE * inside.size or not some.any():
        return 0.0, 0.0
    q, a, b = (_within(inside, each) for each in (seen, one, other))
    b = _lit(b, *differences.light)
    q = _lit(q, *_light(q[_SOME][some], (a[_SOME][some] + b[_SOME][some]) * np.float32(0.5)))
    drawn = _drawn_like(_lightness(q), _lightness(a), _lightness(b), inside, differences)
    return _coloured_like(q, a, b, inside), drawn


def _lightness(picture: Lab) -> Drawing:
    return np.ascontiguousarray(picture[:, :, 0])


def _real(colours: NDArray[np.uint8]) -> Lab:
    return colours.astype(np.float32)


def _within(inside: NDArray[np.bool_], picture: Laid) -> Lab:
    """The picture with 0 outside."""
    return _real(np.asarray(cv2.copyTo(picture.lab, inside.view(np.uint8)), np.uint8))


def _coloured_like(seen: Lab, one: Lab, other: Lab, inside: NDArray[np.bool_]) -> float:
    """Over the places in which the two have another colour: where the picture's lies on the way between."""
    way = np.asarray(cv2.blur(one - other, (_SPOT, _SPOT)), np.float32)
    differ = inside & (_length(way) > _DIFFERENT)
    if np.count_nonzero(differ) < _LEAST_DIFFERENT:
        return 0.0
    off = cv2.blur(seen - (one + other) / 2, (_SPOT, _SPOT))[differ]
    way = way[differ]
    length = np.einsum("nc,nc->n", way, way)
    along = np.clip(2 * np.einsum("nc,nc->n", off, way) / length, -1.5, 1.5)
    return float(np.average(along, weights=np.minimum(length, _FAR**2)) / 1.5)


def _drawn_like(
    seen: Drawing, one: Drawing, other: Drawing, inside: NDArray[np.bool_], differences: Apart
) -> float:
    """Over the blocks in which the two are drawn otherwise: how much nearer the picture comes to the one."""
    total = most = 0.0
    shown = (each for each in differences.blocks if inside[_block(*each[1:])].all())
    for likeness, y, x in islice(shown, _PARTS):
        here = _block(y, x)
        total += _likeness(one[here], seen, y, x) - _likeness(other[here], seen, y, x)
        most += 1 - likeness
    return float(np.clip(total / most, -1.5, 1.5)) if most else 0.0


def _drawn_apart(
    one: Drawing, other: Drawing, inside: NDArray[np.bool_]
) -> tuple[tuple[float, int, int], ...]:
    """Likeness and corner of the blocks in which the two are drawn otherwise, the least alike first."""
    differ = []
    for y, x in _suspects(one, other, inside):
        here = _block(y, x)
        # the two may not lie on each other to the pixel: each block is looked for in the other
        likeness = min(_likeness(one[here], other, y, x), _likeness(other[here], one, y, x))
        if likeness < _SAME_DRAWING:
            differ.append((likeness, y, x))
    return tuple(sorted(differ))


def _block(y: int, x: int) -> tuple[slice, slice]:
    return slice(y, y + _BLOCK), slice(x, x + _BLOCK)


def _suspects(one: Drawing, other: Drawing, inside: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Top left corners of the blocks in which the two correlate least where they lie, the worst first."""
    size, corner = (_BLOCK, _BLOCK), (0, 0)
    starts = np.arange(_LOOSE, PICTURE_PX - _BLOCK - _LOOSE + 1, _STRIDE)
    grid = np.ix_(starts, starts)

    def means(values: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.asarray(cv2.boxFilter(values, cv2.CV_32F, size, anchor=corner), np.float32)[grid]

    a, b = means(one), means(other)
    together = means(one * other) - a * b
    spread = [np.maximum(means(x * x) - m * m, 0) for x, m in ((one, a), (other, b))]
    shown = np.maximum(*spread) >= _CONTRAST**2
    whole = means(inside.astype(np.float32)) > 1 - 1e-3
    likeness = together / np.sqrt(np.maximum(spread[0] * spread[1], 1e-6))
    likeness[~(whole & shown)] = 1.0
    order = np.argsort(likeness, axis=None, kind="stable")[:_SUSPECTS]
    rows, columns = np.unravel_index(order, likeness.shape)
    return [
        (int(starts[row]), int(starts[column]))
        for row, column in zip(rows, columns, strict=True)
        if likeness[row, column] < _SAME_DRAWING
    ]


def _likeness(block: Drawing, picture: Drawing, y: int, x: int) -> float:
    """Correlation of a block with a picture, where it is best near its place."""
    window = picture[y - _LOOSE : y + _BLOCK + _LOOSE, x - _LOOSE : x + _BLOCK + _LOOSE]
    found = float(cv2.matchTemplate(window, block, cv2.TM_CCOEFF_NORMED).max())
    return found if -1 <= found <= 1 else 0.0


def _light(colours: Lab, those: Lab) -> tuple[Lab, Lab]:
    """Gain and offset, `(3,)` each, that make colours `(n, 3)` as in another light; a and b get no gain."""
    gain, offset = np.ones(3, np.float32), np.zeros(3, np.float32)
    x, y = colours[:, 0].copy(), those[:, 0].copy()
    middle, aim = x.mean(), y.mean()
    x -= middle
    y -= aim
    spread = float((x * x).mean())
    if spread > 1:
        gain[0] = np.clip((x * y).mean() / spread, 0.5, 2.0)
    offset[0] = aim - gain[0] * middle
    for channel in (1, 2):
        offset[channel] = np.median(those[:, channel] - colours[:, channel])
    return gain, offset


def _lit(colours: Lab, gain: Lab, offset: Lab) -> Lab:
    """Colours, `(…, 3)`, in another light."""
    # by rows: NumPy takes five times as long over thousands of threes
    width = colours.shape[-2]
    rows = colours.reshape(-1, 3 * width) * np.tile(gain, width) + np.tile(offset, width)
    return rows.reshape(colours.shape)


def _length(colours: Lab) -> NDArray[np.float32]:
    """Of each of `(…, 3)`. `np.linalg.norm` gives the same and takes four times as long."""
    x, y, z = colours[..., 0], colours[..., 1], colours[..., 2]
    return np.asarray(np.sqrt(x * x + y * y + z * z), np.float32)
