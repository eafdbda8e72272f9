"""JSON that is one object, read strictly: bounded, UTF-8, no field twice, no NaN or infinity."""

from __future__ import annotations

import json
from typing import Any

from agent.core.errors import quoted


def parse_object(data: bytes, limit_bytes: int) -> dict[str, Any]:
    """The object of a JSON text of at most `limit_bytes`.

    Raises:
        ValueError: what was expected and what was found; the file is for the caller to name.
    """
    if len(data) > limit_bytes:
        raise ValueError(f"expected at most {limit_bytes} bytes of JSON, found {len(data)}")
    try:
        document = json.loads(data.decode(), object_pairs_hook=_unique, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"expected JSON, found {quoted(data[:40])}: {error}") from None
    if not isinstance(document, dict):
        raise ValueError(f"expected an object of fields, found {shown(document)}")  # noqa: TRY004
    return document


def shown(value: Any) -> str:
    """A value with its type, for an error: `shown("96")` → `"str '96'"`."""
    return f"{type(value).__name__} {quoted(value)}"


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for key, value in pairs:
        if key in result:
            raise ValueError(f"field {quoted(key)} stands there twice")
        result[key] = value
    return result


def _refuse_constant(text: str) -> float:
    raise ValueError(f"{text} is not a number")
