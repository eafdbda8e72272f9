"""Where in the picture of a camera products are looked for, as somebody draws it."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite
from typing import TYPE_CHECKING, Any, Final

from agent.core.errors import quoted
from agent.core.forms import NEEDED
from agent.core.json_fields import typed

if TYPE_CHECKING:
    from agent.core.zone import Corners

Point = tuple[float, float]

DIGITS: Final = 6
"""Of a share of a side: a thousandth of a pixel."""

_TEXT: Final = 1000
_COUNT: Final = 1000
_NUMBER: Final = {"type": "number"}
_POINT: Final = {"type": "array", "items": _NUMBER, "minItems": 2, "maxItems": 2}

PLACE: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "maxLength": _TEXT},
        "was": {
            "type": "string",
            "maxLength": _TEXT,
            "description": "its name in the file; empty: it is new",
        },
        "sku": {"type": "string", "maxLength": _TEXT, "description": "product that belongs there"},
        "box": {"type": "array", "items": _NUMBER, "minItems": 4, "maxItems": 4},
        "quad": {"type": "array", "items": _POINT, "minItems": 4, "maxItems": 4},
        "facings": {"type": "integer", "minimum": 1, "maximum": _COUNT, "description": "of a shelf alone"},
        "minimum": {"type": "integer", "minimum": 1, "maximum": _COUNT, "description": "of a shelf alone"},
    },
    "required": ["name"],
    "additionalProperties": False,
}
"""JSON Schema of a place; it has either a box or a quad."""


@dataclass(frozen=True, slots=True)
class Place:
    """One slot. What of it may be is for the configuration to say."""

    name: str
    was: str = ""  # its name in the file; empty: it is new
    sku: str = ""
    box: tuple[float, float, float, float] | None = None
    quad: tuple[Point, Point, Point, Point] | None = None
    facings: int = 1  # of a shelf alone, as `minimum` is
    minimum: int = 1


@dataclass(frozen=True, slots=True)
class Layout:
    """All that is drawn of one camera, in the unit of its configuration."""

    mode: str
    places: tuple[Place, ...] = ()
    zone: Corners | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """A field of a request: up to `limit` places, read as a tuple of `Place`."""

    doc: str
    limit: int
    default: Any = NEEDED

    def read(self, where: str, value: Any) -> tuple[Place, ...]:
        """See `forms.Field`."""
        listed = typed(where, "list", value)
        if len(listed) > self.limit:
            raise ValueError(f"{where}: expected at most {self.limit} places, found {len(listed)}")
        return tuple(_place(f"{where}[{number}]", each) for number, each in enumerate(listed))

    def schema(self) -> dict[str, Any]:
        """See `forms.Field`."""
        return {"type": "array", "items": PLACE, "maxItems": self.limit, "description": self.doc}


@dataclass(frozen=True, slots=True, kw_only=True)
class Zoned:
    """A field of a request: `[x1, y1, x2, y2]` with fractions, or null."""

    doc: str
    default: Any = None

    def read(self, where: str, value: Any) -> tuple[float, ...] | None:
        """See `forms.Field`."""
        return None if value is None else _numbers(where, value, 4)

    def schema(self) -> dict[str, Any]:
        """See `forms.Field`."""
        four = {"type": "array", "items": _NUMBER, "minItems": 4, "maxItems": 4}
        return {"anyOf": [four, {"type": "null"}], "description": self.doc}


@dataclass(frozen=True, slots=True, kw_only=True)
class Boxes:
    """A field of a request: up to `limit` of `[x1, y1, x2, y2]`."""

    doc: str
    limit: int
    default: Any = NEEDED

    def read(self, where: str, value: Any) -> tuple[tuple[float, ...], ...]:
        """See `forms.Field`."""
        listed = typed(where, "list", value)
        if len(listed) > self.limit:
            raise ValueError(f"{where}: expected at most {self.limit} boxes, found {len(listed)}")
        return tuple(_numbers(f"{where}[{number}]", each, 4) for number, each in enumerate(listed))

    def schema(self) -> dict[str, Any]:
        """See `forms.Field`."""
        four = {"type": "array", "items": _NUMBER, "minItems": 4, "maxItems": 4}
        return {"type": "array", "items": four, "maxItems": self.limit, "description": self.doc}


def _place(where: str, value: Any) -> Place:
    given = typed(where, "object", value)
    for key in given:
        if key not in PLACE["properties"]:
            known = ", ".join(PLACE["properties"])
            raise ValueError(f"{where}.{quoted(key)[1:-1]}: expected one of {known}, found an unknown field")
    texts = {}
    for key in ("name", "was", "sku"):
        texts[key] = typed(f"{where}.{key}", "str", given.get(key, "" if key != "name" else None))
        if len(texts[key]) > _TEXT:
            raise ValueError(f"{where}.{key}: expected at most {_TEXT} characters, found {len(texts[key])}")
    if ("box" in given) == ("quad" in given):
        found = "both" if "box" in given else "neither"
        raise ValueError(f"{where}: expected either a box or a quad, found {found}")
    box = _numbers(f"{where}.box", given["box"], 4) if "box" in given else None
    quad = None
    if "quad" in given:
        corners = typed(f"{where}.quad", "list", given["quad"])
        if len(corners) != 4:
            raise ValueError(f"{where}.quad: expected four corners, found {len(corners)}")
        quad = tuple(_numbers(f"{where}.quad[{number}]", each, 2) for number, each in enumerate(corners))
    counts = {}
    for key in ("facings", "minimum"):
        counts[key] = typed(f"{where}.{key}", "int", given.get(key, 1))
        if not 1 <= counts[key] <= _COUNT:
            raise ValueError(f"{where}.{key}: expected 1 to {_COUNT}, found {counts[key]}")
    return Place(**texts, box=box, quad=quad, **counts)


def _numbers(where: str, value: Any, count: int) -> Any:
    """So many finite numbers, rounded to what the file keeps."""
    listed = typed(where, "list", value)
    if len(listed) != count:
        raise ValueError(f"{where}: expected {count} numbers, found {len(listed)}")
    numbers = []
    for number, each in enumerate(listed):
        found = float(typed(f"{where}[{number}]", "float", each))
        if not isfinite(found) or abs(found) > 1e6:
            raise ValueError(f"{where}[{number}]: expected a number up to 1,000,000, found {quoted(each)}")
        numbers.append(round(found, DIGITS))
    return tuple(numbers)
