"""The file that says which generation is in use, and what the generations say where it is damaged."""

from __future__ import annotations

import hashlib
import json
import zlib
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

from agent.adapters.durable import open_verified, write_whole
from agent.core.errors import CatalogueError, VerifyError
from agent.core.manifest import FileEntry
from agent.core.release import parse_release
from agent.core.syncing import Generation

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from agent.core.release import Blob, Release
    from agent.core.syncing import Notes

SIGNED_NAME: Final = ".release.json"
"""What head office signed, in the folder of each generation; no blob may have such a name."""

Pointer = tuple[Generation | None, Generation | None]
"""The generation in use, and the one before."""


def read_pointer(path: Path) -> Pointer:
    """What the file says; twice None where there is none.

    Raises:
        ValueError: it is damaged, or cannot be read.
    """
    try:
        document: Any = json.loads(path.read_bytes())
        if document.pop("check") != _check(document):
            raise ValueError("its check does not match")
        previous = document["previous"]
        return Generation(**document["current"]), Generation(**previous) if previous else None
    except FileNotFoundError:
        return None, None
    except (OSError, AttributeError, TypeError, KeyError, RecursionError) as error:
        raise ValueError(str(error)) from None


def write_pointer(path: Path, current: Generation, previous: Generation | None) -> None:
    """Make the file say this, at once. Raises DeviceError when the disk refuses."""
    document = {"current": asdict(current), "previous": asdict(previous) if previous else None}
    write_whole(path, json.dumps({**document, "check": _check(document)}, indent=1).encode())


def _check(document: Any) -> str:
    """A flipped bit may make another number of one, which nothing else would tell."""
    return f"{zlib.crc32(json.dumps(document, sort_keys=True).encode()):08x}"


def found(folder: Path, notes: Notes) -> list[tuple[Generation, Release]]:
    """Those in the folder of generations, newest first, but for what was rolled back or refused.

    A generation has its name once it is whole; whether it still is, `is_whole` says.
    """
    those = []
    for path in folder.glob(f"*/{SIGNED_NAME}"):
        try:
            signed = path.read_bytes()
            release = parse_release(signed, str(path))
            digest = hashlib.sha256(signed).hexdigest()
            generation = Generation(
                path.parent.name, release.channel, release.number, release.release, digest
            )
        except (OSError, ValueError, VerifyError):
            continue
        refused = any(key.startswith(digest[:32]) for key, why in notes.refused.items() if why.final)
        if not refused and notes.rolled_back.get(release.channel) != release.number:
            those.append((generation, release))
    return sorted(those, key=lambda each: (each[1].created_utc, each[1].number), reverse=True)


def is_whole(folder: Path, blobs: Sequence[Blob]) -> bool:
    """Whether all these files are in the folder, and are what they were."""
    for blob in blobs:
        try:
            open_verified(folder / blob.name, FileEntry(blob.name, blob.sha256, blob.size)).close()
        except CatalogueError:
            return False
    return True


def newest_whole(
    pointer: Path, folder: Path, notes: Notes
) -> tuple[Generation, Generation | None, str] | None:
    """Where the file is damaged: what it is to say instead, and a sentence for the operator. None where it is
    not, or where no generation is whole.
    """
    try:
        read_pointer(pointer)
    except ValueError as error:
        damage = str(error)
    else:
        return None
    whole = [each for each, release in found(folder, notes) if is_whole(folder / each.name, release.blobs)]
    if not whole:
        return None
    why = f"{pointer}: damaged ({damage}): release {whole[0].number}, the newest that is whole, is used"
    return whole[0], whole[1] if len(whole) > 1 else None, why
