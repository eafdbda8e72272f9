"""A planogram as a YAML file of its own, and those of a site together, as a release carries them.

What goes into a release is the plain data of the YAML files by their names, as JSON:

    {"schema": 1, "planograms": {"bay-4": {"slots": [{"name": "a1", "sku": "4711", "box": [0, 0, 50, 90]}]}}}
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Final

from agent.core.errors import CatalogueError, ConfigError, InputError, quoted
from agent.core.json_fields import check_schema, typed_fields
from agent.core.manifest import PLANOGRAMS_LIMIT_BYTES
from agent.core.planogram import Planogram
from agent.core.strict_json import parse_object
from agent.settings_fill import fill
from agent.yamlfile import Document, parse_yaml

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

MAX_BYTES: Final = 262_144
"""Of a planogram: 1,000 slots with long names take 150 KB."""

NAMED: Final = 8
"""Planograms that an error lists."""

SITE_SCHEMA: Final = 1


def read_planogram(path: Path, environment: Mapping[str, str]) -> Planogram:
    """The planogram in a YAML file.

    Raises:
        ConfigError: naming file, line and key, what was expected and what was found.
    """
    return parse_planogram(_read(path), str(path), environment)


def parse_planogram(raw: bytes, name: str, environment: Mapping[str, str] | None = None) -> Planogram:
    """`read_planogram` of bytes; `name` stands in the errors."""
    return fill(_document(raw, name), Planogram, os.environ if environment is None else environment)


def gather_site(folder: Path) -> bytes:
    """All planograms of a directory, `NAME.yaml`, checked and as a release carries them.

    Raises:
        ConfigError: one of them is wrong, as `read_planogram` says it.
        InputError: there is none, or together they are more than devices read.
    """
    found = {}
    for path in sorted(folder.glob("*.yaml")):
        document = _document(_read(path), str(path))
        fill(document, Planogram, {})
        found[path.stem] = document.data
    if not found:
        raise InputError(f"{folder}: expected planograms, NAME.yaml, found none")
    whole = {"schema": SITE_SCHEMA, "planograms": found}
    data = json.dumps(whole, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()
    if len(data) > PLANOGRAMS_LIMIT_BYTES:
        raise InputError(
            f"{folder}: expected planograms of at most {PLANOGRAMS_LIMIT_BYTES} bytes together, "
            f"found {len(found)} of {len(data)}"
        )
    return data


def site_planogram(data: bytes, wanted: str, name: str) -> Planogram:
    """The planogram `wanted` of what `gather_site` gave; `name` says where it comes from, for errors.

    Raises:
        CatalogueError: these are no planograms, or it is not among them.
        ConfigError: it is wrong.
    """
    try:
        document = parse_object(data, PLANOGRAMS_LIMIT_BYTES)
        check_schema(document, SITE_SCHEMA)
        top = typed_fields("", document, {"schema": "int", "planograms": "object"})
    except ValueError as error:
        raise CatalogueError(f"{name}: {error}") from None
    plans = top["planograms"]
    if wanted not in plans:
        found = ", ".join(quoted(each) for each in sorted(plans)[:NAMED]) or "none"
        raise CatalogueError(f"{name}: expected planogram {quoted(wanted)}, found {found}")
    return fill(Document(f"{name}: planogram {quoted(wanted)}", plans[wanted], {(): 1}), Planogram, {})


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except OSError as error:
        raise ConfigError(f"{path}: expected a readable planogram, found: {error.strerror}") from None


def _document(raw: bytes, name: str) -> Document:
    document = parse_yaml(raw, name, MAX_BYTES)
    if not isinstance(document.data, dict):
        raise document.error((), "expected a planogram: a mapping with slots")
    return document
