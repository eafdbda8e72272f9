"""What the broker answers, in our words: the fate of a message, and why there is no connection."""

from __future__ import annotations

import socket
import ssl
from typing import TYPE_CHECKING, Final

from agent.core.delivery import Ack, Outcome
from agent.core.errors import quoted

if TYPE_CHECKING:
    from paho.mqtt.reasoncodes import ReasonCode

    from agent.adapters.broker.settings import BrokerSettings

_LOGIN_REFUSED: Final = frozenset({0x86, 0x87})  # bad user name or password; not authorized
_SESSION_TAKEN_OVER: Final = 0x8E
_NO_MATCHING_SUBSCRIBERS: Final = 0x10


def explain(error: Exception, settings: BrokerSettings) -> str:
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
        return f"no answer within {settings.connect_timeout_s:g} s"
    if isinstance(error, ConnectionError) and settings.url.startswith("mqtts"):
        return "no TLS connection: it hung up; is this the TLS port?"
    return getattr(error, "strerror", None) or str(error)


def explain_refusal(code: ReasonCode) -> str:
    """What the broker said when it did not let us in."""
    if code.value in _LOGIN_REFUSED:
        return f"the broker refused the login ({code.getName()}): check username and password"
    return f"the broker refused the connection: {code.getName()}"


def explain_end(code: ReasonCode, *, said: bool, up: bool, tls: bool, client_id: str) -> str:
    """How a connection ended. `said`: the broker named `code` itself; `up`: it had let us in."""
    if said:
        reason = f"the broker closed the connection: {code.getName()}"
        if code.value == _SESSION_TAKEN_OVER:
            reason += f"; another client uses the identifier {quoted(client_id)}"
        return reason
    if up:
        return "the connection to the broker was lost"
    hint = "" if tls else "; does it want TLS (mqtts)?"
    return f"the broker closed the connection before it answered{hint}"


def fate(token: int, code: ReasonCode, *, keep: bool) -> Ack:
    """What became of a message. `keep`: one that nobody subscribes to was not accepted."""
    if code.value == 0:
        return Ack(token, Outcome.ACCEPTED)
    if code.value == _NO_MATCHING_SUBSCRIBERS:
        return Ack(token, Outcome.UNHEARD if keep else Outcome.ACCEPTED)
    return Ack(token, Outcome.REFUSED, code.getName())
