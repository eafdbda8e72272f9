"""What head office signs for a channel: the blobs of a catalogue directory, and patches that lead to them.

A release is the one signed target of its channel. It is parsed strictly although it is signed: whoever signs
may be mistaken, and a name or a size in it decides what is written to the disk of a device.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import asdict, dataclass
from math import isfinite
from typing import TYPE_CHECKING, Any, Final

from agent.core.errors import VerifyError, quoted
from agent.core.json_fields import (
    check_digest,
    check_file_name,
    check_schema,
    check_whole,
    objects,
    record,
    typed_fields,
)
from agent.core.manifest import MANIFEST_NAME
from agent.core.strict_json import parse_object

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

RELEASE_NAME: Final = "release.json"
RELEASE_SCHEMA: Final = 1
RELEASE_LIMIT_BYTES: Final = 256 * 1024
"""A release of three files with five patches each is 4 KB; this bounds what is parsed of a wrong one."""

BLOBS_LIMIT: Final = 64
PATCHES_LIMIT: Final = 16
BLOB_LIMIT_BYTES: Final = 1 << 33
"""8 GiB: an index of 10 million references of 256 numbers takes 4. What is larger is a mistake, and would
fill a card."""

_CHANNEL = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}(/[a-z0-9][a-z0-9._-]{0,63}){0,3}", re.ASCII)
_RELEASE_ID = re.compile(r"[0-9a-f]{16}", re.ASCII)
_TEXT_LIMIT = 255


@dataclass(frozen=True, slots=True)
class Patch:
    """A zstd patch from the file of another digest; itself a blob."""

    from_sha256: str  # of the file that it is applied to
    sha256: str  # of the patch
    size: int  # bytes of the patch

    def __post_init__(self) -> None:
        check_digest("from_sha256", self.from_sha256)
        check_digest("sha256", self.sha256)
        check_whole("size", self.size, 1, BLOB_LIMIT_BYTES)


@dataclass(frozen=True, slots=True)
class Blob:
    """One file of the catalogue directory, and the shorter ways to it."""

    name: str  # of the file within the generation
    sha256: str
    size: int  # bytes
    patches: tuple[Patch, ...] = ()

    def __post_init__(self) -> None:
        check_file_name("name", self.name)
        check_digest("sha256", self.sha256)
        check_whole("size", self.size, 1, BLOB_LIMIT_BYTES)
        if len(self.patches) > PATCHES_LIMIT:
            raise ValueError(f"patches: expected at most {PATCHES_LIMIT}, found {len(self.patches)}")
        sources = [patch.from_sha256 for patch in self.patches]
        if self.sha256 in sources or len(set(sources)) < len(sources):
            raise ValueError("patches: expected each from another file than this one, found one twice")


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """A catalogue as a channel gives it to its devices."""

    channel: str
    number: int  # counts up within the channel, never down
    release: str  # id of the catalogue, see core/manifest.py
    created_utc: float  # s, Unix: when it was published
    fingerprint: str  # of the model that made the vectors
    dimension: int
    rollout_percent: int  # share of the devices that take it
    blobs: tuple[Blob, ...]
    carries_model: bool = False  # devices that hold another model take it with the release

    def __post_init__(self) -> None:
        check_channel("channel", self.channel)
        check_whole("number", self.number, 1)
        if not _RELEASE_ID.fullmatch(self.release):
            raise ValueError(f"release: expected 16 lower-case hex digits, found {quoted(self.release)}")
        if not isfinite(self.created_utc) or self.created_utc < 0:
            raise ValueError(f"created_utc: expected Unix seconds, found {self.created_utc}")
        if not 0 < len(self.fingerprint) <= _TEXT_LIMIT:
            raise ValueError(f"fingerprint: expected a text, found {quoted(self.fingerprint)}")
        check_whole("dimension", self.dimension, 1, 1 << 16)
        check_whole("rollout_percent", self.rollout_percent, 0, 100)
        if len(self.blobs) > BLOBS_LIMIT:
            raise ValueError(f"blobs: expected at most {BLOBS_LIMIT}, found {len(self.blobs)}")
        names = [blob.name for blob in self.blobs]
        if len({name.lower() for name in names}) < len(names):
            raise ValueError("blobs: expected each name once, found one twice")
        if MANIFEST_NAME not in names:
            raise ValueError(
                f"blobs: expected {MANIFEST_NAME} among them, found {', '.join(names) or 'none'}"
            )

    @property
    def size(self) -> int:
        """Bytes of the catalogue directory."""
        return sum(blob.size for blob in self.blobs)


@dataclass(frozen=True, slots=True)
class Fetch:
    """One blob to come by: through a patch of a file that is held, or in full."""

    blob: Blob
    patch: Patch | None

    @property
    def sha256(self) -> str:
        """Digest of what is fetched."""
        return self.patch.sha256 if self.patch else self.blob.sha256

    @property
    def size(self) -> int:
        """Bytes of what is fetched."""
        return self.patch.size if self.patch else self.blob.size


def check_channel(field: str, channel: str) -> None:
    """Refuse what is not the name of a channel: `default`, `stores/berlin-12`.

    Raises:
        ValueError: it is not.
    """
    if not _CHANNEL.fullmatch(channel) or RELEASE_NAME in channel.split("/"):
        raise ValueError(
            f"{field}: expected up to four names of a-z, 0-9, '.', '_' and '-' with '/' between them, "
            f"found {quoted(channel)}"
        )


def target_of(channel: str) -> str:
    """The name under which the release of a channel is signed: `default/release.json`."""
    return f"{channel}/{RELEASE_NAME}"


def dump_release(release: Release) -> bytes:
    """The bytes of `release.json`: `parse_release(dump_release(r), …) == r`."""
    document = {"schema": RELEASE_SCHEMA} | asdict(release)
    # Without spaces: every device fetches it with every release, and its patches may be all else there is.
    return json.dumps(document, separators=(",", ":"), allow_nan=False).encode()


def parse_release(data: bytes, name: str) -> Release:
    """Read a release; `name` says where it comes from, for errors.

    Raises:
        VerifyError: one line with the file, the field, what was expected and what was found.
    """
    try:
        return _release_of(parse_object(data, RELEASE_LIMIT_BYTES))
    except ValueError as error:
        raise VerifyError(f"{name}: {error}") from None


def refuse(
    release: Release, *, channel: str, held_number: int, fingerprint: str, models: bool = True
) -> None:
    """Refuse what is not for this device.

    `held_number` is the highest number ever taken from the channel, 0 for none. `fingerprint` is of the
    device's own model, `models` whether it takes another one from a release.

    Raises:
        VerifyError: it is of another channel, older than what is held, or made with a model that the device
            does not have and does not get.
    """
    if release.channel != channel:
        raise VerifyError(f"release: channel: expected {channel}, found {release.channel}")
    if release.number < held_number:
        raise VerifyError(
            f"release of {channel}: number: expected {held_number} or more, found {release.number}: "
            "it is older than what this device had"
        )
    if release.fingerprint == fingerprint or (release.carries_model and models):
        return
    why = "" if not release.carries_model else ": it brings that model, which sync.models forbids"
    raise VerifyError(
        f"release {release.number} of {channel}: expected vectors of the model of fingerprint "
        f"{quoted(fingerprint)}, found {quoted(release.fingerprint)}{why}"
    )


def admitted(release: Release, device_id: str) -> bool:
    """Whether the rollout has come to this device.

    A device keeps its place in the queue: whoever is among the first 5 percent is so for every release, and
    stays admitted when the share grows.
    """
    digest = hashlib.sha256(f"rollout\n{device_id}".encode()).digest()
    place = int.from_bytes(digest[:8], "big") * 100 >> 64  # 0 to 99, evenly
    return place < release.rollout_percent


def plan(release: Release, held: AbstractSet[str]) -> tuple[Fetch, ...]:
    """What a device fetches that has files of the digests `held`: for each missing blob the least bytes.

    Blobs that are held are left out, and so is the second of two with the same content.
    """
    fetches: dict[str, Fetch] = {}
    for blob in release.blobs:
        if blob.sha256 in held or blob.sha256 in fetches:
            continue
        usable = [patch for patch in blob.patches if patch.from_sha256 in held and patch.size < blob.size]
        best = min(usable, key=lambda patch: (patch.size, patch.sha256), default=None)
        fetches[blob.sha256] = Fetch(blob, best)
    return tuple(fetches.values())


def _release_of(document: dict[str, Any]) -> Release:
    check_schema(document, RELEASE_SCHEMA)
    top = typed_fields("", document, _TOP)
    del top["schema"]
    blobs = []
    for where, value in objects("blobs", top["blobs"], BLOBS_LIMIT):
        inner = typed_fields(where, value, _BLOB)
        patches = objects(f"{where}.patches", inner["patches"], PATCHES_LIMIT)
        inner["patches"] = tuple(record(place, Patch, patch) for place, patch in patches)
        blobs.append(_blob(where, inner))
    top["blobs"] = tuple(blobs)
    return Release(**top)


def _blob(where: str, inner: dict[str, Any]) -> Blob:
    try:
        return Blob(**inner)
    except ValueError as error:
        raise ValueError(f"{where}.{error}") from None


_TOP = {
    "schema": "int",
    "channel": "str",
    "number": "int",
    "release": "str",
    "created_utc": "float",
    "fingerprint": "str",
    "dimension": "int",
    "rollout_percent": "int",
    "blobs": "list",
    "carries_model": "bool",
}
_BLOB = {"name": "str", "sha256": "str", "size": "int", "patches": "list"}
