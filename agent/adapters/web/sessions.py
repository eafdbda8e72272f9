"""Who has shown a password: cookies that are signed, so that a restart sends nobody away.

A cookie says role, end and a number of its own, and carries a digest of them under a key that stands in the
state directory, and under what is kept of the password: another password ends the sessions of the old one.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, Final, TypeVar

from agent.adapters.durable import write_whole
from agent.adapters.web.passwords import parse_kept
from agent.core.access import Role
from agent.core.errors import DeviceError

if TYPE_CHECKING:
    from pathlib import Path

    from agent.adapters.web.settings import WebSettings

_LASTS_S: Final = {Role.OPERATOR: 12 * 3600, Role.VIEWER: 30 * 86_400, Role.KIOSK: 365 * 86_400}
"""A working day for whoever may change things; a display on a wall must go on by itself."""

_COOKIE: Final = re.compile(r"([123])\.(\d{1,12})\.([0-9a-f]{16})\.([0-9a-f]{64})", re.ASCII)
_KEY_BYTES: Final = 32
_REMEMBERED: Final = 256

_K = TypeVar("_K")
_V = TypeVar("_V")


class Sessions:
    """Any thread may call."""

    def __init__(self, settings: WebSettings, key: bytes) -> None:
        self._settings = settings
        self._key = key
        self._kept = {role: parse_kept(settings.password(role) or "") for role in settings.roles}
        self._lock = threading.Lock()  # the next two
        self._ended: OrderedDict[str, None] = OrderedDict()  # numbers of sessions that were ended early
        self._known: OrderedDict[bytes, Role] = OrderedDict()  # digests of passwords that were right

    def role_of_password(self, password: str) -> Role:
        """The mightiest role with this password, `NOBODY` for none. It takes as long as scrypt, once."""
        digest = hmac.digest(self._key, password.encode("utf-8", "replace"), "sha256")
        known = self.role_of_known(password)
        if known is not Role.NOBODY:
            return known
        for role, kept in self._kept.items():
            if kept.matches(password):
                with self._lock:
                    _remember(self._known, digest, role)
                return role
        return Role.NOBODY

    def role_of_known(self, password: str) -> Role:
        """The same of one that was right before, at once."""
        digest = hmac.digest(self._key, password.encode("utf-8", "replace"), "sha256")
        with self._lock:
            return self._known.get(digest, Role.NOBODY)

    def open(self, role: Role, utc: float) -> tuple[str, int]:
        """A cookie for a role, and how many seconds it lasts."""
        lasts = _LASTS_S[role]
        said = f"{role.value}.{int(utc) + lasts}.{os.urandom(8).hex()}"
        return f"{said}.{self._signed(role, said)}", lasts

    def role_of_cookie(self, cookie: str, utc: float) -> Role:
        """Whose session it is; `NOBODY` where it is over, or none of ours."""
        match = _COOKIE.fullmatch(cookie)
        if match is None:
            return Role.NOBODY
        role, said = Role(int(match[1])), cookie.rpartition(".")[0]
        good = role in self._kept and hmac.compare_digest(match[4], self._signed(role, said))
        with self._lock:
            ended = match[3] in self._ended
        return role if good and not ended and utc < int(match[2]) else Role.NOBODY

    def end(self, cookie: str) -> None:
        """From now on, until the next restart, it opens nothing; the browser forgets it."""
        match = _COOKIE.fullmatch(cookie)
        if match is not None:
            with self._lock:
                _remember(self._ended, match[3], None)

    def _signed(self, role: Role, said: str) -> str:
        key = (
            hashlib.sha256(self._key + self._kept[role].digest).digest() if role in self._kept else self._key
        )
        return hmac.new(key, said.encode(), "sha256").hexdigest()


def session_key(path: Path) -> bytes:
    """The key in this file, made where there is none.

    Raises:
        DeviceError: it can neither be read nor made.
    """
    try:
        key = path.read_bytes()
    except FileNotFoundError:
        key = b""
    except OSError as error:
        raise DeviceError(f"{path}: cannot be read: {error.strerror}") from None
    if len(key) != _KEY_BYTES:
        key = os.urandom(_KEY_BYTES)
        write_whole(path, key, mode=0o600)
    return key


def _remember(held: OrderedDict[_K, _V], key: _K, value: _V) -> None:
    held[key] = value
    while len(held) > _REMEMBERED:
        held.popitem(last=False)
