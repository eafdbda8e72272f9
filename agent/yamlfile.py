"""YAML read strictly: one document of plain mappings, lists and scalars, each with the line it stands on.

Refused before anything is built from it: more than 64 KB, anchors and aliases (a merge-key bomb of a few
hundred bytes keeps the usual loader busy for seconds), custom tags, duplicate keys, NaN and infinity, whole
numbers of more than 64 bits, text that is no UTF-8 or holds a NUL, nesting deeper than 16.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite
from typing import Any

import yaml

from agent.core.errors import ConfigError, quoted

MAX_BYTES = 65536
MAX_DEPTH = 16
"""The deepest key of the configuration is at depth 6."""

Path = tuple["str | int", ...]

_PLAIN_TAGS = {f"tag:yaml.org,2002:{name}" for name in ("str", "int", "float", "bool", "null", "map", "seq")}
_TIMESTAMP = "tag:yaml.org,2002:timestamp"


@dataclass(frozen=True, slots=True)
class Document:
    """Plain data and, for each value's path from the root, its line (counted from 1)."""

    name: str
    data: Any
    lines: dict[Path, int]

    def error(self, path: Path, sentence: str) -> ConfigError:
        """An error that names file, line and key. The line is that of the nearest known parent."""
        known = path
        while known not in self.lines:
            known = known[:-1]
        return ConfigError(f"{self.name}:{self.lines[known]}: {dotted(path)}{sentence}")


def odd_text(text: str) -> str:
    r"""What makes a text one that no file, topic or library takes; empty when nothing does.

    Half of a character comes from `"\ud83d"` in YAML, or from bytes that are not UTF-8 in the environment.
    """
    if "\0" in text:
        return "a NUL character"
    return "half of a character (a lone surrogate)" if any("\ud800" <= c <= "\udfff" for c in text) else ""


def dotted(path: Path) -> str:
    """`("cameras", 0, "fps")` → `"cameras[0].fps: "`; the root gives nothing."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f"{'.' if text else ''}{part}"
    return f"{text}: " if text else ""


def parse_yaml(raw: bytes, name: str, most_bytes: int = MAX_BYTES) -> Document:
    """Read one document.

    Raises:
        ConfigError: naming the file, the line and what was expected and found.
    """
    if len(raw) > most_bytes:
        raise ConfigError(f"{name}: expected at most {most_bytes} bytes of YAML, found {len(raw)}")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigError(
            f"{name}: expected UTF-8 text, found byte 0x{raw[error.start]:02x} at offset {error.start}"
        ) from None
    try:
        _check_events(text, name)
        loader = yaml.SafeLoader(text)
        root = loader.get_single_node()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f":{mark.line + 1}" if mark else ""
        problem = error.problem or error.context or "not YAML"
        raise ConfigError(f"{name}{where}: expected YAML, found: {_one_line(problem)}") from None
    except (yaml.YAMLError, ValueError) as error:
        raise ConfigError(f"{name}: expected YAML, found: {_one_line(str(error))}") from None
    lines: dict[Path, int] = {(): 1}
    if root is None:
        return Document(name, {}, lines)
    reader = _Reader(loader, Document(name, None, lines))
    return Document(name, reader.value(root, ()), lines)


def _one_line(text: str) -> str:
    return " ".join(text.split())[:200]


def _check_events(text: str, name: str) -> None:
    """Refuse what must not reach the composer, which recurses and expands."""
    depth = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        line = event.start_mark.line + 1 if event.start_mark else 0
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise ConfigError(f"{name}:{line}: expected plain YAML, found an anchor or alias (& or *)")
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > MAX_DEPTH:
            raise ConfigError(f"{name}:{line}: expected at most {MAX_DEPTH} levels of nesting, found more")


class _Reader:
    def __init__(self, loader: yaml.SafeLoader, document: Document) -> None:
        self._loader = loader
        self._document = document

    def value(self, node: yaml.Node, path: Path) -> Any:
        self._document.lines[path] = node.start_mark.line + 1
        if node.tag not in _PLAIN_TAGS and node.tag != _TIMESTAMP:
            raise self._document.error(path, f"expected a plain value, found the tag {quoted(node.tag)}")
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self.value(item, (*path, number)) for number, item in enumerate(node.value)]
        return self._scalar(node, path)

    def _mapping(self, node: yaml.MappingNode, path: Path) -> dict[str, Any]:
        result: dict[str, Any] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            key = key_node.value
            if not isinstance(key_node, yaml.ScalarNode) or not key or not key.isprintable():
                raise ConfigError(f"{self._document.name}:{line}: {dotted(path)}expected a name as key")
            if key in result:
                first = self._document.lines[(*path, key)]
                raise ConfigError(
                    f"{self._document.name}:{line}: {dotted(path)}expected each key once, "
                    f"found {quoted(key)} again (first on line {first})"
                )
            result[key] = self.value(value_node, (*path, key))
        return result

    def _scalar(self, node: yaml.Node, path: Path) -> Any:
        if node.tag == _TIMESTAMP:
            return node.value
        try:
            value = self._loader.construct_object(node)
        except (yaml.YAMLError, ValueError):
            raise self._document.error(path, f"expected a plain value, found {quoted(node.value)}") from None
        if isinstance(value, float) and not isfinite(value):
            raise self._document.error(path, f"expected a finite number, found {node.value}")
        if isinstance(value, int) and not -(2**63) <= value < 2**63:
            found = quoted(node.value)
            raise self._document.error(path, f"expected a whole number of at most 64 bits, found {found}")
        if isinstance(value, str) and (odd := odd_text(value)):
            raise self._document.error(path, f"expected plain text, found {odd} in {quoted(value)}")
        return value
