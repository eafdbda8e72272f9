"""Plain data becomes frozen settings: unknown keys, `${ENV}`, `*_file` secrets, types and ranges.

Every complaint is a ConfigError with file, line and key (`yamlfile.Document.error`). msgspec does the typing;
what it cannot say (unknown keys with the nearest valid one, lines, secrets) is done here.
"""

from __future__ import annotations

import re
import types
from dataclasses import MISSING, fields, is_dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, Union, get_args, get_origin, get_type_hints

import msgspec

from agent.core.errors import ConfigError, quoted
from agent.core.settings import Secret
from agent.yamlfile import odd_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agent.yamlfile import Document
    from agent.yamlfile import Path as Keys

T = TypeVar("T")

_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}")
_STEP = re.compile(r"\.([A-Za-z_]\w*)|\[(\d+)\]")
_SECRET_BYTES = 4096


def fill(document: Document, kind: type[T], environment: Mapping[str, str]) -> T:
    """Build `kind` (a settings dataclass) from the document.

    Raises:
        ConfigError: for the first thing wrong, naming file, line, key, what was expected and found.
    """
    data = _resolve(document, document.data, kind, (), environment)
    try:
        return msgspec.convert(data, kind, dec_hook=_decode)
    except msgspec.ValidationError as error:
        raise _translated(document, error) from None


def _decode(kind: type, value: object) -> object:
    if kind is Secret and isinstance(value, str):
        return Secret(value)
    raise TypeError(f"expected text, found {type(value).__name__}")


def _translated(document: Document, error: msgspec.ValidationError) -> ConfigError:
    sentence, _, where = str(error).partition(" - at `$")
    path: Keys = tuple(int(index) if index else name for name, index in _STEP.findall(where))
    if match := re.match(r"Object missing required field `(\w+)`", sentence):
        return document.error(path, f"expected the key {match[1]!r}, which is not there")
    if match := re.match(r"Expected `(.+?)`, got `(.+?)`", sentence):
        return document.error(path, f"expected {_plain(match[1])}, found {_plain(match[2])}")
    if match := re.match(r"Invalid enum value (.+)", sentence):
        return document.error(path, f"found {match[1]}, expected one of the documented values")
    field, colon, rest = sentence.partition(": ")
    if colon and field.isidentifier():
        path, sentence = (*path, field), rest
    return document.error(path, sentence)


def _plain(types_text: str) -> str:
    words = {
        "str": "text",
        "int": "a whole number",
        "float": "a number",
        "bool": "true or false",
        "array": "a list",
        "object": "a mapping",
        "null": "nothing",
    }
    return " or ".join(words.get(part.strip(), part.strip()) for part in types_text.split("|"))


def _resolve(document: Document, value: Any, kind: Any, path: Keys, environment: Mapping[str, str]) -> Any:
    """Substitute variables and secrets, and refuse unknown keys, walking data and types together."""
    if isinstance(value, str):
        return _substitute(document, value, path, environment)
    if isinstance(value, list):
        inner = _item_type(kind)
        return [
            _resolve(document, item, inner, (*path, number), environment) for number, item in enumerate(value)
        ]
    if not isinstance(value, dict):
        return value
    slice_type = _dataclass_in(kind)
    if slice_type is None:
        return {key: _resolve(document, v, Any, (*path, key), environment) for key, v in value.items()}
    hints = get_type_hints(slice_type)
    result: dict[str, Any] = {}
    for key, item in value.items():
        for field in fields(slice_type):
            if field.metadata.get("replaces") == key:
                by = f"{field.name!r}: {field.metadata['doc']}"
                raise document.error((*path, key), f"expected no {key!r}, which was replaced by {by}")
        target, from_file = _target(document, key, hints, path)
        if target in result or (from_file and target in value):
            raise document.error((*path, key), f"expected either {target} or {target}_file, found both")
        resolved = _resolve(document, item, hints[target], (*path, key), environment)
        result[target] = _secret_from(document, resolved, (*path, key)) if from_file else resolved
    return result


