"""The server that releases come from: static files on any HTTP host."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from agent.adapters.server.download import Downloader
from agent.adapters.server.http import Http
from agent.adapters.server.settings import FileServer, SyncSettings
from agent.core.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable

    from agent.adapters.server.trust import Signed, Trust
    from agent.core.clock import Clock

__all__ = ["FileServer", "IndexServer", "SyncSettings", "fetch_file"]

_ROOT_LIMIT_BYTES = 64_000


class IndexServer:
    """One server as a device sees it. Used by one thread."""

    def __init__(self, settings: SyncSettings, cache: Path, clock: Clock) -> None:
        """Nothing is asked yet. `cache` is a folder for signed metadata, made where it is missing.

        Raises:
            ConfigError: the root metadata or the certificates that the settings name cannot be used.
        """
        from agent.adapters.server.trust import Trust  # 70 ms that a device without sync need not spend

        root = _read_root(Path(settings.root))
        self._http = Http(settings, clock)
        self._trust: Trust = Trust(self._http, settings, cache, clock, root)
        self._downloader = Downloader(self._http, settings, clock)

    def latest(self, past_utc: float, *, again: bool = False) -> Signed | None:
        """See `Trust.latest`."""
        return self._trust.latest(past_utc, again=again)

    def settle(self) -> None:
        """See `Trust.settle`."""
        self._trust.settle()

    def fetch(self, sha256: str, size: int, part: Path) -> None:
        """See `Downloader.fetch`."""
        self._downloader.fetch(sha256, size, part)

    @property
    def traffic_bytes(self) -> int:
        """Bytes sent and received so far: requests, heads and bodies, as HTTP has them.

        TLS is not counted: about 4 KB for the handshake of a round, most of it certificates, and some 20
        bytes for each 16 KB that come.
        """
        return self._http.pace.sent + self._http.pace.received

    def close(self) -> None:
        """Let the connection go; it is opened again when it is needed."""
        self._http.close()


def fetch_file(
    server: FileServer,
    path: str,
    sha256: str,
    size: int,
    part: Path,
    clock: Clock,
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """One file of a server, see `Downloader.fetch`, which also says what it raises."""
    http = Http(server, clock)
    try:
        Downloader(http, server, clock, progress).fetch(sha256, size, part, path)
    finally:
        http.close()


def _read_root(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(_ROOT_LIMIT_BYTES + 1)
    except (OSError, ValueError) as error:
        raise ConfigError(f"sync.root: expected a readable file, found {path}: {error}") from None
    if len(data) > _ROOT_LIMIT_BYTES:
        raise ConfigError(f"sync.root: expected at most {_ROOT_LIMIT_BYTES} bytes, found more in {path}")
    return data
