"""Where releases come from, and how much of the line syncing may take."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol
from urllib.parse import urlsplit

from agent.core.errors import masked_url, quoted
from agent.core.release import check_channel
from agent.core.settings import check_range, setting


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncSettings:
    """The server that this device takes its catalogue from."""

    url: str = setting(
        "where `spotter catalog publish` put the releases: http://host/path or https://host/path"
    )
    root: str = setting("file with the root metadata (root.json) that every release must be signed under")
    channel: str = setting("which of the server's catalogues: default, or e.g. stores/berlin-12", "default")
    interval_s: float = setting(
        "seconds from one look for a new release to the next, give or take a fifth", 300.0
    )
    bytes_per_s: int = setting("most bytes taken from the line in a second; 0 means no limit", 0)
    models: bool = setting("whether a release may bring another model than the configured one", True)
    ca: str = setting("file of certificates to trust, PEM; empty: those of the system", "")
    timeout_s: float = setting("seconds of silence after which the server is given up", 10.0)
    stall_s: float = setting("seconds of less than min_bytes_per_s after which a transfer is given up", 30.0)
    min_bytes_per_s: int = setting("slowest transfer that is waited for", 1_000)

    def __post_init__(self) -> None:
        check_url(self.url)
        check_channel("channel", self.channel)
        if not self.root:
            raise ValueError("root: expected the path of a file, found none")
        check_range("interval_s", self.interval_s, 1, 2_592_000)
        check_range("timeout_s", self.timeout_s, 0.1, 600)
        check_range("stall_s", self.stall_s, 0.1, 3600)
        check_range("min_bytes_per_s", self.min_bytes_per_s, 1, 1_000_000_000)
        if self.bytes_per_s:
            check_range("bytes_per_s", self.bytes_per_s, 2 * self.min_bytes_per_s, 10_000_000_000)


class LineSettings(Protocol):
    """What asking a server for files needs to know; `SyncSettings` says what each means."""

    @property
    def url(self) -> str: ...
    @property
    def ca(self) -> str: ...
    @property
    def bytes_per_s(self) -> int: ...
    @property
    def timeout_s(self) -> float: ...
    @property
    def stall_s(self) -> float: ...
    @property
    def min_bytes_per_s(self) -> int: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class FileServer:
    """A folder of files on any host, for a person who waits: all of the line may be used.

    Raises:
        ValueError: the URL is not one of HTTP(S).
    """

    url: str
    ca: str = ""
    bytes_per_s: int = 0
    timeout_s: float = 10.0
    stall_s: float = 30.0
    min_bytes_per_s: int = 1_000

    def __post_init__(self) -> None:
        check_url(self.url)


def check_url(url: str, *, query: bool = False) -> None:
    """Refuse what is not an HTTP(S) URL of a directory; with `query` of anything.

    Raises:
        ValueError: saying what was expected.
    """
    try:
        parts = urlsplit(url)
        good = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
        good = (
            good
            and (query or not parts.query)
            and not parts.fragment
            and url.isprintable()
            and " " not in url
        )
    except ValueError:
        good = False
    if not good:
        raise ValueError(
            f"url: expected http://host/path or https://host/path, found {quoted(masked_url(url))}"
        )
