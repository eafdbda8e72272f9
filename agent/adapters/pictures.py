"""A folder of JPEGs, each under the name that its content gives it: `<sha256>.jpg`."""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING, Final

from agent.adapters.durable import flush, make_folder
from agent.adapters.images import read_bytes
from agent.core.errors import DeviceError, InputError

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

PICTURE_LIMIT_BYTES: Final = 4 << 20
"""A JPEG of 1,024 pixels a side has 100 to 300 KB; this bounds what is read of a wrong file."""


class Pictures:
    """Whoever changes it sees to it that nobody else does at that moment."""

    def __init__(self, folder: Path) -> None:
        """Make the folder where it is missing.

        Raises:
            DeviceError: it cannot be made.
        """
        self._folder = folder
        make_folder(folder)

    def put(self, data: bytes) -> None:
        """Keep a picture; it is whole on the disk at return.

        Under its last name from the start: half of it would be told by its digest, and a renaming would be
        one more entry in the journal of the disk, a third of what enrolling costs.

        Raises:
            DeviceError: the disk failed or is full.
        """
        path = self.path(digest_of(data))
        try:
            whole = path.exists() and path.read_bytes() == data  # of another product: not to be touched
            with path.open("r+b" if whole else "wb") as file:
                if not whole:
                    file.write(data)
                    file.flush()
                os.fsync(file.fileno())
            flush(self._folder)
        except OSError as error:
            raise DeviceError(f"{path}: cannot be written: {error.strerror}") from None

    def get(self, sha256: str) -> bytes:
        """The picture with this digest.

        Raises:
            InputError: it is missing or damaged.
        """
        path = self.path(sha256)
        data = read_bytes(path, PICTURE_LIMIT_BYTES)
        if digest_of(data) != sha256:
            raise InputError(f"{path}: expected sha256 {sha256[:16]}…, found another: the picture is damaged")
        return data

    def keep_only(self, wanted: Collection[str]) -> None:
        """Remove all but those with these digests. Raises DeviceError."""
        try:
            for path in self._folder.iterdir():
                if path.stem not in wanted:
                    path.unlink(missing_ok=True)
        except OSError as error:
            raise DeviceError(f"{self._folder}: cannot be tidied: {error.strerror}") from None

    def path(self, sha256: str) -> Path:
        """Where the picture with this digest is, or would be."""
        return self._folder / f"{sha256}.jpg"


def digest_of(data: bytes) -> str:
    """Its sha256, 64 lower-case hex digits."""
    return hashlib.sha256(data).hexdigest()
