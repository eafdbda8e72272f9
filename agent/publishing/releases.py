"""The releases that lie in a repository, and the lock of whoever writes to it."""

from __future__ import annotations

import fcntl
import os
import re
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from tuf.api.exceptions import LengthOrHashMismatchError

from agent.core.errors import DeviceError, InputError, VerifyError, quoted
from agent.core.release import RELEASE_LIMIT_BYTES, Release, parse_release, target_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from agent.publishing.signing import Held

RELEASE_FILE = re.compile(r"[0-9a-f]{64}\.release\.json", re.ASCII)


def current_release(dest: Path, held: Held, channel: str) -> Release | None:
    """The release that is signed for the channel, None for a channel that is new."""
    target = held.targets.get(target_of(channel))
    if target is None:
        return None
    path = release_path(dest, channel, target.hashes["sha256"])
    try:
        data = path.read_bytes()
        target.verify_length_and_hashes(data)
        return parse_release(data, str(path))
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None
    except (LengthOrHashMismatchError, VerifyError) as error:
        raise InputError(
            f"{path}: expected the release that was signed, found {quoted(str(error))}"
        ) from None


def earlier_releases(dest: Path, channel: str) -> list[Release]:
    """Every release that the channel had, newest first; what cannot be read is left out.

    It decides which patches are made, which verify or do not, and which number comes next. So it may hold
    one that was never signed, because the power went.
    """
    found = []
    for path in (dest / "targets" / channel).glob("*"):
        if RELEASE_FILE.fullmatch(path.name):
            with suppress(OSError, VerifyError):
                found.append(parse_release(path.read_bytes()[: RELEASE_LIMIT_BYTES + 1], str(path)))
    found = [release for release in found if release.channel == channel]
    return sorted(found, key=lambda release: release.number, reverse=True)


def release_path(dest: Path, channel: str, sha256: str) -> Path:
    """Where a release of a channel lies whose bytes have this digest."""
    folder, _, name = target_of(channel).rpartition("/")
    return dest / "targets" / folder / f"{sha256}.{name}"


@contextmanager
def repository_place(dest: Path, channel: str = "") -> Iterator[None]:
    """Hold the repository for writing, with folders for `channel`; leftovers of a broken publication go.

    The lock goes with its descriptor, even by a kill.
    """
    try:
        for folder in ("blobs", "metadata", f"targets/{channel}".rstrip("/")):
            (dest / folder).mkdir(parents=True, exist_ok=True)
        held = os.open(dest, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            for leftover in (dest / "blobs").glob(".*.partial"):
                leftover.unlink()
            yield
        finally:
            os.close(held)
    except BlockingIOError:
        raise InputError(f"{dest}: another publication is writing to it") from None
    except OSError as error:
        raise DeviceError(f"{error.filename or dest}: cannot be published: {error.strerror}") from None
