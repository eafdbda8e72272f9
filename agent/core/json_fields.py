"""Fields of an object that came as JSON: exactly those that are declared, each of its type and within bounds.

Every error is a ValueError of one line, `field: expected …, found …`; the caller puts the file before it.
"""

from __future__ import annotations

import re
from dataclasses import fields
from typing import Any

from agent.core.errors import quoted
from agent.core.strict_json import shown

_FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", re.ASCII)  # no separators, nothing hidden
_HEX = frozenset("0123456789abcdef")
_WHOLE_LIMIT = 1 << 53  # what every JSON reader holds exactly


def check_schema(document: dict[str, Any], schema: int) -> None:
    """Refuse a document of another schema.

    Raises:
        ValueError: it is.
    """
    found = document.get("schema")
    if found != schema or isinstance(found, bool):
        raise ValueError(f"schema: expected {schema}, found {quoted(found)}")


def record(where: str, cls: type[Any], value: dict[str, Any]) -> Any:
    """`value` as the dataclass `cls`, whose annotations say the types.

    Raises:
        ValueError: a field is missing, unknown, of another type, or refused by the class.
    """
    declared = {field.name: str(field.type) for field in fields(cls)}
    try:
        return cls(**typed_fields(where, value, declared))
    except ValueError as error:
        text = str(error)
        raise ValueError(text if text.startswith(where) else f"{where}.{text}") from None


def typed_fields(where: str, value: dict[str, Any], declared: dict[str, str]) -> dict[str, Any]:
    """Exactly the declared fields of `value`, each of its type: object, list, bool, int, float or str.

    Raises:
        ValueError: a field is missing, unknown or of another type.
    """
    prefix = f"{where}." if where else ""
    for key in value:
        if key not in declared:
            raise ValueError(
                f"{prefix}{quoted(key)[1:-1]}: expected one of {', '.join(declared)}, found an unknown field"
            )
    for key in declared:
        if key not in value:
            raise ValueError(f"{prefix}{key}: expected a value, found none")
    return {key: typed(f"{prefix}{key}", kind, value[key]) for key, kind in declared.items()}


def objects(where: str, values: list[Any], limit: int) -> list[tuple[str, dict[str, Any]]]:
    """Each object of a list with where it stands: `("blobs[0]", {…})`.

    Raises:
        ValueError: there are more than `limit`, or something else is among them.
    """
    if len(values) > limit:
        raise ValueError(f"{where}: expected at most {limit}, found {len(values)}")
    return [
        (f"{where}[{place}]", typed(f"{where}[{place}]", "object", value))
        for place, value in enumerate(values)
    ]


def check_whole(name: str, value: int, low: int, high: int = _WHOLE_LIMIT - 1) -> None:
    """Refuse a number outside [low, high].

    Raises:
        ValueError: it is.
    """
    if not low <= value <= high:
        most = f" and at most {high}" if high < _WHOLE_LIMIT - 1 else ""
        raise ValueError(f"{name}: expected a whole number of at least {low}{most}, found {quoted(value)}")


def check_digest(name: str, value: str) -> None:
    """Refuse what is not a sha256 as it is usually written.

    Raises:
        ValueError: it is not.
    """
    if len(value) != 64 or set(value) - _HEX:
        raise ValueError(f"{name}: expected 64 lower-case hex digits, found {quoted(value)}")


def check_file_name(name: str, value: str) -> None:
    """Refuse what could lead out of the directory, or hide in it.

    Raises:
        ValueError: it could.
    """
    if not _FILE_NAME.fullmatch(value):
        raise ValueError(f"{name}: expected the name of a file beside it, found {quoted(value)}")


def typed(where: str, kind: str, value: Any) -> Any:
    """The value, when it is of this kind: object, list, bool, int, float or str.

    Raises:
        ValueError: it is of another.
    """
    if kind == "object":
        if isinstance(value, dict):
            return value
    elif kind == "list":
        if isinstance(value, list):
            return value
    elif kind == "bool":
        if isinstance(value, bool):
            return value
    elif kind == "int":
        if isinstance(value, int) and not isinstance(value, bool):
            return value
    elif kind == "float":
        if isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) <= _WHOLE_LIMIT:
            return float(value)
    elif isinstance(value, str) and value.isprintable():
        return value
    raise ValueError(f"{where}: expected {_EXPECTED.get(kind, 'a text in one line')}, found {shown(value)}")


_EXPECTED = {
    "object": "an object of fields",
    "list": "a list",
    "bool": "true or false",
    "int": "a whole number",
    "float": "a finite number",
}
