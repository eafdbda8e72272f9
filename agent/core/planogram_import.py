"""Planograms of other programs, as ours: the retired Azure planogram JSON, and CSV. Bytes in, plain data out.

Azure's, lengths in cm or in, from the upper left corner of the planogram:

    {"width": 100, "height": 50, "products": [{"id": "oats", "name": "Oats", "w": 12, "h": 20}],
     "fixtures": [{"id": "top", "w": 100, "h": 2, "x": 0, "y": 20}],
     "positions": [{"id": "1", "productId": "oats", "fixtureId": "top", "x": 0, "y": 0}]}

Positions of one product that stand side by side on one fixture become the facings of one slot. CSV has a
header; `slot` and `sku` and either `x1 y1 x2 y2` (pixels of the picture) or `x y width height` (cm), and
`facings` and `minimum` where they are wanted.
"""

from __future__ import annotations

import csv
from math import isfinite
from typing import TYPE_CHECKING, Any, Final

from agent.core.errors import InputError, quoted
from agent.core.json_fields import objects, typed, typed_fields
from agent.core.strict_json import parse_object

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    Row = dict[str, Any]

BYTES_LIMIT: Final = 4_000_000
POSITIONS_LIMIT: Final = 5_000
FIXTURE: Final = "front"
"""What the whole of an imported planogram is called: its front, of which four corners are in the picture."""

SIDE_BY_SIDE: Final = 0.25
"""Share of a product's width that may be between two of its facings, or that they may overlap."""

WHOLE_PICTURE: Final = ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0))
_PICTURE, _CM = ("x1", "y1", "x2", "y2"), ("x", "y", "width", "height")
_COUNTS: Final = ("facings", "minimum")


def from_azure(data: bytes) -> dict[str, Any]:
    """Our planogram of Azure's JSON; it fills the picture, until `points` say where it lies.

    Raises:
        InputError: naming the field, what was expected and what was found.
    """
    try:
        document = parse_object(data, BYTES_LIMIT)
        document = document.get("planogram", document)
        head = typed_fields("planogram", document, {"width": "float", "height": "float"} | _LISTS)
        width, height = _size("planogram.width", head["width"]), _size("planogram.height", head["height"])
        products = {
            row["id"]: (
                _size(f"{where}.w", row["w"]),
                _size(f"{where}.h", row["h"]),
            )
            for where, row in _rows("planogram.products", head["products"], {"w": "float", "h": "float"})
        }
        fixtures = {row["id"] for _, row in _rows("planogram.fixtures", head["fixtures"], {})}
        kinds = {"productId": "str", "fixtureId": "str", "x": "float", "y": "float"}
        placed = _rows("planogram.positions", head["positions"], kinds)
        for where, row in placed:
            _check_known(f"{where}.productId", row["productId"], products, "products")
            _check_known(f"{where}.fixtureId", row["fixtureId"], fixtures, "fixtures")
        slots = _merged([row for _, row in placed], products)
    except ValueError as error:
        raise InputError(str(error)) from None
    return _on_front(width, height, slots)


def from_csv(text: str) -> dict[str, Any]:
    """Our planogram of a CSV.

    Raises:
        InputError: every row that is wrong, by its line, what was expected and what was found.
    """
    reader = csv.DictReader(text.splitlines(), strict=True)
    try:
        header = [name.strip().lower() for name in reader.fieldnames or ()]
        rows = [{name: (value or "").strip() for name, value in zip(header, row.values(), strict=False)}
                for row in reader if None not in row]  # fmt: skip
    except csv.Error as error:
        raise InputError(f"line {reader.line_num}: expected CSV, found: {error}") from None
    place = next((names for names in (_PICTURE, _CM) if set(names) <= set(header)), None)
    if place is None or not {"slot", "sku"} <= set(header):
        expected = "the columns slot, sku and either x1, y1, x2, y2 or x, y, width, height"
        raise InputError(f"line 1: expected {expected}, found {', '.join(header) or 'none'}")
    slots, problems = [], []
    for line, row in enumerate(rows, 2):
        try:
            slots.append(_csv_slot(row, place))
        except ValueError as error:
            problems.append(f"line {line}: {error}")
    if problems or not slots:
        raise InputError("\n".join(problems) or "expected a row for each slot, found none")
    if place is _PICTURE:
        return {"unit": "px", "slots": slots}
    width = max(slot["cm"][0] + slot["cm"][2] for slot in slots)
    height = max(slot["cm"][1] + slot["cm"][3] for slot in slots)
    return _on_front(width, height, slots)


