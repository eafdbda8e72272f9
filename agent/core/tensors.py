"""From the pixels of a region to the numbers a model eats, and from its raw output to unit rows.

Shrinking far. Linear interpolation looks at 2 × 2 pixels and skips the rest; area averaging looks at all
and is slow. Halving (2 × 2 averages, a fast path of OpenCV) while at least twice too large, then linear, is
both good and cheap. Cosine of a 1.0/224 MobileNet embedding to that of an ideally low-passed crop of real
shelf pictures, and median time, for a region of 224 px times the factor:

    factor        linear            area              halving
    1.34          0.999    75 µs    0.999   420 µs    (linear)
    2.5           0.977    96 µs    0.990   671 µs    0.995  137 µs
    3             0.962    97 µs    0.987   427 µs    0.991  166 µs
    4             0.955    97 µs    0.982   647 µs    0.982  209 µs

(0.25/128, factor 5.5: 0.828, 0.926, 0.950.) Taking every n-th pixel first is worse than linear alone.
"""

from __future__ import annotations

from functools import lru_cache
from math import hypot
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from agent.core.model_spec import InputSpec
    from agent.core.types import Box, Quad, Region

    Pixels = NDArray[np.uint8]

MIN_LEVELS = 64
"""Fewer different tensor values for the 256 pixel values mean that mean and std are of another model."""


def value_table(spec: InputSpec, scale: float, zero_point: int) -> NDArray[Any]:
    """`(256, 3)` of the input's dtype: the tensor value of each pixel value, per channel in tensor order.

    A quantised model stores `round(real / scale) + zero_point`, bounded by its type; for float32 both are
    ignored.

    Raises:
        ValueError: mean and std throw most pixel values together, so they cannot be those of this model.
    """
    real = (np.arange(256.0)[:, None] - np.array(spec.mean)) / np.array(spec.std)
    if spec.dtype == "float32":
        return np.asarray(real, np.float32)
    limits = np.iinfo(spec.dtype)
    table = np.asarray(np.clip(np.rint(real / scale) + zero_point, limits.min, limits.max), spec.dtype)
    levels = min(len(np.unique(table[:, channel])) for channel in range(3))
    if levels < MIN_LEVELS:
        raise ValueError(
            f"input.mean, input.std: expected at least {MIN_LEVELS} different {spec.dtype} values for the "
            f"256 pixel values, found {levels} (the model has scale {scale:g}, zero point {zero_point})"
        )
    return table


