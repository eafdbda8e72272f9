"""A planogram: which product belongs where on a shelf, and where that is in the camera's picture.

A slot is drawn on the picture, as a box or four corners, or it is a rectangle on a fixture in centimetres;
of a fixture four points are known on both. Where a slot has room for several products side by side it is
looked at in as many equal columns: its facings.

What can be checked without a picture is checked when the settings are born, the rest when its size is known.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from math import isfinite
from typing import TYPE_CHECKING, Any, Final, Literal

import cv2
import numpy as np

from agent.core.errors import quoted
from agent.core.product_rules import SKU_LIMIT
from agent.core.regions import MAX_REGIONS, MIN_SIDE_PX, check_slot_name, is_clockwise_convex
from agent.core.settings import check_range, setting

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from agent.core.types import Quad

Point = tuple[float, float]
Corners = tuple[Point, Point, Point, Point]

OVERLAP: Final = 0.2
"""Share of the smaller of two slots that they may have in common: hands draw them, and cameras look from the
side. With more, one product would be seen in both."""

FACINGS_LIMIT: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Fixture:
    """A flat front with slots on it, and how it lies in the picture."""

    name: str = setting("name of the fixture, unique within the planogram")
    points_cm: Corners = setting(
        "four points of its front [x, y], centimetres from its upper left corner, y downwards; the farther "
        "apart they are the better"
    )
    points: Corners = setting("the same four points in the picture [x, y], in the planogram's unit")

    def __post_init__(self) -> None:
        where = f"fixture {quoted(self.name)}"
        if not self.name:
            raise ValueError("name: expected a name of the fixture, found none")
        for key in ("points_cm", "points"):
            points = getattr(self, key)
            if not all(isfinite(n) for point in points for n in point):
                raise ValueError(f"{where}: {key}: expected finite numbers, found {_listed(points)}")
            if not _in_general_position(points):
                raise ValueError(
                    f"{where}: {key}: expected four points of which no three lie on a line, found "
                    f"{_listed(points)}"
                )


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedSlot:
    """One place of the shelf, and what belongs there."""

    name: str = setting("name of the slot, unique within the camera; it becomes part of topics")
    sku: str = setting("product that belongs there")
    box: tuple[float, float, float, float] | None = setting(
        "upright rectangle of the picture: [x1, y1, x2, y2]", None
    )
    quad: Corners | None = setting(
        "four corners in the picture [x, y], clockwise from the upper left one of the shelf", None
    )
    fixture: str = setting("name of the fixture that `cm` is on", "")
    cm: tuple[float, float, float, float] | None = setting(
        "rectangle on the fixture: [x, y, width, height], centimetres", None
    )
    facings: int = setting("products that stand side by side when it is full; each is looked at", 1)
    minimum: int = setting("facings that must be there; with fewer the slot is low", 1)

    def __post_init__(self) -> None:
        check_slot_name(self.name)
        where = f"slot {self.name!r}"
        if not 1 <= len(self.sku) <= SKU_LIMIT:
            raise ValueError(f"{where}: sku: expected 1 to {SKU_LIMIT} characters, found {len(self.sku)}")
        given = [key for key in ("box", "quad", "cm") if getattr(self, key) is not None]
        if len(given) != 1:
            found = " and ".join(given) or "none"
            raise ValueError(f"{where}: expected one of box, quad and cm, found {found}")
        if bool(self.fixture) != (self.cm is not None):
            found = "the one without the other"
            raise ValueError(f"{where}: expected fixture together with cm, found {found}")
        self._check_place(where)
        check_range(f"{where}: facings", self.facings, 1, FACINGS_LIMIT)
        check_range(f"{where}: minimum", self.minimum, 1, self.facings)

    def _check_place(self, where: str) -> None:
        numbers = [*(self.box or ()), *(self.cm or ()), *(n for point in self.quad or () for n in point)]
        if not all(isfinite(number) for number in numbers):
            raise ValueError(f"{where}: expected finite numbers, found {numbers}")
        if self.box is not None and not (self.box[0] < self.box[2] and self.box[1] < self.box[3]):
            raise ValueError(f"{where}: box: expected x1 < x2 and y1 < y2, found {list(self.box)}")
        if self.cm is not None and not (self.cm[2] > 0 and self.cm[3] > 0):
            raise ValueError(
                f"{where}: cm: expected a width and a height of more than 0, found {list(self.cm)}"
            )
        if self.quad is not None and not is_clockwise_convex(self.quad):
            raise ValueError(
                f"{where}: quad: expected four corners clockwise around a convex shape, found "
                f"{_listed(self.quad)}"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Planogram:
    """The slots of one camera."""

    bay: str = setting("name of the bay, for people", "")
    unit: Literal["px", "share"] = setting(
        "unit of boxes, quads and points in the picture: pixels, or shares of width and height", "px"
    )
    fixtures: tuple[Fixture, ...] = setting("fixtures that slots are measured on", ())
    slots: tuple[PlannedSlot, ...] = setting("the places of the shelf, at least one")

    def __post_init__(self) -> None:
        if not self.slots:
            raise ValueError("slots: expected at least one, found none")
        _check_once("fixtures", [fixture.name for fixture in self.fixtures])
        _check_once("slots", [slot.name for slot in self.slots])
        known = {fixture.name for fixture in self.fixtures}
        for slot in self.slots:
            if slot.fixture and slot.fixture not in known:
                names = ", ".join(sorted(known)) or "one in fixtures, which is empty"
                raise ValueError(
                    f"slots: slot {slot.name!r}: expected a fixture of {names}, found {quoted(slot.fixture)}"
                )
        cells = sum(slot.facings for slot in self.slots)
        if cells > MAX_REGIONS:
            raise ValueError(f"slots: expected at most {MAX_REGIONS} facings together, found {cells}")
        quads = dict(zip((slot.name for slot in self.slots), self._quads(), strict=True))
        if self.unit == "share":
            _check_within(quads, 1, 1)
        _check_apart(quads)

    @property
    def expected(self) -> dict[str, str]:
        """Name of a cell → SKU of what belongs there."""
        return {name: slot.sku for slot in self.slots for name in _names(slot)}

    def cells(self, width: int, height: int) -> tuple[Cell, ...]:
        """The facings of all slots in a picture of this size, slot by slot from left to right.

        Raises:
            ValueError: a slot lies outside the picture, or a facing is too small to be told apart.
        """
        scale = np.array([width, height] if self.unit == "share" else [1, 1], np.float64)
        quads = {slot.name: quad * scale for slot, quad in zip(self.slots, self._quads(), strict=True)}
        _check_within(quads, width, height)
        found = []
        for slot in self.slots:
            columns = _columns(quads[slot.name], slot.facings)
            for name, corners in zip(_names(slot), columns, strict=True):
                side = min(float(np.hypot(*(b - a))) for a, b in pairwise([*corners, corners[0]]))
                if side < MIN_SIDE_PX:
                    raise ValueError(
                        f"slot {slot.name!r}: expected facings with sides of at least {MIN_SIDE_PX} px, "
                        f"found {side:.1f} px"
                    )
                found.append(Cell(name, slot.name, slot.sku, as_quad(corners), upright=slot.box is not None))
        return tuple(found)

    @property
    def outlines(self) -> dict[str, Quad]:
        """Name of a slot → its corners in the reference view, in the planogram's unit."""
        return {slot.name: as_quad(quad) for slot, quad in zip(self.slots, self._quads(), strict=True)}

    def _quads(self) -> list[NDArray[np.float64]]:
        """`(4, 2)` per slot, in the planogram's unit."""
        onto = {
            fixture.name: cv2.getPerspectiveTransform(
                np.array(fixture.points_cm, np.float32), np.array(fixture.points, np.float32)
            )
            for fixture in self.fixtures
        }
        return [_quad(slot, onto) for slot in self.slots]