_LISTS: Final = {"products": "list", "fixtures": "list", "positions": "list"}


def _check_known(where: str, value: str, known: Collection[str], what: str) -> None:
    if value not in known:
        raise ValueError(f"{where}: expected one of {what}, found {quoted(value)}")


def _rows(where: str, values: list[Any], kinds: dict[str, str]) -> list[tuple[str, Row]]:
    found = []
    for number, (_, value) in enumerate(objects(where, values, POSITIONS_LIMIT)):
        here = f"{where}[{number}]"
        row = {
            key: typed(f"{here}.{key}", kind, value.get(key)) for key, kind in ({"id": "str"} | kinds).items()
        }
        for key, kind in kinds.items():
            if kind == "float" and not isfinite(row[key]):
                raise ValueError(f"{here}.{key}: expected a finite number, found {row[key]}")
        found.append((here, row))
    return found


def _size(where: str, value: float) -> float:
    if not (isfinite(value) and value > 0):
        raise ValueError(f"{where}: expected a number of more than 0, found {value:g}")
    return value


def _merged(positions: list[Row], products: dict[str, tuple[float, float]]) -> list[dict[str, Any]]:
    """Slots from the upper left to the lower right; neighbours of one product are one slot."""
    runs: list[list[Row]] = []
    for row in sorted(positions, key=lambda row: (row["y"], row["fixtureId"], row["x"])):
        wide = products[row["productId"]][0]
        last = runs[-1][-1] if runs else None
        beside = (
            last is not None
            and all(last[key] == row[key] for key in ("productId", "fixtureId", "y"))
            and abs(row["x"] - last["x"] - wide) <= SIDE_BY_SIDE * wide
        )
        if beside:
            runs[-1].append(row)
        else:
            runs.append([row])
    slots = []
    for run in runs:
        first, last = run[0], run[-1]
        wide, high = products[first["productId"]]
        slots.append(
            {
                "name": first["id"],
                "sku": first["productId"],
                "fixture": FIXTURE,
                "cm": [first["x"], first["y"], last["x"] + wide - first["x"], high],
                **({"facings": len(run)} if len(run) > 1 else {}),
            }
        )
    return slots


def _csv_slot(row: Row, place: Sequence[str]) -> dict[str, Any]:
    for key in ("slot", "sku"):
        if not row.get(key):
            raise ValueError(f"{key}: expected text, found none")
    numbers = [_number(row, key) for key in place]
    slot: dict[str, Any] = {"name": row["slot"], "sku": row["sku"]}
    if place is _PICTURE:
        slot["box"] = numbers
    else:
        slot |= {"fixture": FIXTURE, "cm": numbers}
    for key in _COUNTS:
        if row.get(key):
            count = row[key]
            if not (count.isascii() and count.isdigit() and len(count) < 4):
                raise ValueError(f"{key}: expected a whole number, found {quoted(count)}")
            slot[key] = int(count)
    return slot


def _number(row: Row, key: str) -> float:
    try:
        number = float(row.get(key) or "nothing")
    except ValueError:
        number = float("nan")
    if not isfinite(number):
        raise ValueError(f"{key}: expected a number, found {quoted(row.get(key, ''))}")
    return number


def _on_front(width: float, height: float, slots: list[dict[str, Any]]) -> dict[str, Any]:
    corners = [[0.0, 0.0], [width, 0.0], [width, height], [0.0, height]]
    points = [list(point) for point in WHOLE_PICTURE]
    return {
        "unit": "share",
        "fixtures": [{"name": FIXTURE, "points_cm": corners, "points": points}],
        "slots": slots,
    }
