"""From a picture of a shelf to where goods may stand: rows between boards, and candidates within each.

Boards and their rails are lines across most of the picture, level or a little tilted. Between two that are
far enough apart is a row; in it goods stand on the lower line, so that they begin and end at upright edges
and have a top. Every two edges that are as far apart as goods can be are a candidate. No picture of a product
is needed for that; which candidates are goods, recognition says (core/drafting.py).
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from agent.core.types import Box

    Pixels = NDArray[np.uint8]
    Edges = NDArray[np.float32]

LINE_LEVELS: Final = 60.0
"""Of Sobel's sum over 3 × 3 pixels: an edge of 15 levels."""

EDGE_LEVELS: Final = 60.0
"""Likewise of upright edges: prints and outlines have more, the holes of a wall as much."""

STRIPS: Final = 32
"""That a line is looked for in, side by side: it is one where most of them show it."""

STRIP_SHARE: Final = 0.6
"""Of a strip's width that shows the line."""

LINE_SHARE: Final = 0.88
"""Of the strips, for a board. Drawn bays: boards 1.0, all else up to 0.6; photographs of cereals: boards 0.9
to 1.0, prints that stand side by side up to 0.85."""

SLOPES: Final = tuple(number / 200 for number in range(-10, 11))
"""Pixels down per pixel across: up to 3 degrees."""

ROW_SHARE: Final = 0.07
"""Of the picture's height: boards that are nearer are one board with its rail."""

NARROWEST: Final = 0.15
WIDEST: Final = 1.6
"""Width of goods by the height of their row."""

LEAST_WIDE_PX: Final = 20
CUTS: Final = 48
"""Upright edges of a row, the strongest."""

CANDIDATES: Final = 300
"""Of a row: each is one look, some 3 ms."""

ROWS: Final = 26
"""They are named by letters."""


@dataclass(frozen=True, slots=True)
class Line:
    """`y` in the middle of the picture, and how far it falls per pixel to the right."""

    y: float
    slope: float
    middle: float  # x of the middle of the picture

    def at(self, x: float) -> float:
        """Its y there."""
        return self.y + self.slope * (x - self.middle)


@dataclass(frozen=True, slots=True)
class Row:
    """From the line above goods to the one that they stand on."""

    top: Line
    floor: Line

    @property
    def height(self) -> float:
        """Pixels, in the middle of the picture."""
        return self.floor.y - self.top.y


@dataclass(frozen=True, slots=True)
class Candidate:
    """Something may stand there: between two upright edges, from its top to the board."""

    row: int
    left: int  # px
    right: int
    box: Box


def rows_of(image: Pixels) -> tuple[Row, ...]:
    """The rows of a shelf, `(H, W, 3)` uint8 BGR, from the top; the whole picture where no board is seen."""
    height, width = image.shape[:2]
    middle = width / 2
    level = [Line(0.0, 0.0, middle), *_lines(image), Line(float(height), 0.0, middle)]
    level.sort(key=lambda line: line.y)
    rows = []
    for above, below in itertools.pairwise(level):
        if below.y - above.y < ROW_SHARE * height:
            continue
        # the edge of the picture is level, the board that ends there is not
        top = Line(0.0, 0.0, middle) if above.y <= 0 else above
        rows.append(Row(top, below))
    return tuple(rows[:ROWS])


def candidates_of(image: Pixels, rows: tuple[Row, ...]) -> list[Candidate]:
    """What may stand in these rows, row by row."""
    found = []
    for number, row in enumerate(rows):
        flat = _straight(image, row)
        grey = cv2.cvtColor(cv2.GaussianBlur(flat, (3, 3), 0), cv2.COLOR_BGR2GRAY)
        upright = (np.abs(cv2.Sobel(grey, cv2.CV_32F, 1, 0)) > EDGE_LEVELS).astype(np.float32)
        level = (np.abs(cv2.Sobel(grey, cv2.CV_32F, 0, 1)) > EDGE_LEVELS).astype(np.float32)
        cuts = _cuts(upright)
        pairs = _pairs(cuts, row.height)
        across = np.cumsum(np.pad(level, ((0, 0), (1, 0))), axis=1)
        for left, right in pairs:
            top = _top(across[:, right] - across[:, left], right - left)
            x = (left + right) / 2
            high, low = row.top.at(x), row.floor.at(x)
            y1 = max(0, round(high + top / max(1, len(flat)) * (low - high)))
            y2 = min(len(image), round(low))
            if y2 - y1 >= LEAST_WIDE_PX:
                found.append(Candidate(number, left, right, (left, y1, right, y2)))
    return found