@dataclass(frozen=True, slots=True)
class Cell:
    """One facing of a slot. `name` is that of its region: a slot of one facing is its own, others are
    numbered from the left, `a1/1`, `a1/2`, which no slot can be called.
    """

    name: str
    slot: str
    sku: str
    quad: Quad  # pixels of the reference view
    upright: bool = False  # an upright rectangle of the picture


def _names(slot: PlannedSlot) -> list[str]:
    numbered = [f"{slot.name}/{number}" for number in range(1, slot.facings + 1)]
    return numbered if slot.facings > 1 else [slot.name]


def as_quad(corners: Any) -> Quad:
    """`(4, 2)` numbers as a `Quad`."""
    a, b, c, d = ((float(x), float(y)) for x, y in corners)
    return (a, b, c, d)


def _quad(slot: PlannedSlot, onto: dict[str, Any]) -> NDArray[np.float64]:
    if slot.quad is not None:
        return np.array(slot.quad, np.float64)
    if slot.box is not None:
        return _rectangle(*slot.box)
    x, y, width, height = slot.cm or (0.0, 0.0, 1.0, 1.0)
    flat = _rectangle(x, y, x + width, y + height)[None]
    return np.asarray(cv2.perspectiveTransform(flat, onto[slot.fixture])[0], np.float64)


