"""What stands before a shelf: people, trolleys, hands, and which slots they hide.

A product that is taken, put back or exchanged changes the picture within its slot; whoever stands before the
shelf also hides rails, price labels and gaps between slots. So the picture is compared with its background,
in the light of the moment, and what stands out and reaches beyond the slots counts as standing before them.
What stands out within a slot becomes background once it lies still: it is goods, whatever they are.

The same frames give the same answer; time comes with them.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import exp
from typing import TYPE_CHECKING, Any, Final

import cv2
import numpy as np

from agent.core.motion import (
    FLOOD_SHARE,
    differ,
    edges_agree,
    gain_of,
    shrunk,
    things_in,
    was_left,
)

if TYPE_CHECKING:
    from collections.abc import Collection

    from numpy.typing import NDArray

    from agent.core.motion import Mask, Small, Thing
    from agent.core.types import Frame

    Shares = NDArray[np.float64]
    """`(N,)` of the cells, [0, 1]."""

CONTRAST: Final = 24.0
BRIGHT: Final = 110.0
LEAST_CONTRAST: Final = 0.35
"""Levels by which a pixel must differ in a picture of that mean brightness or more; in a darker one by less,
down to a third: 8 levels are four times the noise that is left of a camera's. Shadows that hands throw on a
wall differ by 10 to 20."""

MOVES: Final = 14.0
"""Levels by which a pixel must differ from the frame before to have moved."""

BEYOND: Final = 0.08
"""Share of a thing that lies outside of all slots, from which it stands before them: of drawn shoppers 14 %
or more, of products that are exchanged, with their shadows, 5 % or less."""

LEAST_BEYOND_PX: Final = 6
MOSTLY: Final = 0.5
"""Share of a cell that is hidden, from which it is a wonder that it is in sight."""

SETTLE_S: Final = 2.0
"""What lay still in a slot for so long is goods."""

ABSORB_S: Final = 900.0
"""What stood still before the shelf for so long is furniture, or a new rail: its slots are judged by what
they show."""

CUT_S: Final = 1.0
"""What a gap between two pictures counts at most as time in which things lay still: nobody saw them."""

DETAIL_PX: Final = 120
JOIN_PX: Final = 2
"""As `regions.motion` has them by default: whoever stands before a shelf is large."""

FOLLOW_S: Final = 10.0
"""How fast the background follows slow changes of the light."""


@dataclass(frozen=True, slots=True, eq=False)
class Before:
    """What stands before the cells of a shelf, in the order of the cells."""

    hidden: Shares  # share of each that something stands before
    moving: Shares  # share of each that moved since the frame before
    light: tuple[float, float, float]  # how bright what is not goods is: blue, green, red, levels


class Foreground:
    """Of one camera. `look` is the only way in; frames come in their order."""

    def __init__(self) -> None:
        self._background: Small = np.empty((0, 0, 3), np.float32)
        self._gain: NDArray[np.float32] = np.ones(3, np.float32)  # light of now by that of the background
        self._last: Small = self._background
        self._still_s: NDArray[np.float32] = np.empty((0, 0), np.float32)
        self._cells: Any = None  # the quads that `_where` was made of
        self._where: NDArray[np.int32] = np.empty((0, 0), np.int32)  # number of the cell at each pixel + 1
        self._areas: Shares = np.empty(0)
        self._scale = (1.0, 1.0)
        self._in_sight: frozenset[int] = frozenset()
        self._at = 0.0

    def follow(self, matrix: NDArray[np.float64]) -> None:
        """The camera was moved a little: `matrix` is the homography from the frame before to the next one."""
        if not self._background.size:
            return
        height, width = self._background.shape[:2]
        scale = np.diag([self._scale[0], self._scale[1], 1.0])
        onto = scale @ matrix @ np.linalg.inv(scale)
        self._background = np.asarray(
            cv2.warpPerspective(self._background, onto, (width, height), borderMode=cv2.BORDER_REPLICATE),
            np.float32,
        )
        self._last = self._background

    def in_sight(self, cells: Collection[int]) -> None:
        """These cells, by number, are seen after all: what seemed to stand before them went away, and had
        been taken for background. It is forgotten with the next frame.
        """
        self._in_sight = frozenset(cells)

    def look(self, frame: Frame, quads: NDArray[np.float64]) -> Before:
        """What stands before the cells now; in the first frame nothing. `quads`: `(N, 4, 2)`, px of it."""
        small = shrunk(frame.image, DETAIL_PX)
        elapsed = frame.at - self._at
        self._at = frame.at
        if self._background.shape != small.shape or elapsed < 0:
            self._begin(small)
        elif frame.cut:  # whoever stands there when the camera comes back is not taken for the shelf
            self._last, elapsed = small, min(elapsed, CUT_S)
        self._scale = (small.shape[1] / frame.width, small.shape[0] / frame.height)
        if self._cells is not quads or self._where.shape != small.shape[:2]:
            self._draw_cells(quads, small)
        expected, apart = self._compared(small)
        if cv2.countNonZero(apart) > FLOOD_SHARE * apart.size and edges_agree(small, expected):
            self._begin(small)
            expected, apart = small, np.zeros(small.shape[:2], np.uint8)
        hides: Mask = np.zeros(small.shape[:2], np.uint8)
        for thing in things_in(apart, JOIN_PX):
            if self._is_before(thing):
                if was_left(thing, small, expected) or self._went(thing):
                    cv2.copyTo(small / self._gain, thing.mask, self._background)
                    apart[thing.mask > 0] = 0
                else:
                    hides |= thing.mask
        self._in_sight = frozenset()
        moved = differ(small, self._last, MOVES)
        self._follow(small, apart, hides, moved, elapsed)
        if hides.any():
            hides = np.asarray(cv2.dilate(hides, np.ones((3, 3), np.uint8)), np.uint8)
        return Before(self._shares(hides), self._shares(moved), self._light(small, hides))

    def _begin(self, small: Small) -> None:
        self._background = small.copy()
        self._gain = np.ones(3, np.float32)
        self._last = small
        self._still_s = np.zeros(small.shape[:2], np.float32)

    def _compared(self, small: Small) -> tuple[Small, Mask]:
        """The background in the light that explains most of the frame, and what stands out from it.

        The background keeps the light of its beginning: where it followed the light of now beside somebody
        who hides the rest of it, they would leave their outline in it.
        """
        dark = min(1.0, max(LEAST_CONTRAST, float(small.mean()) / BRIGHT))
        best: tuple[Small, Mask] | None = None
        for gain in (self._gain, gain_of(small, self._background), np.ones(3, np.float32)):
            lit = np.minimum(self._background * gain, np.float32(255))
            apart = differ(small, lit, CONTRAST * dark)
            if best is None or cv2.countNonZero(apart) < cv2.countNonZero(best[1]):
                best, self._gain = (lit, apart), gain
        return best or (small, np.zeros(small.shape[:2], np.uint8))

    def _is_before(self, thing: Thing) -> bool:
        x1, y1, x2, y2 = thing.box
        here = thing.mask[y1:y2, x1:x2] > 0
        beyond = int(np.count_nonzero(here & (self._where[y1:y2, x1:x2] == 0)))
        return beyond >= max(LEAST_BEYOND_PX, BEYOND * int(np.count_nonzero(here)))

    def _went(self, thing: Thing) -> bool:
        """Whether cells that it hides most of are in sight: most of them, and not one that was mistaken."""
        if not self._in_sight:
            return False
        hit = np.bincount(self._where[thing.mask > 0], minlength=len(self._areas) + 1)[1:]
        hidden = set(np.flatnonzero(hit > MOSTLY * self._areas).tolist())
        found = len(hidden & self._in_sight)
        return found >= 2 and 3 * found >= 2 * len(hidden)

    def _follow(self, small: Small, apart: Mask, hides: Mask, moved: Mask, elapsed: float) -> None:
        """The background takes over what does not stand out, goods that lie still, and what stays."""
        self._last = small
        self._still_s += np.float32(elapsed)
        self._still_s[(apart == 0) | (moved > 0)] = 0
        longest = float(self._still_s.max())
        if longest >= SETTLE_S:
            around = cv2.dilate(hides, np.ones((5, 5), np.uint8))  # or it is eaten up from its edges
            wanted = np.where(around > 0, ABSORB_S, SETTLE_S)
            cv2.copyTo(small / self._gain, (self._still_s >= wanted).astype(np.uint8), self._background)
        share = 1 - exp(-max(0.0, elapsed) / FOLLOW_S)
        cv2.accumulateWeighted(small / self._gain, self._background, share, mask=cv2.bitwise_not(apart))

    def _draw_cells(self, quads: Any, small: Small) -> None:
        self._cells = quads
        self._where = np.zeros(small.shape[:2], np.int32)
        for number, quad in enumerate(quads, 1):
            cv2.fillConvexPoly(self._where, np.rint(quad * self._scale).astype(np.int32), number)
        self._areas = np.bincount(self._where.ravel(), minlength=len(quads) + 1)[1:].astype(np.float64)

    def _shares(self, mask: Mask) -> Shares:
        if not mask.any():
            return np.zeros(len(self._areas))
        hit = np.bincount(self._where[mask > 0], minlength=len(self._areas) + 1)[1:]
        return np.asarray(hit / np.maximum(self._areas, 1.0))

    def _light(self, small: Small, hides: Mask) -> tuple[float, float, float]:
        free = (self._where == 0) & (hides == 0)
        pixels = small[free] if np.count_nonzero(free) >= 0.02 * free.size else small.reshape(-1, 3)
        blue, green, red = np.median(pixels, axis=0)
        return float(blue), float(green), float(red)
