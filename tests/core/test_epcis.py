"""EPCIS 2.0 events: what they say, and identities as the reference implementation of CBV 2.0 gives them."""

from __future__ import annotations

import copy
from typing import Any

import jsonschema
import pytest

from agent.core.inbound.epcis import Keeper, canonical, document, event_id, taken_back, uri
from agent.core.inbound.naming import How, Named, Piece
from agent.core.inbound.orders import Line, Order
from agent.core.inbound.session import Session
from agent.core.wire import schemas

OATS, MILK, TEA = "04006381333931", "05901234123457", "00000096385074"
UNIT = "106141412345678908"
UTC = 1_767_225_600.123
KEEPER = Keeper("https://id.gs1.org/414/4006381333931/254/dock-1", "urn:x-spotter:berlin-12:dock")


def session(received: dict[int, int], **more: Any) -> Session:
    made = Session(Order("A 1/ü", (Line(OATS, "", 12), Line(MILK, "", 6)), {}), UTC, UTC)
    made.received = received
    for name, value in more.items():
        setattr(made, name, value)
    made.close("command", UTC)
    return made


def of_parcel(**named: Any) -> list[dict[str, Any]]:
    return list(KEEPER.parcel(Named(**named), "A 1/ü", UTC))


ONE = of_parcel(how=How.BOTH, pieces=(Piece(OATS, "", 1, 0),), gtin=OATS)
SERIAL = of_parcel(how=How.CODE, pieces=(Piece(OATS, "", 1, 0),), gtin=OATS, serial="A/1")
CARTON = of_parcel(
    how=How.CODE, pieces=(Piece(OATS, "", 12, 0), Piece(MILK, "", 6, 1)), sscc=UNIT, labelled=11, packed=12
)
ODD = list(KEEPER.closed(session({0: 12, 1: 5}, unexpected={(TEA, ""): 3}), UTC))
EXACT = list(KEEPER.closed(session({0: 12, 1: 6}), UTC))
ALL = [*ONE, *SERIAL, *CARTON, *ODD, *EXACT]

REFERENCE = [
    "303c38b58518c699997eba48c56b2b110b49cf12ab5e44714dd2036d5958aef8",
    "633916e4694df1b5010c3629d0ca0f397459ddbc312aeaf796d35f389becc4c9",
    "e4758a6adcef5f164903d2f8cce56e37ec07c13d15c03b3c7ddfb847c956f2fa",
    "37469c26e6bb61825f9de9f34e35ca7e357d6e8208712bdf55b6e37020d4393b",
    "0749a5053f83484dff140b4dbd859669e8b00a15ff97b3891bd301dbc4c5eb86",
    "0b0094f5ae3be4f4dcbb489240030638cb5de8503abb97934d0e50ea83379b57",
]
"""Of the events above, by epcis-event-hash-generator 1.9.3, the reference implementation of the CBV."""


def test_identities_are_those_of_the_reference_implementation() -> None:
    assert [event["eventID"] for event in ALL] == [f"ni:///sha-256;{h}?ver=CBV2.0" for h in REFERENCE]


def test_an_event_is_canonical_whatever_the_order_of_its_lists() -> None:
    mixed = copy.deepcopy(ODD[0])
    mixed["quantityList"].reverse()
    mixed["persistentDisposition"]["set"].reverse()
    assert canonical(mixed) == canonical(ODD[0])
    for field, value in (("eventTime", "2026-01-01T00:00:00.124Z"), ("disposition", "unknown")):
        assert event_id({**mixed, field: value}) != ODD[0]["eventID"]


def test_what_is_taken_back_keeps_its_identity() -> None:
    back = taken_back(ONE[0], UTC + 9)
    assert back["errorDeclaration"] == {
        "declarationTime": "2026-01-01T00:00:09.123Z",
        "reason": "did_not_occur",
    }
    assert event_id(back) == ONE[0]["eventID"]


@pytest.mark.parametrize("event", [*ALL, taken_back(ONE[0], UTC)], ids=lambda event: str(event["type"]))
def test_every_event_is_valid(event: dict[str, Any]) -> None:
    schema = schemas()["epcis"]["properties"]["epcis"]
    jsonschema.validate(event, schema, jsonschema.Draft202012Validator)
    for field in ("eventTime", "eventTimeZoneOffset", "type", "action"):
        less = {key: value for key, value in event.items() if key != field}
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(less, schema, jsonschema.Draft202012Validator)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**event, "spotter": 1}, schema, jsonschema.Draft202012Validator)


def test_a_parcel_is_known_by_the_most_that_is_known_of_it() -> None:
    assert ONE[0]["quantityList"] == [{"epcClass": f"https://id.gs1.org/01/{OATS}", "quantity": 1}]
    assert SERIAL[0]["epcList"] == [f"https://id.gs1.org/01/{OATS}/21/A%2F1"]
    assert [event["type"] for event in CARTON] == ["ObjectEvent", "AggregationEvent"]
    assert CARTON[0]["epcList"] == [f"https://id.gs1.org/00/{UNIT}"] == [CARTON[1]["parentID"]]
    assert [each["quantity"] for each in CARTON[1]["childQuantityList"]] == [12, 6]
    assert CARTON[1]["disposition"] == "mismatch_quantity"
    assert of_parcel(how=How.PICTURE, pieces=(Piece("", "oats", 1, 0),)) == []
    assert of_parcel(how=How.NOTHING, pieces=()) == []
    (doubt,) = of_parcel(how=How.CONFLICT, pieces=(Piece(OATS, "", 1, 0),), gtin=OATS)
    assert doubt["disposition"] == "mismatch_class"


RESULTS = {
    "as announced": (session({0: 12, 1: 6}), ["completeness_verified"]),
    "short": (session({0: 12}), ["mismatch_quantity"]),
    "over": (session({0: 13, 1: 6}), ["mismatch_quantity"]),
    "something else too": (session({0: 12, 1: 6}, unexpected={(TEA, ""): 1}), ["mismatch_class"]),
    "a label on the wrong carton": (
        session({0: 12, 1: 5}, wrong={1: 1}, conflicts=1), ["mismatch_quantity", "mismatch_class"]
    ),
    "a parcel that nobody knows": (session({0: 12, 1: 6}, unnamed=1), []),
}  # fmt: skip


@pytest.mark.parametrize(("given", "words"), RESULTS.values(), ids=RESULTS.keys())
def test_a_result_says_whether_it_is_as_announced(given: Session, words: list[str]) -> None:
    (event,) = KEEPER.closed(given, UTC)
    assert event.get("persistentDisposition", {}).get("set", []) == words
    assert event["disposition"] == (words[0] if words else "unknown")
    assert len(event["quantityList"]) == 2 + len(given.unexpected)


def test_a_shipment_of_ten_thousand_products_is_verified_in_several_events() -> None:
    lines = tuple(Line(f"{number:014d}", "", 1) for number in range(10_000))
    events = list(KEEPER.closed(Session(Order("A", lines, {}), UTC, UTC), UTC))
    assert [len(event["quantityList"]) for event in events] == [1000] * 10


def test_a_document_is_what_a_capture_interface_takes() -> None:
    made = document(ALL, UTC)
    assert (made["type"], made["schemaVersion"]) == ("EPCISDocument", "2.0")
    assert [event["eventID"] for event in made["epcisBody"]["eventList"]] == [e["eventID"] for e in ALL]
    assert all("@context" not in event for event in made["epcisBody"]["eventList"])


def test_names_become_parts_of_a_urn() -> None:
    assert uri("urn:x-spotter", "berlin 12", "dock:1") == "urn:x-spotter:berlin%2012:dock%3A1"
