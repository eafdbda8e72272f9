"""Planograms of other programs: what is taken over, and what is refused."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from agent.core.errors import InputError
from agent.core.planogram_import import from_azure, from_csv

AZURE: dict[str, Any] = {
    "width": 100,
    "height": 60,
    "products": [
        {"id": "oats", "name": "Oats", "w": 12, "h": 20},
        {"id": "rice", "name": "Rice", "w": 20, "h": 18},
    ],
    "fixtures": [{"id": "top", "w": 100, "h": 2, "x": 0, "y": 25}],
    "positions": [
        {"id": "p3", "productId": "rice", "fixtureId": "top", "x": 40, "y": 5},
        {"id": "p1", "productId": "oats", "fixtureId": "top", "x": 2, "y": 5},
        {"id": "p2", "productId": "oats", "fixtureId": "top", "x": 15, "y": 5},
        {"id": "p4", "productId": "oats", "fixtureId": "top", "x": 70, "y": 5},
    ],
}


def test_neighbours_of_one_product_become_facings() -> None:
    for document in (AZURE, {"planogram": AZURE}):
        plan = from_azure(json.dumps(document).encode())
        assert plan["slots"] == [
            {"name": "p1", "sku": "oats", "fixture": "front", "cm": [2, 5, 25, 20], "facings": 2},
            {"name": "p3", "sku": "rice", "fixture": "front", "cm": [40, 5, 20, 18]},
            {"name": "p4", "sku": "oats", "fixture": "front", "cm": [70, 5, 12, 20]},
        ]
        assert plan["fixtures"][0]["points_cm"] == [[0, 0], [100, 0], [100, 60], [0, 60]]


BAD_AZURE = {
    "no height": (("height",), None, "planogram.height: expected"),
    "no width at all": (("width",), 0, "planogram.width: expected a number of more than 0, found 0"),
    "a product without a width": (
        ("products", 0, "w"),
        "x",
        r"planogram.products\[0\].w: expected a finite number",
    ),
    "a product nobody knows": (
        ("positions", 1, "productId"),
        "tea",
        r"planogram.positions\[1\].productId: expected one of products, found 'tea'",
    ),
    "a fixture nobody knows": (
        ("positions", 1, "fixtureId"),
        "x",
        r"planogram.positions\[1\].fixtureId: expected one of fixtures, found 'x'",
    ),
    "a place that is none": (("positions", 2, "x"), None, r"planogram.positions\[2\].x: expected a finite"),
    "no list": (("positions",), {}, "planogram.positions: expected a list"),
}


@pytest.mark.parametrize(("path", "value", "says"), BAD_AZURE.values(), ids=BAD_AZURE.keys())
def test_refused_azure(path: tuple[Any, ...], value: Any, says: str) -> None:
    document = copy.deepcopy(AZURE)
    inner: Any = document
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = value
    with pytest.raises(InputError, match=says):
        from_azure(json.dumps(document).encode())


@pytest.mark.parametrize("data", [b"", b"[]", b"{", b'{"width": 1, "width": 2}'])
def test_what_is_no_object_is_refused(data: bytes) -> None:
    with pytest.raises(InputError, match="expected"):
        from_azure(data)


def test_csv_on_the_picture_and_in_centimetres() -> None:
    text = "slot,SKU,x1,y1,x2,y2,facings\na1,4711,10,20,110,220,2\na2,4712,120,20,220,220,\n"
    assert from_csv(text) == {
        "unit": "px",
        "slots": [
            {"name": "a1", "sku": "4711", "box": [10, 20, 110, 220], "facings": 2},
            {"name": "a2", "sku": "4712", "box": [120, 20, 220, 220]},
        ],
    }
    plan = from_csv("slot,sku,x,y,width,height\na1,4711,0,0,20,30\na2,4712,20,0,20,40\n")
    assert plan["slots"][1]["cm"] == [20, 0, 20, 40]
    assert plan["fixtures"][0]["points_cm"][2] == [40, 40]


def test_every_bad_row_is_named() -> None:
    text = "slot,sku,x1,y1,x2,y2,facings\na1,,1,2,3,4,\na2,4712,1,two,3,4,\na3,4713,1,2,3,4,-1\n"
    with pytest.raises(InputError) as refused:
        from_csv(text)
    assert str(refused.value).splitlines() == [
        "line 2: sku: expected text, found none",
        "line 3: y1: expected a number, found 'two'",
        "line 4: facings: expected a whole number, found '-1'",
    ]


@pytest.mark.parametrize("text", ["", "slot,sku\n", "a,b,c\n1,2,3\n", "slot,sku,x1,y1,x2,y2\n"])
def test_a_csv_without_what_is_needed(text: str) -> None:
    with pytest.raises(InputError, match="expected"):
        from_csv(text)