def _lines(image: Pixels) -> list[Line]:
    """Lines across the picture, the surest first; of two that are within a few pixels one."""
    height, width = image.shape[:2]
    grey = cv2.cvtColor(cv2.GaussianBlur(image, (3, 3), 0), cv2.COLOR_BGR2GRAY)
    edges = (np.abs(cv2.Sobel(grey, cv2.CV_32F, 0, 1)) > LINE_LEVELS).astype(np.float32)
    edges = np.asarray(cv2.dilate(edges, np.ones((3, 1), np.uint8)), np.float32)
    strips = cv2.resize(edges, (STRIPS, height), interpolation=cv2.INTER_AREA) >= STRIP_SHARE
    centres = (np.arange(STRIPS) + 0.5) * width / STRIPS - width / 2
    shares = np.zeros((len(SLOPES), height))
    for number, slope in enumerate(SLOPES):
        for strip, offset in enumerate(np.rint(slope * centres).astype(int)):
            shares[number] += _shifted(strips[:, strip], int(offset))
    shares /= STRIPS
    sure = shares.max(axis=0)
    found: list[Line] = []
    for y in np.argsort(-sure, kind="stable"):
        if sure[y] < LINE_SHARE:
            break
        if all(abs(line.y - y) > 0.01 * height for line in found):
            same = np.flatnonzero(shares[:, y] == sure[y])  # slopes next to each other
            slope = SLOPES[int(same[len(same) // 2])]
            found.append(Line(float(y), slope, width / 2))
    return found


def _shifted(column: NDArray[np.bool_], down: int) -> NDArray[np.bool_]:
    """`out[y] = column[y + down]`, nothing beyond the ends."""
    moved = np.zeros_like(column)
    if down >= 0:
        moved[: len(column) - down] = column[down:]
    else:
        moved[-down:] = column[:down]
    return moved


def _straight(image: Pixels, row: Row) -> Pixels:
    """The row as a level picture of the same width."""
    width, height = image.shape[1], max(2, round(row.height))
    there = np.array([(0, row.top.at(0)), (width, row.top.at(width)),
                      (width, row.floor.at(width)), (0, row.floor.at(0))], np.float32)  # fmt: skip
    here = np.array([(0, 0), (width, 0), (width, height), (0, height)], np.float32)
    matrix = cv2.getPerspectiveTransform(there, here)
    return np.asarray(cv2.warpPerspective(image, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE))


def _cuts(upright: Edges) -> list[tuple[int, float]]:
    """Where upright edges are, from the left, and how much of the lower half of the row each takes."""
    height, _width = upright.shape
    share = np.convolve(upright[height // 2 :].mean(axis=0), np.ones(3) / 3, "same")
    share[[0, -1]] = 1.0  # goods may be cut by the edge of the picture
    found: list[int] = []
    for x in np.argsort(-share, kind="stable"):
        if len(found) == CUTS or share[x] <= 0:
            break
        if all(abs(x - other) > 4 for other in found):
            found.append(int(x))
    return [(x, float(share[x])) for x in sorted(found)]


def _pairs(cuts: list[tuple[int, float]], height: float) -> list[tuple[int, int]]:
    """Every two cuts that are as far apart as goods are wide, those with the strongest edges."""
    least = max(LEAST_WIDE_PX, NARROWEST * height)
    pairs = [
        (min(one, other), left, right)
        for number, (left, one) in enumerate(cuts)
        for right, other in cuts[number + 1 :]
        if least <= right - left <= WIDEST * height
    ]
    pairs.sort(key=lambda pair: (-pair[0], pair[1], pair[2]))
    return sorted((left, right) for _, left, right in pairs[:CANDIDATES])


def _top(counted: Any, width: int) -> int:
    """Where the goods end: the longest level edge in the upper three quarters; 0 where there is none."""
    upper = counted[: max(1, 3 * len(counted) // 4)] / width
    best = int(upper.argmax())
    return best if upper[best] >= 0.5 else 0
