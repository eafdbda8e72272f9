"""The server: what leads where, and its life in the thread that `daemon.py` gives it."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from agent import __version__
from agent.adapters.system import hostname
from agent.adapters.web.asking import Asking
from agent.adapters.web.doorman import Doorman, cookie_name
from agent.adapters.web.limits import Limits
from agent.adapters.web.pages import Pages
from agent.adapters.web.problems import Refused, problem
from agent.adapters.web.protocol import HEAD_BYTES, Connection
from agent.adapters.web.sessions import Sessions, session_key
from agent.adapters.web.stream import Hub
from agent.core.access import Role
from agent.core.api import OPERATIONS
from agent.core.api.openapi import document
from agent.core.api.operation import JSON
from agent.core.api.operations import EVENTS
from agent.core.clock import Backoff
from agent.core.errors import ConfigError, DeviceError
from agent.core.payload import encode
from agent.core.prometheus import CONTENT_TYPE

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from starlette.requests import Request
    from starlette.types import Receive, Scope, Send

    from agent.adapters.web.device import Asker, Device
    from agent.adapters.web.settings import WebSettings
    from agent.core.api import Operation
    from agent.core.clock import Clock

log = logging.getLogger(__name__)

_RETRY: Final = Backoff(first_s=1.0, limit_s=30.0)
"""An address that another program holds may be free again soon."""

_GRACE_S: Final = 1
_TICK_S: Final = 0.5


class WebServer:
    """Pages and API of one device."""

    def __init__(
        self,
        settings: WebSettings,
        device: Device,
        state: Path,
        clock: Clock,
        report: Callable[[str], None] = lambda _reason: None,
    ) -> None:
        """`state`: the state directory. `report(reason)` is told why nobody is served; empty: all is well.

        Raises:
            ConfigError: the certificate cannot be used.
            DeviceError: the key of the sessions cannot be kept.
        """
        self._settings = settings
        self._device = device
        self._clock = clock
        self._report = report
        limits = Limits()
        self._sessions = Sessions(settings, session_key(state / "web.key"))
        self._asking = Asking(device, limits, clock)
        self._hub = Hub(device)
        self._pages = Pages()
        names = {*settings.names, hostname().lower(), f"{hostname().lower()}.local"}
        self._door = Doorman(self._app(), settings, self._sessions, limits, names, clock)
        self._config = uvicorn.Config(
            self._door,
            http=Connection,
            loop="asyncio",
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            h11_max_incomplete_event_size=HEAD_BYTES,
            timeout_keep_alive=65,
            timeout_graceful_shutdown=_GRACE_S,
            ssl_certfile=settings.cert or None,
            ssl_keyfile=settings.key or None,
        )
        logging.getLogger("uvicorn.error").setLevel(
            logging.ERROR
        )  # of strangers' mistakes the log says nothing
        try:
            self._config.load()
        except (OSError, ssl.SSLError) as error:
            raise ConfigError(f"web.cert: {settings.cert}: cannot be used: {error}") from None

    def run(self) -> None:
        """Until the process stops; an address that cannot be had is said, and tried again."""
        attempt = 0
        while not self._clock.wait(0.0):
            try:
                listener = self._listen()
            except DeviceError as error:
                log.log(logging.DEBUG if attempt else logging.ERROR, "web: %s", error)
                self._report(str(error))
                if self._clock.wait(_RETRY.delay_s(attempt, 0.5)):
                    return
                attempt += 1
                continue
            self._report("")
            scheme = "https" if self._settings.cert else "http"
            log.info("web: %s://%s:%d", scheme, self._settings.host, self._settings.port)
            with listener:
                asyncio.run(_Server(self._config, self._clock, self._hub.close).serve([listener]))
            return

    def _listen(self) -> socket.socket:
        host, port = self._settings.host, self._settings.port
        try:
            family, kind, protocol, _, address = socket.getaddrinfo(
                host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
            )[0]
            listener = socket.socket(family, kind, protocol)
        except OSError as error:
            raise DeviceError(f"{host}:{port}: cannot be listened on: {error.strerror}") from None
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
            return listener
        except OSError as error:
            listener.close()
            raise DeviceError(f"{host}:{port}: cannot be listened on: {error.strerror}") from None

    def _app(self) -> Starlette:
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
        role = await self._door.try_password(said["password"], asker.peer)
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


class _Server(uvicorn.Server):
    """uvicorn's, which ends with our process and is no louder than it must be."""

    def __init__(self, config: uvicorn.Config, clock: Clock, closing: Callable[[], None]) -> None:
        super().__init__(config)
        self._clock = clock
        self._closing = closing

    async def main_loop(self) -> None:
        """Until the process stops: two looks a second instead of ten."""
        counter = 0
        while not await self.on_tick(counter) and not self._clock.wait(0.0):
            await asyncio.sleep(_TICK_S)
            counter += 10  # the date in the answers is renewed at multiples of ten
        self._closing()


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
