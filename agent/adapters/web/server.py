"""The server: put together, and its life in the thread that `daemon.py` gives it."""

from __future__ import annotations

import asyncio
import logging
import socket
from typing import TYPE_CHECKING, Final

import uvicorn

from agent.adapters.system import hostname
from agent.adapters.web.asking import Asking
from agent.adapters.web.certificate import check_certificate
from agent.adapters.web.doorman import Doorman
from agent.adapters.web.limits import Limits
from agent.adapters.web.pages import Pages
from agent.adapters.web.protocol import HEAD_BYTES, Connection
from agent.adapters.web.routes import Routes
from agent.adapters.web.sessions import Sessions, session_key
from agent.adapters.web.stream import Hub
from agent.core.clock import Backoff
from agent.core.errors import DeviceError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from agent.adapters.web.device import Device
    from agent.adapters.web.settings import WebSettings
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
        if settings.cert:
            check_certificate(settings)
        self._settings = settings
        self._clock = clock
        self._report = report
        limits = Limits()
        sessions = Sessions(settings, session_key(state / "web.key"))
        self._hub = Hub(device)
        names = {*settings.names, hostname().lower(), f"{hostname().lower()}.local"}
        doorman = Doorman(settings, sessions, limits, names, clock)
        routes = Routes(
            settings,
            device,
            Asking(device, limits, clock),
            self._hub,
            Pages(),
            sessions,
            doorman.try_password,
            clock,
        )
        doorman.app = routes.app()
        self._config = uvicorn.Config(
            doorman,
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
        self._config.load()

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
