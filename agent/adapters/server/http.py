"""Asking one HTTP server for files, or posting to it, over one connection that is kept while it serves."""

from __future__ import annotations

import http.client
import ssl
from base64 import b64encode
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urljoin, urlsplit

from agent import __version__
from agent.adapters.server.line import MeteredSocket, Pace
from agent.core.errors import ConfigError, TransferError, masked_url, quoted

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from agent.adapters.server.settings import LineSettings
    from agent.core.clock import Clock

_CHUNK_BYTES = 65_536
_REDIRECTS = 3
_MOVED = frozenset({301, 302, 303, 307, 308})
_GONE = (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError)


@dataclass(frozen=True, slots=True)
class Answer:
    """The head of an answer; `chunks` is its body, to be read once."""

    url: str  # as it may be shown
    status: int
    headers: http.client.HTTPMessage
    chunks: Iterator[bytes]

    def header(self, name: str) -> str:
        """A header, empty where there is none."""
        return str(self.headers.get(name, ""))

    def length(self) -> int | None:
        """Bytes that the body is said to have; None when that is not said.

        Raises:
            TransferError: it is no number.
        """
        text = self.header("Content-Length")
        if not text:
            return None
        if not (text.isascii() and text.isdigit() and len(text) < 20):
            raise TransferError(f"{self.url}: expected a length in bytes, found {quoted(text)}")
        return int(text)


