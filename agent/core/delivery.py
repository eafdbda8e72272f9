"""What delivery is: what waits, what happens on the way to the broker, and who takes part.

`core/lanes.py` decides what goes next; `agent/publisher.py` acts.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

from agent.core.incoming import Deaf, Incoming

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from agent.core.losses import Loss
    from agent.core.types import Message


@dataclass(frozen=True, slots=True)
class Stored:
    """A message in the outbox. `seq` counts up from 1 and is never used twice in one run."""

    seq: int
    message: Message


class Outcome(StrEnum):
    """What became of a published message."""

    ACCEPTED = "accepted"
    UNHEARD = "unheard"  # the broker took it, and nobody subscribes to its topic
    REFUSED = "refused"  # by the broker, with a reason
    UNSENDABLE = "unsendable"  # this connection cannot carry it: too big


@dataclass(frozen=True, slots=True)
class Up:
    """A connection was made."""

    limit: int  # messages that may be under way at once


@dataclass(frozen=True, slots=True)
class Down:
    """The connection was lost, or could not be made."""

    reason: str


@dataclass(frozen=True, slots=True)
class Ack:
    """The fate of messages that fared alike: `tokens` are what `publish` was given, in order."""

    tokens: tuple[int, ...]
    outcome: Outcome
    reason: str = ""


Signal = Up | Down | Ack | Incoming | Deaf


class Store(Protocol):
    """Where facts wait: `adapters.outbox.Outbox`."""

    def store(self) -> None:
        """Write what is in memory alone."""

    def sync(self) -> None:
        """Make what was put survive a power cut."""

    def topics(self) -> tuple[str, ...]:
        """Topics with waiting messages."""

    def pending(self, after: int = 0, limit: int = 50, topic: str | None = None) -> Sequence[Stored]:
        """Waiting messages in order."""

    def delivered(self, seqs: Sequence[int]) -> None:
        """Forget these."""

    def losses(self) -> Sequence[Loss]:
        """What was dropped, and not told of yet."""

    def announce(self, tell: Callable[[Loss], Message]) -> None:
        """Put a message for each of them instead."""

    def retain(self, topic: str, *, held: bool) -> bool:
        """Remember that the broker retains this topic, or does so no longer. True: that is new."""

    def retained(self) -> Mapping[str, bool]:
        """Topics that the broker retains (True), or should no longer (False)."""


class Network(Protocol):
    """The way to the broker: `adapters.broker.Broker`."""

    @property
    def connected(self) -> bool:
        """Whether the broker has let us in."""

    @property
    def last_error(self) -> str:
        """Why not."""

    @property
    def warning(self) -> str:
        """What the operator should know although there is a connection; empty when nothing."""

    def publish(self, token: int, message: Message) -> bool:
        """Hand over a message; False when there is no connection."""

    def service(self, timeout_s: float, rest_s: float = 0.0) -> Sequence[Signal]:
        """Send what was handed over, rest, let the network work; what happened."""

    def drop(self, reason: str) -> None:
        """Break the connection."""

    def wake(self) -> None:
        """End `service` soon."""

    def close(self, timeout_s: float) -> None:
        """Say farewell."""


@dataclass(frozen=True, slots=True)
class Status:
    """How delivery stands, for `health`."""

    online: bool  # the broker has our birth
    error: str  # why not, or what it refused last; empty when all is well
    flying: int  # facts under way
    aside: int  # facts passed over: too big for this broker, or it hangs up on them
    unheard: int  # topics whose facts wait for a subscriber
