"""The directory a catalogue is written to: one build at a time, nothing foreign touched, no leftovers."""

from __future__ import annotations

import fcntl
import os
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING

from agent.adapters.catalogue import read_manifest
from agent.core.errors import CatalogueError, DeviceError, InputError, quoted
from agent.core.manifest import MANIFEST_NAME

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_STEMS = "index|products|projection|probes|thumbnails|features|planograms|words|model|spec"
_OURS = re.compile(
    rf"({_STEMS})-[0-9a-f]{{16}}\.[a-z]{{1,8}}|\.({_STEMS}|manifest\.json)(\.compact)?\.partial"
)


@contextmanager
def catalogue_place(out: Path) -> Iterator[None]:
    """Hold `out` for writing a catalogue into it.

    Files of a catalogue get names that their content gives them, and the manifest that names them is replaced
    last and at once: until then, and for whoever has it open, the catalogue that was there stays whole.
    Afterwards whatever no manifest names is removed.

    Raises:
        InputError: the directory is there and is no catalogue, or another build is writing to it.
        DeviceError: it cannot be made or written to.
    """
    held = _held(out)
    try:
        _refuse_foreign(out)
        try:
            yield
        finally:
            _sweep(out)
    finally:
        os.close(held)


def _held(out: Path) -> int:
    """Make the directory and lock it; the lock goes with the descriptor, even by a kill."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        held = os.open(out, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise DeviceError(f"{out}: cannot be made: {error.strerror}") from None
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(held)
        if isinstance(error, BlockingIOError):
            raise InputError(f"{out}: another build is writing to it") from None
        raise DeviceError(f"{out}: cannot be locked: {error.strerror}") from None
    return held


def _refuse_foreign(out: Path) -> None:
    """Only a directory that is empty, or a catalogue (be it damaged or half built), is written to."""
    names = {path.name for path in out.iterdir()}
    ours = {name for name in names if _is_ours(name)}
    if not names or (ours and names - ours <= {MANIFEST_NAME}):
        return
    try:
        read_manifest(out)
    except CatalogueError:
        foreign = min(names - ours)
        raise InputError(
            f"{out}: expected a catalogue or an empty directory, found other things such as {quoted(foreign)}"
        ) from None


def _sweep(out: Path) -> None:
    """Remove our files that the manifest does not name: those of the last catalogue, or of a failed build."""
    named = set()
    try:
        named = {entry.path for entry in read_manifest(out).entries.values()}
    except CatalogueError:
        if (out / MANIFEST_NAME).exists():
            return  # damaged, or of another version: what it names is not for us to say
    try:
        for path in out.iterdir():
            if _is_ours(path.name) and path.name not in named:
                path.unlink()
    except OSError as error:
        raise DeviceError(f"{error.filename}: cannot be removed: {error.strerror}") from None


def _is_ours(name: str) -> bool:
    return _OURS.fullmatch(name) is not None
