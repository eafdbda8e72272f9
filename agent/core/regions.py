"""Where in a picture products are looked for: all of it, its centre, slots, a grid, or what is proposed.

What can be checked without a picture is checked when the settings are born, the rest when its size is known.
The places that do not depend on what the picture shows are found here; `core/motion.py` and
`core/proposals.py` find the others.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from itertools import pairwise
from math import ceil, floor, isfinite
from typing import Literal

from agent.core.boxes import spans
from agent.core.errors import InputError, quoted
from agent.core.motion import MotionSettings
from agent.core.proposals import DetectorSettings  # noqa: TC001  msgspec reads the annotations
from agent.core.settings import check_range, setting
from agent.core.types import Box, Frame, Quad, Region
from agent.core.zone import Corners, Zone

MIN_SIDE_PX = 8
"""A region with a shorter side shows nothing that a model could tell apart."""

MAX_REGIONS = 1024
"""Of one camera: at 1 ms each, looking at all of them takes a second."""

MIN_CROP = 0.1
"""Of a photo of 1,000 px less than 100 px would remain, too few to tell products apart."""

PROPOSED = frozenset({"motion", "detector"})
"""Modes whose regions depend on what a picture shows."""

Point = tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotSettings:
    """One place where a product belongs."""

    name: str = setting("name of the slot, unique within the camera; it becomes part of topics")
    box: tuple[float, float, float, float] | None = setting("upright rectangle: [x1, y1, x2, y2]", None)
    quad: tuple[Point, Point, Point, Point] | None = setting(
        "four corners [x, y] clockwise from the one that becomes top left; the slot is seen straight", None
    )
    sku: str = setting("product that belongs there: helps to tell it from those that look like it", "")

    def __post_init__(self) -> None:
        check_slot_name(self.name)
        where = f"slot {self.name!r}"
        if (self.box is None) == (self.quad is None):
            found = "both" if self.box else "neither"
            raise ValueError(f"{where}: expected either a box or a quad, found {found}")
        numbers = self.box if self.box is not None else [n for point in self.quad or () for n in point]
        if len(numbers) != (4 if self.box is not None else 8) or not all(isfinite(n) for n in numbers):
            raise ValueError(f"{where}: expected finite numbers, found {quoted(self.box or self.quad)}")
        if self.box is not None and not (self.box[0] < self.box[2] and self.box[1] < self.box[3]):
            raise ValueError(f"{where}: box: expected x1 < x2 and y1 < y2, found {list(self.box)}")
        if self.quad is not None and not is_clockwise_convex(self.quad):
            raise ValueError(
                f"{where}: quad: expected four corners clockwise around a convex shape, found "
                f"{[list(point) for point in self.quad]}"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class GridSettings:
    """Equal cells that cover the picture. They are named r1c1, r1c2, … from the top left."""

    rows: int = setting("number of rows", 2)
    columns: int = setting("number of columns", 2)
    overlap: float = setting("share of a cell's side that it has in common with its neighbour", 0.0)

    def __post_init__(self) -> None:
        check_range("rows", self.rows, 1, 64)
        check_range("columns", self.columns, 1, 64)
        check_range("overlap", self.overlap, 0.0, 0.9)
        if self.rows * self.columns > MAX_REGIONS:
            raise ValueError(
                f"rows: expected at most {MAX_REGIONS} cells, found {self.rows} × {self.columns}"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class RegionSettings:
    """Where in the picture products are looked for."""

    mode: Literal["whole", "centre", "slots", "grid", "motion", "detector"] = setting(
        "all of the picture, its centre, configured slots, a grid of equal cells, what stands out from the "
        "background of a camera that does not move, or what a detector finds",
        "whole",
    )
    centre: float = setting("mode centre: share of each side of the picture that is kept", 0.75)
    unit: Literal["px", "share"] = setting(
        "unit of slots and zone: pixels, or shares of width and height", "px"
    )
    slots: tuple[SlotSettings, ...] = setting("mode slots: the places to look at", ())
    grid: GridSettings = setting("mode grid: the cells", GridSettings())
    zone: Corners | None = setting(
        "modes motion and detector: the part of the picture that is watched, [x1, y1, x2, y2]", None
    )
    min_px: int = setting("modes motion and detector: pixels of the shortest side that is looked at", 24)
    limit: int = setting("modes motion and detector: regions looked at in one picture, the best first", 16)
    motion: MotionSettings = setting("mode motion: when something stands out", MotionSettings())
    detector: DetectorSettings | None = setting("mode detector: the model that proposes regions", None)

    def __post_init__(self) -> None:
        check_range("centre", self.centre, 0.05, 1.0)
        if (self.mode == "slots") != bool(self.slots):
            expected = "at least one slot" if self.mode == "slots" else f"none with mode {self.mode}"
            raise ValueError(f"slots: expected {expected}, found {len(self.slots)}")
        if len(self.slots) > MAX_REGIONS:
            raise ValueError(f"slots: expected at most {MAX_REGIONS}, found {len(self.slots)}")
        names = [slot.name for slot in self.slots]
        if twice := [name for name in names if names.count(name) > 1]:
            raise ValueError(
                f"slots: expected each name once, found {twice[0]!r} {names.count(twice[0])} times"
            )
        if self.unit == "share":
            for slot in self.slots:
                _check_within(slot, 1, 1, "1 (unit: share)", "1 (unit: share)")
        if (self.mode == "detector") != (self.detector is not None):
            expected = "the model" if self.mode == "detector" else f"none with mode {self.mode}"
            raise ValueError(f"detector: expected {expected}, found {'one' if self.detector else 'none'}")
        check_range("min_px", self.min_px, MIN_SIDE_PX, 10_000)
        check_range("limit", self.limit, 1, MAX_REGIONS)
        self._check_zone()

    def _check_zone(self) -> None:
        if self.zone is None:
            return
        x1, y1, x2, y2 = self.zone
        most = 1.0 if self.unit == "share" else 1e6
        if self.mode not in PROPOSED or not (0 <= x1 < x2 <= most and 0 <= y1 < y2 <= most):
            expected = "numbers from 0 to 1" if self.unit == "share" else "pixels"
            modes = " and ".join(sorted(PROPOSED))
            raise ValueError(
                f"zone: expected {expected} with x1 < x2 and y1 < y2, and one of the modes {modes}, found "
                f"{list(self.zone)} with mode {self.mode}"
            )

    @property
    def watched(self) -> Zone:
        """Where a proposer looks, and which of its regions count."""
        return Zone(corners=self.zone, shares=self.unit == "share", min_px=self.min_px, limit=self.limit)


class FixedRegions:
    """The proposer of a camera whose regions are configured: the same ones in every picture of a size."""

    def __init__(self, settings: RegionSettings) -> None:
        self._settings = settings
        self._size = (0, 0)
        self._regions: tuple[Region, ...] = ()

    def regions(self, frame: Frame) -> tuple[Region, ...]:
        """In the order of the settings, all named.

        Raises:
            InputError: they do not fit the picture (names the region).
        """
        size = (frame.width, frame.height)
        if size != self._size:
            try:
                self._regions = propose(self._settings, *size)
            except ValueError as error:
                raise InputError(f"regions: {error}") from None
            self._size = size
        return self._regions


class Nowhere:
    """The proposer of a camera of which it is not known yet where to look."""

    def regions(self, frame: Frame) -> tuple[Region, ...]:  # noqa: ARG002  as all proposers
        """None."""
        return ()


def kept_centre(crop: float) -> RegionSettings:
    """The region of a picture of which only the middle `crop` of each side is looked at; 1 is all of it.

    The same for reference pictures and for photos that are compared with them.

    Raises:
        ValueError: a share outside [0.1, 1].
    """
    check_crop(crop)
    return RegionSettings(mode="centre", centre=crop) if crop < 1 else RegionSettings()


def check_crop(crop: float) -> None:
    """Raises ValueError for a share outside [0.1, 1], NaN included."""
    check_range("crop", crop, MIN_CROP, 1.0)


def propose(settings: RegionSettings, width: int, height: int) -> tuple[Region, ...]:
    """The regions of a picture of `width` × `height` px, in the order of the settings, all named.

    Raises:
        ValueError: a slot lies outside the picture or is too small; the slot, expected and found are named.
            Or the mode is one whose regions depend on what the picture shows.
    """
    match settings.mode:
        case "whole":
            return (Region((0, 0, width, height), "whole"),)
        case "centre":
            return (Region(_centre(settings.centre, width, height), "centre"),)
        case "grid":
            return _cells(settings.grid, width, height)
        case "slots":
            scale = (width, height) if settings.unit == "share" else (1, 1)
            return tuple(_slot(slot, scale, width, height) for slot in settings.slots)
        case "motion" | "detector":
            raise ValueError(f"mode: expected one whose regions are fixed, found {settings.mode}")


def _centre(share: float, width: int, height: int) -> Box:
    """The middle `share` of each side, at least 1 px."""
    w, h = max(1, round(width * share)), max(1, round(height * share))
    x, y = (width - w) // 2, (height - h) // 2
    return x, y, x + w, y + h


def _cells(grid: GridSettings, width: int, height: int) -> tuple[Region, ...]:
    across = spans(width, grid.columns, grid.overlap)
    down = spans(height, grid.rows, grid.overlap)
    if min(b - a for a, b in (*across, *down)) < MIN_SIDE_PX:
        raise ValueError(
            f"grid: expected cells of at least {MIN_SIDE_PX} px, found {grid.rows} rows and "
            f"{grid.columns} columns on {width} × {height} px"
        )
    return tuple(
        Region((x1, y1, x2, y2), f"r{row}c{column}")
        for row, (y1, y2) in enumerate(down, 1)
        for column, (x1, x2) in enumerate(across, 1)
    )


def _slot(slot: SlotSettings, scale: tuple[int, int], width: int, height: int) -> Region:
    if scale == (1, 1):
        _check_within(slot, width, height, f"the picture's width {width}", f"the picture's height {height}")
    points = [(x * scale[0], y * scale[1]) for x, y in _corners(slot)]
    quad: Quad | None = None
    xs, ys = [x for x, _ in points], [y for _, y in points]
    if slot.quad is None:
        box = (round(xs[0]), round(ys[0]), round(xs[1]), round(ys[1]))
        sides = [float(box[2] - box[0]), float(box[3] - box[1])]
    else:
        quad = (points[0], points[1], points[2], points[3])
        box = (floor(min(xs)), floor(min(ys)), ceil(max(xs)), ceil(max(ys)))
        sides = [_distance(a, b) for a, b in pairwise((*quad, quad[0]))]
    if min(sides) < MIN_SIDE_PX:
        raise ValueError(
            f"slot {slot.name!r}: expected sides of at least {MIN_SIDE_PX} px, found {min(sides):.1f} px"
        )
    return Region(box, slot.name, quad)


def _corners(slot: SlotSettings) -> tuple[Point, ...]:
    """The corners of a quad, or two opposite ones of a box."""
    if slot.box is not None:
        return ((slot.box[0], slot.box[1]), (slot.box[2], slot.box[3]))
    return slot.quad or ()


def _check_within(slot: SlotSettings, width: float, height: float, right: str, bottom: str) -> None:
    for x, y in _corners(slot):
        if not 0 <= x <= width:
            raise ValueError(f"slot {slot.name!r}: expected x from 0 to {right}, found {x:g}")
        if not 0 <= y <= height:
            raise ValueError(f"slot {slot.name!r}: expected y from 0 to {bottom}, found {y:g}")


def is_clockwise_convex(quad: tuple[Point, ...]) -> bool:
    """Whether every corner turns right (y points down), which a crossed or mirrored shape does not."""
    turns = []
    for n in range(4):
        (ax, ay), (bx, by), (cx, cy) = quad[n], quad[(n + 1) % 4], quad[(n + 2) % 4]
        turns.append((bx - ax) * (cy - by) - (by - ay) * (cx - bx))
    return min(turns) > 0


def _distance(a: Point, b: Point) -> float:
    return float(((a[0] - b[0]) ** 2 + (a[1] - b[1]) ** 2) ** 0.5)


def check_slot_name(name: str) -> None:
    """A slot's name is one level of a topic."""
    bad = any(c in "+#/" or unicodedata.category(c) in {"Cc", "Cs"} for c in name)
    if bad or not 1 <= len(name) <= 64:
        raise ValueError(
            f"name: expected 1 to 64 characters without '+', '#', '/' and control characters, "
            f"found {quoted(name)}"
        )
