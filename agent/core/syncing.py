"""What a device remembers of syncing, and what it concludes from that.

It must survive a wiped cache: the highest number ever taken is what stops an old release from coming back.
"""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from math import isfinite
from typing import TYPE_CHECKING, Any, Final

from agent.core.errors import OUTSIDE_LIMIT, quoted

if TYPE_CHECKING:
    from collections.abc import Mapping

_FOLDER: Final = re.compile(r"[0-9]{1,16}(-[0-9a-f]{8}b?)?", re.ASCII)
_REFUSALS: Final = 32
"""Refused releases that are remembered: a server offers one at a time."""

_TEXT_LIMIT: Final = 4 * OUTSIDE_LIMIT
_SELDOM: Final = 64
"""A release whose bytes were wrong is tried again at the 2nd, 4th, 8th … time it is offered, and from then on
at every 64th: head office may mend the file, and a device that fetches 40 MB at every look helps nobody."""


@dataclass(frozen=True, slots=True)
class Generation:
    """A release on the disk of this device."""

    name: str  # of its folder
    channel: str
    number: int
    release: str  # id of the catalogue
    sha256: str  # of what was signed

    def __post_init__(self) -> None:
        if not _FOLDER.fullmatch(self.name):
            raise ValueError(f"name: expected the name of a folder, found {quoted(self.name)}")
        if isinstance(self.number, bool) or not isinstance(self.number, int):
            raise ValueError(f"number: expected a whole number, found {quoted(self.number)}")  # noqa: TRY004


class Result(StrEnum):
    """How a round ended that did not fail."""

    UNCHANGED = "unchanged"
    TAKEN = "taken"
    WAITING = "waiting"  # the release is not for this device yet, or was rolled back here


FAILED: Final = "failed"
"""… and how one is remembered that did."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """A round that did not fail."""

    result: Result
    note: str = ""  # why it waits
    warning: str = ""  # what the operator should mend although all went well


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a release is not tried again."""

    reason: str
    final: bool  # what was signed is wrong itself; otherwise only what came
    offered: int = 1  # times


@dataclass(frozen=True, slots=True, kw_only=True)
class Notes:
    """The memory. Every method gives another one."""

    highest: Mapping[str, int] = field(default_factory=dict)  # channel → highest number ever taken
    rolled_back: Mapping[str, int] = field(default_factory=dict)  # channel → number not to be taken again
    refused: Mapping[str, Refusal] = field(default_factory=dict)  # release and model → why
    signed_utc: float = 0.0  # s, Unix: a time known to be past, because a release was made then
    last_sync_utc: float | None = None  # s, Unix: when this device last knew that it was up to date
    last_bytes: int = 0  # cost of the last round
    last_result: str = ""  # what came of the last round: a `Result`, or `FAILED`
    note: str = ""  # why a release is not taken although nothing is wrong
    error: str = ""  # what went wrong in the last round, or what the operator should mend

    def ended(self, outcome: Outcome, cost: int, utc: float) -> Notes:
        """A round did not fail."""
        return replace(
            self,
            note=outcome.note,
            error=outcome.warning,
            last_bytes=cost,
            last_result=outcome.result.value,
            last_sync_utc=utc,
        )

    def failed(self, error: str, cost: int) -> Notes:
        """A round failed."""
        return replace(self, note="", error=error[:_TEXT_LIMIT], last_bytes=cost, last_result=FAILED)

    def taken(self, generation: Generation, signed_utc: float) -> Notes:
        """Of the device that has this generation in use."""
        highest = max(generation.number, self.highest.get(generation.channel, 0))
        return replace(
            self,
            highest={**self.highest, generation.channel: highest},
            signed_utc=max(self.signed_utc, signed_utc),
        )

    def rolling_back(self, generation: Generation) -> Notes:
        """Of the device that found this generation bad: nothing up to its number is taken again."""
        return replace(
            self,
            rolled_back={**self.rolled_back, generation.channel: generation.number},
            note=f"rolled back from release {generation.number} of {generation.channel}",
        )

    def refusing(self, key: str, reason: str, *, final: bool) -> Notes:
        """The release of this key failed."""
        old = self.refused.get(key)
        kept = dict(list(self.refused.items())[-_REFUSALS + 1 :])
        kept[key] = Refusal(reason[:_TEXT_LIMIT], final, old.offered if old else 1)
        return replace(self, refused=kept)

    def offered(self, key: str) -> Notes:
        """The release of this key was offered, again perhaps."""
        old = self.refused.get(key)
        if old is None or old.final:
            return self
        return replace(self, refused={**self.refused, key: replace(old, offered=old.offered + 1)})

    def objection(self, key: str) -> str:
        """Why the release of this key is not to be tried now; empty when it is."""
        old = self.refused.get(key)
        if old is None:
            return ""
        due = old.offered & (old.offered - 1) == 0 or old.offered % _SELDOM == 0
        return old.reason if old.final or not due else ""


def dump_notes(notes: Notes) -> bytes:
    """The bytes of the file: `parse_notes(dump_notes(n)) == n`."""
    return json.dumps(asdict(notes), indent=1, allow_nan=False).encode()


def parse_notes(data: bytes) -> Notes:
    """Read them.

    Raises:
        ValueError: they are not what `dump_notes` wrote.
    """
    try:
        document: Any = json.loads(data)
        last = document["last_sync_utc"]
        notes = Notes(
            highest={str(key): int(value) for key, value in document["highest"].items()},
            rolled_back={str(key): int(value) for key, value in document["rolled_back"].items()},
            refused={
                str(key): Refusal(str(value["reason"]), bool(value["final"]), int(value["offered"]))
                for key, value in document["refused"].items()
            },
            signed_utc=float(document["signed_utc"]),
            last_sync_utc=None if last is None else float(last),
            last_bytes=int(document["last_bytes"]),
            last_result=str(document["last_result"]),
            note=str(document["note"]),
            error=str(document["error"]),
        )
    except (KeyError, TypeError, AttributeError, RecursionError, OverflowError) as error:
        raise ValueError(f"expected notes of syncing, found {type(error).__name__}: {error}") from None
    if not (isfinite(notes.signed_utc) and isfinite(notes.last_sync_utc or 0.0)):
        raise ValueError("expected finite times")
    return notes
