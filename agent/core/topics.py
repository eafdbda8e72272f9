"""What may be one level of a topic."""

from __future__ import annotations

import unicodedata
from typing import Final

LEVEL_LIMIT: Final = 64
"""Characters of one topic level: the longest topic stays far below the 65,535 bytes MQTT allows, and a page
or a log line can show it."""

RESERVED_CAMERAS: Final = frozenset({"command"})
"""What stands in the place of a camera and is none: a topic of the device itself."""


def check_topic_part(field: str, value: str) -> None:
    """Refuse what cannot be one level of a topic.

    Raises:
        ValueError: empty, too long, or with `+ # /`, a control character or a lone surrogate in it.
    """
    bad = any(c in "+#/" or unicodedata.category(c) in {"Cc", "Cs"} for c in value)
    if not value or len(value) > LEVEL_LIMIT or bad:
        raise ValueError(
            f"{field}: expected 1 to {LEVEL_LIMIT} characters without '+', '#', '/' and control characters,"
            f" found {value[: LEVEL_LIMIT + 1]!r}"
        )


def check_prefix(field: str, value: str) -> None:
    """Refuse what cannot be the first level of our topics.

    Raises:
        ValueError: as `check_topic_part`, or with a `$` in front.
    """
    check_topic_part(field, value)
    if value.startswith("$"):  # MQTT 5, 4.7.2: such topics belong to the broker
        raise ValueError(f"{field}: expected no '$' in front, found {value!r}")


def check_camera(field: str, value: str) -> None:
    """Refuse what cannot be the level of a camera.

    Raises:
        ValueError: as `check_topic_part`, or a name that is a topic of the device itself.
    """
    check_topic_part(field, value)
    if value in RESERVED_CAMERAS:
        raise ValueError(f"{field}: expected another name, found {value!r}, a topic of the device itself")


def check_topic(field: str, value: str) -> None:
    """Refuse what cannot be a whole topic to listen to.

    Raises:
        ValueError: a level that `check_topic_part` refuses, or a `$` in front.
    """
    for level in value.split("/"):
        check_topic_part(field, level)
    check_prefix(field, value.partition("/")[0])
