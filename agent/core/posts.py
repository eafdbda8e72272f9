"""Which events go into the next request to a webhook, and when; what an answer means for them.

Decides without I/O; `agent/poster.py` acts. The broker's `Lanes` do not fit: there each message has a fate of
its own, here a whole request has one. The rules:

1. One request at a time, with what was put first in front: all topics together are in order.
2. What was not taken stays, and goes first again after a pause that doubles, or is as long as the other side
   asks for. The next request holds one event; each one that is taken doubles that, or adds one where a
   request was refused for what is in it.
3. A request that is refused for what is in it is halved, until one event is alone. Where the one before was
   taken, that event is set aside for an hour, and the others go on.
4. Where it was not, nobody knows whether it is the event or all of them that are refused: those behind it are
   tried, one by one and ever more slowly. When one is taken, it begins with the first again.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from math import inf
from typing import TYPE_CHECKING, Final

from agent.core.clock import Backoff

if TYPE_CHECKING:
    from collections.abc import Sequence


class Fate(StrEnum):
    """What became of a request."""

    TAKEN = "taken"
    AWAY = "away"  # not now: no answer, or one that says so
    SHUT = "shut"  # not until a person changes something
    UNFIT = "unfit"  # not with this in it


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a request, and why."""

    fate: Fate
    reason: str = ""  # for the operator; empty when it was taken
    wait_s: float = 0.0  # how long the other side wants to be left alone


AWAY_WAIT: Final = Backoff(first_s=1.0, limit_s=60.0)
"""A server that restarts is back within seconds; one that is down for a day costs one request a minute."""

SHUT_WAIT: Final = Backoff(first_s=5.0, limit_s=300.0)
"""An address or a login is changed by a person."""

GONE_S: Final = 3600.0
"""410 asks for no request ever again; one an hour finds out that somebody put it back."""

LONGEST_S: Final = 86_400.0
"""A longer pause than this is not granted: a wrong number in one header must not end delivery for good."""

ASIDE_S: Final = 3600.0
"""For so long an event that is refused for what is in it is passed over."""

_DOUBTS: Final = 16
"""Events behind a refused one that are tried before it begins with the first again."""

_SPLIT_S: Final = 0.1
"""Between the halves of a request: a big backlog is not to be a flood of refused requests."""

_NO_HOPE: Final = {
    401: "it refuses the login: check webhook.token, or the login in webhook.url",
    403: "it refuses this device: check webhook.token, and its rules of access",
    404: "nothing takes events there: check webhook.url",
    405: "it takes no POST there: check webhook.url",
    407: "a proxy asks for a login",
    410: "it takes no events any more: set another webhook.url, or take `webhook` out",
    415: "it does not take this content type: check `envelope`",
    501: "it takes no POST: check webhook.url",
}
_GONE: Final = 410
_UNFIT: Final = {
    400: "it says that the events are wrong",
    413: "it says that the events are too large: raise its limit of a request",
    422: "it says that the events are wrong",
}
_SOON: Final = {
    408: "it waited too long for the request",
    425: "it is not ready yet",
    429: "it has had too many requests",
}


def answer(status: int, where: str = "", wait_s: float = 0.0) -> Answer:
    """What an HTTP status means. `where`: whereto it redirects. `wait_s`: what Retry-After asks for."""
    wait_s = min(max(wait_s, GONE_S if status == _GONE else 0.0), LONGEST_S)
    if status // 100 == 2:
        return Answer(Fate.TAKEN)
    if status // 100 == 3:
        fate, words = Fate.SHUT, f"it sends us to another address at {where}: set webhook.url to that"
    elif status in _UNFIT:
        fate, words = Fate.UNFIT, _UNFIT[status]
    elif status in _NO_HOPE:
        fate, words = Fate.SHUT, _NO_HOPE[status]
    elif status in _SOON or status // 100 == 5:
        fate, words = Fate.AWAY, _SOON.get(status, "it is in trouble")
    else:
        fate, words = Fate.SHUT, "it refuses the request"
    return Answer(fate, f"{words} (status {status})", wait_s)


class Posts:
    """The state of one webhook. `now` is monotonic seconds, `r` a random number in [0, 1)."""

    def __init__(self, limit: int) -> None:
        """At most `limit` events in a request."""
        self.due = -inf
        """When the next request may go out."""
        self.reason = ""
        """Why the last request was not taken; empty when it was."""
        self.failures = 0
        """Requests in a row that were not taken, not counting those that are halved."""
        self.unfit = ""
        """Why events were set aside."""
        self.shut = False
        """Whether a person has to do something about that."""
        self._limit = limit
        self._size = 1
        self._cautious = False  # whether a size was refused: the next ones grow by one
        self._good = False  # whether the last request was taken
        self._doubts: list[int] = []
        self._aside: dict[int, float] = {}  # token → when it may be tried again

    @property
    def good(self) -> bool:
        """Whether the last request was taken."""
        return self._good

    @property
    def doubtful(self) -> bool:
        """Whether nobody knows of some events if it is they that are refused."""
        return bool(self._doubts)

    def room(self, now: float) -> int:
        """How many events may go out now."""
        return self._size if now >= self.due else 0

    def aside(self, now: float) -> int:
        """How many events are passed over."""
        self._aside = {token: until for token, until in self._aside.items() if until > now}
        return len(self._aside)

    def passes(self, token: int, now: float) -> bool:
        """Whether this event is to be passed over now."""
        return token in self._doubts or self._aside.get(token, -inf) > now

    def exhausted(self) -> bool:
        """There is none behind those in doubt: begin with the first of them again. False: there are none."""
        doubted, self._doubts = bool(self._doubts), []
        return doubted

    def answered(self, tokens: Sequence[int], said: Answer, now: float, r: float) -> bool:
        """What became of a request with these events. True: they are done with and may be deleted."""
        if said.fate is Fate.TAKEN:
            self.failures, self.reason, self.due = 0, "", now
            self._size = min(self._limit, self._size + (1 if self._cautious else self._size))
            self._good = True
            self._doubts = []
            return True
        if said.fate is Fate.UNFIT and len(tokens) > 1:
            self._size, self._cautious = len(tokens) // 2, True
            self.due = now + max(_SPLIT_S, said.wait_s)
            return False
        self._size = 1
        if said.fate is Fate.UNFIT and self._good:
            self._aside[tokens[0]] = now + ASIDE_S
            self.unfit, self.due, self._good = said.reason, now + max(_SPLIT_S, said.wait_s), False
            return False
        doubted = said.fate is Fate.UNFIT and len(self._doubts) < _DOUBTS
        self._doubts = [*self._doubts, tokens[0]] if doubted else []
        wait = AWAY_WAIT if said.fate is Fate.AWAY else SHUT_WAIT
        self.due = now + max(wait.delay_s(self.failures, r), said.wait_s)
        self.failures += 1
        self.reason, self.shut, self._good = said.reason, said.fate is not Fate.AWAY, False
        return False
