"""A camera that is asked for a single picture by HTTP, again and again."""

from __future__ import annotations

import http.client
import ssl
import urllib.request
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any
from urllib.error import HTTPError, URLError
from urllib.parse import unquote, urlsplit, urlunsplit

from agent.adapters.camera.pace import Frozen, Pace, as_image
from agent.adapters.images import LIMITS, decode_image
from agent.core.errors import DeviceError, InputError, quoted
from agent.core.types import Frame

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agent.adapters.camera.settings import CameraSettings, Source
    from agent.core.clock import Clock

CHUNK_BYTES = 65536
_STATUS_HINTS = {
    401: ": are name and password right?",
    403: ": are name and password right?",
    404: ": is the path right?",
}


class _Closing:
    """Closes the refusal that an authentication answers; the library leaves a socket open for each."""

    def http_error_401(self, req: Any, fp: Any, code: int, msg: str, headers: Any) -> Any:
        with ExitStack() as answered:
            answered.callback(fp.close)
            answer = super().http_error_401(req, fp, code, msg, headers)  # type: ignore[misc]
            if answer is None:  # not answered: it is passed on, to whoever makes an error of it
                answered.pop_all()
        return answer


class _Basic(_Closing, urllib.request.HTTPBasicAuthHandler):
    pass


class _Digest(_Closing, urllib.request.HTTPDigestAuthHandler):
    pass


class SnapshotCamera:
    """Name and password in the URL are used for Basic or Digest authentication, as the camera asks."""

    waits = False
    skipped = 0

    def __init__(self, settings: CameraSettings, source: Source, clock: Clock) -> None:
        self._settings = settings
        self._shown = source.shown
        self._clock = clock
        self._target = source.target

    def frames(self) -> Iterator[Frame]:
        """See `Camera.frames`."""
        settings, clock = self._settings, self._clock
        pace, frozen, seq = Pace(settings.fps), Frozen(settings.frozen_after_s), 0
        url, opener = _client(self._target, settings.verify_tls)
        while not clock.wait(pace.wait_s(clock.monotonic())):
            pace.looked(clock.monotonic())
            try:
                image = as_image(decode_image(self._fetch(opener, url), "picture"))
                at, utc = clock.monotonic(), clock.utc()
                frozen.check(image, at)
            except (DeviceError, InputError) as error:
                raise DeviceError(f"{self._shown}: {error}") from None
            yield Frame(settings.id, seq, at, utc, image)
            seq += 1

    def _fetch(self, opener: urllib.request.OpenerDirector, url: str) -> bytes:
        settings = self._settings
        deadline = self._clock.monotonic() + settings.open_timeout_s + settings.read_timeout_s
        try:
            with opener.open(url, timeout=settings.read_timeout_s) as response:
                if response.status != 200:
                    raise DeviceError(f"expected status 200, found {response.status}")
                return self._read(response, deadline)
        except HTTPError as error:
            if error.fp is not None:
                error.close()
            hint = _STATUS_HINTS.get(error.code, "")
            raise DeviceError(f"expected status 200, found {error.code}{hint}") from None
        except URLError as error:
            raise DeviceError(f"no connection: {_reason(error.reason)}") from None
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise DeviceError(f"no picture: {_reason(error)}") from None

    def _read(self, response: http.client.HTTPResponse, deadline: float) -> bytes:
        data = bytearray()
        while chunk := response.read1(CHUNK_BYTES):
            data += chunk
            if len(data) > LIMITS.max_bytes:
                raise DeviceError(f"expected a picture of at most {LIMITS.max_bytes:,} bytes, found more")
            # The socket's own limit begins anew with every byte that trickles in.
            if self._clock.monotonic() > deadline:
                raise DeviceError(f"the picture did not arrive in time, only {len(data):,} bytes of it")
        return bytes(data)


def _client(url: str, verify_tls: bool) -> tuple[str, urllib.request.OpenerDirector]:
    """The URL without its password, and what fetches it: HTTP and HTTPS only, past any proxy."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    plain = urlunsplit((parts.scheme, host, parts.path or "/", parts.query, ""))
    passwords = urllib.request.HTTPPasswordMgrWithDefaultRealm()
    if parts.username:
        passwords.add_password(None, plain, unquote(parts.username), unquote(parts.password or ""))
    context = ssl.create_default_context()
    if not verify_tls:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(context=context),
        urllib.request.UnknownHandler(),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPRedirectHandler(),
        urllib.request.HTTPErrorProcessor(),
        _Digest(passwords),
        _Basic(passwords),
    ):
        opener.add_handler(handler)
    return plain, opener


def _reason(error: object) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return quoted(str(error) or type(error).__name__)
