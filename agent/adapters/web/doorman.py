"""Who asks, whether a page of ours did, and what a browser may do with the answer: before all routes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import MutableHeaders

from agent.adapters.web.device import Asker
from agent.adapters.web.problems import Refused, problem
from agent.core.access import Role, foreign, host_refused, is_loopback, is_proxied

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from agent.adapters.web.limits import Limits
    from agent.adapters.web.sessions import Sessions
    from agent.adapters.web.settings import WebSettings
    from agent.core.clock import Clock

_HEADERS: Final = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' blob: data:; "
    "connect-src 'self'; font-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=(), payment=(), usb=()",
}
"""On every answer. `form-action 'none'`: our pages send what is typed by script, which says a witness."""

_LOGIN_PER_MINUTE, _LOGIN_BURST = 10, 5


class Doorman:
    """Stands before the application. What it lets through has `scope["asker"]`."""

    def __init__(
        self,
        settings: WebSettings,
        sessions: Sessions,
        limits: Limits,
        names: Collection[str],
        clock: Clock,
    ) -> None:
        """`names`: those that this device has, in lower case. `app` is set before the first request."""
        self.app: ASGIApp
        self._settings = settings
        self._sessions = sessions
        self._limits = limits
        self._names = frozenset(names)
        self._clock = clock
        self.cookie = cookie_name(settings)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            return

        async def decorated(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
                headers.setdefault("cache-control", "no-store")
            await send(message)

        try:
            scope["asker"] = await self._asker(scope)
        except Refused as refused:
            answer = problem(refused.status, refused.detail, refused.headers)
            await answer(scope, receive, decorated)
            return
        await self.app(scope, receive, decorated)

    async def _asker(self, scope: Scope) -> Asker:
        pairs = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]]
        headers = dict(reversed(pairs))  # the first of each counts
        if sum(1 for name, _ in pairs if name == "host") != 1:
            raise Refused(400, "Host: expected it once")
        if wrong := host_refused(headers["host"], self._names):
            raise Refused(421, wrong)
        peer = scope["client"][0] if scope.get("client") else ""
        local = is_loopback(peer) and not is_proxied(headers)
        word = headers.get("authorization", "")
        here = self._settings.local_role if local else Role.NOBODY
        role, ambient = await self._role(word, headers, peer)
        if wrong := foreign(scope["method"], scope["scheme"], headers, ambient=ambient):
            raise Refused(403, wrong)
        # A proxy that does not say that it is one is taken for this machine; who logs in through it is not.
        return Asker(max(role, here), ambient and here > role, peer)

    async def _role(self, word: str, headers: Mapping[str, str], peer: str) -> tuple[Role, bool]:
        """The role, and whether it came by itself rather than by a password that was said."""
        scheme, _, password = word.partition(" ")
        if scheme.lower() == "bearer" and password:
            role = self._sessions.role_of_known(password)
            if role is Role.NOBODY:
                role = await self.try_password(password, peer)
            return role, False
        return self._sessions.role_of_cookie(_cookie(headers, self.cookie), self._clock.utc()), True

    async def try_password(self, password: str, peer: str) -> Role:
        """The role that a password is of.

        Raises:
            Refused: it is none, or there were too many tries.
        """
        now = self._clock.monotonic()
        wait = self._limits.wait_s(peer, "password", _LOGIN_PER_MINUTE, _LOGIN_BURST, now)
        if wait:
            raise Refused(429, f"expected fewer tries of a password: wait {wait:.0f} s", _after(wait))
        role = await run_in_threadpool(self._sessions.role_of_password, password)
        if role is Role.NOBODY:
            raise Refused(401, "expected a password of this device, found another", _challenge())
        return role


def cookie_name(settings: WebSettings) -> str:
    """Under TLS a name that no page without TLS can set."""
    return "__Host-spotter" if settings.cert else "spotter"


def _cookie(headers: Mapping[str, str], name: str) -> str:
    for part in headers.get("cookie", "").split(";"):
        key, _, value = part.strip().partition("=")
        if key == name:
            return value
    return ""


def _challenge() -> dict[str, str]:
    return {"www-authenticate": "Bearer"}


def _after(wait_s: float) -> dict[str, Any]:
    return {"retry-after": str(max(1, round(wait_s + 0.5)))}
