"""Where the cells of a planogram are in the frames of a camera that may have been moved a little.

It is the proposer of a shelf's camera, and its application asks it as well: both see the same places.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, floor
from typing import TYPE_CHECKING, Final

import numpy as np

from agent.core.errors import InputError
from agent.core.planogram import as_quad
from agent.core.standpoint import SAME
from agent.core.types import Region

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from agent.core.planogram import Cell, Planogram
    from agent.core.standpoint import Pose, Standpoint
    from agent.core.types import Frame

INSIDE: Final = 0.7
"""Share of a cell that must be in the picture: with less, another product might be seen in it."""

UPRIGHT_PX: Final = 1.5
"""A rectangle whose corners are that near to an upright one is cut out as such, at half the cost."""


@dataclass(frozen=True, slots=True, eq=False)
class Placed:
    """The cells in one frame."""

    pose: Pose
    cells: tuple[Cell, ...]
    quads: NDArray[np.float64]  # `(N, 4, 2)` of the cells, px of the frame
    regions: tuple[Region | None, ...]  # of the cells; None: too little of it is in the picture


class Placement:
    """Of one camera, for one thread."""

    def __init__(self, planogram: Planogram, standpoint: Standpoint) -> None:
        self.planogram = planogram
        self.standpoint = standpoint
        self._cells: tuple[Cell, ...] = ()
        self._size = (0, 0)
        self._placed: Placed | None = None

    def regions(self, frame: Frame) -> tuple[Region, ...]:
        """What is to be looked at: nothing while it is not known where the slots are.

        Raises:
            InputError: the planogram does not fit the picture (names the slot).
        """
        placed = self.at(frame)
        return tuple(each for each in placed.regions if each is not None) if placed.pose.usable else ()

    def at(self, frame: Frame) -> Placed:
        """Where the cells are. Raises as `regions`."""
        size = (frame.width, frame.height)
        if size != self._size:
            try:
                self._cells = self.planogram.cells(*size)
            except ValueError as error:
                raise InputError(f"shelf: {error}") from None
            self._size, self._placed = size, None
            self.standpoint.goods = np.array([cell.quad for cell in self._cells], np.float64)
        pose = self.standpoint.pose(frame)
        placed = self._placed
        if placed is None or placed.pose.matrix != pose.matrix:
            placed = _placed(pose, self._cells, size)
        elif placed.pose is not pose:
            placed = Placed(pose, placed.cells, placed.quads, placed.regions)
        self._placed = placed
        return placed


def _placed(pose: Pose, cells: tuple[Cell, ...], size: tuple[int, int]) -> Placed:
    flat = np.array([cell.quad for cell in cells], np.float64).reshape(-1, 2)
    quads = (flat if pose.matrix == SAME.matrix else pose.placed(flat)).reshape(-1, 4, 2)
    regions = tuple(_region(cell, quad, size) for cell, quad in zip(cells, quads, strict=True))
    return Placed(pose, cells, quads, regions)


def _region(cell: Cell, quad: NDArray[np.float64], size: tuple[int, int]) -> Region | None:
    low, high = quad.min(axis=0), quad.max(axis=0)
    inside = np.maximum(np.minimum(high, size) - np.maximum(low, 0), 0)
    if inside[0] * inside[1] < INSIDE * (high[0] - low[0]) * (high[1] - low[1]):
        return None
    if cell.upright:
        upright = np.array([low, (high[0], low[1]), high, (low[0], high[1])])
        if float(np.abs(upright - quad).max()) <= UPRIGHT_PX:
            middle = np.array([quad[[0, 3]].mean(axis=0)[0], quad[[0, 1]].mean(axis=0)[1],
                               quad[[1, 2]].mean(axis=0)[0], quad[[2, 3]].mean(axis=0)[1]])  # fmt: skip
            x1, y1, x2, y2 = (round(float(n)) for n in middle)
            return Region((max(0, x1), max(0, y1), min(size[0], x2), min(size[1], y2)), cell.name)
    box = (floor(low[0]), floor(low[1]), ceil(high[0]), ceil(high[1]))
    return Region(box, cell.name, as_quad(quad))
