"""Files that are complete or absent, and are what their digest says, whatever happens to the power.

A file is written under a temporary name, flushed to the disk, read back for its digest, and then renamed.
"""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING

from agent.core.errors import CatalogueError, DeviceError
from agent.core.manifest import FileEntry

if TYPE_CHECKING:
    from pathlib import Path
    from typing import BinaryIO

_SHOWN = 16  # hex digits of a digest in a message: enough to tell two apart


def open_verified(path: Path, entry: FileEntry) -> BinaryIO:
    """Open a file after all of it was compared with its size and digest; the caller closes it.

    What is read or mapped from the result is the file that was verified, even when its name has been given to
    another one meanwhile.

    Raises:
        CatalogueError: it is missing, cannot be read, or is not what `entry` says.
    """
    try:
        file = path.open("rb")
        try:
            size = os.fstat(file.fileno()).st_size
            digest = hashlib.file_digest(file, "sha256").hexdigest() if size == entry.size else ""
        except BaseException:
            file.close()
            raise
    except OSError as error:
        raise CatalogueError(f"{path}: cannot be read: {error.strerror}") from None
    if size == entry.size and digest == entry.sha256:
        file.seek(0)
        return file
    file.close()
    if size != entry.size:
        raise CatalogueError(f"{path}: expected {entry.size} bytes, found {size}: the file is damaged")
    raise CatalogueError(
        f"{path}: expected sha256 {entry.sha256[:_SHOWN]}…, found {digest[:_SHOWN]}…: the file is damaged"
    )


def settle(temporary: Path, stem: str, suffix: str) -> FileEntry:
    """Flush a finished file to the disk and rename it, in its folder, to a name that its content gives it.

    `settle(Path("out/.index.partial"), "index", ".usearch")` → `index-<16 hex digits>.usearch`

    Raises:
        DeviceError: the disk failed or is full.
    """
    try:
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
            size = os.fstat(file.fileno()).st_size
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        entry = FileEntry(f"{stem}-{digest[:_SHOWN]}{suffix}", digest, size)
        replace(temporary, temporary.with_name(entry.path))
    except OSError as error:
        raise DeviceError(f"{temporary}: cannot be written: {error.strerror}") from None
    return entry


def write_whole(path: Path, data: bytes, mode: int = 0o666) -> None:
    """Give `path` the content `data`, at once: whoever opens it sees the old content or the new.

    `mode`: who may read and write it, before the umask of this process.

    Raises:
        DeviceError: the disk failed or is full.
    """
    temporary = path.with_name(f".{path.name}.partial")
    try:
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        replace(temporary, path)
    except OSError as error:
        raise DeviceError(f"{path}: cannot be written: {error.strerror}") from None


def replace(temporary: Path, final: Path) -> None:
    """Rename within one folder and flush the folder.

    Raises:
        OSError: the disk failed.
    """
    temporary.replace(final)
    flush(final.parent)


def make_folder(folder: Path) -> None:
    """Make a folder, and those above it, where they are missing; it survives a power cut.

    Raises:
        DeviceError: the disk failed or is full, or something else is there.
    """
    try:
        if folder.is_dir():
            return
        if not folder.parent.is_dir():
            make_folder(folder.parent)
        folder.mkdir(exist_ok=True)
        flush(folder.parent)
    except OSError as error:
        raise DeviceError(f"{folder}: cannot be made: {error.strerror}") from None


def flush(path: Path) -> None:
    """Let what is in a file, or the names in a folder, survive a power cut.

    Raises:
        OSError: the disk failed.
    """
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
