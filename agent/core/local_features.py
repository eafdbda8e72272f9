"""What of a picture can be found again in another one: points, their form and their colour.

The form is SIFT's, as square roots of shares (Arandjelović and Zisserman's RootSIFT), so that a product of
two rows is their likeness. The colour is what SIFT is blind to: two flavours often differ in nothing else.
Stored, a point takes 70 bytes:

    x, y      2 uint16   place within the picture, shares of its sides × 65,535
    form      64 bytes   128 numbers of 4 bits
    colour    2 int8     a and b of CIE Lab
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

SIDE_PX: Final = 224
"""Longest side that is looked at. SIFT takes 16 ms of a core there and finds 250 to 600 points in a photo of
groceries; at 160 px 11 ms, at 348 px 31 ms. With the asked picture alone at
160 px, of 144 held flavours 133 in place of 136 were told from their three sisters, of 150 photos of cartons
132 in place of 130 from two, and the right one was less probable in both; at 192 px 79 in place of 67 of 292
errors at drawn flavours were left."""

POINTS: Final = 256
"""Strongest points that are kept of a picture."""

ASKED_POINTS: Final = 192
"""… of one that is asked about: a point costs 25 µs. Of 238 errors of two models closer looks left 74 with
them, 75 with 256 points; of 160 or 128 points 79 and 76. At 160 px with 256 points 51 were left of the 146 of
drawn flavours that are 39 at 224 px, and with two layers per octave 89 of the 238."""

NUMBERS: Final = 130
"""Of a row: 128 of form, 2 of colour."""

_COLOUR: Final = 0.6 / 40
"""Weight of a level of colour. The right one of the four nearest products of 100 photos of cartons was found
by points alone in 77, with half of this weight in 80, with it in 81 (of another model's four: 70, 74, 77)."""

_COLOUR_SIGMA: Final = 3.0  # pixels around a point whose colour is taken together
_STEP: Final = 0.4 / 15
"""Of the 4-bit numbers: 99.9 % of the square roots lie below 0.4."""

_ROW: Final = np.dtype([("place", "<u2", 2), ("form", "u1", 64), ("colour", "i1", 2)])


@dataclass(frozen=True, slots=True, eq=False)
class LocalFeatures:
    """The points of one picture, the strongest first."""

    places: NDArray[np.float32]  # (n, 2) x, y as shares of the picture's sides, [0, 1]
    rows: NDArray[np.float32]  # (n, NUMBERS)

    def __len__(self) -> int:
        """Points."""
        return len(self.places)

    def first(self, count: int) -> LocalFeatures:
        """The strongest `count` of them."""
        return LocalFeatures(self.places[:count], self.rows[:count])


NO_FEATURES: Final = LocalFeatures(np.empty((0, 2), np.float32), np.empty((0, NUMBERS), np.float32))


def describe(picture: NDArray[np.uint8], count: int = POINTS) -> LocalFeatures:
    """The points of a picture, `(H, W, 3)` uint8 BGR, at most `count`; an even one has none."""
    small = shrunk(picture, SIDE_PX)
    points, forms = cv2.SIFT.create(nfeatures=count).detectAndCompute(
        cv2.cvtColor(small, cv2.COLOR_BGR2GRAY), None
    )
    if not points:
        return NO_FEATURES
    points, forms = points[:count], forms[:count]  # it may give some more when responses are equal
    order = np.argsort([-point.response for point in points], kind="stable")
    places = np.asarray(cv2.KeyPoint.convert(points), np.float32)[order]
    forms = np.sqrt(forms[order] / np.maximum(forms[order].sum(axis=1, keepdims=True), 1e-9))
    height, width = small.shape[:2]
    lab = cv2.GaussianBlur(cv2.cvtColor(small, cv2.COLOR_BGR2LAB), (0, 0), _COLOUR_SIGMA)
    x, y = np.clip(np.rint(places).astype(int), 0, (width - 1, height - 1)).T
    colours = (lab[y, x, 1:].astype(np.float32) - 128) * _COLOUR
    shares = np.clip((places + 0.5) / np.array((width, height), np.float32), 0, 1)
    return LocalFeatures(shares.astype(np.float32), np.hstack([forms, colours]).astype(np.float32))


def shrunk(picture: NDArray[np.uint8], side_px: int) -> NDArray[np.uint8]:
    """The picture with its longest side at most `side_px`."""
    height, width = picture.shape[:2]
    share = min(1.0, side_px / max(height, width))
    size = max(1, round(width * share)), max(1, round(height * share))
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)


def distances(seen: LocalFeatures, held: NDArray[np.float32]) -> NDArray[np.float32]:
    """Squared distances of the rows of `seen` to the rows `held`: `(n, m)`, about 0 to 2."""
    own = np.einsum("nd,nd->n", seen.rows, seen.rows)
    theirs = np.einsum("nd,nd->n", held, held)
    # not by NumPy, whose threads spin while they wait for each other: 90 ms where two cores are busy
    none = np.empty(0, np.float32)
    products = cv2.gemm(seen.rows, held, 2.0, none, 0.0, flags=cv2.GEMM_2_T)
    squares: NDArray[np.float32] = own[:, None] + theirs - products
    return np.maximum(squares, 0, out=squares)


def pack(features: LocalFeatures) -> bytes:
    """The bytes of points; `unpack` gives them back as they are stored."""
    stored = np.zeros(len(features), _ROW)
    stored["place"] = np.rint(features.places * 65_535)
    form = np.clip(np.rint(features.rows[:, :128] / _STEP), 0, 15).astype(np.uint8)
    stored["form"] = form[:, ::2] << 4 | form[:, 1::2]
    stored["colour"] = np.clip(np.rint(features.rows[:, 128:] / _COLOUR), -128, 127)
    return stored.tobytes()


def unpack(data: bytes) -> LocalFeatures:
    """Points of their bytes.

    Raises:
        ValueError: these are no whole number of points.
    """
    if len(data) % _ROW.itemsize:
        raise ValueError(f"expected points of {_ROW.itemsize} bytes, found {len(data)} bytes")
    stored = np.frombuffer(data, _ROW)
    form = np.stack([stored["form"] >> 4, stored["form"] & 15], axis=2).reshape(len(stored), 128)
    rows = np.hstack([form * np.float32(_STEP), stored["colour"] * np.float32(_COLOUR)])
    places = stored["place"].astype(np.float32) / np.float32(65_535)
    return LocalFeatures(places, rows.astype(np.float32))
