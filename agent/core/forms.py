"""What a request may say: each field reads its value strictly, and describes itself as JSON Schema."""

from __future__ import annotations

import json
from base64 import b64decode
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

from agent.core.errors import quoted
from agent.core.json_fields import typed
from agent.core.strict_json import shown

if TYPE_CHECKING:
    from collections.abc import Mapping

NEEDED: Final = object()
"""The default of a field that has none."""


class Field(Protocol):
    """One field of a request."""

    @property
    def default(self) -> Any:
        """What stands for it where it is not given; `NEEDED`: it must be."""

    def read(self, where: str, value: Any) -> Any:
        """The value as it is used. ValueError, beginning with `where`, when it is not one."""

    def schema(self) -> dict[str, Any]:
        """JSON Schema."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """One line of text."""

    doc: str
    limit: int = 1000  # characters
    choices: tuple[str, ...] = ()  # empty: any text
    default: Any = NEEDED

    def read(self, where: str, value: Any) -> str:
        """See `Field`."""
        text: str = typed(where, "str", value)
        if self.choices and text not in self.choices:
            raise ValueError(f"{where}: expected one of {', '.join(self.choices)}, found {quoted(text)}")
        if len(text) > self.limit:
            raise ValueError(f"{where}: expected at most {self.limit} characters, found {len(text)}")
        if self._is_something and not text:
            raise ValueError(f"{where}: expected text, found none")
        return text

    def schema(self) -> dict[str, Any]:
        """See `Field`."""
        if self.choices:
            return _described({"type": "string", "enum": list(self.choices)}, self)
        least = {"minLength": 1} if self._is_something else {}
        return _described({"type": "string", **least, "maxLength": self.limit}, self)

    @property
    def _is_something(self) -> bool:
        """Whether no text at all says nothing that leaving the field out would not."""
        return self.default is NEEDED or self.default is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Number:
    """A number within bounds; `whole`: without a fraction."""

    doc: str
    low: float
    high: float
    whole: bool = False
    default: Any = NEEDED

    def read(self, where: str, value: Any) -> float:
        """See `Field`."""
        number: float = typed(where, "int" if self.whole else "float", value)
        if not self.low <= number <= self.high:
            raise ValueError(f"{where}: expected {self.low:g} to {self.high:g}, found {quoted(value)}")
        return number

    def schema(self) -> dict[str, Any]:
        """See `Field`."""
        kind = "integer" if self.whole else "number"
        return _described({"type": kind, "minimum": self.low, "maximum": self.high}, self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Texts:
    """A list of up to `limit` texts of at most `each` characters. Read as a tuple."""

    doc: str
    limit: int
    each: int = 1000
    default: Any = NEEDED

    def read(self, where: str, value: Any) -> tuple[str, ...]:
        """See `Field`."""
        texts = typed(where, "list", value)
        if len(texts) > self.limit:
            raise ValueError(f"{where}: expected at most {self.limit} texts, found {len(texts)}")
        one = Text(doc="", limit=self.each)
        return tuple(one.read(f"{where}[{number}]", text) for number, text in enumerate(texts))

    def schema(self) -> dict[str, Any]:
        """See `Field`."""
        one = {"type": "string", "minLength": 1, "maxLength": self.each}
        return _described({"type": "array", "items": one, "maxItems": self.limit}, self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Images:
    """Files of pictures, in base64: one, or a list of up to `limit`. Read as a tuple of bytes."""

    doc: str
    limit: int = 1
    default: Any = NEEDED

    def read(self, where: str, value: Any) -> tuple[bytes, ...]:
        """See `Field`."""
        texts = value if isinstance(value, list) and self.limit > 1 else [value]
        if not 1 <= len(texts) <= self.limit:
            raise ValueError(f"{where}: expected 1 to {self.limit} pictures, found {len(texts)}")
        return tuple(
            _image(f"{where}[{number}]" if isinstance(value, list) else where, text)
            for number, text in enumerate(texts)
        )

    def schema(self) -> dict[str, Any]:
        """See `Field`."""
        one = {"type": "string", "contentEncoding": "base64"}
        many = {"type": "array", "items": one, "minItems": 1, "maxItems": self.limit}
        return _described({"anyOf": [one, many]} if self.limit > 1 else one, self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """A part of a picture: `[x1, y1, x2, y2]`, pixels, half open."""

    doc: str
    default: Any = None

    def read(self, where: str, value: Any) -> tuple[int, ...]:
        """See `Field`."""
        sides = [typed(f"{where}[{n}]", "int", side) for n, side in enumerate(typed(where, "list", value))]
        if len(sides) != 4 or not (0 <= sides[0] < sides[2] and 0 <= sides[1] < sides[3]):
            raise ValueError(
                f"{where}: expected [x1, y1, x2, y2] with x1 < x2, y1 < y2, found {shown(value)}"
            )
        return tuple(sides)

    def schema(self) -> dict[str, Any]:
        """See `Field`."""
        sides = {"type": "integer", "minimum": 0}
        return _described({"type": "array", "items": sides, "minItems": 4, "maxItems": 4}, self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A file: JSON as an object, anything else as a text. Read as bytes."""

    doc: str
    limit_bytes: int
    default: Any = NEEDED

    def read(self, where: str, value: Any) -> bytes:
        """See `Field`."""
        if not isinstance(value, (str, dict)):
            raise ValueError(f"{where}: expected an object or a text, found {shown(value)}")  # noqa: TRY004
        text = value if isinstance(value, str) else json.dumps(value)
        data = text.encode("utf-8", "replace")
        if len(data) > self.limit_bytes:
            raise ValueError(f"{where}: expected at most {self.limit_bytes} bytes, found {len(data)}")
        return data

    def schema(self) -> dict[str, Any]:
        """See `Field`."""
        return _described({"type": ["object", "string"]}, self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """One command: what its request may say beside the `id`, and what its answer says."""

    does: str
    fields: Mapping[str, Field]
    result: Mapping[str, Any]  # field → JSON Schema
    per_minute: float
    burst: int  # requests that may come at once
    either: tuple[str, ...] = ()  # exactly one of these fields is given
    kept: bool = True  # its answers are remembered: the same request again is answered again, and done once

    def read(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """The arguments that a request gives, its `id` left out.

        Raises:
            ValueError: a field is missing, unknown, of another type or out of bounds.
        """
        for key in given:
            if key not in self.fields and key != "id":
                known = ", ".join(("id", *self.fields))
                raise ValueError(f"{quoted(key)[1:-1]}: expected one of {known}, found an unknown field")
        chosen = [name for name in self.either if name in given]
        if self.either and len(chosen) != 1:
            found = " and ".join(chosen) or "none"
            raise ValueError(f"{' or '.join(self.either)}: expected exactly one of them, found {found}")
        arguments = {}
        for name, field in self.fields.items():
            if name in given:
                arguments[name] = field.read(name, given[name])
            elif field.default is NEEDED:
                raise ValueError(f"{name}: expected a value, found none")
            else:
                arguments[name] = field.default
        return arguments


def _image(where: str, text: Any) -> bytes:
    if not isinstance(text, str):
        raise ValueError(f"{where}: expected base64, found {shown(text)}")  # noqa: TRY004
    try:
        return b64decode(text, validate=True)
    except ValueError:
        raise ValueError(f"{where}: expected base64, found {quoted(text[:40])}") from None


def _described(schema: dict[str, Any], field: Any) -> dict[str, Any]:
    default = {} if field.default in (NEEDED, None) else {"default": field.default}
    return {**schema, "description": field.doc, **default}