class Http:
    """One server. Used by one thread."""

    def __init__(self, settings: LineSettings, clock: Clock, section: str = "sync") -> None:
        """Nothing is connected yet. `section` of the configuration is named in errors.

        Raises:
            ConfigError: the file of certificates cannot be used.
        """
        self.pace = Pace(settings, clock)
        self._settings = settings
        parts = urlsplit(settings.url)
        self._host, self._port = parts.hostname or "", parts.port
        self.url = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
        """The configured one, without a login."""
        self._base = f"{self.url.partition('?')[0].rstrip('/')}/"
        self._headers = {"User-Agent": f"spotter/{__version__}", "Accept-Encoding": "identity"}
        if parts.username:
            login = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
            self._headers["Authorization"] = f"Basic {b64encode(login.encode()).decode()}"
        self._tls = _tls(settings.ca, section) if parts.scheme == "https" else None
        self._connection: http.client.HTTPConnection | None = None

    @contextmanager
    def get(
        self, path: str, headers: Mapping[str, str] | None = None, deadline_s: float = 60.0
    ) -> Iterator[Answer]:
        """The answer to GET `path`, relative to the configured URL, whatever its status is.

        Redirects within the server are followed. The body must be here `deadline_s` after the question.

        Raises:
            TransferError: no connection, no answer in time, or a redirect to somewhere else; reading the
                body raises it too.
        """
        url = self._base + path
        for _ in range(_REDIRECTS):
            self.pace.begin(deadline_s)
            response = self._ask("GET", url, {**self._headers, **(headers or {})})
            if response.status not in _MOVED:
                break
            url = self._moved(url, response)
        else:
            raise TransferError(f"{masked_url(url)}: expected a file, found redirects without end")
        with self._answer(url, response) as answer:
            yield answer

    @contextmanager
    def post(self, body: bytes, headers: Mapping[str, str], deadline_s: float) -> Iterator[Answer]:
        """The answer to POST `body` to the configured URL itself, whatever it is: no redirect is followed.

        Where a kept connection ends in the middle it is posted again: whoever takes it has to bear it twice.
        The answer must be here within `deadline_s`.

        Raises:
            TransferError: no connection, or no answer in time; reading the body raises it too.
        """
        self.pace.begin(deadline_s)
        response = self._ask("POST", self.url, {**self._headers, **headers}, body)
        with self._answer(self.url, response) as answer:
            yield answer

    @contextmanager
    def _answer(self, url: str, response: http.client.HTTPResponse) -> Iterator[Answer]:
        try:
            yield Answer(masked_url(url), response.status, response.headers, self._chunks(url, response))
        finally:
            if not response.isclosed():  # the rest of the body would be taken for the next answer
                response.close()
                self.close()

    def close(self) -> None:
        """Let the connection go; the next question opens another."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _ask(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes | None = None
    ) -> http.client.HTTPResponse:
        target = urlsplit(url)._replace(scheme="", netloc="").geturl()
        kept = self._connection is not None and self._connection.sock is not None
        while True:
            try:
                with _translated(url):
                    try:
                        connection = self._connection if kept and self._connection else self._connect()
                        self._connection = connection
                        return _exchange(connection, method, target, body, headers, kept=kept)
                    except _GONE:
                        if not kept:
                            raise
            except TransferError:
                self.close()
                raise
            self.close()  # a server may close a connection that it kept, at any time
            kept = False

    def _connect(self) -> http.client.HTTPConnection:
        timeout_s = self._settings.timeout_s
        if self._tls is None:
            connection = http.client.HTTPConnection(self._host, self._port, timeout=timeout_s)
        else:
            connection = http.client.HTTPSConnection(
                self._host, self._port, timeout=timeout_s, context=self._tls
            )
        try:
            connection.connect()
        except BaseException:
            connection.close()
            raise
        metered: Any = MeteredSocket(connection.sock, self.pace)
        connection.sock = metered
        return connection

    def _moved(self, url: str, response: http.client.HTTPResponse) -> str:
        """Where a redirect leads, when that is on the same server."""
        response.close()
        self.close()
        with _translated(url):
            target = urljoin(url, response.headers.get("Location", ""))
            here, there = urlsplit(url), urlsplit(target)
        if (here.scheme, here.netloc) != (there.scheme, there.netloc):
            found = f"a redirect to {quoted(masked_url(target))}"
            raise TransferError(f"{masked_url(url)}: expected a file of {here.netloc}, found {found}")
        return target

    def _chunks(self, url: str, response: http.client.HTTPResponse) -> Iterator[bytes]:
        if response.headers.get("Content-Encoding", "identity").lower() != "identity":
            found = quoted(response.headers["Content-Encoding"])
            raise TransferError(f"{masked_url(url)}: expected plain bytes, found encoding {found}")
        while True:
            with _translated(url):
                chunk = response.read1(_CHUNK_BYTES)
            if not chunk:
                if response.length == 0:  # all was read, but some versions leave the answer open
                    response.close()
                return
            yield chunk


def _exchange(
    connection: http.client.HTTPConnection,
    method: str,
    target: str,
    body: bytes | None,
    headers: Mapping[str, str],
    *,
    kept: bool,
) -> http.client.HTTPResponse:
    try:
        connection.request(method, target, body, dict(headers))
    except (BrokenPipeError, ConnectionResetError):
        if body is None or kept:
            raise
        # A server that finds a body too large says so, and hangs up, before it has read all of it.
    return connection.getresponse()


@contextmanager
def _translated(url: str) -> Iterator[None]:
    try:
        yield
    except TransferError as error:
        raise TransferError(f"{masked_url(url)}: {error}") from None
    except TimeoutError:
        raise TransferError(f"{masked_url(url)}: no answer in time") from None
    except ssl.SSLCertVerificationError as error:
        raise TransferError(f"{masked_url(url)}: certificate not trusted: {error.verify_message}") from None
    except OSError as error:
        reason = error.strerror or quoted(str(error))
        raise TransferError(f"{masked_url(url)}: no connection: {reason}") from None
    except (http.client.HTTPException, ValueError) as error:
        found = quoted(str(error) or type(error).__name__)
        raise TransferError(f"{masked_url(url)}: expected an HTTP answer, found {found}") from None


def _tls(ca: str, section: str) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca or None)
    except OSError as error:
        raise ConfigError(
            f"{section}.ca: expected a PEM file of certificates, found {ca}: {error.strerror}"
        ) from None
