"""What a broker refused on one connection, in sentences for the operator."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from agent.core.delivery import Outcome

if TYPE_CHECKING:
    from agent.core.delivery import Ack

TAKEN: Final = frozenset({Outcome.ACCEPTED, Outcome.UNHEARD})
"""What is no fault: the broker has the message, or will take it when somebody listens."""


class Refusals:
    """What is refused now."""

    def __init__(self) -> None:
        self.connected()

    @property
    def text(self) -> str:
        """One of them; empty when nothing is refused."""
        return next(iter(self._topics.values()), "") or self._deaf or self._oversize

    def connected(self) -> None:
        """A new connection: what the last one refused counts no longer."""
        self._topics: dict[str, str] = {}  # topic → why its latest message was refused
        self._deaf = ""  # why we may not listen
        self._oversize = ""  # what was too big last, and how big that was

    def deaf(self, reason: str) -> None:
        """The broker does not let us subscribe."""
        self._deaf = reason

    def note(self, topic: str, ack: Ack) -> str:
        """What became of a message; why it was refused, or nothing.

        One that is too big waits for another connection, also when smaller ones of its topic get through.
        """
        if ack.outcome in TAKEN:
            self._topics.pop(topic, None)
            return ""
        reason = f"{topic}: {ack.reason}"
        if ack.outcome is Outcome.UNSENDABLE:
            self._oversize = reason
        else:
            self._topics[topic] = reason
        return reason
