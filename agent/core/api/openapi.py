"""The table of what can be asked over HTTP as an OpenAPI 3.1 document."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from agent.core.access import Role
from agent.core.api.operation import CSV, JSON
from agent.core.api.operations import OPERATIONS
from agent.core.forms import NEEDED
from agent.core.wire.schemas import DIALECT, object_of

if TYPE_CHECKING:
    from agent.core.api.operation import Operation
    from agent.core.forms import Field, Form

PROBLEM: Final = "application/problem+json"

PICTURES: Final = ("image/jpeg", "image/png", "image/webp", "image/bmp")
"""Content types of a body that is a picture itself."""

_PROBLEMS: Final = {
    400: "something in it is wrong; `detail` says what was expected and what was found",
    401: "a password is needed",
    403: "this role may not, or a page of another site asked",
    404: "there is no such thing, or nothing to be had of it now",
    405: "not by this method",
    408: "it came too slowly",
    409: "somebody else changed it meanwhile: read it again",
    413: "it is too large",
    415: "it is of a kind that is not taken",
    421: "the name that this device was called by is none of its own",
    429: "too many of these; `Retry-After` says when to come again",
    503: "not now; the same again may work",
}


def document(version: str) -> dict[str, Any]:
    """The whole of it. `version` is Spotter's."""
    paths: dict[str, dict[str, Any]] = {}
    for operation in OPERATIONS.values():
        paths.setdefault(operation.path, {})[operation.method.lower()] = _described(operation)
    return {
        "openapi": "3.1.0",
        "jsonSchemaDialect": DIALECT,
        "info": {
            "title": "Spotter",
            "version": version,
            "description": "What can be asked of a device that recognises products.",
        },
        "paths": paths,
        "components": {
            "schemas": {"Problem": _problem()},
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer", "description": "the password of a role"},
                "session": {"type": "apiKey", "in": "cookie", "name": "spotter"},
            },
        },
    }


def _described(operation: Operation) -> dict[str, Any]:
    said: dict[str, Any] = {
        "operationId": operation.name,
        "summary": operation.does,
        "x-role": operation.role.name.lower(),
        "responses": _responses(operation),
    }
    if operation.role is not Role.NOBODY:
        said["security"] = [{"bearer": []}, {"session": []}, {}]
    if operation.in_address:
        said["parameters"] = [
            _parameter(name, each, name in operation.levels) for name, each in operation.in_address.items()
        ]
    if operation.form is not None:
        said["requestBody"] = {"required": True, "content": _bodies(operation, operation.form)}
    return said


def _parameter(name: str, field: Field, in_path: bool) -> dict[str, Any]:
    return {
        "name": name,
        "in": "path" if in_path else "query",
        "required": in_path or field.default is NEEDED,
        "schema": field.schema(),
    }


def _bodies(operation: Operation, form: Form) -> dict[str, Any]:
    if operation.document:
        said = form.fields[operation.document].schema()
        return {JSON: {"schema": {**said, "type": "object"}}, CSV: {"schema": {**said, "type": "string"}}}
    needed = sorted(name for name, each in form.fields.items() if each.default is NEEDED)
    schema: dict[str, Any] = {
        **object_of({name: each.schema() for name, each in form.fields.items()}),
        "required": needed,
        "additionalProperties": False,
    }
    if form.either:
        schema["oneOf"] = [{"required": [name]} for name in form.either]
    content = {JSON: {"schema": schema}}
    if operation.picture:
        content |= {media: {"schema": {"type": "string", "format": "binary"}} for media in PICTURES}
    return content


def _responses(operation: Operation) -> dict[str, Any]:
    if operation.media == JSON:
        content: dict[str, Any] = {"schema": object_of(dict(operation.result))}
    else:
        content = {"schema": {"type": "string"}}
    problem = {PROBLEM: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {
        "200": {"description": "done", "content": {operation.media: content}},
        **{str(code): {"description": text, "content": problem} for code, text in _PROBLEMS.items()},
    }


def _problem() -> dict[str, Any]:
    return {
        **object_of(
            {
                "type": {"type": "string"},
                "title": {"type": "string"},
                "status": {"type": "integer"},
                "detail": {"type": "string", "description": "one sentence for the person who has to act"},
            }
        ),
        "description": "RFC 9457",
    }
