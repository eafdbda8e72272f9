"""What the requests of commands look like, and what comes of them, as JSON Schema 2020-12."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from agent.core.commands import COMMANDS
from agent.core.forms import NEEDED
from agent.core.requests import ID_LIMIT
from agent.core.wire.schemas import DIALECT, object_of

if TYPE_CHECKING:
    from agent.core.forms import Form


def request_schemas() -> dict[str, dict[str, Any]]:
    """Name of a command → JSON Schema of its request; unknown fields are refused."""
    return {name: _request(name, form) for name, form in COMMANDS.items()}


def result_schemas() -> dict[str, dict[str, Any]]:
    """Name of a command → JSON Schema of the `result` in its answer, where it was done."""
    return {name: object_of(dict(form.result)) for name, form in COMMANDS.items()}


def _request(name: str, form: Form) -> dict[str, Any]:
    identity = {"type": "string", "minLength": 1, "maxLength": ID_LIMIT, "description": "chosen by who asks"}
    fields = {field: each.schema() for field, each in form.fields.items()}
    needed = (field for field, each in form.fields.items() if each.default is NEEDED)
    return {
        "$schema": DIALECT,
        "title": f"command {name}",
        "description": form.does,
        **object_of({"id": identity, **fields}),
        "required": sorted(("id", *needed)),
        **({"oneOf": [{"required": [field]} for field in form.either]} if form.either else {}),
        "additionalProperties": False,
    }
