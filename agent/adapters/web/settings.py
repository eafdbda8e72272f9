"""Where the pages are served, and to whom."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal

from agent.adapters.web.passwords import parse_kept
from agent.core.access import Role, is_loopback, role_named
from agent.core.errors import quoted
from agent.core.settings import Secret, check_range, setting

_NAME: Final = re.compile(
    r"(?=.{1,253}$)[a-z0-9]([a-z0-9_-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9_-]*[a-z0-9])?)*", re.ASCII
)
_ASKING: Final = (Role.OPERATOR, Role.VIEWER, Role.KIOSK)


@dataclass(frozen=True, slots=True, kw_only=True)
class WebSettings:
    """The pages and the API."""

    host: str = setting(
        "address to listen on; any but 127.0.0.1 or ::1 needs a password: 0.0.0.0 is all of IPv4", "127.0.0.1"
    )
    port: int = setting("port to listen on", 8080)
    names: tuple[str, ...] = setting(
        "names under which browsers reach it, beside its addresses and the name of the machine", ()
    )
    operator: Secret | None = setting(
        "what `spotter password` prints: this password may see and change everything", None
    )
    viewer: Secret | None = setting("likewise: this one may see everything", None)
    kiosk: Secret | None = setting("likewise: this one may find products, and nothing else", None)
    local: Literal["", "operator", "viewer", "kiosk", "nobody"] = setting(
        "role of a browser on this machine without a password; empty: operator while there is no password, "
        "else nobody",
        "",
    )
    cert: str = setting("file of the certificate for https, PEM; empty: http", "")
    key: str = setting("file of its key, PEM; empty when it is in `cert`", "")
    pictures_per_s: float = setting("most pictures of a camera that are encoded in a second", 5.0)

    def __post_init__(self) -> None:
        check_range("port", self.port, 1, 65_535)
        check_range("pictures_per_s", self.pictures_per_s, 0.1, 30)
        for name in self.names:
            if not _NAME.fullmatch(name):
                raise ValueError(f"names: expected names in lower case, without port, found {quoted(name)}")
        for role in _ASKING:
            kept = self.password(role)
            if kept is not None:
                try:
                    parse_kept(kept)
                except ValueError as error:
                    raise ValueError(f"{role.name.lower()}: {error}") from None
        if not is_loopback(self.host) and not self.guarded:
            raise ValueError(
                f"host: expected a password (operator, viewer or kiosk) beside {quoted(self.host)}, found "
                "none: others on the network could see the pictures; only 127.0.0.1 and ::1 do without"
            )
        if self.key and not self.cert:
            raise ValueError("cert: expected one beside a key, found none")

    @property
    def guarded(self) -> bool:
        """Whether there is any password."""
        return any(self.password(role) is not None for role in _ASKING)

    @property
    def local_role(self) -> Role:
        """Of a browser on this machine."""
        if self.local:
            return role_named(self.local)
        return Role.NOBODY if self.guarded else Role.OPERATOR

    def password(self, role: Role) -> str | None:
        """What is kept of the password of a role; None: it has none."""
        kept = {Role.OPERATOR: self.operator, Role.VIEWER: self.viewer, Role.KIOSK: self.kiosk}.get(role)
        return None if kept is None else str(kept)

    @property
    def roles(self) -> tuple[Role, ...]:
        """Those that have a password, the mightiest first."""
        return tuple(role for role in _ASKING if self.password(role) is not None)
