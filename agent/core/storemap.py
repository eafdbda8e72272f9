"""A plan of the shop, drawn from a list of its aisles: an SVG in which every aisle and bay can be found.

Each has `data-place`: what `place` makes of its aisle and bay, and so what the texts of a product lead to.
What it looks like is said by the page that shows it.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from html import escape
from math import isfinite
from typing import Final

from agent.core.errors import quoted
from agent.core.settings import setting

HERE: Final = "here"
"""The place of the kiosk itself."""

AISLE_LIMIT: Final = 500
BAY_LIMIT: Final = 100
"""Of one aisle."""

_WORDS: Final = re.compile(r"[^\W_]+")
_SAID_ANYWAY: Final = frozenset({"aisle", "bay"})

Corners = tuple[float, float, float, float]
"""`x1 y1 x2 y2` in the unit of the plan, y downwards."""


def place(*parts: str | int) -> str:
    """`("Aisle 4", "B")` → `"4-b"`: one text for all ways to write a place; empty where nothing is said."""
    words = _WORDS.findall(unicodedata.normalize("NFKC", " ".join(map(str, parts))).lower())
    return "-".join(word for word in words if word not in _SAID_ANYWAY)


@dataclass(frozen=True, slots=True, kw_only=True)
class AisleSettings:
    """One aisle: the shelf that a product's `aisle` names."""

    aisle: str | int = setting("as in the products' column aisle")
    box: Corners = setting("where it stands: [x1, y1, x2, y2]")
    bays: tuple[str | int, ...] = setting(
        "as in the products' column bay, in their order along the longer side", ()
    )
    label: str = setting("what stands on the plan; empty: the aisle", "")

    def __post_init__(self) -> None:
        if not place(self.aisle):
            raise ValueError(f"aisle: expected letters or digits, found {quoted(self.aisle)}")
        _check_box(f"aisle {self.aisle!r}", self.box)
        if len(self.bays) > BAY_LIMIT:
            raise ValueError(f"bays: expected at most {BAY_LIMIT}, found {len(self.bays)}")


@dataclass(frozen=True, slots=True, kw_only=True)
class AreaSettings:
    """Something else to find one's way by: the entrance, the tills, a wall."""

    label: str = setting("what stands on the plan")
    box: Corners = setting("where it is: [x1, y1, x2, y2]")

    def __post_init__(self) -> None:
        _check_box(f"area {self.label!r}", self.box)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreMapSettings:
    """The whole plan."""

    size: tuple[float, float] = setting("width and height, in metres or any other unit")
    here: tuple[float, float] = setting("where the kiosk stands: [x, y]")
    aisles: tuple[AisleSettings, ...] = setting("the shelves")
    areas: tuple[AreaSettings, ...] = setting("what else is shown", ())

    def __post_init__(self) -> None:
        width, height = self.size
        if not (isfinite(width) and isfinite(height) and width > 0 and height > 0):
            raise ValueError(f"size: expected a width and a height above 0, found {list(self.size)}")
        if not (0 <= self.here[0] <= width and 0 <= self.here[1] <= height):
            raise ValueError(f"here: expected a point within {width:g} × {height:g}, found {list(self.here)}")
        if len(self.aisles) > AISLE_LIMIT:
            raise ValueError(f"aisles: expected at most {AISLE_LIMIT}, found {len(self.aisles)}")
        for what, x1, y1, x2, y2 in (
            *((f"aisle {each.aisle!r}", *each.box) for each in self.aisles),
            *((f"area {each.label!r}", *each.box) for each in self.areas),
        ):
            if min(x1, y1) < 0 or x2 > width or y2 > height:
                raise ValueError(
                    f"{what}: expected a box within {width:g} × {height:g}, found {[x1, y1, x2, y2]}"
                )
        names = [place(each.aisle) for each in self.aisles]
        if twice := [each.aisle for each in self.aisles if names.count(place(each.aisle)) > 1]:
            raise ValueError(f"aisles: expected each once, found {twice[0]!r} {len(twice)} times")


def drawn(plan: StoreMapSettings) -> str:
    """The plan as SVG."""
    width, height = plan.size
    unit = max(width, height) / 100
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" class="plan">',
        _rect("plan-floor", (0, 0, width, height), unit, ""),
        *(_area(area, unit) for area in plan.areas),
        *(_aisle(aisle, unit) for aisle in plan.aisles),
        _dot("plan-here", plan.here, 1.4 * unit, HERE),
        "</svg>",
    ]
    return "".join(parts)


def _aisle(aisle: AisleSettings, unit: float) -> str:
    x1, y1, x2, y2 = aisle.box
    down = y2 - y1 > x2 - x1
    step = ((y2 - y1) if down else (x2 - x1)) / max(1, len(aisle.bays))
    bays = []
    for number, bay in enumerate(aisle.bays):
        low, high = number * step, (number + 1) * step
        box = (x1, y1 + low, x2, y1 + high) if down else (x1 + low, y1, x1 + high, y2)
        bays.append(_rect("plan-bay", box, 0.0, place(aisle.aisle, bay)))
    return "".join(
        (
            "<g>",
            _rect("plan-aisle", aisle.box, 0.5 * unit, place(aisle.aisle)),
            *bays,
            _text("plan-label", aisle.box, aisle.label or str(aisle.aisle), unit),
            "</g>",
        )
    )


def _area(area: AreaSettings, unit: float) -> str:
    return _rect("plan-area", area.box, 0.5 * unit, "") + _text("plan-note", area.box, area.label, unit)


def _rect(kind: str, box: Corners, round_by: float, where: str) -> str:
    x1, y1, x2, y2 = box
    at = f' data-place="{escape(where)}"' if where else ""
    return (
        f'<rect class="{kind}"{at} x="{x1:g}" y="{y1:g}" width="{x2 - x1:g}" height="{y2 - y1:g}" '
        f'rx="{round_by:g}"/>'
    )


def _dot(kind: str, at: tuple[float, float], radius: float, where: str) -> str:
    return f'<circle class="{kind}" data-place="{where}" cx="{at[0]:g}" cy="{at[1]:g}" r="{radius:g}"/>'


def _text(kind: str, box: Corners, text: str, unit: float) -> str:
    """In the middle of the box, along its longer side where it would not fit across."""
    x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    size = 3.2 * unit
    narrow = len(text) * size * 0.6 > box[2] - box[0] and box[3] - box[1] > box[2] - box[0]
    turn = f' transform="rotate(-90 {x:g} {y:g})"' if narrow else ""
    return (
        f'<text class="{kind}" x="{x:g}" y="{y:g}" font-size="{size:g}" text-anchor="middle" '
        f'dominant-baseline="central"{turn}>{escape(text)}</text>'
    )


def _check_box(what: str, box: Corners) -> None:
    if not all(isfinite(number) for number in box) or not (box[0] < box[2] and box[1] < box[3]):
        raise ValueError(f"{what}: expected a box with x1 < x2 and y1 < y2, found {list(box)}")
