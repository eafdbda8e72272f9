"""What a repository need not hold any longer: blobs of releases that are neither new nor lately left.

A release is held on to while it is signed, while it is among the last of its channel, and for a time of grace
after the next one took its place: a device may be in the middle of it, on a line that was cut. Blobs that no
such release needs go, and then the releases themselves. What was signed goes by the same grace, but for the
roots: a device that was away for years follows them one by one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from agent.core.errors import InputError, VerifyError, quoted
from agent.core.json_fields import check_whole
from agent.core.release import RELEASE_LIMIT_BYTES, parse_release
from agent.publishing.releases import RELEASE_FILE, release_path, repository_place
from agent.publishing.signing import read_held

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tuf.api.metadata import TargetFile

    from agent.core.release import Release
    from agent.publishing.keys import KeyRing
    from agent.publishing.signing import Held

_VERSION: Final = re.compile(r"([1-9][0-9]{0,15})\.[a-z]+\.json", re.ASCII)
_BLOB: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)

GRACE_S: Final = 7 * 86_400.0
"""A week: a device whose line broke on a Friday goes on with what it began when somebody looks on Monday."""


@dataclass(frozen=True, slots=True)
class Pruned:
    """What was removed."""

    releases: int
    blobs: int
    freed_bytes: int  # of the blobs
    metadata: int = 0  # files of what was signed before


def prune(dest: Path, ring: KeyRing, *, keep: int, now_utc: float, grace_s: float = GRACE_S) -> Pruned:
    """Remove what no release needs of the last `keep` of each channel, nor one left within the grace.

    Raises:
        ValueError: less than one release is to be kept.
        InputError: `dest` is no repository, damaged, signed by other keys, or a publication is writing to it.
            Nothing was removed.
        DeviceError: the disk failed.
    """
    check_whole("keep", keep, 1)
    if not (dest / "metadata" / "timestamp.json").is_file():
        raise InputError(f"{dest}: expected a directory made by `spotter catalog publish`, found none")
    with repository_place(dest):
        held = read_held(dest / "metadata", ring)
        return prune_held(dest, held, keep=keep, now_utc=now_utc, grace_s=grace_s)


def prune_held(dest: Path, held: Held, *, keep: int, now_utc: float, grace_s: float) -> Pruned:
    """The same within a publication, which holds the repository; `held` is what is signed.

    Raises:
        InputError: a release cannot be read, so what it needs is not known. Nothing was removed.
    """
    left_before = now_utc - grace_s
    targets_folder = dest / "targets"
    found = {path: _read(path, targets_folder) for path in _release_files(targets_folder)}
    lasting = {release_path(dest, *_named(name, target)) for name, target in held.targets.items()}
    for channel in {release.channel for release in found.values()}:
        lasting |= _lasting({p: r for p, r in found.items() if r.channel == channel}, keep, left_before)
    needed: set[str] = set()
    for path in lasting & found.keys():
        for blob in found[path].blobs:
            needed |= {blob.sha256, *(patch.sha256 for patch in blob.patches)}
    blobs = freed = 0
    for path in sorted((dest / "blobs").iterdir()):
        state = path.stat()
        lately = state.st_mtime > left_before  # somebody may be copying it in
        if _BLOB.fullmatch(path.name) and path.name not in needed and not lately:
            path.unlink()
            blobs += 1
            freed += state.st_size
    gone = found.keys() - lasting
    for path in gone:
        path.unlink()
    old = [
        *_left(dest / "metadata", "targets", held.targets_version, left_before),
        *_left(dest / "metadata", "snapshot", held.snapshot_version, left_before),
    ]
    for path in old:
        path.unlink()
    return Pruned(len(gone), blobs, freed, len(old))


def _left(metadata: Path, role: str, newest: int, left_before: float) -> list[Path]:
    """Versions of a role below the newest whose successor came before `left_before`."""
    names = {path: _VERSION.fullmatch(path.name) for path in metadata.glob(f"*.{role}.json")}
    versions = sorted((int(match[1]), path) for path, match in names.items() if match)
    return [
        path
        for (version, path), (_, successor) in pairwise(versions)
        if version < newest and successor.stat().st_mtime <= left_before
    ]


def _lasting(releases: Mapping[Path, Release], keep: int, left_before: float) -> set[Path]:
    """Of one channel: the last ones, and those whose successor came after `left_before`."""
    came: dict[int, float] = {}  # number → when it was published
    for release in releases.values():
        came[release.number] = min(release.created_utc, came.get(release.number, release.created_utc))
    numbers = sorted(came)
    left = dict(zip(numbers, [came[number] for number in numbers[1:]], strict=False))
    kept = set(numbers[-keep:]) | {number for number, utc in left.items() if utc > left_before}
    return {path for path, release in releases.items() if release.number in kept}


def _named(name: str, target: TargetFile) -> tuple[str, str]:
    """Channel and digest of a signed target."""
    return name.rpartition("/")[0], target.hashes["sha256"]


def _release_files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*.json") if RELEASE_FILE.fullmatch(path.name))


def _read(path: Path, folder: Path) -> Release:
    try:
        release = parse_release(path.read_bytes()[: RELEASE_LIMIT_BYTES + 1], str(path))
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None
    except VerifyError as error:
        raise InputError(f"{quoted(str(error))[1:-1]}: while it is there, nothing is removed") from None
    channel = path.parent.relative_to(folder).as_posix()
    if release.channel != channel:
        raise InputError(f"{path}: expected a release of {channel}, found one of {release.channel}")
    return release
