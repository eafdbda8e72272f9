"""Orders: what a file of a shipment expects, and every way in which it can be wrong."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.errors import InputError
from agent.core.gs1 import check_digit
from agent.core.inbound.order_files import ORDER_LIMIT_BYTES, read_order
from agent.core.inbound.orders import Line, Order
from agent.core.types import Product

OATS, MILK, CASE = "04006381333931", "05901234123457", "14006381333938"
UNIT = "106141412345678908"


class Shop:
    """Two products."""

    def by_sku(self, sku: str) -> Product | None:
        return {
            "oats": Product(1, "oats", OATS, "Oats"),
            "milk": Product(2, "milk", MILK, "Milk"),
        }.get(sku)

    def by_gtin(self, gtin: str) -> Product | None:
        return {OATS: self.by_sku("oats"), MILK: self.by_sku("milk")}.get(gtin)


def csv(*rows: str, head: str = "gtin,sku,quantity") -> bytes:
    return "\n".join((head, *rows)).encode()


def lines(*rows: dict[str, Any], **more: Any) -> bytes:
    return json.dumps({"shipment": "A-1", "lines": list(rows), **more}).encode()


GOOD = {
    "a table": (csv("4006381333931,,12", ",milk,3"), (Line(OATS, "oats", 12, "Oats", shown=True), Line(MILK, "milk", 3, "Milk", shown=True))),
    "a table of a spreadsheet": (
        b"\xef\xbb\xbfSKU;Quantity\r\noats;2\r\n;\r\n\r\n", (Line(OATS, "oats", 2, "Oats", shown=True),)
    ),
    "lines": (lines({"sku": "oats", "quantity": 2}), (Line(OATS, "oats", 2, "Oats", shown=True),)),
    "a number for a GTIN": (lines({"gtin": 4006381333931, "quantity": 2.0}), (Line(OATS, "oats", 2, "Oats", shown=True),)),
    "one product twice": (csv("4006381333931,,12", ",oats,3"), (Line(OATS, "oats", 15, "Oats", shown=True),)),
    "a product that nobody knows": (csv(f"{CASE},,1"), (Line(CASE, "", 1),)),
    "a name of its own": (
        csv("4006381333931,1,Porridge", head="gtin,quantity,name"), (Line(OATS, "oats", 1, "Porridge", shown=True),)
    ),
}  # fmt: skip


@pytest.mark.parametrize(("data", "expected"), GOOD.values(), ids=GOOD.keys())
def test_files_say_what_is_expected(data: bytes, expected: tuple[Line, ...]) -> None:
    order = read_order(data, "f", "A-1", Shop())
    assert (order.shipment, order.lines) == ("A-1", expected)


ADVICE = {
    "despatchAdvice": {
        "despatchAdviceIdentification": {"entityIdentification": "DES-9"},
        "despatchAdviceLogisticUnit": [
            {
                "logisticUnitIdentification": {"sscc": UNIT},
                "despatchAdviceLineItem": [
                    {"despatchedQuantity": {"value": 12}, "transactionalTradeItem": {"gtin": OATS}},
                    {"despatchedQuantity": 6, "transactionalTradeItem": {"gtin": MILK}},
                ],
            }
        ],
        "despatchAdviceLineItem": [{"despatchedQuantity": 1, "transactionalTradeItem": {"gtin": OATS}}],
    }
}
X12 = {
    "BSN": {"01": "00", "02": "856-7"},
    "HL": [
        {"01": "1", "02": "", "03": "S"},
        {"01": "2", "02": "1", "03": "O"},
        {"01": "3", "02": "2", "03": "P", "MAN": {"GM": f"(00){UNIT}"}},
        {"01": "4", "02": "3", "03": "I", "LIN": {"EN": "4006381333931"}, "SN1": {"02": 12, "03": "EA"}},
        {"01": "5", "02": "3", "03": "I", "LIN": {"SK": "milk"}, "SN1": {"02": "6", "03": "EA"}},
        {"01": "6", "02": "2", "03": "I", "LIN": {"UP": "4006381333931"}, "SN1": {"02": 1}},
    ],
}


@pytest.mark.parametrize(("advice", "name"), [(ADVICE, "DES-9"), (X12, "856-7")], ids=["DESADV", "856"])
def test_despatch_advices_say_what_is_in_which_unit(advice: dict[str, Any], name: str) -> None:
    order = read_order(json.dumps(advice).encode(), "f", "", Shop(), strict=True)
    assert order.shipment == name
    assert order.lines == (
        Line(OATS, "oats", 13, "Oats", shown=True),
        Line(MILK, "milk", 6, "Milk", shown=True),
    )
    assert order.units == {UNIT: ((0, 12), (1, 6))}


BAD = {
    "empty": (b"", "expected columns gtin or sku"),
    "no quantity": (b"gtin\n1\n", "expected columns gtin or sku, and quantity, found 'gtin'"),
    "no rows": (csv(), "expected 1 to 50000 lines, found 0"),
    "check digit": (csv("4006381333932,,1"), "line 2: gtin: expected check digit 1, found 2"),
    "a quantity below nothing": (csv(",oats,-3"), "quantity: expected a whole number from 1 to 10000000, found '-3'"),
    "a quantity of nothing": (csv(",oats,0"), "quantity: expected a whole number"),
    "a half": (csv(",oats,1.5"), "quantity: expected a whole number"),
    "a quantity that is none": (lines({"sku": "oats", "quantity": True}), r"lines\[0\]: quantity: expected"),
    "a huge quantity": (csv(",oats,99999999999999999999"), "quantity: expected a whole number"),
    "no quantity in a line": (lines({"sku": "oats"}), "quantity: expected a whole number .* found None"),
    "neither number": (csv(",,3"), "line 2: gtin: expected it, or sku, found neither"),
    "an sku that leads away": (csv(",../x,3"), "sku: expected no slash"),
    "an SSCC that does not fit": (
        csv(",oats,3,106141412345678909", head="gtin,sku,quantity,sscc"), "sscc: expected check digit 8"
    ),
    "bytes": (b"gtin,quantity\n\xff,1\n", "expected UTF-8"),
    "JSON that is cut": (b'{"lines": [', "expected JSON"),
    "a field twice": (b'{"shipment":"A-1","shipment":"B","lines":[]}', "stands there twice"),
    "an unknown field": (lines(extra=1), "extra: expected one of shipment, lines"),
    "an unknown field of a line": (lines({"ean": OATS, "quantity": 1}), r"lines\[0\].ean: expected one of"),
    "a line that is none": (lines(7), r"lines\[0\]: expected an object"),  # type: ignore[arg-type]
    "lines that are none": (b'{"lines": 5}', "lines: expected a list, found 5"),
    "another name": (lines({"sku": "oats", "quantity": 1}, shipment="B"), "shipment: expected 'A-1', found 'B'"),
    "two levels": (b'{"lines":[{"sku":"oats","quantity":1}],"shipment":"a/b"}', "shipment: expected 'A-1'"),
    "a gtin of several lines": (lines({"gtin": "1\n2", "quantity": 1}), "gtin: expected a text in one line"),
    "a despatch advice of something": (b'{"despatchAdvice": {"despatchAdviceLogisticUnit": 3}}', "expected a list"),
    "an 856 without levels": (b'{"HL": {}}', "HL: expected a list"),
    "an open quote": (b'sku,quantity\n"oats,1\n' + b"x" * 200_000, "line .*: expected CSV, found"),
}  # fmt: skip


@pytest.mark.parametrize(("data", "reason"), BAD.values(), ids=BAD.keys())
def test_bad_files_are_refused_with_the_place_and_the_reason(data: bytes, reason: str) -> None:
    with pytest.raises(InputError, match=f"^f: .*{reason}") as caught:
        read_order(data, "f", "A-1", Shop())
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("shipment", ["", "a/b", "#", "+", "x" * 65])
def test_a_name_that_is_no_level_of_a_topic_is_refused(shipment: str) -> None:
    with pytest.raises(InputError, match="shipment: expected 1 to 64 characters"):
        read_order(csv(",oats,1"), "f", shipment)


def test_every_bad_row_is_named_and_nothing_is_taken() -> None:
    with pytest.raises(InputError) as caught:
        read_order(csv("4006381333931,,1", "4006381333932,,1", ",oats,-1", ",milk,2"), "f", "A-1")
    text = str(caught.value)
    assert "2 of 4 rows cannot be used: line 3: gtin:" in text
    assert "; line 4: quantity:" in text
    with pytest.raises(InputError, match=r"and 40 more$"):
        read_order(csv(*[",oats,-1"] * 50), "f", "A-1")


def test_what_the_catalogue_does_not_have_is_a_warning_or_refused() -> None:
    data = csv(f"{CASE},,1", ",nobody,2", "4006381333931,milk,3")
    order = read_order(data, "f", "A-1", Shop())
    assert [warning.split(":")[0] for warning in order.warnings] == ["line 2", "line 3", "line 4"]
    assert "expected a product of the catalogue, found sku 'nobody'" in order.warnings[1]
    assert f"expected {MILK}, that of sku 'milk', found {OATS}" in order.warnings[2]
    assert read_order(data, "f", "A-1", None).warnings == ()
    with pytest.raises(InputError, match="3 of 3 rows cannot be used"):
        read_order(data, "f", "A-1", Shop(), strict=True)


def test_ten_thousand_lines_are_a_shipment() -> None:
    bodies = [f"4{number:011d}" for number in range(10_000)]
    order = read_order(
        csv(*[f"{body}{check_digit(body)},,{n % 9 + 1}" for n, body in enumerate(bodies)]), "f", "A-1"
    )
    assert len(order.lines) == 10_000
    assert order.lines[9_999] == Line(f"0{bodies[-1]}{check_digit(bodies[-1])}", "", 9_999 % 9 + 1)


def test_a_file_that_is_far_too_large_is_not_read() -> None:
    with pytest.raises(InputError, match="f: expected at most 8000000 bytes"):
        read_order(b" " * (ORDER_LIMIT_BYTES + 1), "f", "A-1")


@given(
    st.binary(max_size=300)
    | st.text(max_size=200).map(lambda text: f"sku,quantity\n{text}".encode("utf-8", "replace"))
)
def test_anything_is_an_order_or_refused_in_one_line(data: bytes) -> None:
    try:
        assert isinstance(read_order(data, "f", "A-1", Shop()), Order)
    except InputError as error:
        assert "\n" not in str(error)  # noqa: PT017
