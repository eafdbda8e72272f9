"""How a module declares its slice of the configuration: a frozen dataclass whose fields explain themselves.

    @dataclass(frozen=True, slots=True, kw_only=True)
    class CameraSettings:
        fps: float = setting("frames per second to look at; 0 means as fast as they are taken", 2.0)

        def __post_init__(self) -> None:
            check_range("fps", self.fps, 0, 120)

Field types are those YAML has (str, int, float, bool, Literal, tuple[...], another slice, `| None`).
`agent/config.py` fills them from the file and turns the ValueError of a check into file, line and key.
"""

from __future__ import annotations

from dataclasses import MISSING, field
from typing import Any

_LARGE = 10**300
"""Whole numbers from about 10³⁰⁸ cannot be shown as a float, of more than 4,300 digits not at all."""


def setting(doc: str, default: Any = MISSING, *, replaces: str = "") -> Any:
    """A dataclass field with its explanation (shown in the JSON Schema and the README).

    `replaces` is the key that it took the place of: who still has that is told so.
    """
    metadata = {"doc": doc, "replaces": replaces} if replaces else {"doc": doc}
    return field(metadata=metadata) if default is MISSING else field(default=default, metadata=metadata)


def check_range(name: str, value: float, low: float, high: float) -> None:
    """Refuse a number outside [low, high], NaN included.

    Raises:
        ValueError: with the field's name, the range and the value.
    """
    if not low <= value <= high:  # false for NaN
        found = f"{value:g}" if not isinstance(value, int) or abs(value) < _LARGE else "a far larger one"
        raise ValueError(f"{name}: expected a number from {low:g} to {high:g}, found {found}")


class Secret(str):
    """A string that does not show itself when printed as part of a structure. Declare it `Secret | None`."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'***'" if self else "''"
