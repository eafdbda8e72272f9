"""How the broker is reached: the settings, and what follows from them."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal
from urllib.parse import urlsplit

from agent.core.errors import ConfigError, masked_url, quoted
from agent.core.settings import Secret, check_range, setting

if TYPE_CHECKING:
    from agent.core.types import Message

_PORTS: Final = {"mqtt": 1883, "mqtts": 8883}


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerSettings:
    """How to reach the broker."""

    url: str = setting("mqtt://host[:1883], or mqtts://host[:8883] for TLS", "mqtt://localhost:1883")
    username: str = setting("login; empty for none", "")
    password: Secret | None = setting("password of the login", None)
    client_id: str = setting("MQTT client identifier; empty: made of prefix, site and device", "")
    keepalive_s: int = setting("seconds of silence after which either side asks whether the other lives", 30)
    ca: str = setting("file of certificates to trust, PEM; empty: those of the system", "")
    cert: str = setting("file of our own certificate, PEM; empty for none", "")
    key: str = setting("file of our own certificate's key, PEM; empty when it is in `cert`", "")
    protocol: Literal["5", "3.1.1"] = setting(
        "MQTT version; 5 falls back to 3.1.1 where the broker asks for it", "5"
    )
    connect_timeout_s: float = setting("seconds until an attempt to connect is given up", 5.0)
    inflight: int = setting("messages under way at once", 50)
    unheard: Literal["keep", "drop"] = setting(
        "a fact that nobody subscribes to (known under MQTT 5 only) is kept and repeated, or dropped", "keep"
    )

    def __post_init__(self) -> None:
        parse_url(self.url)
        check_range("keepalive_s", self.keepalive_s, 5, 65_535)
        check_range("connect_timeout_s", self.connect_timeout_s, 0.1, 60)
        check_range("inflight", self.inflight, 1, 1_000)
        if self.password and not self.username:
            raise ValueError("username: expected one beside a password, found none")
        if self.key and not self.cert:
            raise ValueError("cert: expected one beside a key, found none")
        if "\0" in self.client_id + self.username or len(self.client_id.encode("utf-8", "replace")) > 65_535:
            found = quoted(self.client_id)
            raise ValueError(f"client_id: expected less than 64 kB of text without NUL, found {found}")


def parse_url(url: str) -> tuple[str, int, bool]:
    """Host, port, and whether the connection is encrypted.

    Raises:
        ValueError: it is not the URL of a broker.
    """
    found = quoted(masked_url(url))
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise ValueError(f"url: expected mqtt://host[:port] or mqtts://host[:port], found {found}") from None
    if parts.username is not None or parts.password is not None:
        raise ValueError(f"url: expected the login in username and password, found {found}")
    rest = parts.path.strip("/") or parts.query or parts.fragment
    if parts.scheme not in _PORTS or not host or port == 0 or rest or not host.isprintable() or " " in host:
        raise ValueError(f"url: expected mqtt://host[:port] or mqtts://host[:port], found {found}")
    return host, port or _PORTS[parts.scheme], parts.scheme == "mqtts"


def tls_context(settings: BrokerSettings) -> ssl.SSLContext:
    """Certificates are verified, always; there is no switch.

    Raises:
        ConfigError: naming the certificate file that is missing or is not one.
    """
    files = settings.ca
    try:
        context = ssl.create_default_context(cafile=settings.ca or None)
        if settings.cert:
            files = f"{settings.cert}, {settings.key}" if settings.key else settings.cert
            # Without a password of ours OpenSSL would ask the terminal for one.
            context.load_cert_chain(settings.cert, settings.key or None, password="")
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        reason = getattr(error, "strerror", None) or str(error)
        raise ConfigError(f"{files}: expected a readable certificate in PEM form, found: {reason}") from error
    return context


def packet_size(message: Message) -> int:
    """Bytes of the PUBLISH packet of MQTT 5; under 3.1.1 it is a little less."""
    properties = 3 + len(message.correlation) if message.correlation else 0
    rest = 2 + len(message.topic.encode()) + 2 + 1 + properties + len(message.payload)
    length_bytes = 1 + (rest >= 128) + (rest >= 16_384) + (rest >= 2_097_152)
    return 1 + length_bytes + rest
