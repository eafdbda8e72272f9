"""The signed side of a repository: what was signed there so far, and how more is signed.

    metadata/<n>.root.json  <n>.targets.json  <n>.snapshot.json   never change once written
    metadata/timestamp.json                                       names the newest; written last

Consistent snapshots are on: a copy to a static host takes its files in any order and a cache keeps them as
long as it likes, and yet whoever reads sees the old state or the new one, never a mixture.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from tuf.api.exceptions import RepositoryError, UnsignedMetadataError
from tuf.api.metadata import Metadata, MetaFile, Snapshot, TargetFile, Targets, Timestamp

from agent.adapters.durable import write_whole
from agent.core.errors import InputError, quoted

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tuf.api.metadata import Signer

    from agent.publishing.keys import KeyRing

LIFETIME: Final = timedelta(days=731)
"""Two years: what is signed must outlive a store that is closed, and a head office on holiday."""

RENEWED_AFTER: Final = LIFETIME / 2
"""A publication that changes nothing signs again when less than this is left."""

_LIMIT_BYTES: Final = 8_000_000  # of one file of metadata: 30,000 channels
_NAMES: Final = {Targets: "targets", Snapshot: "snapshot", Timestamp: "timestamp"}


@dataclass(frozen=True, slots=True)
class Held:
    """What a repository says already. Empty for one that is new."""

    targets: Mapping[str, TargetFile] = field(default_factory=dict)
    targets_version: int = 0
    snapshot_version: int = 0
    timestamp_version: int = 0
    expires: datetime | None = None  # the earliest of all
    root_version: int = 0  # the newest root that devices can find there
    cosigner: str | None = None  # id of the key that devices expect there, when another has taken its place
    by_newest: bool = False  # the online key of the newest root signed it all
    dropped: tuple[str, ...] = ()  # targets that only a revoked key vouches for


def read_held(metadata: Path, ring: KeyRing) -> Held:
    """Verify what a repository says; nothing is signed again that these keys did not sign before.

    Where only a key vouches that was revoked meanwhile, its targets are `dropped`; versions count on.

    Raises:
        InputError: the repository is damaged, or signed by other keys.
    """
    root_version = _root_version(metadata, ring)
    if not (metadata / "timestamp.json").exists():
        return Held(root_version=root_version)
    timestamp = _read(metadata / "timestamp.json", Timestamp)
    snapshot = _read(metadata / f"{timestamp.signed.snapshot_meta.version}.snapshot.json", Snapshot)
    meta = snapshot.signed.meta.get("targets.json")
    targets = _read(metadata / f"{meta.version if meta else 0}.targets.json", Targets)
    signed: tuple[Metadata[Any], ...] = (timestamp, snapshot, targets)
    signer = _signer_of(metadata, ring, signed)
    newest = ring.key_of("online")
    vouched = signer == newest or ring.has("online", signer)
    shown = ring.key_of("online", ring.roots[root_version - 1].signed) if root_version else newest
    return Held(
        targets=dict(targets.signed.targets) if vouched else {},
        targets_version=targets.signed.version,
        snapshot_version=snapshot.signed.version,
        timestamp_version=timestamp.signed.version,
        expires=min(one.signed.expires for one in signed),
        root_version=root_version,
        cosigner=shown if shown != newest and ring.has("online", shown) else None,
        by_newest=signer == newest,
        dropped=() if vouched else tuple(sorted(targets.signed.targets)),
    )


def needs_signing(held: Held, ring: KeyRing, now_utc: float) -> bool:
    """Whether what is held must be signed again although nothing in it changes."""
    left = held.expires - _moment(now_utc) if held.expires else timedelta()
    return (
        left < RENEWED_AFTER or held.root_version < ring.root.version or bool(held.cosigner or held.dropped)
    )


def sign(
    metadata: Path,
    held: Held,
    targets: Mapping[str, TargetFile],
    ring: KeyRing,
    signers: list[Signer],
    now_utc: float,
) -> None:
    """Make these targets what the repository says; at once, with the last file that is written.

    With the old key among the `signers` the timestamp holds under the old root and the new one, so it goes
    before the new root. Without, no order spares the devices that ask in between an error; they ask again.

    Raises:
        DeviceError: the disk failed or is full.
    """
    expires = _moment(now_utc) + LIFETIME
    of_targets = Targets(version=held.targets_version + 1, expires=expires, targets=dict(targets))
    of_snapshot = Snapshot(
        version=held.snapshot_version + 1,
        expires=expires,
        meta={"targets.json": MetaFile(version=of_targets.version)},
    )
    of_timestamp = Timestamp(
        version=held.timestamp_version + 1,
        expires=expires,
        snapshot_meta=MetaFile(version=of_snapshot.version),
    )
    _write(metadata / f"{of_targets.version}.targets.json", of_targets, signers)
    _write(metadata / f"{of_snapshot.version}.snapshot.json", of_snapshot, signers)
    if not held.cosigner:
        _write_roots(metadata, held, ring)
    _write(metadata / "timestamp.json", of_timestamp, signers)
    if held.cosigner:
        _write_roots(metadata, held, ring)


def _write_roots(metadata: Path, held: Held, ring: KeyRing) -> None:
    for root in ring.roots[held.root_version :]:
        write_whole(metadata / f"{root.signed.version}.root.json", root.to_bytes())


def _write(path: Path, signed: Targets | Snapshot | Timestamp, signers: list[Signer]) -> None:
    metadata: Metadata[Any] = Metadata(signed)
    for signer in signers:
        metadata.sign(signer, append=True)
    write_whole(path, metadata.to_bytes())


def _root_version(metadata: Path, ring: KeyRing) -> int:
    """The newest root there; all of them must be those of the keys."""
    version = 0
    while (path := metadata / f"{version + 1}.root.json").exists():
        if version == len(ring.roots):
            raise InputError(
                f"{path}: expected at most root {version}, the newest of {ring.folder}, found a newer one: "
                "these are old keys"
            )
        if _bytes(path) != ring.roots[version].to_bytes():
            raise InputError(f"{path}: expected the root of {ring.folder}, found another one")
        version += 1
    return version


def _signer_of(metadata: Path, ring: KeyRing, signed: tuple[Metadata[Any], ...]) -> str:
    """The id of the online key that signed all of these: of the newest root that can be satisfied."""
    for root in reversed(ring.roots):
        try:
            for one in signed:
                root.signed.verify_delegate(one.signed.type, one.signed_bytes, one.signatures)
        except UnsignedMetadataError:
            continue
        return ring.key_of("online", root.signed)
    raise InputError(
        f"{metadata}: expected metadata signed by the keys of {ring.folder}, found other signatures"
    )


def _read(path: Path, kind: Any) -> Metadata[Any]:
    try:
        metadata: Metadata[Any] = Metadata.from_bytes(_bytes(path))
    except (RepositoryError, ValueError, TypeError) as error:
        raise InputError(f"{path}: expected metadata, found {quoted(str(error))}") from None
    if not isinstance(metadata.signed, kind):
        raise InputError(f"{path}: expected {_NAMES[kind]}, found {quoted(metadata.signed.type)}")
    return metadata


def _bytes(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(_LIMIT_BYTES)
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None


def _moment(now_utc: float) -> datetime:
    return datetime.fromtimestamp(int(now_utc), UTC)
