"""What is told long after it happened: messages that had to wait, and of those that were dropped."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from agent.core.payload import rfc3339
from agent.core.types import Message

if TYPE_CHECKING:
    from agent.core.losses import Loss

LATE_S: Final = 5.0
"""A message that is older when it is sent is late. One that had not to wait is a second old at most."""


def late(message: Message, utc: float) -> Message:
    """The message as it is to be sent at `utc`: a late one has `late` and `sent` at the payload's end.

    `{…,"time":"…"}` → `{…,"time":"…","late":true,"sent":"…"}`: nothing is read or written anew, so a backlog
    costs no more than what is told at once. A payload that is no JSON object stays as it is.
    """
    if utc - message.utc <= LATE_S or not message.payload.endswith(b"}"):
        return message
    return Message(  # `replace` takes three times as long, and a backlog goes through here
        message.topic,
        message.payload[:-1] + _tail(utc),
        message.id,
        message.utc,
        message.qos,
        message.retain,
        message.delivery,
        message.correlation,
        message.content_type,
        message.expiry_s,
        True,
        message.attributes,
    )


@lru_cache(maxsize=4)
def _tail(utc: float) -> bytes:
    return f',"late":true,"sent":"{rfc3339(utc)}"}}'.encode()


def lost_body(loss: Loss, kind: str, identity: str, to: str) -> dict[str, Any]:
    """What is told of facts that were given up; null: nobody knows."""
    return {
        "id": identity,
        "to": to,
        "topic": loss.topic or None,
        "kind": kind or None,
        "cause": loss.cause.value,
        "count": loss.count or None,
        "first": None if loss.first_utc is None else rfc3339(loss.first_utc),
        "last": None if loss.last_utc is None else rfc3339(loss.last_utc),
    }
