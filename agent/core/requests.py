"""Requests as they come: read strictly, answered again when they are repeated, and not too many of them.

`id` is chosen by whoever asks. The same request sent again with its id is answered as before, and done once.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from agent.core.commands import COMMANDS
from agent.core.errors import quoted
from agent.core.strict_json import parse_object, shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

REQUEST_LIMIT_BYTES: Final = 8_000_000
"""Some photos of a phone, or one of the largest, in base64."""

ID_LIMIT: Final = 128
"""Characters of an id: a UUID has 36."""

REMEMBERED: Final = 256
"""Requests whose answers are remembered, some 500 bytes each: more than anybody repeats."""


@dataclass(frozen=True, slots=True)
class Command:
    """What is to be done: one of `COMMANDS`, with all its arguments."""

    name: str
    arguments: Mapping[str, Any]


class Request:
    """A request as it came: which one it is can be told before what it asks for is right."""

    def __init__(self, data: bytes) -> None:
        """Read its outside.

        Raises:
            ValueError: it is too large, no object, or has no id.
        """
        self._fields = parse_object(data, REQUEST_LIMIT_BYTES)
        self.id = _id_of(self._fields)

    def command(self, name: str) -> Command:
        """What it asks for; `name` is one of `COMMANDS`.

        Raises:
            ValueError: a field is missing, unknown, of another type or out of bounds.
        """
        return Command(name, COMMANDS[name].read(self._fields))


@dataclass(frozen=True, slots=True)
class Answered:
    """A request that was done. `content` is a digest of all of it."""

    id: str
    content: str
    answer: bytes


class Answers:
    """Answers to the latest requests, so that one that is repeated is done once. Used by one thread."""

    def __init__(self, held: Iterable[Answered] = ()) -> None:
        """`held`, oldest first, are of an earlier run."""
        self._held: OrderedDict[str, Answered] = OrderedDict()
        for answered in held:
            self.keep(answered)

    def of(self, identity: str, content: str) -> bytes | None:
        """The answer to this request; None where it is new.

        Raises:
            ValueError: another request had this id.
        """
        held = self._held.get(identity)
        if held is None:
            return None
        if held.content != content:
            raise ValueError(f"id: expected another one for another request, found {quoted(identity)} again")
        return held.answer

    def keep(self, answered: Answered) -> None:
        """Remember what was answered."""
        self._held[answered.id] = answered
        while len(self._held) > REMEMBERED:
            self._held.popitem(last=False)


class Bucket:
    """How many may come: `burst` at once, and `per_minute` in the long run. Time is passed in."""

    def __init__(self, per_minute: float, burst: int) -> None:
        self._per_s = per_minute / 60
        self._burst = burst
        self._tokens = float(burst)
        self._at: float | None = None  # s, monotonic: when `_tokens` was right

    def wait_s(self, now: float) -> float:
        """Take one: 0. Where there is none left: seconds until there is, and nothing is taken."""
        passed = 0.0 if self._at is None else max(0.0, now - self._at)
        self._tokens = min(self._burst, self._tokens + passed * self._per_s)
        self._at = now
        if self._tokens >= 1:
            self._tokens -= 1
            return 0.0
        return (1 - self._tokens) / self._per_s


def _id_of(fields: Mapping[str, Any]) -> str:
    identity = fields.get("id")
    good = isinstance(identity, str) and 0 < len(identity) <= ID_LIMIT and identity.isprintable()
    if not good:
        raise ValueError(f"id: expected 1 to {ID_LIMIT} printable characters, found {shown(identity)}")
    return str(identity)
