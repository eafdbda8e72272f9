"""A catalogue directory becomes the release of a channel, in a directory that any static host can serve.

    blobs/<sha256>                            files of catalogues, and patches between them; never change
    targets/<channel>/<sha256>.release.json   every release of the channel so far
    targets/<channel>/release.json            the newest, for people to look at
    metadata/…                                what is signed, see publishing/signing.py

Blobs come first, then the release, then what is signed, and last the one small file that names it: until that
moment, and whenever the power goes, devices see the release that was there.
"""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from tuf.api.metadata import TargetFile

from agent.adapters import durable
from agent.adapters.catalogue import open_catalogue, read_manifest
from agent.core.errors import InputError
from agent.core.json_fields import check_whole
from agent.core.manifest import MANIFEST_NAME, FileEntry, dump_manifest
from agent.core.release import (
    Blob,
    Patch,
    Release,
    check_channel,
    dump_release,
    target_of,
)
from agent.publishing.patches import PATCHED_FROM_BYTES, write_patch
from agent.publishing.prune import GRACE_S, Pruned, prune_held
from agent.publishing.releases import current_release, earlier_releases, release_path, repository_place
from agent.publishing.signing import needs_signing, read_held, sign

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tuf.api.metadata import Signer

    from agent.core.manifest import Manifest
    from agent.publishing.keys import KeyRing

    Progress = Callable[[int, int], None]

PATCHED_RELEASES: Final = 5
"""Patches lead from so many releases: a device that was away for longer fetches the whole file once."""

_DIGEST_IN_NAME = re.compile(r"-[0-9a-f]{16}(?=\.)")


@dataclass(frozen=True, slots=True)
class Published:
    """What came of it."""

    release: Release
    new: bool  # the number was not there before
    added_bytes: int  # written to blobs/
    dropped: tuple[str, ...]  # channels to publish again: only a revoked key vouched for them
    root_expires_utc: float
    pruned: Pruned | None = None  # what was removed, when something was to be


def publish(
    catalogue: Path,
    dest: Path,
    ring: KeyRing,
    *,
    channel: str,
    now_utc: float,
    rollout_percent: int = 100,
    passphrase: bytes | None = None,
    keep: int | None = None,
    grace_s: float = GRACE_S,
    progress: Progress | None = None,
) -> Published:
    """Make a catalogue directory the release of `channel` in the repository `dest`.

    The same catalogue again is the same release: its number stays, its rollout may change. With `keep` the
    repository is pruned afterwards, see `publishing/prune.py`; without it nothing is ever removed.
    `progress(done, total)` counts files and patches.

    Raises:
        ValueError: the channel, the rollout or the number to keep is not one.
        CatalogueError: the catalogue does not open.
        ConfigError: a key cannot be used.
        InputError: `dest` is damaged or signed by other keys, or another publication is writing to it.
        DeviceError: the disk failed or is full.
    """
    check_channel("channel", channel)
    check_whole("rollout", rollout_percent, 0, 100)
    if keep is not None:
        check_whole("keep", keep, 1)
    manifest = read_manifest(catalogue)
    open_catalogue(catalogue, manifest.model.fingerprint, manifest.model.dimension).close()
    files = _files(catalogue, manifest)
    with repository_place(dest, channel):
        held = read_held(dest / "metadata", ring)
        signers: list[Signer] = [ring.signer("online", ring.key_of("online"), passphrase)]
        if held.cosigner:
            signers.append(ring.signer("online", held.cosigner, passphrase))
        dropped = {name.rpartition("/")[0] for name in held.dropped} - {channel}
        current = current_release(dest, held, channel)
        if current is not None and current.release == manifest.release:
            release = replace(current, rollout_percent=rollout_percent)
            wanted = {blob.sha256 for blob in release.blobs}
            added = sum(_put(dest, source, entry) for source, entry in files if entry.sha256 in wanted)
        else:
            history = earlier_releases(dest, channel)
            added = sum(_put(dest, source, entry) for source, entry in files)
            blobs, patched = _with_patches(dest, [entry for _, entry in files], history, progress)
            added += patched
            release = Release(
                channel=channel,
                number=max((one.number for one in history), default=0) + 1,
                release=manifest.release,
                created_utc=now_utc,
                fingerprint=manifest.model.fingerprint,
                dimension=manifest.model.dimension,
                rollout_percent=rollout_percent,
                blobs=blobs,
                carries_model=manifest.model_file is not None,
            )
        targets = dict(held.targets)
        targets[target_of(channel)] = _put_release(dest, release)
        if targets != held.targets or needs_signing(held, ring, now_utc):
            sign(dest / "metadata", held, targets, ring, signers, now_utc)
        _write(dest / "targets" / target_of(channel), dump_release(release))
        pruned = None
        if keep:
            held = read_held(dest / "metadata", ring)
            pruned = prune_held(dest, held, keep=keep, now_utc=now_utc, grace_s=grace_s)
    new = current is None or current.number < release.number
    return Published(release, new, added, tuple(sorted(dropped)), ring.root.expires.timestamp(), pruned)