def _target(document: Document, key: str, hints: Mapping[str, Any], path: Keys) -> tuple[str, bool]:
    """The field a key fills, and whether through a file."""
    if key in hints:
        return key, False
    secrets = [name for name, hint in hints.items() if hint is Secret or Secret in get_args(hint)]
    if key.endswith("_file") and key.removesuffix("_file") in secrets:
        return key.removesuffix("_file"), True
    valid = [*hints, *(f"{name}_file" for name in secrets)]
    near = get_close_matches(key, valid, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]!r}?" if near else f"expected one of {', '.join(sorted(valid))}"
    raise document.error((*path, key), f"unknown key {quoted(key)}; {hint}")


def _substitute(document: Document, text: str, path: Keys, environment: Mapping[str, str]) -> str:
    def value(match: re.Match[str]) -> str:
        name, default = match[1], match[2]
        found = environment.get(name, default)
        if found is None:
            raise document.error(path, f"expected the environment variable {name}, which is not set")
        if odd := odd_text(found):
            raise document.error(path, f"expected text in the environment variable {name}, found {odd}")
        return found

    return _VARIABLE.sub(value, text)


def _secret_from(document: Document, file: Any, path: Keys) -> str:
    if not isinstance(file, str):
        raise document.error(path, "expected the path of a file that holds the secret")
    try:
        with Path(file).open("rb") as opened:
            raw = opened.read(_SECRET_BYTES + 1)
        text = raw.decode().strip("\r\n")
    except OSError as error:
        raise document.error(path, f"expected a readable file, found {file}: {error.strerror}") from None
    except (UnicodeDecodeError, ValueError):
        raise document.error(path, f"expected UTF-8 text in {quoted(file)}, found other bytes") from None
    if odd := odd_text(text):
        raise document.error(path, f"expected text in {file}, found {odd}")
    if not text or len(raw) > _SECRET_BYTES:
        raise document.error(path, f"expected 1 to {_SECRET_BYTES} bytes in {file}, found {len(raw)}")
    return text


def _alternatives(kind: Any) -> tuple[Any, ...]:
    return get_args(kind) if get_origin(kind) in (types.UnionType, Union) else (kind,)


def _dataclass_in(kind: Any) -> Any:
    return next((part for part in _alternatives(kind) if is_dataclass(part)), None)


def _item_type(kind: Any) -> Any:
    for part in _alternatives(kind):
        if get_origin(part) in (tuple, list):
            return get_args(part)[0]
    return Any


def json_schema(kind: Any) -> dict[str, Any]:
    """JSON Schema (2020-12) of a settings dataclass, with each field's explanation and default."""
    schema = msgspec.json.schema(kind, schema_hook=lambda _secret: {"type": "string", "format": "password"})
    definitions = schema.get("$defs", {})
    for slice_type in _slices(kind, {}).values():
        definition = definitions[slice_type.__name__]
        definition["additionalProperties"] = False
        definition.pop("description", None)
        for field in fields(slice_type):
            entry = definition["properties"][field.name]
            entry["description"] = field.metadata.get("doc", "")
            if get_type_hints(slice_type)[field.name] in (Secret, Secret | None):
                definition["properties"][f"{field.name}_file"] = {
                    "type": "string",
                    "description": f"file that holds {field.name}",
                }
            if field.default is MISSING and field.default_factory is MISSING:
                entry.pop("default", None)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def _slices(kind: Any, found: dict[str, Any]) -> dict[str, Any]:
    """Every settings dataclass reachable from `kind`, by name."""
    if is_dataclass(kind) and isinstance(kind, type):
        if kind.__name__ not in found:
            found[kind.__name__] = kind
            for hint in get_type_hints(kind).values():
                _slices(hint, found)
        return found
    for part in get_args(kind):
        _slices(part, found)
    return found