class Preparation:
    """Writes regions into an input tensor. It owns scratch pictures: one call at a time.

    A 256-entry table turns pixels into tensor values for every type alike; the two tables that all but few
    quantised models have (none at all for uint8, minus 128 for int8) cost 0 and 2 µs instead of 37 at 224 px.
    A quad costs 171 µs at 224 px, where a box of its size costs 77.
    """

    def __init__(self, spec: InputSpec, scale: float = 1.0, zero_point: int = 0) -> None:
        """Raises ValueError as `value_table` does."""
        self._spec = spec
        shape = (spec.height, spec.width, 3)
        table = value_table(spec, scale, zero_point)
        one = bool((table == table[:, :1]).all())  # the channels are alike: one column serves, 1.7 × faster
        self._table = table[None, :, 0].copy() if one else table[None].copy()
        counting = np.arange(256)
        self._same = spec.dtype == "uint8" and one and bool((table[:, 0] == counting).all())
        self._shifted = spec.dtype == "int8" and one and bool((table[:, 0] == counting - 128).all())
        self._bgr = np.empty(shape, np.uint8)
        self._pixels = np.empty(shape, np.uint8)  # in the model's order of colours
        self._halves = (_Scratch(), _Scratch())
        mean = spec.mean if spec.colour == "BGR" else spec.mean[::-1]
        self._border = np.clip(np.rint(mean), 0, 255).astype(np.uint8)

    def write(self, image: Pixels, region: Region, tensor: NDArray[Any]) -> None:
        """Fill `tensor`, `(height, width, 3)` of the input's dtype, with what `region` of `image` shows.

        Args:
            image: `(H, W, 3)` uint8 BGR; not written to.
            region: the part of it; what lies outside the picture is left out.
            tensor: contiguous.

        Raises:
            ValueError: no pixel of the region is in the picture, or the tensor is not of the stated kind.
        """
        spec = self._spec
        expected = (spec.height, spec.width, 3)
        # OpenCV silently ignores a destination of another kind.
        if tensor.shape != expected or tensor.dtype != spec.dtype or not tensor.flags.c_contiguous:
            raise ValueError(
                f"tensor: expected contiguous {expected} {spec.dtype}, found {tensor.shape} {tensor.dtype}"
            )
        part = visible(region, image)
        pixels = tensor if self._same else self._pixels
        if spec.colour == "BGR":
            self._resize(image, region, part, pixels)
        else:
            self._resize(image, region, part, self._bgr)
            _into(cv2.cvtColor(self._bgr, cv2.COLOR_BGR2RGB, dst=pixels), pixels)
        if self._shifted:
            np.bitwise_xor(pixels, 0x80, out=tensor.view(np.uint8))  # p - 128 in two's complement
        elif not self._same:
            _into(cv2.LUT(pixels, self._table, dst=tensor), tensor)

    def _resize(self, image: Pixels, region: Region, part: Box, target: Pixels) -> None:
        """What the region shows, still BGR, in the size of `target`."""
        x1, y1, x2, y2 = part
        if region.quad is not None:
            self._rectify(image[y1:y2, x1:x2], region.quad, (x1, y1), target)
            return
        height, width = target.shape[:2]
        if self._spec.resize == "crop":
            x1, y1, x2, y2 = _same_shape(part, width, height)
        elif self._spec.resize == "pad":
            left, top, right, bottom = _fitted(part, width, height)
            if (right - left, bottom - top) != (width, height):
                target[:] = self._border
                target = target[top:bottom, left:right]
        self._shrink(image[y1:y2, x1:x2], target)

    def _shrink(self, part: Pixels, target: Pixels) -> None:
        height, width = target.shape[:2]
        if self._spec.interpolation == "auto":
            times = _halvings(part.shape[1] / width, part.shape[0] / height)
            part = self._halved(_trimmed(part, 2**times), times)
        how = cv2.INTER_AREA if self._spec.interpolation == "area" else cv2.INTER_LINEAR
        _into(cv2.resize(part, (width, height), dst=target, interpolation=how), target)

    def _rectify(self, part: Pixels, quad: Quad, origin: tuple[int, int], target: Pixels) -> None:
        """The quad seen straight. Corners are between pixels, as those of boxes are."""
        height, width = target.shape[:2]
        times = 0
        if self._spec.interpolation != "linear":
            across, down = _quad_sides(quad)
            times = _halvings(across / width, down / height)
            part = self._halved(part, times)
        matrix = _homography(quad, origin, 2**times, width, height)
        size, edge = (width, height), cv2.BORDER_REPLICATE
        flags = cv2.INTER_LINEAR
        _into(cv2.warpPerspective(part, matrix, size, dst=target, flags=flags, borderMode=edge), target)

    def _halved(self, part: Pixels, times: int) -> Pixels:
        """`part` halved `times` times, in scratch; odd last rows and columns are left out."""
        for step in range(times):
            height, width = part.shape[0] // 2, part.shape[1] // 2
            if not (height and width):
                break
            half = self._halves[step % 2].picture(height, width)
            whole = part[: 2 * height, : 2 * width]
            part = _into(cv2.resize(whole, (width, height), dst=half, interpolation=cv2.INTER_AREA), half)
        return part


class _Scratch:
    """Memory for one picture, which grows to the largest that was asked for."""

    def __init__(self) -> None:
        self._memory = np.empty(0, np.uint8)

    def picture(self, height: int, width: int) -> Pixels:
        size = height * width * 3
        if self._memory.size < size:
            self._memory = np.empty(size, np.uint8)
        return self._memory[:size].reshape(height, width, 3)


