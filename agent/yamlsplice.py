"""A value in a YAML file is changed where it stands: every other character stays, comments and line ends too.

Changes are collected against one reading of the text and made together, so they must not touch each other.
Anchors, tags and all else that `yamlfile.parse_yaml` refuses are not provided for: read the text with it
first, and the result with it again.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final

import yaml

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

_PLAIN: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*", re.ASCII)
_DIGITS: Final = 6


class Splice:
    """One text, and what is to become of it."""

    def __init__(self, text: str) -> None:
        """Raises yaml.YAMLError: it is no YAML."""
        self._text = text
        self._newline = "\r\n" if "\r\n" in text else "\n"
        self._root = yaml.compose(text, yaml.SafeLoader)
        self._edits: list[tuple[int, int, str]] = []

    def at(self, *path: str | int) -> yaml.Node | None:
        """The node at the end of a path; None where there is none."""
        node = self._root
        for part in path:
            if isinstance(part, int):
                listed = node.value if isinstance(node, yaml.SequenceNode) else []
                node = listed[part] if part < len(listed) else None
            else:
                pair = _pair(node, part)
                node = pair[1] if pair else None
        return node

    def put(self, mapping: yaml.Node, key: str, value: Any, instead_of: str = "") -> None:
        """Give a key of a mapping a value: plain data. A key that is not there comes last.

        `instead_of`: another key, whose place it takes.
        """
        pair = _pair(mapping, instead_of or key)
        if pair is None:
            self._add(mapping, key, value)
            return
        was, old = pair
        if instead_of:
            self._edit(was.start_mark.index, was.end_mark.index, _key(key, was))
        text = self._rendered(value, mapping)
        start, end = old.start_mark.index, _end(old, self._text)
        if start == end:  # `key:` and nothing behind it
            self._edit(start, end, text)
        elif "\n" in text or old.start_mark.line != was.end_mark.line:
            self._edit(was.end_mark.index, end, f":{text}")
        else:
            self._edit(start, end, text[1:])

    def relist(self, mapping: yaml.Node, key: str, kept: Collection[int], added: Sequence[Any]) -> None:
        """Of a list that is a value of a mapping, leave the items of these numbers, and put others behind."""
        pair = _pair(mapping, key)
        items = pair[1].value if pair and isinstance(pair[1], yaml.SequenceNode) else []
        if not items or not (kept or added):
            if items or added:
                self.put(mapping, key, list(added))
            return
        assert pair is not None  # noqa: S101
        gone = [number for number in range(len(items)) if number not in kept]
        last = _end(items[-1], self._text)
        if _flows(pair[1]):
            self._cut(items, gone)
            text = ", ".join(_flow(each, _quotes(pair[1])) for each in added)
            self._edit(last, last, f", {text}" if added and kept else text)
            return
        column = pair[1].start_mark.column
        for number in gone:
            line = self._dash(items[number], column)
            end = self._line_end(_end(items[number], self._text))
            self._edit(max(0, line - len(self._newline)), end, "")
        behind = self._line_end(last)
        for each in added:
            self._edit(behind, behind, f"{self._newline}{' ' * column}- {_flow(each, '')}")

    def done(self) -> str:
        """The text with all changes."""
        parts, at = [], 0
        for start, end, text in sorted(
            self._edits, key=lambda edit: edit[0]
        ):  # stable: as they were asked for
            if start < at:
                raise ValueError(f"splice: changes overlap at {start}")
            parts += [self._text[at:start], text]
            at = end
        return "".join(parts) + self._text[at:]

    def _edit(self, start: int, end: int, text: str) -> None:
        if start < end or text:
            self._edits.append((start, end, text))

    def _add(self, mapping: yaml.Node, key: str, value: Any) -> None:
        pairs = mapping.value
        text = self._rendered(value, mapping)
        if _flows(mapping):
            text = f"{_key(key, pairs[0][0] if pairs else None)}:{text}"
            where = _end(pairs[-1][1], self._text) if pairs else mapping.start_mark.index + 1
            self._edit(where, where, f", {text}" if pairs else text)
            return
        where = self._line_end(_end(pairs[-1][1], self._text))
        column = pairs[0][0].start_mark.column
        self._edit(where, where, f"{self._newline}{' ' * column}{_key(key, pairs[0][0])}:{text}")

    def _cut(self, items: Sequence[yaml.Node], gone: Sequence[int]) -> None:
        """Take items out of a list in brackets, each with one comma."""
        count = len(items)
        tail = count
        while tail and tail - 1 in gone:
            tail -= 1
        for number in gone:
            if number < tail:
                self._edit(items[number].start_mark.index, items[number + 1].start_mark.index, "")
        if tail < count:
            start = _end(items[tail - 1], self._text) if tail else items[0].start_mark.index
            self._edit(start, _end(items[-1], self._text), "")

    def _dash(self, item: yaml.Node, column: int) -> int:
        """Where the line with the dash of an item begins."""
        line = self._text.rfind("\n", 0, item.start_mark.index) + 1
        while line and self._text[line + column : line + column + 1] != "-":
            line = self._text.rfind("\n", 0, line - 1) + 1
        return line

    def _line_end(self, index: int) -> int:
        """Where the line ends, before what ends it."""
        end = self._text.find("\n", index)
        end = len(self._text) if end < 0 else end
        return end - 1 if self._text[end - 1 : end] == "\r" else end

    def _rendered(self, value: Any, mapping: yaml.Node) -> str:
        """A value as it stands behind the colon, what separates it included."""
        if _flows(mapping):
            return f" {_flow(value, _quotes(mapping))}"
        return self._block(value, mapping.value[0][0].start_mark.column + 2)

    def _block(self, value: Any, column: int) -> str:
        """Mappings and lists of mappings take a line for each entry."""
        head = f"{self._newline}{' ' * column}"
        if isinstance(value, dict) and value:
            return "".join(f"{head}{key}:{self._block(each, column + 2)}" for key, each in value.items())
        if isinstance(value, list) and value and all(isinstance(each, dict) for each in value):
            return "".join(f"{head}- {_flow(each, '')}" for each in value)
        return f" {_flow(value, '')}"


def _pair(node: yaml.Node | None, key: str) -> tuple[yaml.Node, yaml.Node] | None:
    if not isinstance(node, yaml.MappingNode):
        return None
    return next((pair for pair in node.value if pair[0].value == key), None)


def _flows(node: yaml.Node) -> bool:
    """Whether it stands in brackets."""
    return isinstance(node, yaml.CollectionNode) and bool(node.flow_style)


def _style(node: yaml.Node | None) -> str:
    return (node.style or "") if isinstance(node, yaml.ScalarNode) else ""


def _end(node: yaml.Node, text: str) -> int:
    """Where a value ends; that of a block the parser sees only at what follows."""
    if isinstance(node, yaml.ScalarNode) and node.style in {"|", ">"}:
        start = node.start_mark.index
        return int(start + len(text[start : node.end_mark.index].rstrip()))
    if isinstance(node, yaml.CollectionNode) and not _flows(node) and node.value:
        last = node.value[-1]
        return _end(last[1] if isinstance(last, tuple) else last, text)
    return int(node.end_mark.index)


def _quotes(node: yaml.Node) -> str:
    """`"` where a mapping or list in brackets is JSON, as far as its keys tell."""
    while isinstance(node, yaml.SequenceNode) and node.value:
        node = node.value[0]
    return _style(node.value[0][0]) if isinstance(node, yaml.MappingNode) and node.value else ""


def _key(key: str, beside: yaml.Node | None) -> str:
    return json.dumps(key) if _style(beside) == '"' else key


def _flow(value: Any, quotes: str) -> str:
    """Plain data in one line. `quotes`: `"` for JSON."""
    if isinstance(value, dict):
        keys = {key: json.dumps(key) if quotes == '"' else key for key in value}
        inside = ", ".join(f"{keys[key]}: {_flow(each, quotes)}" for key, each in value.items())
        return f"{{{inside}}}"
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(_flow(each, quotes) for each in value)}]"
    if isinstance(value, str):
        plain = quotes != '"' and _PLAIN.fullmatch(value) and yaml.safe_load(value) == value
        return value if plain else json.dumps(value, ensure_ascii=False)
    if isinstance(value, float):
        return f"{value:.{_DIGITS}f}".rstrip("0").rstrip(".")
    return json.dumps(value)
