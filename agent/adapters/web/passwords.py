"""Passwords are kept as what scrypt makes of them: `scrypt$<log2 n>$<r>$<p>$<salt>$<hash>`, in base64."""

from __future__ import annotations

import hashlib
import hmac
import os
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from typing import Final

_LOG2_N, _R, _P = 14, 8, 1
"""16 MB and some 40 ms: enough against guessing, and little enough for a small board."""

_SALT_BYTES, _HASH_BYTES = 16, 32
_FORM: Final = re.compile(
    r"scrypt\$(\d{1,2})\$(\d{1,2})\$(\d{1,2})\$([\w-]{11,88}={0,2})\$([\w-]{22,88}={0,2})", re.ASCII
)
_MEMORY_LIMIT: Final = 128 << 20

SHORTEST: Final = 8
"""Characters of a password."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A password as it is kept."""

    log2_n: int
    r: int
    p: int
    salt: bytes
    digest: bytes

    def matches(self, password: str) -> bool:
        """Whether it is this one. Takes as long as scrypt does."""
        return hmac.compare_digest(self.digest, _digest(password, self))


def hash_password(password: str, salt: bytes | None = None) -> str:
    """What is kept of a password.

    Raises:
        ValueError: it is too short.
    """
    if len(password) < SHORTEST:
        raise ValueError(f"password: expected at least {SHORTEST} characters, found {len(password)}")
    kept = Kept(_LOG2_N, _R, _P, salt or os.urandom(_SALT_BYTES), b"\0" * _HASH_BYTES)
    texts = (urlsafe_b64encode(each).decode() for each in (kept.salt, _digest(password, kept)))
    return f"scrypt${_LOG2_N}${_R}${_P}${'$'.join(texts)}"


def parse_kept(text: str) -> Kept:
    """The parts of what is kept.

    Raises:
        ValueError: it is none; it does not stand in the sentence.
    """
    match = _FORM.fullmatch(text)
    if match is None:
        raise ValueError("expected what `spotter password` prints, found something else")
    log2_n, r, p = (int(match[each]) for each in (1, 2, 3))
    if not (10 <= log2_n <= 20 and r and p) or 128 * r * (1 << log2_n) >= _MEMORY_LIMIT:
        raise ValueError("expected parameters of scrypt that need less than 128 MB, found others")
    return Kept(log2_n, r, p, urlsafe_b64decode(match[4]), urlsafe_b64decode(match[5]))


def _digest(password: str, kept: Kept) -> bytes:
    return hashlib.scrypt(
        password.encode("utf-8", "replace"),
        salt=kept.salt,
        n=1 << kept.log2_n,
        r=kept.r,
        p=kept.p,
        maxmem=_MEMORY_LIMIT,
        dklen=len(kept.digest),
    )