def visible(region: Region, image: Pixels) -> Box:
    """The part of the region's box that lies within the picture.

    Raises:
        ValueError: none of it does.
    """
    x1, y1, x2, y2 = region.box
    height, width = image.shape[:2]
    box = max(x1, 0), max(y1, 0), min(x2, width), min(y2, height)
    if box[0] >= box[2] or box[1] >= box[3]:
        raise ValueError(
            f"region {region.name!r}: expected a box within {width} × {height} px, found {region.box}"
        )
    return box


def unit_rows(raw: NDArray[Any]) -> NDArray[np.float32]:
    """`(N, D)` float32: each row divided by its length. A row of zeros stays one: it is similar to nothing.

    Raises:
        ValueError: a value is not finite, or `raw` does not have two axes.
    """
    if raw.ndim != 2:
        raise ValueError(f"raw output: expected shape (N, D), found {raw.shape}")
    # float64, so that squares neither overflow nor vanish
    length = np.sqrt(np.einsum("nd,nd->n", raw, raw, dtype=np.float64))
    if not np.isfinite(length).all():
        raise ValueError("raw output: expected finite numbers, found NaN or infinity")
    length[length == 0] = 1
    unit = np.divide(raw, length[:, None], dtype=np.float32, casting="same_kind")
    return np.asarray(unit, np.float32)


def _into(result: object, target: NDArray[Any]) -> NDArray[Any]:
    """`target`, after making sure that OpenCV wrote into it."""
    if result is not target:
        raise RuntimeError(f"OpenCV did not write into the {target.shape} {target.dtype} array given")
    return target


def _halvings(across: float, down: float) -> int:
    """How often a part that is `across` × `down` times too large is halved: while both are at least 2."""
    return max(0, int(np.log2(max(1.0, min(across, down)))))


def _trimmed(part: Pixels, multiple: int) -> Pixels:
    """The centre of `part` whose sides are whole multiples: less than half a pixel of the result is lost."""
    down, across = part.shape[0] % multiple, part.shape[1] % multiple
    if not (down or across):
        return part
    y, x = down // 2, across // 2
    return part[y : part.shape[0] - (down - y), x : part.shape[1] - (across - x)]


def _same_shape(box: Box, width: int, height: int) -> Box:
    """The largest centred part of `box` with the shape of `width` × `height`."""
    x1, y1, x2, y2 = box
    scale = min((x2 - x1) / width, (y2 - y1) / height)
    w, h = max(1, round(width * scale)), max(1, round(height * scale))
    x, y = x1 + (x2 - x1 - w) // 2, y1 + (y2 - y1 - h) // 2
    return x, y, x + w, y + h


def _fitted(box: Box, width: int, height: int) -> Box:
    """Where in a picture of `width` × `height` all of `box` goes, keeping its shape, centred."""
    scale = min(width / (box[2] - box[0]), height / (box[3] - box[1]))
    w = max(1, min(width, round((box[2] - box[0]) * scale)))
    h = max(1, min(height, round((box[3] - box[1]) * scale)))
    x, y = (width - w) // 2, (height - h) // 2
    return x, y, x + w, y + h


def _quad_sides(quad: Quad) -> tuple[float, float]:
    """The longer of the two horizontal and of the two vertical sides, px."""
    a, b, c, d = quad

    def longer(p: Sequence[float], q: Sequence[float], r: Sequence[float], s: Sequence[float]) -> float:
        return max(hypot(q[0] - p[0], q[1] - p[1]), hypot(s[0] - r[0], s[1] - r[1]))

    return longer(a, b, d, c), longer(a, d, b, c)


@lru_cache(maxsize=1024)  # slots stay where they are; 1024 is the most that a camera may have
def _homography(
    quad: Quad, origin: tuple[int, int], shrink: int, width: int, height: int
) -> NDArray[np.float64]:
    """From a picture that starts at `origin` and was shrunk, to one of `width` × `height`."""
    x, y = origin
    source = np.array([((px - x) / shrink - 0.5, (py - y) / shrink - 0.5) for px, py in quad], np.float32)
    corners = [(0, 0), (width, 0), (width, height), (0, height)]
    target = np.array([(px - 0.5, py - 0.5) for px, py in corners], np.float32)
    return np.asarray(cv2.getPerspectiveTransform(source, target), np.float64)
