"""Payloads as bytes: one way to write a moment, one way to write JSON."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_ENCODER: Final = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def rfc3339(utc: float) -> str:
    """Unix seconds as RFC 3339 with milliseconds: `rfc3339(0.5)` → `'1970-01-01T00:00:00.500Z'`.

    Raises:
        ValueError: outside the years 1970 to 9999.
    """
    if not 0.0 <= utc < 253_402_300_799:
        raise ValueError(f"time: expected Unix seconds from 1970 to 9999, found {utc}")
    seconds, milliseconds = divmod(round(utc * 1000), 1000)
    return f"{_second(seconds)}.{milliseconds:03d}Z"


@lru_cache(maxsize=64)  # what happens at once is told at once: a fifth of a message's cost
def _second(seconds: int) -> str:
    return (_EPOCH + timedelta(seconds=seconds)).isoformat(timespec="seconds").removesuffix("+00:00")


def encode(payload: Mapping[str, Any]) -> bytes:
    """The payload's one sequence of bytes: sorted keys, no spaces, UTF-8.

    Half a surrogate pair, as in the name of a file that is not UTF-8, becomes `?`.

    Raises:
        ValueError: for NaN and infinities.
    """
    return _ENCODER.encode(payload).encode("utf-8", "replace")


def content(payload: bytes) -> Any:
    """What a payload says: the JSON value, or the text itself where it is bare text (availability).

    Raises:
        ValueError: when it is not UTF-8.
    """
    text = payload.decode("utf-8")
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text
