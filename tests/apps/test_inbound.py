"""A dock: parcels are counted once, named by barcode and picture, and add up to a shipment."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from agent.applying import gone
from agent.apps.inbound import Inbound
from agent.apps.watch import Watch
from agent.core.codes import Read
from agent.core.errors import InputError
from agent.core.gs1 import Said, check_digit
from agent.core.inbound.orders import Products, Row, made_order
from agent.core.inbound.settings import EpcisSettings, InboundSettings
from agent.core.scene import Scene
from agent.core.types import (
    Event,
    Frame,
    Look,
    NamedOption,
    Phase,
    Product,
    Recognition,
    Region,
    Track,
    Verdict,
)
from agent.core.wire import Wire

OATS, MILK, CASE = "04006381333931", "05901234123457", "14006381333938"
OTHER, TEA = "96385074".zfill(14), "04012345678901"
UNIT, OTHER_UNIT = "106141412345678908", "106141412345678915"
WIRE = Wire("spotter", "test", "dev-1")
PRODUCTS = {
    "oats": Product(1, "oats", OATS, "Oats"),
    "milk": Product(2, "milk", MILK, "Milk"),
    "tea": Product(3, "tea"),
}
WIDTH, HEIGHT = 1000, 500
IMAGE = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
START = 1_767_225_600.0


class Shop:
    """All products, by what they are called."""

    def by_sku(self, sku: str) -> Product | None:
        return PRODUCTS.get(sku)

    def by_gtin(self, gtin: str) -> Product | None:
        return next((each for each in PRODUCTS.values() if each.gtin == gtin), None)


def ean(gtin: str) -> tuple[str, str, Said]:
    return "EAN13", gtin, Said(gtin=gtin)


def label(unit: str, content: str = "", count: int = 0) -> tuple[str, str, Said]:
    return "Code128", f"(00){unit}(02){content}(37){count}", Said(sscc=unit, content=content, count=count)


class Dock:
    """A camera of which the test says where things are; ten frames a second."""

    def __init__(self, kept: Any = None, **settings: Any) -> None:
        self.app = Inbound("cam", InboundSettings(**settings), kept, ("test", "dev-1"))
        self.at = 0.0
        self.live: dict[str, Track] = {}
        self.events: list[Event] = []

    @property
    def utc(self) -> float:
        return START + self.at

    def show(
        self,
        _boxes: dict[str, tuple[float, float]] | None = None,
        codes: dict[str, tuple[str, str, Said]] | None = None,
        seen: dict[str, str] | None = None,
        looks: dict[str, int] | None = None,
        after_s: float = 0.1,
        **things: float,
    ) -> list[Event]:
        """Things by name, each with the place of its middle: along, or along and across. They are 200 × 160 px.

        `codes`: what is read on them; `seen`: the product that their picture is of, "?" for an unknown one;
        `looks`: which of several directions their embedding has.
        """
        self.at += after_s
        places = {**{name: (x, 250.0) for name, x in things.items()}, **(_boxes or {})}
        for name, (x, y) in places.items():
            box = (round(x - 100), round(y - 80), round(x + 100), round(y + 80))
            vector = np.zeros(8, np.float32)
            vector[(looks or {}).get(name, 0)] = 1.0
            born = self.live.get(name)
            self.live[name] = Track(
                id=name, camera="cam", region=Region(box), first_at=born.first_at if born else self.at,
                first_utc=born.first_utc if born else self.utc, last_at=self.at, last_utc=self.utc,
                frames=1, looks=(Look((), embedding=vector),),
            )  # fmt: skip
        told = tuple(self.recognition(name, sku) for name, sku in (seen or {}).items())
        read = tuple(
            Read(name, kind, text, said, ((0, 0), (1, 0), (1, 1), (0, 1)), shown=said.gtin == TEA)
            for name, (kind, text, said) in (codes or {}).items()
        )
        frame = Frame("cam", 0, self.at, self.utc, IMAGE)
        return self.tell(Scene("cam", self.at, self.utc, told, tuple(self.live.values()), frame, read))

    def end(self, *names: str, after_s: float = 0.1) -> list[Event]:
        """Tracks end."""
        for name in names:
            del self.live[name]
        return self.show(after_s=after_s)

    def lost(self) -> list[Event]:
        """The camera is lost."""
        self.live.clear()
        return self.tell(Scene("cam", self.at, self.utc))

    def tell(self, scene: Scene) -> list[Event]:
        events = list(self.app.update(scene))
        for event in events:
            WIRE.event(event)  # judged by its schema
        self.events += events
        return events

    def recognition(self, name: str, sku: str) -> Recognition:
        """`sku`: a product, "?" for an unknown one, or what it may be: "oats 0.6, tea 0.1"."""
        product = PRODUCTS.get(sku)
        options = tuple(
            NamedOption(each.sku, each.name, 0.7, float(share), "", gtin=each.gtin)
            for part in (sku.split(", ") if " " in sku else ())
            for word, share in [part.split()]
            for each in [PRODUCTS[word]]
        )
        verdict = Verdict.KNOWN if product else Verdict.AMBIGUOUS if options else Verdict.UNKNOWN
        return Recognition(
            self.live[name], Phase.NEW, 0, verdict, product, options[0].probability if options else 0.9, 0.8, 0.1,
            "" if product else "not similar", options, "r", self.at, self.utc,
        )  # fmt: skip

    def pass_by(self, name: str, code: Any = None, sku: str = "", *, to: int = 920) -> list[Event]:
        """A thing comes in from the left and leaves."""
        before = len(self.events)
        for x in range(80, to + 1, 60):
            middle = 400 <= x < 460
            self.show(
                codes={name: code} if code and middle else None,
                seen={name: sku} if sku and middle else None,
                **{name: float(x)},
            )
        if to >= 900:
            self.end(name)
        return self.events[before:]

    def open(
        self,
        *rows: tuple[str, int],
        units: dict[str, list[tuple[str, int]]] | None = None,
        shop: Products | None = None,
    ) -> None:
        lines = [self.row(number, quantity) for number, quantity in rows]
        lines += [self.row(n, q, unit) for unit, held in (units or {}).items() for n, q in held]
        order = made_order("A-1", lines, shop, strict=False)
        _, events = self.app.open(order, self.at, self.utc)
        self.events += events

    @staticmethod
    def row(number: str, quantity: int, unit: str = "") -> Row:
        gtin, sku = (number, "") if number.isdigit() else ("", number)
        return Row("row", gtin, sku, quantity, unit)

    @property
    def lines(self) -> list[tuple[int, int, str]]:
        """Received, wrong and state of each line, in the order of the lines."""
        told = sorted(self.state["lines"], key=lambda line: line["line"])
        return [(line["received"], line["wrong"], line["state"]) for line in told]

    @property
    def state(self) -> dict[str, Any]:
        return dict([event for event in self.events if event.kind == "inbound"][-1].body)  # type: ignore[arg-type]


def facts(events: list[Event], name: str = "") -> list[dict[str, Any]]:
    bodies: list[Any] = [event.body for event in events if event.kind == "event"]
    return [body for body in bodies if not name or body["event"] == name]


def names(events: list[Event]) -> list[str]:
    return [body["event"] for body in facts(events)]


def test_a_parcel_that_passes_is_told_once_with_what_says_what_it_is() -> None:
    dock = Dock()
    dock.open((OATS, 2))
    events = dock.pass_by("p", ean(OATS), "oats")
    assert names(events) == ["parcel"]
    (told,) = facts(events)
    assert (told["shipment"], told["how"], told["picture"]["sku"]) == ("A-1", "both", "oats")
    assert told["pieces"] == [{"gtin": OATS, "sku": None, "count": 1, "line": 1}]
    assert told["codes"] == [{"format": "EAN13", "text": OATS}]
    assert dock.lines == [(1, 0, "open")]


PATHS = {
    "straight": ([100, 300, 450, 600, 800, 920], 1),
    "waits on the line": ([100, 300, 498, 500, 503, 499, 501, 500, 700, 920], 1),
    "back and forth over the line, then in": ([300, 600, 400, 620, 380, 640, 920], 1),
    "comes and goes back": ([100, 300, 600, 300, 100], 0),
    "turns before the line": ([100, 300, 480, 300, 100], 0),
    "begins behind the line": ([700, 800, 920], 0),
    "begins on the line": ([500, 600, 920], 0),
    "goes out": ([920, 700, 400, 100], 0),
}


@pytest.mark.parametrize(("xs", "count"), PATHS.values(), ids=PATHS.keys())
def test_only_what_goes_over_the_line_for_good_is_counted(xs: list[int], count: int) -> None:
    dock = Dock()
    dock.open((OATS, 9))
    for x in xs:
        dock.show(p=float(x), codes={"p": ean(OATS)})
    dock.end("p", after_s=10)
    assert len(facts(dock.events, "parcel")) == count
    assert dock.state["parcels"] == count


WAYS = {
    "right": ({"towards": "right"}, [(100, 250), (900, 250)]),
    "left": ({"towards": "left"}, [(900, 250), (100, 250)]),
    "down": ({"towards": "down"}, [(500, 90), (500, 410)]),
    "up": ({"towards": "up"}, [(500, 410), (500, 90)]),
    "a slanted line": ({"line": (0.4, 0.0, 0.6, 1.0)}, [(100, 250), (900, 250)]),
    "a line upwards": ({"line": (0.0, 0.6, 1.0, 0.4), "towards": "up"}, [(500, 410), (500, 90)]),
    "a zone": ({"zone": (0.3, 0.2, 0.7, 0.8)}, [(100, 250), (500, 250), (900, 250)]),
    "a zone upwards": ({"zone": (0.3, 0.3, 0.7, 0.7), "towards": "up"}, [(500, 410), (500, 250), (500, 90)]),
}


@pytest.mark.parametrize(("settings", "path"), WAYS.values(), ids=WAYS.keys())
def test_every_way_in_is_one_way_only(settings: dict[str, Any], path: list[tuple[float, float]]) -> None:
    for way, count in ((path, 1), (path[::-1], 0)):
        dock = Dock(**settings)
        for place in way:
            dock.show({"p": place})
        dock.end("p", after_s=10)
        assert len(facts(dock.events, "parcel")) == count


def test_what_goes_past_beside_a_line_or_a_zone_is_not_counted() -> None:
    for settings in ({"line": (0.5, 0.0, 0.5, 0.3)}, {"zone": (0.4, 0.0, 0.6, 0.3)}):
        dock = Dock(**settings)
        dock.pass_by("p")
        assert facts(dock.events) == []


def test_a_parcel_that_is_hidden_for_a_moment_is_still_one() -> None:
    dock = Dock()
    dock.open((OATS, 9))
    for x in (100, 200, 300, 400):
        dock.show(a=float(x), codes={"a": ean(OATS)})
    dock.end("a")
    dock.show(after_s=0.5)
    for x in (1000 * 0.1 + 500, 700, 800, 920):  # it went on under the cloth, over the line
        dock.show(b=float(x))
    dock.end("b")
    (told,) = facts(dock.events, "parcel")
    assert (told["parcel"], told["how"]) == ("a", "code")
    assert dock.lines == [(1, 0, "open")]


def test_another_parcel_that_comes_where_one_was_is_another() -> None:
    dock = Dock(hidden_s=3.0)
    for x in (100, 200, 300, 400):
        dock.show(a=float(x), codes={"a": label(UNIT)})
    dock.end("a")
    for x in (520, 620, 720, 920):  # where it would be, with another label
        dock.show(b=float(x), codes={"b": label(OTHER_UNIT)})
    dock.end("b")
    assert facts(dock.events, "parcel") == []  # b came from nowhere, a is still on its way
    dock = Dock(hidden_s=3.0)
    for x in (100, 200, 300, 400):
        dock.show(a=float(x), looks={"a": 1})
    dock.end("a")
    for x in (520, 620, 720, 920):  # … and something that looks otherwise
        dock.show(b=float(x), looks={"b": 2})
    dock.end("b", after_s=9)
    assert facts(dock.events, "parcel") == []


def test_a_parcel_that_waits_behind_the_line_is_told_and_not_again_when_it_goes_on() -> None:
    dock = Dock(settle_s=5.0)
    for x in (100, 400, 600):
        dock.show(p=float(x))
    for _ in range(60):
        dock.show(p=600.0)
    assert names(dock.events) == ["parcel"]
    for x in (700, 920):
        dock.show(p=float(x))
    dock.end("p", after_s=9)
    assert names(dock.events) == ["parcel"]


def test_a_parcel_that_was_told_and_goes_back_is_taken_back() -> None:
    dock = Dock(settle_s=1.0, epcis=EpcisSettings())
    dock.open((OATS, 1))
    for x in (100, 400, 600):
        dock.show(p=float(x), codes={"p": ean(OATS)})
    dock.show(p=600.0, after_s=2.0)
    assert dock.lines == [(1, 0, "received")]
    for x in (400, 100):
        dock.show(p=float(x))
    dock.end("p", after_s=9)
    assert names(dock.events) == ["shipment_opened", "parcel", "returned"]
    assert dock.lines == [(0, 0, "open")]
    kept: list[Any] = [event.body for event in dock.events if event.kind == "epcis"]
    one, back = (body["epcis"] for body in kept)
    assert back.pop("errorDeclaration")["reason"] == "did_not_occur"
    assert back == one


def test_an_unreadable_label_is_named_by_its_picture_and_nothing_at_all_is_said_so() -> None:
    dock = Dock()
    dock.open((OATS, 1), ("milk", 1))
    dock.pass_by("p", None, "milk")
    dock.pass_by("q")
    assert [told["how"] for told in facts(dock.events, "parcel")] == ["picture", "nothing"]
    assert dock.lines == [(0, 0, "open"), (1, 0, "received")]
    assert dock.state["unnamed"] == 1


def test_a_label_on_the_wrong_carton_is_a_conflict_with_both_and_is_not_received() -> None:
    dock = Dock()
    dock.open((OATS, 1), (MILK, 1))
    events = dock.pass_by("p", ean(OATS), "milk")
    (told,) = facts(events, "conflict")
    assert (told["pieces"][0]["gtin"], told["picture"]["gtin"]) == (OATS, MILK)
    assert dock.lines == [(0, 1, "open"), (0, 0, "open")]
    assert dock.state["conflicts"] == 1


UNSURE = {
    # what is read, what the picture may show → how, line by line what is received and wrong
    "another product, and that of the barcode is ruled out": (ean(OATS), "milk 0.7, oats 0.005", "conflict", [(0, 1), (0, 0)]),
    "another product, and that of the barcode is not": (ean(OATS), "milk 0.7, oats 0.05", "code", [(1, 0), (0, 0)]),
    "hardly more likely another product than none": (ean(OATS), "milk 0.4, tea 0.01", "code", [(1, 0), (0, 0)]),
    "another product than one that nobody announced": (ean(TEA), "milk 0.7, oats 0.005", "conflict", [(0, 0), (0, 0)]),
    "another product than one without a picture": (ean(OTHER), "milk 0.7, oats 0.005", "code", [(0, 0), (0, 0)]),
    "the product of the barcode": (ean(OATS), "oats 0.6, milk 0.1", "code", [(1, 0), (0, 0)]),
    "what is expected, with nothing to be read": (None, "oats 0.6, tea 0.1", "picture", [(1, 0), (0, 0)]),
    "what is expected, behind what is not": (None, "tea 0.4, oats 0.5", "picture", [(1, 0), (0, 0)]),
    "two that are expected": (None, "oats 0.5, milk 0.4", "nothing", [(0, 0), (0, 0)]),
    "what nobody expects": (None, "tea 0.9, oats 0.01", "nothing", [(0, 0), (0, 0)]),
    "what is expected, and looks like nothing that is known": (None, "oats 0.1", "nothing", [(0, 0), (0, 0)]),
}  # fmt: skip


@pytest.mark.parametrize(("code", "seen", "how", "lines"), UNSURE.values(), ids=UNSURE.keys())
def test_a_picture_that_is_not_sure_says_what_it_rules_out_and_what_is_expected(
    code: Any, seen: str, how: str, lines: list[tuple[int, int]]
) -> None:
    dock = Dock()
    dock.open((OATS, 5), (MILK, 5), shop=Shop())
    events = dock.pass_by("p", code, seen)
    (told,) = facts(events, "parcel")
    assert told["how"] == how
    assert [line[:2] for line in dock.lines] == lines
    if how == "conflict":
        assert told["picture"] == {"sku": "milk", "gtin": MILK, "probability": 0.7}


def test_what_a_picture_said_at_several_moments_counts_on_average() -> None:
    for before, how in (("", "code"), ("milk 0.9, tea 0.0005", "conflict"), ("milk 0.4, oats 0.4", "code")):
        dock = Dock()
        dock.open((OATS, 5), (MILK, 5), shop=Shop())
        dock.show(p=90.0)
        dock.show(p=100.0, seen={"p": before} if before else None)
        events = dock.pass_by("p", ean(OATS), "milk 0.8, oats 0.08")  # alone that leaves room for the barcode
        assert facts(events, "parcel")[0]["how"] == how


def test_what_has_no_picture_in_the_catalogue_is_not_missed_in_one() -> None:
    dock = Dock()
    dock.open((OATS, 5), (MILK, 5))
    assert facts(dock.pass_by("p", ean(OATS), "milk 0.7"), "parcel")[0]["how"] == "code"


def test_the_carton_of_a_product_agrees_with_its_picture() -> None:
    dock = Dock()
    dock.open((CASE, 1))
    dock.pass_by("p", ("ITF14", CASE, Said(gtin=CASE)), "oats")
    assert facts(dock.events, "parcel")[0]["how"] == "both"
    assert dock.lines == [(1, 0, "received")]


def test_two_barcodes_of_two_products_are_a_conflict_and_those_of_a_carton_and_its_content_are_not() -> None:
    for other, how in ((ean(MILK), "conflict"), (ean(OATS), "code")):
        dock = Dock()
        dock.open((CASE, 1))
        for x in range(80, 921, 60):
            dock.show(p=float(x), codes={"p": ("ITF14", CASE, Said(gtin=CASE)) if x < 300 else other})
        dock.end("p")
        assert facts(dock.events, "parcel")[0]["how"] == how


MISREADINGS = {
    # what is read, look by look → what the parcel is
    "once among several right ones": ([OTHER, OATS, OATS], "code", OATS),
    "once after several right ones": ([OATS, OATS, OTHER], "code", OATS),
    "once against once": ([OATS, OTHER], "conflict", OTHER),
    "again, as two labels would be": ([OATS, OTHER, OATS, OTHER], "conflict", OTHER),
    "once and nothing else": ([OATS], "code", OATS),
}


@pytest.mark.parametrize(("read", "how", "gtin"), MISREADINGS.values(), ids=MISREADINGS.keys())
def test_a_number_that_is_read_once_beside_one_that_is_read_again_is_a_misreading(
    read: list[str], how: str, gtin: str
) -> None:
    dock = Dock()
    dock.open((OATS, 5))
    for step, number in enumerate(read):
        dock.show(p=80.0 + 60 * step, codes={"p": ean(number)})
    dock.pass_by("p")
    (told,) = facts(dock.events, "parcel")
    assert (told["how"], told["gtin"]) == (how, gtin)


def test_more_than_announced_and_what_nobody_announced_are_told() -> None:
    dock = Dock()
    dock.open((OATS, 1))
    for name, gtin in (("a", OATS), ("b", OATS), ("c", MILK)):
        dock.pass_by(name, ean(gtin))
    assert names(dock.events) == ["shipment_opened", "parcel", "parcel", "over", "parcel", "unexpected"]
    assert dock.lines == [(2, 0, "over")]
    assert dock.state["unexpected"] == [{"gtin": MILK, "sku": None, "received": 1}]


def test_what_nobody_announced_is_one_product_whatever_names_it() -> None:
    dock = Dock()
    dock.open((OATS, 1))
    dock.pass_by("a", ean(MILK))
    dock.pass_by("b", None, "milk")
    assert dock.state["unexpected"] == [{"gtin": MILK, "sku": None, "received": 2}]


def test_the_same_unit_is_counted_once() -> None:
    dock = Dock()
    dock.open((OATS, 24))
    for name in ("a", "b"):
        dock.pass_by(name, label(UNIT, OATS, 12))
    assert names(dock.events) == ["shipment_opened", "parcel", "duplicate"]
    assert dock.lines == [(12, 0, "open")]


def test_what_is_packed_in_a_unit_comes_with_it_and_a_label_that_says_otherwise_is_told() -> None:
    dock = Dock()
    dock.open(units={UNIT: [(OATS, 12), (MILK, 6)], OTHER_UNIT: [(OATS, 10)]})
    dock.pass_by("a", label(UNIT))
    assert dock.lines == [(12, 0, "open"), (6, 0, "received")]
    events = dock.pass_by("b", label(OTHER_UNIT, OATS, 9))
    (told,) = facts(events, "count_mismatch")
    assert (told["labelled"], told["counted"]) == (9, 10)
    assert dock.lines == [(21, 0, "open"), (6, 0, "received")]


def test_a_count_on_a_label_can_announce_cartons_that_pass_one_by_one() -> None:
    dock = Dock(contents="compared")
    dock.open((OATS, 3))
    dock.pass_by("pallet", label(UNIT, OATS, 3))
    assert dock.lines == [(0, 0, "open")]
    for name in ("a", "b"):
        dock.pass_by(name, ean(OATS))
    _, events = dock.app.close("", dock.at, dock.utc)
    (told,) = facts(list(events), "count_mismatch")
    assert (told["line"], told["labelled"], told["counted"]) == (1, 3, 2)


def test_a_known_barcode_on_an_unknown_picture_is_offered_for_enrolment() -> None:
    dock = Dock()
    events = dock.pass_by("p", ean(OATS), "?")
    (told,) = facts(events, "enrol_offer")
    assert (told["gtin"], told["parcel"], told["shipment"]) == (OATS, "p", None)


def test_without_a_shipment_parcels_are_told_and_counted_nowhere() -> None:
    dock = Dock()
    assert names(dock.pass_by("p", ean(OATS))) == ["parcel"]
    assert [event for event in dock.events if event.kind == "inbound"] == []
    dock.open((OATS, 1))
    assert dock.lines == [(0, 0, "open")]


def test_a_shipment_is_closed_by_command_with_what_stands_behind_the_line() -> None:
    dock = Dock()
    dock.open((OATS, 2), (MILK, 1))
    dock.pass_by("p", ean(OATS), to=700)
    session, events = dock.app.close("A-1", dock.at, dock.utc)
    dock.events += events
    assert names(list(events)) == ["parcel", "shipment_closed"]
    assert (session.closed_by, dock.state["state"]) == ("command", "closed")
    assert dock.lines == [(1, 0, "short"), (0, 0, "short")]
    assert (dock.state["complete"], dock.state["exact"]) == (False, False)


def test_a_shipment_is_closed_when_it_is_complete_or_when_nothing_comes_any_more() -> None:
    dock = Dock(complete_s=30.0, timeout_s=100.0)
    dock.open((OATS, 1))
    dock.pass_by("p", ean(OATS))
    dock.show(after_s=20.0)
    assert dock.state["state"] == "open"
    dock.show(after_s=20.0)
    assert (dock.state["closed_by"], dock.state["exact"]) == ("complete", True)
    dock = Dock(timeout_s=100.0)
    dock.open((OATS, 2))
    dock.pass_by("p", ean(OATS))
    dock.show(after_s=99.0)
    assert dock.state["state"] == "open"
    dock.show(after_s=2.0)
    assert (dock.state["closed_by"], dock.lines) == ("timeout", [(1, 0, "short")])


def test_a_dock_receives_one_shipment_at_a_time_and_each_once() -> None:
    dock = Dock()
    dock.open((OATS, 1))
    order = made_order("B-2", [Row("row", OATS, "", 1)], None, strict=False)
    with pytest.raises(InputError, match=r"shipment 'B-2': expected no other one to be open .*, found 'A-1'"):
        dock.app.open(order, dock.at, dock.utc)
    with pytest.raises(InputError, match="shipment 'A-1': expected one that is new here, found it open"):
        dock.open((OATS, 1))
    with pytest.raises(InputError, match="found no 'B-2'"):
        dock.app.close("B-2", dock.at, dock.utc)
    dock.app.close("", dock.at, dock.utc)
    for closing in ("", "A-1"):
        with pytest.raises(InputError, match="expected one that is open at camera 'cam'"):
            dock.app.close(closing, dock.at, dock.utc)
    with pytest.raises(InputError, match="found it closed"):
        dock.open((OATS, 1))
    dock.app.open(order, dock.at, dock.utc)


def test_a_lost_camera_tells_what_passed_and_counts_on_when_it_is_back() -> None:
    dock = Dock()
    dock.open((OATS, 2))
    dock.pass_by("p", ean(OATS), to=700)
    assert names(dock.lost()) == ["parcel"]
    dock.pass_by("q", ean(OATS))
    assert dock.lines == [(2, 0, "received")]


def test_a_count_goes_on_after_a_restart() -> None:
    dock = Dock(timeout_s=0.0)
    dock.open((OATS, 20), (MILK, 1), units={UNIT: [(OATS, 5)]})
    dock.pass_by("a", label(UNIT))
    dock.pass_by("b", ean(MILK), "oats")
    dock.pass_by("c", ean(OTHER))
    before = dock.state
    again = Dock(json.loads(json.dumps(dock.app.kept())))
    again.show(after_s=1000.0)
    assert again.state == before
    again.pass_by("d", label(UNIT))
    assert names(again.events) == ["duplicate"]
    again.pass_by("e", ean(OATS))
    assert again.lines[0] == (6, 0, "open")


@pytest.mark.parametrize("kept", [{}, {"sessions": 3}, {"sessions": [{}]}, {"sessions": [None]}])
def test_what_cannot_be_read_of_before_is_passed_over(kept: Any) -> None:
    dock = Dock(kept)
    dock.open((OATS, 1))
    assert dock.state["parcels"] == 0
    assert "what was left of its shipments cannot be read" in dock.app.problem


def test_results_of_long_ago_are_taken_back_from_the_broker() -> None:
    dock = Dock(keep=1)
    dock.open((OATS, 1))
    dock.app.close("", dock.at, dock.utc)
    dock.app.open(made_order("B-2", [Row("row", OATS, "", 1)], None, strict=False), dock.at, dock.utc)
    _, events = dock.app.close("", dock.at, dock.utc)
    (gone,) = [event for event in events if event.kind == "gone"]
    message = WIRE.event(gone)
    assert (message.topic, message.payload, message.retain) == (
        "spotter/test/dev-1/cam/inbound/A-1",
        b"",
        True,
    )
    assert [session.shipment for session in dock.app.sessions] == ["B-2"]


def test_a_broker_need_not_know_of_shipments_that_the_dock_does_not_know() -> None:
    dock = Dock()
    dock.open((OATS, 1))
    again = Dock(dock.app.kept())
    for app in (dock.app, again.app):
        is_gone = gone((), {"cam": app, "other": Watch()})
        topics = [("cam", "inbound/A-1"), ("cam", "inbound/B-2"), ("cam", "status"), ("other", "inbound/A-1")]
        assert [is_gone(*topic) for topic in topics] == [False, True, False, True]


def test_a_shipment_of_ten_thousand_lines_is_told_in_a_message_that_every_broker_takes() -> None:
    dock = Dock()
    bodies = [f"04{number:011d}" for number in range(10_000)]
    dock.open(*[(body + check_digit(body), 3) for body in bodies])
    gtin = bodies[9_000] + check_digit(bodies[9_000])
    dock.pass_by("p", ean(gtin))
    message = WIRE.event([event for event in dock.events if event.kind == "inbound"][-1])
    assert len(message.payload) < 128_000
    assert (dock.state["lines_left_out"], dock.state["received"]) == (9_600, 1)


def test_the_same_scenes_give_the_same_messages() -> None:
    def story() -> list[bytes]:
        dock = Dock(epcis=EpcisSettings())
        dock.open((OATS, 2), (MILK, 1))
        dock.pass_by("a", ean(OATS), "oats")
        dock.pass_by("b", label(UNIT, MILK, 4), "tea")
        _, events = dock.app.close("", dock.at, dock.utc)
        return [WIRE.event(event).payload for event in (*dock.events, *events)]

    first = story()
    assert first == story()
    identities = [json.loads(payload).get("id") for payload in first if b'"id"' in payload]
    assert len(set(identities)) == len(identities)
