"""Who may do what over HTTP, and which requests nobody before the browser meant: pure rules."""

from __future__ import annotations

import re
from enum import IntEnum
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

WITNESS: Final = "x-spotter"
"""A header that our pages send with what changes something. A form of another site cannot, and a script of
another site must ask first, and is told nothing."""

_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_PROXIED: Final = frozenset({"forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip", "via"})
_HOST: Final = re.compile(r"(\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9._-]{1,253})(?::(\d{1,5}))?", re.ASCII)


class Role(IntEnum):
    """Each may do what the ones before it may."""

    NOBODY = 0
    KIOSK = 1  # find, and nothing else
    VIEWER = 2  # see everything
    OPERATOR = 3  # change things


def role_named(name: str) -> Role:
    """The role of this name. ValueError: there is none."""
    try:
        return Role[name.upper()]
    except KeyError:
        raise ValueError(f"expected one of {', '.join(NAMED)}, found {name!r}") from None


NAMED: Final = tuple(role.name.lower() for role in Role)
"""As they are written."""


def is_loopback(address: str) -> bool:
    """Whether this address, or `localhost`, is of this machine alone."""
    if address == "localhost":
        return True
    try:
        parsed = ip_address(address)
    except ValueError:
        return False
    mapped = getattr(parsed, "ipv4_mapped", None)
    return bool((mapped or parsed).is_loopback)


def host_refused(host: str, names: Collection[str]) -> str:
    """What is wrong with a `Host`; empty when nothing is.

    A page of somebody else may have its own name lead to our address (DNS rebinding): the browser then takes
    us for that page. So a name must be one of ours. An address, or localhost, cannot be had by others.
    """
    match = _HOST.fullmatch(host)
    if match is None:
        return "Host: expected a name or an address, found none that is one"
    name = match[1].strip("[]").lower().rstrip(".")
    if name in names or name == "localhost":
        return ""
    try:
        ip_address(name)
    except ValueError:
        return f"Host: {name} is not a name of this device: add it to web.names, or use its address"
    return ""


def foreign(method: str, scheme: str, headers: Mapping[str, str], *, ambient: bool) -> str:
    """Why a request was not made by a page of ours; empty when it was, or by no page.

    `headers` have lower-case names. `ambient`: it may do things because of a cookie or of where it comes
    from, which a page of somebody else can have a browser use; what says a password itself needs no witness.
    """
    site = headers.get("sec-fetch-site", "")
    if site in {"cross-site", "same-site"} and not _is_navigation(method, headers):
        return "Sec-Fetch-Site: a page of another site asked for this"
    origin = headers.get("origin", "")
    if origin and origin.lower() != f"{scheme}://{headers.get('host', '')}".lower() and method not in _SAFE:
        return "Origin: a page of another site asked for this"
    if method not in _SAFE and ambient and not headers.get(WITNESS):
        return "X-Spotter: expected this header beside whatever changes something, found none"
    return ""


def is_proxied(headers: Collection[str]) -> bool:
    """Whether somebody stands in between and says so: the peer's address then is not the asker's."""
    return not _PROXIED.isdisjoint(headers)


def _is_navigation(method: str, headers: Mapping[str, str]) -> bool:
    """A link on another site that leads here: the page opens, and nobody else sees what is on it."""
    return (
        method in _SAFE
        and headers.get("sec-fetch-mode") == "navigate"
        and headers.get("sec-fetch-dest") in {"document", ""}
    )
