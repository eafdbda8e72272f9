"""Writes the table of configuration keys into README.md from the definitions that check them.

`python -m tools.readme` rewrites it; `tests/test_readme.py` fails when it is out of date.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from agent.config import json_schema

README = Path(__file__).resolve().parent.parent / "README.md"
BEGIN, END = "<!-- keys: begin -->\n", "<!-- keys: end -->"


def rows(schema: dict[str, Any]) -> list[tuple[str, str, str]]:
    """(key, default, meaning) of every key, parents before children, in the order of declaration."""
    found: list[tuple[str, str, str]] = []
    _walk(schema["$ref"].rpartition("/")[2], "", schema["$defs"], found)
    return found


def _walk(name: str, above: str, slices: dict[str, Any], found: list[tuple[str, str, str]]) -> None:
    definition = slices[name]
    for key, entry in definition["properties"].items():
        inner, many = _slice_in(entry)
        path = f"{above}{key}{'[]' if many else ''}"
        if inner is None:
            required = key in definition.get("required", ())
            default = "required" if required else _shown(entry.get("default"))
            if not key.endswith("_file") or "default" in entry or required:
                found.append((path, default, entry.get("description", "")))
            continue
        _walk(inner, f"{path}.", slices, found)


def _slice_in(entry: dict[str, Any]) -> tuple[str | None, bool]:
    """The slice an entry refers to, and whether a list of it."""
    for option in (entry, *entry.get("anyOf", ())):
        if "$ref" in option:
            return option["$ref"].rpartition("/")[2], False
        items = option.get("items")
        if isinstance(items, dict) and "$ref" in items:
            return items["$ref"].rpartition("/")[2], True
    return None, False


def _shown(default: Any) -> str:
    return "" if default in (None, "", [], {}) else f"`{json.dumps(default)}`"


def table() -> str:
    """The table as Markdown."""
    lines = ["| key | default | meaning |", "|---|---|---|"]
    lines += [
        f"| `{key}` | {default} | {doc.replace('|', chr(92) + '|')} |"
        for key, default, doc in rows(json_schema())
    ]
    return "\n".join(lines) + "\n"


def updated(text: str) -> str:
    """The README with its table made anew."""
    head, _, rest = text.partition(BEGIN)
    return head + BEGIN + table() + END + rest.partition(END)[2]


def main() -> int:
    """Rewrite README.md where it is out of date."""
    text = README.read_text()
    new = updated(text)
    if new != text:
        README.write_text(new)
        print(f"{README.name}: table of keys rewritten", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
