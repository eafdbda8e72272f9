"""How the broker is reached: the settings, and what follows from them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Final, Literal
from urllib.parse import urlsplit

from agent.core.errors import masked_url, quoted
from agent.core.settings import Secret, check_range, setting

_PORTS: Final = {"mqtt": 1883, "mqtts": 8883, "ws": 80, "wss": 443}
_EXPECTED: Final = "url: expected mqtt://host[:port], mqtts://host[:port], ws://host[:port]/path or wss://…"

_WEBSOCKET_PATH: Final = "/mqtt"
"""Where brokers usually have it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerSettings:
    """How to reach the broker."""

    url: str | tuple[str, ...] = setting(
        "mqtt://host[:1883], mqtts://host[:8883] for TLS, ws://host[:80]/path or wss://host[:443]/path for "
        "websockets; or a list of them, tried in order at each connection",
        "mqtt://localhost:1883",
    )
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
    expiry_s: int = setting(
        "seconds for which the broker keeps a fact for a subscriber that is away (MQTT 5 only); 0: for ever",
        0,
    )
    session_s: int = setting(
        "seconds for which the broker keeps commands for this device while it is away (MQTT 5 only)", 0
    )

    def __post_init__(self) -> None:
        if not self.urls:
            raise ValueError("url: expected at least one, found none")
        for url in self.urls:
            parse_url(url)
        check_range("keepalive_s", self.keepalive_s, 5, 65_535)
        check_range("connect_timeout_s", self.connect_timeout_s, 0.1, 60)
        check_range("inflight", self.inflight, 1, 1_000)
        check_range("expiry_s", self.expiry_s, 0, 0xFFFF_FFFE)
        check_range("session_s", self.session_s, 0, 0xFFFF_FFFE)
        if self.password and not self.username:
            raise ValueError("username: expected one beside a password, found none")
        if self.key and not self.cert:
            raise ValueError("cert: expected one beside a key, found none")
        if "\0" in self.client_id + self.username or len(self.client_id.encode("utf-8", "replace")) > 65_535:
            found = quoted(self.client_id)
            raise ValueError(f"client_id: expected less than 64 kB of text without NUL, found {found}")

    @property
    def urls(self) -> tuple[str, ...]:
        """In the order in which they are tried."""
        return (self.url,) if isinstance(self.url, str) else self.url


@dataclass(frozen=True, slots=True)
class Address:
    """One way to a broker."""

    shown: str  # the URL, for people
    host: str
    port: int
    tls: bool
    path: str  # of the websocket; empty: plain MQTT


def parse_url(url: str) -> Address:
    """The parts of the URL of a broker.

    Raises:
        ValueError: it is none.
    """
    shown = masked_url(url)
    found = quoted(shown)
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise ValueError(f"{_EXPECTED}, found {found}") from None
    if parts.username is not None or parts.password is not None:
        raise ValueError(f"url: expected the login in username and password, found {found}")
    web = parts.scheme in {"ws", "wss"}
    rest = parts.query or parts.fragment or ("" if web else parts.path.strip("/"))
    good = url.isprintable() and " " not in url
    if parts.scheme not in _PORTS or not host or port == 0 or rest or not good:
        raise ValueError(f"{_EXPECTED}, found {found}")
    path = (parts.path or _WEBSOCKET_PATH) if web else ""
    return Address(shown, host, port or _PORTS[parts.scheme], parts.scheme in {"mqtts", "wss"}, path)


def client_id(root: str) -> str:
    """The identifier of the device with this root of topics: `spotter/shop/cam` → `spotter-shop-cam`.

    No two devices have the same: where a part has a dash of its own, a digest of the whole is added.
    """
    joined = root.replace("/", "-")
    if joined.count("-") == root.count("/"):
        return joined
    return f"{joined}-{hashlib.sha256(root.encode('utf-8', 'replace')).hexdigest()[:8]}"
