"""What leads where: the table of `core/api`, the pages, and what looks after programs asks."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from agent import __version__
from agent.adapters.web.doorman import cookie_name
from agent.adapters.web.problems import Refused, problem
from agent.core.access import Role
from agent.core.api import OPERATIONS
from agent.core.api.openapi import document
from agent.core.api.operation import JSON
from agent.core.api.operations import EVENTS
from agent.core.payload import encode
from agent.core.prometheus import CONTENT_TYPE

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request
    from starlette.types import Receive, Scope, Send

    from agent.adapters.web.asking import Asking
    from agent.adapters.web.device import Asker, Device
    from agent.adapters.web.pages import Pages
    from agent.adapters.web.sessions import Sessions
    from agent.adapters.web.settings import WebSettings
    from agent.adapters.web.stream import Hub
    from agent.core.api import Operation
    from agent.core.clock import Clock

    TryPassword = Callable[[str, str], Awaitable[Role]]
    """Password and peer → role; refuses."""


class Routes:
    """The answers that are more than the device's own."""

    def __init__(
        self,
        settings: WebSettings,
        device: Device,
        asking: Asking,
        hub: Hub,
        pages: Pages,
        sessions: Sessions,
        try_password: TryPassword,
        clock: Clock,
    ) -> None:
        self._settings = settings
        self._device = device
        self._asking = asking
        self._hub = hub
        self._pages = pages
        self._sessions = sessions
        self._try_password = try_password
        self._clock = clock

    def app(self) -> Starlette:
        """The application, before which the doorman stands."""
        own = {"session": self._session, "login": self._login, "logout": self._logout}
        routes = [
            Route(
                operation.path,
                partial(own[operation.name], operation=operation)
                if operation.name in own
                else partial(self._asking.answer, operation=operation),
                methods=[operation.method],
            )
            for operation in OPERATIONS.values()
            if operation.media != EVENTS
        ]
        routes += [
            Route("/api/events", _Events(self._asking, self._hub, self._device)),
            Route("/api/openapi.json", _openapi),
            Route("/healthz", _healthz),
            Route("/readyz", self._readyz),
            Route("/metrics", self._metrics),
            Route("/pages/{name:path}", self._file),
        ]
        routes += [Route(path, partial(self._page, path=path)) for path in self._pages.paths]
        app = Starlette(
            routes=routes,
            exception_handlers={
                Refused: _refused,
                HTTPException: _not_found,
                ClientDisconnect: _gone,
                Exception: _failed,
            },
        )
        app.router.redirect_slashes = False
        return app

    async def _page(self, request: Request, path: str) -> Response:
        return self._pages.page(request, path)

    async def _file(self, request: Request) -> Response:
        return self._pages.file(request)

    async def _session(self, request: Request, operation: Operation) -> Response:
        asker: Asker = request.scope["asker"]
        self._asking.admit(asker, operation)
        pages = self._pages.open_to(asker.role)
        return _json({"role": asker.role.name.lower(), "password": self._settings.guarded, "pages": pages})

    async def _login(self, request: Request, operation: Operation) -> Response:
        asker: Asker = request.scope["asker"]
        self._asking.admit(asker, operation)
        said = await self._asking.arguments(request, operation)
        role = await self._try_password(said["password"], asker.peer)
        cookie, lasts = self._sessions.open(role, self._clock.utc())
        answer = _json({"role": role.name.lower()})
        self._set_cookie(answer, cookie, lasts)
        return answer

    async def _logout(self, request: Request, operation: Operation) -> Response:
        self._asking.admit(request.scope["asker"], operation)
        self._sessions.end(request.cookies.get(cookie_name(self._settings), ""))
        answer = _json({})
        self._set_cookie(answer, "", 0)
        return answer

    def _set_cookie(self, answer: Response, cookie: str, lasts_s: int) -> None:
        answer.set_cookie(
            cookie_name(self._settings),
            cookie,
            max_age=lasts_s,
            path="/",
            secure=bool(self._settings.cert),
            httponly=True,
            samesite="strict",
        )

    async def _readyz(self, _request: Request) -> Response:
        why = self._device.unready()
        return PlainTextResponse("not ready\n" if why else "ready\n", 503 if why else 200)

    async def _metrics(self, request: Request) -> Response:
        asker: Asker = request.scope["asker"]
        self._asking.admit(asker, OPERATIONS["status"])
        text = await asyncio.to_thread(self._device.metrics)
        return Response(text, headers={"content-type": CONTENT_TYPE})


class _Events:
    """An ASGI application: the answer goes on for as long as somebody reads it."""

    def __init__(self, asking: Asking, hub: Hub, device: Device) -> None:
        self._asking = asking
        self._hub = hub
        self._device = device

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] != "GET":
            raise Refused(405, "expected GET")
        asker: Asker = scope["asker"]
        self._asking.admit(asker, OPERATIONS["events"])
        if self._hub.full:
            raise Refused(503, "as many look already as may look at once", {"retry-after": "5"})
        greeting = await asyncio.to_thread(self._device.tick) if asker.role >= Role.VIEWER else []
        await self._hub.serve(asker.role, receive, send, greeting)


def _json(body: dict[str, Any]) -> Response:
    return Response(encode(body), media_type=JSON)


async def _openapi(_request: Request) -> Response:
    return _json(document(__version__))


async def _healthz(_request: Request) -> Response:
    return PlainTextResponse("ok\n")


async def _refused(_request: Request, error: Exception) -> Response:
    assert isinstance(error, Refused)  # noqa: S101
    return problem(error.status, error.detail, error.headers)


async def _not_found(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101
    detail = {404: "there is no such page", 405: "not by this method"}.get(error.status_code, error.detail)
    return problem(error.status_code, detail, error.headers)


async def _gone(_request: Request, _error: Exception) -> Response:
    return Response(status_code=400)  # nobody reads it


async def _failed(_request: Request, _error: Exception) -> Response:
    return problem(500, "it failed, which is a defect: the log has all of it")
