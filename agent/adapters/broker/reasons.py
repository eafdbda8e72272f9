"""What the broker answers, in words that tell the operator what to do."""

from __future__ import annotations

import socket
import ssl
from typing import TYPE_CHECKING, Final

from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.reasoncodes import ReasonCode

from agent.adapters.broker.route import STEADY_S
from agent.core.delivery import Ack, Outcome
from agent.core.errors import quoted

if TYPE_CHECKING:
    from typing import Any

    from agent.adapters.broker.settings import Address

NO_MATCHING_SUBSCRIBERS: Final = 0x10
UNSUPPORTED_PROTOCOL: Final = 0x84
SESSION_TAKEN_OVER: Final = 0x8E

_TWINS: Final = "does another client use our identifier?"
"""Not every broker says so."""

_LOGIN: Final = "check username and password"
_REFUSALS: Final = {
    0x85: "it does not take our client identifier: set mqtt.client_id",
    0x86: f"it refused the login: {_LOGIN}",
    0x87: f"it refused the login: {_LOGIN}",
    0x88: "it is not ready now",
    0x89: "it is too busy now",
    0x8A: "it has banned this client: ask whoever runs it",
    0x8C: f"it wants another way to log in: {_LOGIN}, or a client certificate",
    0x90: "it does not take the topic of our last will: let this login write there",
    0x95: "our last will is too large for it",
    0x97: "its quota for this login is used up",
    0x9A: "it retains nothing: let it retain messages, or take another broker",
    0x9B: "it takes no message with QoS 1: take another broker",
    0x9C: "it sends us to another broker for now",
    0x9D: "it sends us to another broker for good: set mqtt.url",
    0x9F: "it takes no more connections at this rate",
}
"""Reason codes of CONNACK (MQTT 5, 3.2.2.2); those of 3.1.1 come as the same."""

_FAREWELLS: Final = {
    0x81: "it could not read what we sent",
    0x82: "it says that we broke the rules of MQTT",
    0x87: "it forbids what we did: mend its access rules",
    0x89: "it is too busy",
    0x8B: "it shuts down",
    0x8D: "it heard nothing from us for too long",
    0x93: "it says that we sent too many messages at once: lower mqtt.inflight",
    0x95: "a message was too large for it: raise its limit of a packet",
    0x96: "it says that we send too fast",
    0x97: "its quota for this login is used up",
    0x98: "whoever runs it ended the connection",
    0x9C: "it sends us to another broker for now",
    0x9D: "it sends us to another broker for good: set mqtt.url",
    0xA0: "no connection may last longer",
}
"""Reason codes of DISCONNECT (MQTT 5, 3.14.2.1)."""

_DENIALS: Final = {
    0x87: "the broker does not let this login write there: mend its access rules",
    0x90: "the broker does not take this topic: mend its rules for topics",
    0x97: "the broker's quota for this login is used up",
    0x99: "the broker does not take this payload: mend its rules for payloads",
}
"""Reason codes of PUBACK (MQTT 5, 3.4.2.1)."""


def explain(error: Exception, address: Address, timeout_s: float) -> str:
    """What went wrong while connecting, in words for the operator."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {error.verify_message}; check ca and the host name"
    if isinstance(error, ssl.SSLError):
        return f"no TLS connection: {error.reason or error}; is this the TLS port?"
    if isinstance(error, socket.gaierror):
        return f"its name is not known ({error.strerror})"
    if isinstance(error, ConnectionRefusedError):
        return "nobody listens there (connection refused)"
    if isinstance(error, TimeoutError):
        return f"no answer within {timeout_s:g} s"
    if isinstance(error, ConnectionError) and not error.errno and address.path:
        return f"no websocket at {quoted(address.path)}: is it the right port and path?"
    if isinstance(error, ConnectionError) and address.tls:
        return "no TLS connection: it hung up; is this the TLS port?"
    return getattr(error, "strerror", None) or quoted(str(error))[1:-1]


def explain_refusal(code: ReasonCode, properties: Any = None) -> str:
    """What the broker said when it did not let us in."""
    name = code.getName()
    return _with_own_words(_REFUSALS.get(code.value, "it refused the connection"), name, properties)


def explain_end(
    code: ReasonCode, *, said: bool, lived_s: float | None, tls: bool, properties: Any = None
) -> str:
    """How a connection ended. `said`: the broker named `code` itself. `lived_s`: None: it never let us in."""
    if said:
        words = _FAREWELLS.get(code.value, "the broker closed the connection")
        return _with_own_words(words, code.getName(), properties)
    if lived_s is not None:
        lost = "the connection to the broker was lost"
        return lost if lived_s >= STEADY_S else f"{lost} soon after it was made; {_TWINS}"
    hint = "" if tls else "; does it want TLS (mqtts)?"
    return f"the broker closed the connection before it answered{hint}"


def explain_rival(client_id: str, times: int) -> str:
    """Another client came with our identifier."""
    often = f" {times} times in the last hour" if times > 1 else ""
    return (
        f"another client took over our identifier {quoted(client_id)}{often}: two devices have one name, "
        "give each its own"
    )


def fate(tokens: tuple[int, ...], code: int, *, keep: bool) -> Ack:
    """What became of messages. `keep`: one that nobody subscribes to was not accepted."""
    if code == 0:
        return Ack(tokens, Outcome.ACCEPTED)
    if code == NO_MATCHING_SUBSCRIBERS:
        return Ack(tokens, Outcome.UNHEARD if keep else Outcome.ACCEPTED)
    words = _DENIALS.get(code, "the broker does not take it")
    try:
        name = ReasonCode(PacketTypes.PUBACK, identifier=code).getName()
    except (KeyError, ValueError):
        name = f"reason code 0x{code:02x}"
    return Ack(tokens, Outcome.REFUSED, f"{words} ({name})")


def _with_own_words(words: str, name: str, properties: Any) -> str:
    """The reason with its name, what the broker says in its own words, and where it sends us."""
    own = [
        quoted(text)
        for field in ("ReasonString", "ServerReference")
        if isinstance(text := getattr(properties, field, ""), str) and text
    ]
    return f"{words} ({', '.join([name, *own])})"
