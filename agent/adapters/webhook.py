"""A webhook: one address of an HTTP server that takes events, signed so that it knows who sent them."""

from __future__ import annotations

import hashlib
import hmac
from base64 import b64decode, b64encode
from contextlib import suppress
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Final
from urllib.parse import urljoin, urlsplit

from agent.adapters.server.http import Http
from agent.adapters.server.settings import check_url
from agent.core.errors import TransferError, masked_url, quoted
from agent.core.posts import Answer, Fate, answer
from agent.core.settings import Secret, check_range, setting

if TYPE_CHECKING:
    from agent.core.clock import Clock

_PREFIX: Final = "whsec_"
_ANSWER_BYTES: Final = 65_536
"""So much of an answer is read, for the sake of the connection; what it says is in its status."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookSettings:
    """An address that every fact is posted to, beside the broker."""

    url: str = setting("where events are posted to: http://host/path or https://host/path")
    secret: Secret | None = setting(
        "what requests are signed with (HMAC-SHA256, as Standard Webhooks say): text, or `whsec_` and base64",
        None,
    )
    token: Secret | None = setting("sent as `Authorization: Bearer …`", None)
    ca: str = setting("file of certificates to trust, PEM; empty: those of the system", "")
    states: bool = setting("whether states (what is retained) are posted too, each when it changes", False)
    batch: int = setting("most events in one request", 50)
    timeout_s: float = setting("seconds until an answer has to be there", 10.0)

    def __post_init__(self) -> None:
        check_url(self.url, query=True)
        check_range("batch", self.batch, 1, 1_000)
        check_range("timeout_s", self.timeout_s, 0.1, 300)
        if self.token and urlsplit(self.url).username:
            raise ValueError("token: expected none beside a login in the url, found both")
        if self.token and not (self.token.isascii() and self.token.isprintable() and " " not in self.token):
            raise ValueError("token: expected printable ASCII without spaces, found something else")
        _key(self.secret)

    @property
    def bytes_per_s(self) -> int:
        """No limit: what is posted is small."""
        return 0

    @property
    def stall_s(self) -> float:
        """As long as an answer may take at all."""
        return self.timeout_s

    @property
    def min_bytes_per_s(self) -> int:
        """Any."""
        return 0


class Webhook:
    """The address. Used by one thread."""

    def __init__(self, settings: WebhookSettings, clock: Clock) -> None:
        """Nothing is connected yet.

        Raises:
            ConfigError: the file of certificates cannot be used.
        """
        self._settings = settings
        self._clock = clock
        self._http = Http(settings, clock, "webhook")
        self._key = _key(settings.secret)
        parts = urlsplit(settings.url)
        self.shown = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
        """The server, for people. What follows is left out: with some services it is a password."""

    def post(self, body: bytes, content_type: str, identity: str) -> Answer:
        """One request; what became of it. `identity` is the same when the same is posted again.

        It takes a few times `timeout_s` at most.
        """
        headers = {"Content-Type": content_type, **self._signature(body, identity)}
        if self._settings.token:
            headers["Authorization"] = f"Bearer {self._settings.token}"
        try:
            with self._http.post(body, headers, self._settings.timeout_s) as response:
                with suppress(TransferError):  # it has answered
                    left = _ANSWER_BYTES
                    while left > 0 and (chunk := next(response.chunks, b"")):
                        left -= len(chunk)
                where = _target(self._http.url, response.header("Location"))
                wait_s = _seconds(response.header("Retry-After"), self._clock.utc())
                return answer(response.status, where, wait_s)
        except TransferError as error:
            reason = str(error).removeprefix(f"{masked_url(self._http.url)}: ")
            return Answer(Fate.AWAY, reason)

    def close(self) -> None:
        """Let the connection go."""
        self._http.close()

    def _signature(self, body: bytes, identity: str) -> dict[str, str]:
        """Headers of Standard Webhooks: the time is signed too, so that a request cannot be played again."""
        at = str(int(self._clock.utc()))
        headers = {"Webhook-Id": identity, "Webhook-Timestamp": at}
        if self._key:
            digest = hmac.new(self._key, f"{identity}.{at}.".encode() + body, hashlib.sha256).digest()
            headers["Webhook-Signature"] = f"v1,{b64encode(digest).decode()}"
        return headers


def _key(secret: str | None) -> bytes:
    """The bytes of a secret; empty without one.

    Raises:
        ValueError: it begins as one in base64, and is none.
    """
    if not secret:
        return b""
    if not secret.startswith(_PREFIX):
        return secret.encode("utf-8", "replace")
    try:
        key = b64decode(secret.removeprefix(_PREFIX), validate=True)
    except ValueError:
        key = b""
    if not key:
        raise ValueError(f"secret: expected base64 behind {_PREFIX}, found something else")
    return key


def _target(url: str, location: str) -> str:
    """Where a redirect leads, without what may be secret in it."""
    try:
        parts = urlsplit(urljoin(url, location))
    except ValueError:
        return "nowhere"
    return quoted(f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}")


def _seconds(retry_after: str, utc: float) -> float:
    """What this header asks for: seconds, or until a date (RFC 9110, 10.2.3). What is neither: nothing."""
    text = retry_after.strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - utc)
    except (ValueError, OverflowError):
        return 0.0
