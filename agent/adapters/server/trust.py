"""What head office signed: the only file that knows TUF.

    metadata/timestamp.json → (changed?) → root, snapshot, targets → targets/<channel>/release.json

python-tuf decides what is trusted; the bytes come over our own connection. Nobody who owns the server, or the
line to it, can make a device take anything else, or anything older.

The clock is believed unless it is behind what is known to be past: the making of this program, and the
release that is held. So a board that wakes up in 1970 goes on taking releases, and one whose clock is set
back does not take what had expired.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from tuf.api.exceptions import (
    DownloadError,
    DownloadHTTPError,
    DownloadLengthMismatchError,
    ExpiredMetadataError,
    LengthOrHashMismatchError,
    RepositoryError,
)
from tuf.api.metadata import Metadata, Root
from tuf.ngclient import FetcherInterface, Updater, UpdaterConfig

from agent.core.errors import ConfigError, DeviceError, TransferError, VerifyError, quoted
from agent.core.release import RELEASE_LIMIT_BYTES, target_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from agent.adapters.server.http import Http
    from agent.adapters.server.settings import SyncSettings
    from agent.core.clock import Clock

BUILT_UTC: Final = 1_767_225_600.0  # 2026-01-01
"""No clock that is right shows an earlier time."""

_LATEST_UTC: Final = 253_402_300_798.0  # the last second that datetime has
_LIMITS: Final = UpdaterConfig(
    max_root_rotations=64,  # one a month for five years between two visits to the server
    max_delegations=8,
    root_max_length=64_000,
    timestamp_max_length=16_000,
    snapshot_max_length=256_000,
    targets_max_length=4_000_000,  # 20,000 channels
)


@dataclass(frozen=True, slots=True)
class Signed:
    """A release as head office signed it; what it says is not judged yet."""

    data: bytes
    sha256: str
    note: str = ""  # what the operator should know although all went well


@dataclass(frozen=True, slots=True)
class _Seen:
    """What the server said, in as much as it tells whether it says something new next time."""

    stamp: bytes
    etag: str
    expires_utc: float


class Trust:
    """The signed side of one server. `folder` is a cache, made where it is missing. Used by one thread."""

    def __init__(self, http: Http, settings: SyncSettings, folder: Path, clock: Clock, root: bytes) -> None:
        """`root` is the metadata that everything must be signed under.

        Raises:
            ConfigError: it is not root metadata signed by itself.
        """
        self._http = http
        self._target = target_of(settings.channel)
        self._folder = folder
        self._clock = clock
        self._root = root
        self._seen: _Seen | None = None
        self._settled: _Seen | None = None
        try:
            metadata = Metadata[Root].from_bytes(root)
            metadata.verify_delegate(Root.type, metadata)
        except (RepositoryError, ValueError, TypeError) as error:
            raise ConfigError(
                f"sync.root: expected root metadata signed by its own keys, found {quoted(str(error))}"
            ) from None

    def latest(self, past_utc: float, *, again: bool = False) -> Signed | None:
        """The signed release, or None while it is the one that `settle` was called for.

        `past_utc` is a time known to be past. `again`: whatever was settled.

        Raises:
            TransferError: something did not come, or there is no release in this channel.
            VerifyError: something is not signed by who must, is older than what was seen, or has expired.
            DeviceError: the disk failed or is full.
        """
        clock_utc = self._clock.utc()
        now = min(max(clock_utc, BUILT_UTC, past_utc), _LATEST_UTC)
        if again or (self._settled and now >= self._settled.expires_utc):
            self._settled = None
        settled = self._settled
        stamp, etag = self._timestamp(settled)
        if settled and stamp == settled.stamp:
            return None
        data = self._verified(stamp, etag, now)
        note = "" if now <= clock_utc else _behind(clock_utc, now)
        return Signed(data, hashlib.sha256(data).hexdigest(), note)

    def settle(self) -> None:
        """What `latest` returned last needs no more attention."""
        self._settled = self._seen

    def _timestamp(self, settled: _Seen | None) -> tuple[bytes, str]:
        headers = {"If-None-Match": settled.etag} if settled and settled.etag else {}
        with self._http.get("metadata/timestamp.json", headers) as answer:
            if settled and answer.status == 304:
                return settled.stamp, settled.etag
            if answer.status != 200:
                raise TransferError(f"{answer.url}: expected status 200, found {answer.status}")
            data = b"".join(_capped(answer.chunks, _LIMITS.timestamp_max_length, answer.url))
            return data, answer.header("ETag")

    def _verified(self, stamp: bytes, etag: str, now: float) -> bytes:
        """The bytes of the release, with the whole chain of signatures checked."""
        moment = datetime.fromtimestamp(now, UTC)
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            for leftover in self._folder.glob("tmp*"):  # of a process that was killed
                leftover.unlink()
            updater = Updater(
                str(self._folder),
                "metadata/",
                fetcher=_Fetcher(self._http, stamp),
                config=_LIMITS,
                bootstrap=self._root,
            )
            trusted: Any = updater._trusted_set  # noqa: SLF001  it reads the clock itself and takes no other
            trusted.reference_time = moment
            target = updater.get_targetinfo(self._target)
            if target is None:
                raise TransferError(f"sync.channel: expected a release in {self._target}, found none there")
            if target.length > RELEASE_LIMIT_BYTES:
                raise VerifyError(
                    f"{self._target}: expected at most {RELEASE_LIMIT_BYTES} bytes, found {target.length}"
                )
            roles = (trusted.root, trusted.timestamp, trusted.snapshot, trusted.targets)
            self._seen = _Seen(stamp, etag, min(role.expires.timestamp() for role in roles))
            return self._release(target, hashed=bool(trusted.root.consistent_snapshot))
        except ExpiredMetadataError as error:
            raise VerifyError(f"metadata: {error}, and it is {moment:%Y-%m-%d} by this clock") from None
        except DownloadLengthMismatchError as error:
            raise VerifyError(f"metadata: {quoted(str(error))}") from None
        except DownloadError as error:
            raise TransferError(f"metadata: {quoted(str(error))}") from None
        except RepositoryError as error:
            raise VerifyError(f"metadata: refused: {quoted(str(error))}") from None
        except OSError as error:
            raise DeviceError(f"{self._folder}: cannot be written: {error.strerror}") from None

    def _release(self, target: Any, *, hashed: bool) -> bytes:
        """The target, from the cache when that is still it.

        `hashed`: the repository may keep it under its digest, so that an old and a new one do not meet.
        """
        cached = self._folder / "release.bytes"
        try:
            data = cached.read_bytes()
            target.verify_length_and_hashes(data)
            return data
        except (OSError, LengthOrHashMismatchError):
            pass
        channel, _, name = self._target.rpartition("/")
        sha256 = target.hashes.get("sha256") if hashed else None
        data = self._fetched(
            ([f"{channel}/{sha256}.{name}"] if sha256 else []) + [self._target], target.length
        )
        try:
            target.verify_length_and_hashes(data)
        except LengthOrHashMismatchError:
            found = hashlib.sha256(data).hexdigest()
            raise VerifyError(
                f"targets/{self._target}: expected what was signed, found {len(data)} bytes of sha256 {found}"
            ) from None
        cached.write_bytes(data)  # a cache: what a power cut leaves of it is verified like anything else
        return data

    def _fetched(self, names: list[str], limit: int) -> bytes:
        """The first of these targets that the server has."""
        for name in names:
            with self._http.get(f"targets/{name}") as answer:
                if answer.status == 200:
                    return b"".join(_capped(answer.chunks, limit, answer.url))
                if answer.status not in {403, 404}:
                    break
        raise TransferError(f"{answer.url}: expected status 200, found {answer.status}")


class _Fetcher(FetcherInterface):
    """How TUF gets its metadata: over our connection, with the timestamp that was fetched already."""

    def __init__(self, http: Http, stamp: bytes) -> None:
        self._http = http
        self._stamp = stamp

    def _fetch(self, url: str) -> Iterator[bytes]:
        if url == "metadata/timestamp.json":
            yield self._stamp
            return
        with self._http.get(url) as answer:
            if answer.status != 200:
                raise DownloadHTTPError(
                    f"{answer.url}: expected status 200, found {answer.status}", answer.status
                )
            yield from answer.chunks


def _capped(chunks: Iterator[bytes], limit: int, url: str) -> Iterator[bytes]:
    came = 0
    for chunk in chunks:
        came += len(chunk)
        if came > limit:
            raise VerifyError(f"{url}: expected at most {limit} bytes, found more")
        yield chunk


def _behind(clock_utc: float, now: float) -> str:
    known = datetime.fromtimestamp(now, UTC)
    shown = datetime.fromtimestamp(max(clock_utc, 0.0), UTC)
    return (
        f"clock: expected a time after {known:%Y-%m-%d}, found {shown:%Y-%m-%d}: "
        "what has expired since cannot be told, set the clock"
    )
