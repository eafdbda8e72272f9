"""What stands in an address, read as strictly as what stands in a request over MQTT."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from agent.core.errors import quoted
from agent.core.forms import NEEDED, Number

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from agent.core.forms import Field

_WHOLE: Final = re.compile(r"-?\d{1,15}", re.ASCII)
_NUMBER: Final = re.compile(r"-?\d{1,15}(\.\d{1,15})?", re.ASCII)


def read_query(fields: Mapping[str, Field], given: Sequence[tuple[str, str]]) -> dict[str, Any]:
    """The arguments that pairs of name and text give.

    Raises:
        ValueError: a name is unknown, twice there or missing, or a text is not what its field takes.
    """
    arguments: dict[str, Any] = {}
    for name, text in given:
        if name not in fields:
            known = ", ".join(fields) or "no field"
            raise ValueError(f"{quoted(name)[1:-1]}: expected {known}, found an unknown field")
        if name in arguments:
            raise ValueError(f"{name}: expected it once, found it twice")
        if "\0" in text or "\ufffd" in text:
            raise ValueError(f"{name}: expected text, found {quoted(text)}")
        arguments[name] = fields[name].read(name, _value(name, fields[name], text))
    for name, field in fields.items():
        if name not in arguments:
            if field.default is NEEDED:
                raise ValueError(f"{name}: expected a value, found none")
            arguments[name] = field.default
    return arguments


def _value(name: str, field: Field, text: str) -> Any:
    if not isinstance(field, Number):
        return text
    pattern = _WHOLE if field.whole else _NUMBER
    if not pattern.fullmatch(text):
        raise ValueError(f"{name}: expected a {'whole ' if field.whole else ''}number, found {quoted(text)}")
    return int(text) if field.whole else float(text)
