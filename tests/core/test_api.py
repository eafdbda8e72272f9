"""The table of what can be asked over HTTP: strict in what it reads, true in what it says of itself."""

from __future__ import annotations

import re
from typing import Any

import jsonschema
import pytest

from agent.core.access import Role
from agent.core.api import OPERATIONS, read_query
from agent.core.api.openapi import document
from agent.core.commands import COMMANDS
from agent.core.forms import Number, Text
from agent.desk import Desk
from agent.desk_review import ReviewDesk
from agent.desk_shipments import ShipmentDesk
from agent.kiosking import Kiosks
from agent.setting_up import SettingUp

FIELDS = {
    "camera": Text(doc="which", limit=8),
    "k": Number(doc="how many", low=1, high=50, whole=True, default=5),
    "share": Number(doc="of it", low=0, high=1, default=0.5),
}
REFUSED = {
    "nothing where something is needed": ([], "camera: expected a value, found none"),
    "an unknown field": (
        [("camera", "a"), ("x", "1")],
        "x: expected camera, k, share, found an unknown field",
    ),
    "twice": ([("camera", "a"), ("camera", "b")], "camera: expected it once, found it twice"),
    "a text for a number": ([("camera", "a"), ("k", "many")], "k: expected a whole number, found 'many'"),
    "a fraction for a whole number": (
        [("camera", "a"), ("k", "1.5")],
        "k: expected a whole number, found '1.5'",
    ),
    "digits of another script": ([("camera", "a"), ("k", "٣")], "k: expected a whole number, found '٣'"),
    "a number beyond all bounds": ([("camera", "a"), ("k", "9" * 400)], "k: expected a whole number, found"),
    "a number that is none": ([("camera", "a"), ("share", "nan")], "share: expected a number, found 'nan'"),
    "out of its bounds": ([("camera", "a"), ("k", "51")], "k: expected 1 to 50, found 51"),
    "too long": ([("camera", "123456789")], "camera: expected at most 8 characters, found 9"),
    "a control character": ([("camera", "a\nb")], "camera: expected a text in one line"),
    "NUL": ([("camera", "a\0")], "camera: expected text"),
    "bytes that were no UTF-8": ([("camera", "\ufffd")], "camera: expected text"),
}


@pytest.mark.parametrize(("given", "why"), REFUSED.values(), ids=REFUSED)
def test_what_stands_in_an_address_is_read_strictly(given: list[tuple[str, str]], why: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(why)}"):
        read_query(FIELDS, given)


def test_what_is_left_out_has_its_default() -> None:
    assert read_query(FIELDS, [("camera", "a"), ("share", "1")]) == {"camera": "a", "k": 5, "share": 1.0}


def test_every_question_is_answered_somewhere() -> None:
    own = {"session", "login", "logout", "events"}  # of the server itself
    desk = Desk.__new__(Desk)
    desk.kiosks = Kiosks.__new__(Kiosks)
    desk.reviews = ReviewDesk.__new__(ReviewDesk)
    desk.shipments = ShipmentDesk.__new__(ShipmentDesk)
    desk.setting_up = SettingUp.__new__(SettingUp)
    deeds = set(desk.deeds)
    assert deeds == {name for name, each in OPERATIONS.items() if not each.command} - own


def test_every_command_may_be_given_by_operators_alone() -> None:
    commands = {each.command: each for each in OPERATIONS.values() if each.command}
    assert set(commands) == set(COMMANDS) - {"find"}
    assert {each.role for each in commands.values()} == {Role.OPERATOR}


def test_pictures_of_cameras_are_not_for_the_kiosk() -> None:
    kiosk = {name for name, each in OPERATIONS.items() if each.role <= Role.KIOSK}
    assert kiosk == {
        "session", "login", "logout", "find", "search", "product", "thumbnail", "similar", "events",
        "kiosks", "kiosk_plan", "kiosk_choice",
    }  # fmt: skip


def schemas(node: Any) -> list[dict[str, Any]]:
    """Every `schema` in a document."""
    if isinstance(node, list):
        return [found for each in node for found in schemas(each)]
    if not isinstance(node, dict):
        return []
    own = [node["schema"]] if isinstance(node.get("schema"), dict) else []
    return own + [found for each in node.values() for found in schemas(each)]


def test_the_document_describes_every_operation_with_valid_schemas() -> None:
    made = document("1.2.3")
    assert made["openapi"] == "3.1.0"
    described = {each["operationId"] for path in made["paths"].values() for each in path.values()}
    assert described == set(OPERATIONS)
    found = schemas(made["paths"])
    assert len(found) > 50
    for schema in found:
        jsonschema.Draft202012Validator.check_schema(schema)
