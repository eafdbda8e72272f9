"""What the pages may ask of the rest of the daemon, and all that they know of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from agent.core.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from agent.core.access import Role


class MissingError(InputError):
    """What was asked for does not exist, or has nothing to show now."""


class ConflictError(InputError):
    """What is to be changed was changed by somebody else meanwhile."""


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks."""

    role: Role
    local: bool  # has the role because of sitting before this very machine
    peer: str  # address


@dataclass(frozen=True, slots=True)
class Picture:
    """A JPEG, or what else its operation says. `tag` is another one for another picture."""

    data: bytes
    tag: str


@dataclass(frozen=True, slots=True)
class Note:
    """Something that happened. One with a `slot` takes the place of an older one of it that nobody read."""

    name: str  # of the server-sent event
    kind: str  # of the message, for what was told
    body: Mapping[str, Any]
    slot: str = ""


class Device(Protocol):
    """The running daemon: `desk.Desk`. Any thread may call."""

    def do(self, operation: str, arguments: Mapping[str, Any], asker: Asker) -> Mapping[str, Any] | Picture:
        """Answer one of `core.api.OPERATIONS`; may take its time.

        Raises:
            MissingError: there is no such thing.
            AgentError, ValueError: it is refused, or cannot be done now.
        """

    def follow(self, hear: Callable[[Note], None]) -> Callable[[], None]:
        """Have `hear(note)` called for all that happens, from any thread; it must not wait. How to end it."""

    def tick(self) -> list[Note]:
        """What is worth telling without anything having happened. Once a second, while somebody looks."""

    def metrics(self) -> str:
        """The numbers, as Prometheus reads them."""

    def unready(self) -> str:
        """Why nothing is recognised now; empty when it is."""
