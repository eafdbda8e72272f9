"""What a broker has to say to us beside the fate of our own messages."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Incoming:
    """Somebody sent a message to a topic that we subscribed to."""

    topic: str
    payload: bytes
    retained: bool = False  # it was sent some time ago, perhaps to somebody else
    answer_to: str = ""  # topic that the sender wants the answer on; MQTT 5 alone carries it
    correlation: bytes = b""  # what the sender wants to see again in it


@dataclass(frozen=True, slots=True)
class Deaf:
    """The broker does not let us subscribe."""

    reason: str
