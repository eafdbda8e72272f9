"""Shipments are opened and closed: by command, and from a directory of orders."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from agent.adapters.outbox import Outbox
from agent.adapters.system import SystemClock
from agent.apps.inbound import Inbound
from agent.apps.watch import Watch
from agent.capturing import Lost
from agent.channel import Latest
from agent.core.errors import InputError
from agent.core.inbound.settings import InboundSettings
from agent.core.types import Frame, Message, Product
from agent.core.wire import Wire, result_schemas
from agent.metrics import Metrics
from agent.receiving import OPENED, REFUSED, Receiving
from agent.recognising import Recogniser

OATS = "04006381333931"
WIRE = Wire("spotter", "test", "dev-1")


class Shop:
    def by_sku(self, sku: str) -> Product | None:
        return Product(1, "oats", OATS, "Oats") if sku == "oats" else None

    def by_gtin(self, gtin: str) -> Product | None:
        return self.by_sku("oats") if gtin == OATS else None


class NoPictures:
    """A pipeline that sees nothing: these shipments are only opened and closed."""

    def close(self, *_: Any) -> tuple[()]:
        return ()

    def use(self, *_: Any) -> None:
        return None


class Docks:
    def __init__(self, folder: Path, **docks: InboundSettings) -> None:
        self.clock = SystemClock()
        self.states: list[Message] = []
        mailbox: Latest[Frame | Lost] = Latest()
        apps: dict[str, Any] = {name: Inbound(name, settings) for name, settings in docks.items()}
        self.recogniser = Recogniser(
            NoPictures(), {**apps, "other": Watch()}, mailbox, Outbox(folder / "outbox.db"), WIRE.event,  # type: ignore[arg-type]
            lambda *_: None, lambda: None, self.clock, Metrics(), tell_state=self.states.append,
        )  # fmt: skip
        self.receiving = Receiving(self.recogniser, Shop)

    @contextmanager
    def running(self) -> Iterator[Receiving]:
        thread = threading.Thread(target=self.recogniser.run, args=(0.05,))
        thread.start()
        try:
            yield self.receiving
        finally:
            self.clock.stop()
            thread.join()


def order(shipment: str = "A-1", **line: Any) -> bytes:
    return json.dumps({"shipment": shipment, "lines": [{"sku": "oats", "quantity": 2, **line}]}).encode()


def test_a_shipment_is_opened_and_closed_and_told(tmp_path: Path) -> None:
    docks = Docks(tmp_path, dock=InboundSettings())
    with docks.running() as receiving:
        opened = receiving.open(order())
        closed = receiving.close()
        assert receiving.shipments() == [closed]
    for name, answer in (("shipment/open", opened), ("shipment/close", closed)):
        jsonschema.validate(answer, result_schemas()[name], jsonschema.Draft202012Validator)
    assert (opened["camera"], opened["shipment"], opened["state"]) == ("dock", "A-1", "open")
    assert opened["lines"][0]["gtin"] == OATS
    assert (closed["state"], closed["closed_by"], closed["lines"][0]["state"]) == (
        "closed",
        "command",
        "short",
    )
    assert {message.topic for message in docks.states} == {"spotter/test/dev-1/dock/inbound/A-1"}
    assert docks.recogniser.kept["dock"]["sessions"][0]["shipment"] == "A-1"


def test_what_cannot_be_opened_or_closed_says_why(tmp_path: Path) -> None:
    docks = Docks(tmp_path, north=InboundSettings(), south=InboundSettings(strict=True))
    with docks.running() as receiving:
        cases: list[tuple[Any, str]] = [
            (lambda: receiving.open(order()), "camera: expected one of north, south, found ''"),
            (lambda: receiving.open(order(), "other"), "camera: expected one of north, south, found 'other'"),
            (lambda: receiving.open(b"{", "north"), "order: expected JSON"),
            (lambda: receiving.open(order(sku="tea"), "south"), "1 of 1 rows cannot be used: lines"),
            (lambda: receiving.close("north"), "expected one that is open at camera 'north', found none"),
        ]
        for work, reason in cases:
            with pytest.raises(InputError, match=reason):
                work()
        assert receiving.open(order(sku="tea"), "north")["warnings"][0].startswith(
            "lines[0]: expected a product"
        )
        with pytest.raises(InputError, match=r"'A-1': expected one that is new here, found it open"):
            receiving.open(order(), "north")
        assert receiving.open(order(), "south")["state"] == "open"
    (tmp_path / "nowhere").mkdir()
    nowhere = Docks(tmp_path / "nowhere")
    with pytest.raises(InputError, match="expected a camera with inbound in its configuration, found none"):
        nowhere.receiving.close()


def test_orders_in_a_directory_are_opened_one_after_the_other(tmp_path: Path) -> None:
    folder = tmp_path / "orders"
    folder.mkdir()
    (folder / "1-bad.csv").write_text("gtin,quantity\n4006381333932,1\n")
    (folder / "2-first.json").write_bytes(order("first"))
    (folder / "3-second.csv").write_text("sku,quantity\noats,5\n")
    (folder / "notes.txt").write_text("not an order")
    docks = Docks(tmp_path, dock=InboundSettings(orders=str(folder)))
    with docks.running() as receiving:
        receiving.tend()
        assert receiving.shipments() == [], "a file that was just seen may still be written"
        for _ in range(4):
            receiving.tend()
        assert [told["shipment"] for told in receiving.shipments()] == ["first"]
        assert "4006381333932" in (folder / REFUSED / "1-bad.csv.txt").read_text()
        assert (folder / OPENED / "2-first.json").exists()
        assert (folder / "3-second.csv").exists(), "the dock is not free"
        receiving.close()
        receiving.tend()
        assert [told["shipment"] for told in receiving.shipments()] == ["first", "3-second"]
    assert sorted(path.name for path in folder.iterdir()) == ["notes.txt", OPENED, REFUSED]


def test_a_directory_that_is_not_there_is_said_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    docks = Docks(tmp_path, dock=InboundSettings(orders=str(tmp_path / "none")))
    for _ in range(3):
        docks.receiving.tend()
    assert [record.levelname for record in caplog.records] == ["ERROR"]