def _rectangle(x1: float, y1: float, x2: float, y2: float) -> NDArray[np.float64]:
    return np.array([(x1, y1), (x2, y1), (x2, y2), (x1, y2)], np.float64)


def _columns(quad: NDArray[np.float64], count: int) -> list[NDArray[np.float64]]:
    """A quad cut into columns that are equally wide on the shelf itself."""
    if count == 1:
        return [quad]
    flat = _rectangle(0, 0, count, 1).astype(np.float32)
    onto = cv2.getPerspectiveTransform(flat, quad.astype(np.float32))
    edges = np.array([[(n, 0) for n in range(count + 1)], [(n, 1) for n in range(count + 1)]], np.float64)
    top, bottom = (cv2.perspectiveTransform(edge[None], onto)[0] for edge in edges)
    return [np.array([top[n], top[n + 1], bottom[n + 1], bottom[n]]) for n in range(count)]


def _check_once(key: str, names: Sequence[str]) -> None:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"{key}: expected each name once, found {quoted(twice[0])} twice")


def _check_within(quads: dict[str, NDArray[np.float64]], width: float, height: float) -> None:
    for name, quad in quads.items():
        for axis, most, size in (("x", width, quad[:, 0]), ("y", height, quad[:, 1])):
            low, high = float(size.min()), float(size.max())
            # what was written as a share, or came from a fixture, may be out by a rounding
            if low < -0.5 * (most > 1) - 1e-6 or high > most + 0.5 * (most > 1) + 1e-6:
                found = low if low < 0 else high
                raise ValueError(
                    f"slots: slot {name!r}: expected {axis} from 0 to {most:g} within the picture, "
                    f"found {found:g}"
                )


def _check_apart(quads: dict[str, NDArray[np.float64]]) -> None:
    """Refuse slots that lie on one another: the first pair is named."""
    names, shapes = list(quads), list(quads.values())
    low = np.array([shape.min(axis=0) for shape in shapes])
    high = np.array([shape.max(axis=0) for shape in shapes])
    areas = [float(abs(cv2.contourArea(shape.astype(np.float32)))) for shape in shapes]
    for one in range(len(shapes)):
        near = np.flatnonzero(
            (low[one + 1 :] < high[one]).all(axis=1) & (high[one + 1 :] > low[one]).all(axis=1)
        )
        for other in (int(number) + one + 1 for number in near):
            common = _common_area(shapes[one], shapes[other])
            if common > OVERLAP * min(areas[one], areas[other]):
                share = 100 * common / min(areas[one], areas[other])
                raise ValueError(
                    f"slots: slot {names[one]!r} and slot {names[other]!r}: expected at most "
                    f"{100 * OVERLAP:.0f} % of the smaller in common, found {share:.0f} %"
                )


def _common_area(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    # Far above 1: OpenCV drops intersections that are small in its own unit.
    scale = 1000.0 / max(1e-9, float(np.ptp(np.concatenate([one, other]), axis=0).max()))
    area, _ = cv2.intersectConvexConvex((one * scale).astype(np.float32), (other * scale).astype(np.float32))
    return float(area) / scale**2


def _in_general_position(points: Corners) -> bool:
    shape = np.array(points, np.float64)
    size = float(np.ptp(shape, axis=0).max())
    for left_out in range(4):
        a, b, c = np.delete(shape, left_out, axis=0)
        if abs((b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])) <= 1e-3 * size**2:
            return False
    return True


def _listed(points: Iterable[Point]) -> str:
    return str([list(point) for point in points])
