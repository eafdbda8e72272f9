"""Shipments are opened, looked at and closed over HTTP; what is bad is refused the same on every way in."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from agent.core.gs1 import check_digit
from agent.core.inbound.orders import LINES_LIMIT
from agent.core.inbound.report import LINES_TOLD
from tests.support.mosquitto import Mosquitto, Subscriber
from tests.support.road import until
from tests.support.web import PASSWORDS, Shop, Site, kept
from tests.web.test_api import checked

OATS, MILK = "4006381333931", "5901234123457"
OPERATOR, VIEWER, KIOSK = PASSWORDS["operator"], PASSWORDS["viewer"], PASSWORDS["kiosk"]
ROOT = "spotter/test/dev-1"


class Dock:
    """A device with one dock, all three ways to it, and addresses enough for its rates."""

    def __init__(self, shop: Shop, folder: Any, broker: Mosquitto, ear: Subscriber) -> None:
        self.orders = folder / "orders"
        self.orders.mkdir()
        self.ear = ear
        self.asked = 0
        self.site = Site(
            shop, folder, broker_port=broker.port, host="0.0.0.0", allow=("shipment/open", "shipment/close"),
            camera={
                "regions": {"mode": "motion"},
                "inbound": {"complete_s": 0, "orders": str(self.orders)},
            },
            **kept(),
        ).wait()  # fmt: skip

    def ask(self, path: str, body: Any = None, *, password: str = OPERATOR, **more: Any) -> Any:
        self.asked += 1
        source = f"127.2.{self.asked // 250}.{self.asked % 250 + 1}"
        return self.site.ask(path, body, password=password, source=source, **more)

    def open(self, order: Any, query: str = "", **more: Any) -> Any:
        return self.ask(f"/api/shipments{query}", order, **more)

    def close(self, **which: str) -> Any:
        return self.ask("/api/shipments/close", which)

    def by_command(self, order: Any, shipment: str) -> str:
        """What the device says against it over MQTT."""
        self.asked += 1
        back, body = f"back/{self.asked}", {"id": f"{self.asked}", "order": order, "shipment": shipment}
        self.ear.send(f"{ROOT}/command/shipment/open", json.dumps(body).encode(), answer_to=back)
        until(lambda: self.ear.on(back), 30)
        return str(json.loads(self.ear.on(back)[0].payload)["error"])

    def by_file(self, data: bytes, name: str) -> str:
        """… and beside a file that it refuses."""
        (self.orders / name).write_bytes(data)
        reason = self.orders / "refused" / f"{name}.txt"
        until(lambda: reason.exists() and reason.read_text(), 30)
        return reason.read_text()


@pytest.fixture(scope="module")
def dock(shop: Shop, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dock]:
    folder = tmp_path_factory.mktemp("dock")
    with Mosquitto(tmp_path_factory.mktemp("broker")) as broker, Subscriber(broker.port, "back/#") as ear:
        made = Dock(shop, folder, broker, ear)
        yield made
        made.site.close()


def order(shipment: str, *lines: dict[str, Any]) -> dict[str, Any]:
    return {"shipment": shipment, "lines": list(lines) or [{"gtin": OATS, "quantity": 2}]}


def test_a_shipment_is_opened_looked_at_and_closed(dock: Dock) -> None:
    assert checked("shipments", dock.ask("/api/shipments", password=VIEWER)) == {"shipments": []}
    opened = checked("shipment_open", dock.open(order("A-1", {"sku": "sku-03", "quantity": 4})))
    assert (opened["camera"], opened["state"], opened["expected"]) == ("cam", "open", 4)
    assert opened["lines"][0]["name"] == "Red lentil soup"
    assert checked("shipments", dock.ask("/api/shipments?camera=cam", password=VIEWER))["shipments"] == [
        opened
    ]
    assert checked("shipment", dock.ask("/api/shipments/A-1", password=VIEWER)) == opened
    closed = checked("shipment_close", dock.close())
    assert (closed["state"], closed["closed_by"], closed["lines"][0]["state"]) == (
        "closed",
        "command",
        "short",
    )
    assert dock.ask("/api/shipments/A-1").json == closed


def test_a_table_is_an_order_with_its_name_in_the_address(dock: Dock) -> None:
    table = f"\ufeffgtin;quantity;sku\r\n{OATS};3;\r\n;1;nobody\r\n".encode()
    opened = checked("shipment_open", dock.open(table, "?shipment=T-1&camera=cam", content_type="text/csv"))
    assert [line["expected"] for line in opened["lines"]] == [3, 1]
    assert "found sku 'nobody'" in " ".join(opened["warnings"])
    dock.close(shipment="T-1")


def test_ten_thousand_lines_are_told_as_far_as_they_are_wanted(dock: Dock) -> None:
    bodies = [f"4{number:011d}" for number in range(10_000)]
    lines = [{"gtin": f"{body}{check_digit(body)}", "quantity": 1} for body in bodies]
    assert len(checked("shipment_open", dock.open(order("big", *lines)))["lines"]) == LINES_TOLD
    all_of_it = checked("shipment", dock.ask("/api/shipments/big?lines=10000"))
    assert (len(all_of_it["lines"]), all_of_it["lines_left_out"]) == (10_000, 0)
    assert dock.ask("/api/shipments/big?lines=10001").detail == "lines: expected 0 to 10000, found 10001"
    dock.close()


def test_who_may(dock: Dock) -> None:
    for role, password in (("nobody", ""), ("kiosk", KIOSK)):
        for path in ("/api/shipments", "/api/shipments/A-1"):
            assert dock.ask(path, password=password).status == (401 if role == "nobody" else 403)
    for password in (KIOSK, VIEWER):
        assert dock.open(order("B-1"), password=password).status == 403
        assert dock.ask("/api/shipments/close", {}, password=password).status == 403
    assert dock.open(order("B-1"), password="").status == 401
    assert "B-1" not in dock.ask("/api/shipments").body.decode()


BAD = {
    "nothing expected": (order("X-1") | {"lines": []}, "expected 1 to 50000 lines, found 0"),
    "a wrong check digit": (
        order("X-1", {"gtin": "4006381333932", "quantity": 1}), "lines[0]: gtin: expected check digit 1, found 2"
    ),
    "a quantity below nothing": (
        order("X-1", {"gtin": MILK, "quantity": -3}), "lines[0]: quantity: expected a whole number from 1 to"
    ),
    "an SKU that no file could have": (order("X-1", {"sku": "../x", "quantity": 1}), "lines[0]: sku: expected no slash"),
    "an unknown field": (order("X-1", {"ean": OATS, "quantity": 1}), "lines[0].ean: expected one of"),
    "more lines than any truck": (
        order("X-1") | {"lines": [{}] * (LINES_LIMIT + 1)}, f"lines: expected at most {LINES_LIMIT}, found {LINES_LIMIT + 1}"
    ),
    "a name of two levels": (order("a/b"), "shipment: expected 1 to 64 characters"),
    "one that was here before": (order("A-0"), "shipment 'A-0': expected one that is new here, found it closed"),
}  # fmt: skip


def test_what_is_bad_is_refused_in_the_same_words_on_every_way(dock: Dock) -> None:
    dock.open(order("A-0"))
    dock.close()
    before = dock.ask("/api/shipments").json
    for number, (bad, reason) in enumerate(BAD.values()):
        answer = dock.open(bad)
        assert (answer.status, reason in answer.detail) == (400, True), answer.detail
        assert reason in dock.by_command(bad, "")
        assert reason in dock.by_file(json.dumps(bad).encode(), f"{number}.json")
    assert dock.ask("/api/shipments").json == before, "nothing was taken, and nothing lost"


def test_a_dock_that_is_not_free_stays_as_it_is(dock: Dock) -> None:
    opened = dock.open(order("C-1")).json
    assert "found it open" in dock.open(order("C-1")).detail
    assert "expected no other one to be open at camera 'cam', found 'C-1'" in dock.open(order("C-2")).detail
    assert dock.ask("/api/shipments/C-1").json == opened
    dock.close()
    assert "expected one that is open at camera 'cam', found it closed" in dock.close(shipment="C-1").detail


def test_what_is_no_order_says_what_was_expected(dock: Dock) -> None:
    cases: list[tuple[dict[str, Any], int, str]] = [
        ({"order": b"{"}, 400, "expected JSON"),
        ({"order": b"[]"}, 400, "expected an object of fields"),
        ({"order": b"\xff\xfe", "content_type": "text/csv"}, 400, "the body: expected UTF-8, found other bytes"),
        ({"order": b"a,b\n", "content_type": "text/csv"}, 400, "expected columns gtin or sku, and quantity"),
        ({"order": b"x", "content_type": "image/png"}, 415, "expected application/json, text/csv, found 'image/png'"),
        ({"order": order("D-1"), "query": "?ship=1"}, 400, "ship: expected shipment, camera, found an unknown field"),
        ({"order": order("D-1"), "query": "?shipment=E-1"}, 400, "shipment: expected 'E-1', found 'D-1'"),
        ({"order": order("D-1"), "query": "?camera=x"}, 400, "camera: expected one of cam, found 'x'"),
    ]  # fmt: skip
    for said, status, reason in cases:
        answer = dock.open(**said)
        assert (answer.status, reason in answer.detail) == (status, True), (said, answer.detail)
    assert dock.ask("/api/shipments/D-1").status == 404
    assert dock.ask("/api/shipments?camera=x").detail == "camera: expected cam, found 'x'"
    assert (
        dock.ask("/api/shipments/D-1").detail == "shipment: expected one that is known at a dock, found 'D-1'"
    )
