"""A planogram as a YAML file of its own."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from agent.core.errors import ConfigError
from agent.core.planogram import Planogram
from agent.settings_fill import fill
from agent.yamlfile import parse_yaml

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

MAX_BYTES: Final = 262_144
"""Of a planogram: 1,000 slots with long names take 150 KB."""


def read_planogram(path: Path, environment: Mapping[str, str]) -> Planogram:
    """The planogram in a YAML file.

    Raises:
        ConfigError: naming file, line and key, what was expected and what was found.
    """
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise ConfigError(f"{path}: expected a readable planogram, found: {error.strerror}") from None
    return parse_planogram(raw, str(path), environment)


def parse_planogram(raw: bytes, name: str, environment: Mapping[str, str] | None = None) -> Planogram:
    """`read_planogram` of bytes; `name` stands in the errors."""
    document = parse_yaml(raw, name, MAX_BYTES)
    if not isinstance(document.data, dict):
        raise document.error((), "expected a planogram: a mapping with slots")
    return fill(document, Planogram, os.environ if environment is None else environment)