def _files(catalogue: Path, manifest: Manifest) -> list[tuple[Path, FileEntry]]:
    """Every file of the directory: those that the manifest names, and the manifest."""
    entries = list(manifest.entries.values())
    path = catalogue / MANIFEST_NAME
    data = dump_manifest(manifest)
    entries.append(FileEntry(MANIFEST_NAME, hashlib.sha256(data).hexdigest(), len(data)))
    return [(path.with_name(entry.path), entry) for entry in entries]


def _with_patches(
    dest: Path, entries: list[FileEntry], history: list[Release], progress: Progress | None
) -> tuple[tuple[Blob, ...], int]:
    """The blobs of these files with patches from the last releases, and how many bytes the patches take."""
    numbers = sorted({release.number for release in history}, reverse=True)[:PATCHED_RELEASES]
    older = [blob for release in history if release.number in numbers for blob in release.blobs]
    work = [(entry, _sources(dest, entry, older)) for entry in entries]
    total, done, added = sum(len(sources) for _, sources in work), 0, 0
    blobs = []
    for entry, sources in work:
        patches = []
        for source in sources:
            patch = _put_patch(dest, source, entry)
            if patch is not None:
                patches.append(patch)
                added += patch.size
            done += 1
            if progress is not None:
                progress(done, total)
        blobs.append(Blob(entry.path, entry.sha256, entry.size, tuple(patches)))
    return tuple(blobs), added


def _sources(dest: Path, entry: FileEntry, older: list[Blob]) -> list[str]:
    """Digests of the earlier files of the same kind, newest first, that are still there."""
    if entry.size <= PATCHED_FROM_BYTES:
        return []
    same = [blob.sha256 for blob in older if _kind(blob.name) == _kind(entry.path)]
    return [
        sha256
        for sha256 in dict.fromkeys(same)
        if sha256 != entry.sha256 and (dest / "blobs" / sha256).is_file()
    ]


def _kind(name: str) -> str:
    """`index-0123456789abcdef.usearch` → `index.usearch`."""
    return _DIGEST_IN_NAME.sub("", name)


def _put_patch(dest: Path, source: str, entry: FileEntry) -> Patch | None:
    temporary = dest / "blobs" / f".{entry.sha256}.partial"
    worth = write_patch(dest / "blobs" / source, dest / "blobs" / entry.sha256, temporary, entry.size // 2)
    if not worth:
        return None
    with temporary.open("rb") as file:
        os.fsync(file.fileno())
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        size = os.fstat(file.fileno()).st_size
    durable.replace(temporary, dest / "blobs" / sha256)
    return Patch(source, sha256, size)


def _put(dest: Path, source: Path, entry: FileEntry) -> int:
    """Copy a file to its blob, unless it is there; how many bytes were written."""
    final = dest / "blobs" / entry.sha256
    if final.is_file() and final.stat().st_size == entry.size:
        return 0
    temporary = final.with_name(f".{entry.sha256}.partial")
    digest = hashlib.sha256()
    with source.open("rb") as before, temporary.open("wb") as after:
        while chunk := before.read(1 << 20):
            digest.update(chunk)
            after.write(chunk)
        after.flush()
        os.fsync(after.fileno())
    if digest.hexdigest() != entry.sha256:
        raise InputError(f"{source}: expected the file that was verified, found another: it was replaced")
    durable.replace(temporary, final)
    return entry.size


def _put_release(dest: Path, release: Release) -> TargetFile:
    data = dump_release(release)
    target = TargetFile.from_data(target_of(release.channel), data, ["sha256"])
    _write(release_path(dest, release.channel, target.hashes["sha256"]), data)
    return target


def _write(path: Path, data: bytes) -> None:
    if not (path.is_file() and path.read_bytes() == data):
        durable.write_whole(path, data)
