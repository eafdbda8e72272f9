"""The generations of the catalogue on this disk. Power may go at any instruction.

    generations/<number>/   a catalogue directory, and what head office signed for it
    current                 which of them is in use, and which was before: one small file, replaced at once
    sync.json               what is remembered whatever becomes of the others, see core/syncing.py
    incoming/<sha256>       blobs of the next generation; <sha256>.part is not whole yet
    incoming/generation/    the next generation, before it has its name
    sync.lock               held by the process that changes any of this

A generation is whole, verified and on the disk before it gets its name, and has its name before `current`
says it. Files are never written to once they have their name; two generations share what is equal.
"""

from __future__ import annotations

import hashlib
import logging
import os
import shutil
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final

from agent.adapters import generations
from agent.adapters.durable import flush, write_whole
from agent.adapters.system import Lock
from agent.core.errors import DeviceError
from agent.core.manifest import FileEntry
from agent.core.syncing import Notes, dump_notes, parse_notes

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence
    from pathlib import Path

    from agent.core.release import Blob, Patch
    from agent.core.syncing import Generation

log = logging.getLogger(__name__)

_NEXT: Final = "generation"
_SPARE_BYTES: Final = 16_000_000
"""Left free: the outbox and the journal need room too."""


class Library:
    """One state directory. Reading is for any process, changing for the one that is `alone`."""

    def __init__(self, state: Path) -> None:
        self._state = state
        self._generations = state / "generations"
        self._incoming = state / "incoming"
        self._complaint = ""

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Make the folders where they are missing, keep other processes from changing them, tidy up.

        Raises:
            DeviceError: another process is at it, or the disk failed.
        """
        with _disk(self._state):
            for folder in (self._state, self._generations, self._incoming):
                folder.mkdir(parents=True, exist_ok=True)
            try:
                lock = Lock(self._state / "sync.lock")
            except BlockingIOError:
                raise DeviceError(f"{self._state}: another process is syncing at this moment") from None
        try:
            with _disk(self._state):
                self._mend()
                self._tidy()
            yield
        finally:
            lock.release()

    def mend(self) -> None:
        """Where `current` is damaged, have it name the newest generation that is whole; the notes say so
        until a round ends well. Raises DeviceError, as `alone`.
        """
        if generations.newest_whole(self._state / "current", self._generations, self._written_notes()):
            with self.alone():
                pass

    def current(self) -> Generation | None:
        """The generation in use; None while there is none."""
        return self._pointer()[0]

    def previous(self) -> Generation | None:
        """The one before, for going back."""
        return self._pointer()[1]

    def folder(self, generation: Generation) -> Path:
        """Its catalogue directory."""
        return self._generations / generation.name

    def notes(self) -> Notes:
        """What is remembered; where the file is gone or damaged, what the generations tell."""
        notes = self._written_notes()
        for generation in self._pointer():
            if generation is not None and generation.number > notes.highest.get(generation.channel, 0):
                notes = notes.taken(generation, 0.0)
        return notes

    def _written_notes(self) -> Notes:
        try:
            return parse_notes((self._state / "sync.json").read_bytes())
        except (OSError, ValueError):
            return Notes()

    def remember(self, notes: Notes) -> None:
        """Raises DeviceError when the disk refuses."""
        write_whole(self._state / "sync.json", dump_notes(notes))

    def held(self) -> dict[str, Path]:
        """Digest → file, of all that need not be fetched: hashed now, so what is damaged is not among them.

        Raises:
            DeviceError: the disk failed.
        """
        found: dict[str, Path] = {}
        with _disk(self._state):
            for path in self._incoming.iterdir():
                if _is_digest(path.name):
                    if _digest(path) == path.name:
                        found[path.name] = path
                    else:
                        path.unlink()
            for path in self._generations.glob("*/*"):
                found.setdefault(_digest(path), path)
        return found

    def whole(self, generation: Generation, blobs: Sequence[Blob]) -> bool:
        """Whether all its files are on the disk, and are what they were."""
        return generations.is_whole(self.folder(generation), blobs)

    def forget_others(self, wanted: Collection[str]) -> None:
        """Remove incoming blobs, whole or not, that are not among these digests.

        Raises:
            DeviceError: the disk failed.
        """
        with _disk(self._incoming):
            for path in self._incoming.iterdir():
                if path.is_file() and path.name.removesuffix(".part") not in wanted:
                    path.unlink()

    def part(self, sha256: str) -> Path:
        """Where a blob is put while it comes."""
        return self._incoming / f"{sha256}.part"

    def keep(self, sha256: str) -> Path:
        """The part is whole and verified.

        Raises:
            DeviceError: the disk failed.
        """
        with _disk(self._incoming):
            return self.part(sha256).rename(self._incoming / sha256)

    def apply(self, old: Path, patch: Patch, blob: Blob) -> Path:
        """Make a blob of the file `old` and a patch that was kept.

        Raises:
            VerifyError: the patch is damaged, or what comes out is not the blob.
            DeviceError: the disk failed or is full.
        """
        part = self.part(blob.sha256)
        from agent.adapters.patching import apply_patch  # zstd, which most rounds do not need

        apply_patch(old, self._incoming / patch.sha256, part, FileEntry(blob.name, blob.sha256, blob.size))
        return self.keep(blob.sha256)

    def make_room(self, sizes: Mapping[str, int]) -> None:
        """Refuse to begin what will not fit. `sizes`: digest → bytes of what is to come.

        Raises:
            DeviceError: fewer bytes are free than it needs, and some to spare.
        """
        needed = sum(sizes.values())
        with _disk(self._state):
            for sha256 in sizes:
                with suppress(FileNotFoundError):
                    needed -= min(self.part(sha256).stat().st_size, sizes[sha256])
            stat = os.statvfs(self._state)
        free = stat.f_bavail * stat.f_frsize
        if free < needed + _SPARE_BYTES:
            raise DeviceError(
                f"{self._state}: expected {needed + _SPARE_BYTES:,} bytes free for the next release, "
                f"found {free:,}"
            )

    def assemble(self, blobs: Sequence[Blob], files: dict[str, Path], signed: bytes) -> Path:
        """Put a catalogue directory together from verified files (digest → path), all on the disk at return.

        Raises:
            DeviceError: the disk failed or is full.
        """
        folder = self._incoming / _NEXT
        with _disk(folder):
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            for blob in blobs:
                os.link(files[blob.sha256], folder / blob.name)
                flush(folder / blob.name)
            write_whole(folder / generations.SIGNED_NAME, signed)  # flushes the folder too
        return folder

    def activate(self, generation: Generation) -> None:
        """Give what was assembled its name and make it the one in use; that becomes the one before.

        Raises:
            DeviceError: the disk failed; what was in use still is, or the new one is.
        """
        folder = self.folder(generation)
        with _disk(folder):
            if folder.exists():  # of a round that ended right here, or rolled back
                shutil.rmtree(folder)
            (self._incoming / _NEXT).rename(folder)
            flush(self._generations)
        current, previous = self._pointer()
        again = current is not None and current.sha256 == generation.sha256  # the one in use was damaged
        generations.write_pointer(self._state / "current", generation, previous if again else current)
        with _disk(self._incoming):
            shutil.rmtree(self._incoming)
            self._incoming.mkdir()
            self._tidy()

    def roll_back(self) -> Generation:
        """Go back to the generation before; the one in use is not taken again.

        Raises:
            DeviceError: there is none before, or the disk failed.
        """
        current, previous = self._pointer()
        if current is None or previous is None:
            raise DeviceError(f"{self._state}: expected a generation before the current one, found none")
        self.remember(self.notes().rolling_back(current))
        generations.write_pointer(self._state / "current", previous, None)
        return previous

    def name_for(self, number: int, sha256: str) -> str:
        """A free one for the folder of a generation: its number, or more where another has that already.

        Numbers are the channel's, and a device may change its channel; and what is damaged is fetched again.
        """
        taken = {other.name for other in self._pointer() if other is not None}
        names = (str(number), f"{number}-{sha256[:8]}", f"{number}-{sha256[:8]}b")
        return next(name for name in names if name not in taken)

    def _pointer(self) -> generations.Pointer:
        """What `current` says; where it is damaged, the newest generations."""
        try:
            return generations.read_pointer(self._state / "current")
        except ValueError as error:
            # It is read once a second: the first time an error, then quietly until it is another.
            level = logging.DEBUG if str(error) == self._complaint else logging.ERROR
            self._complaint = str(error)
            log.log(level, "%s: not used: %s", self._state / "current", error)
        found = generations.found(self._generations, self._written_notes())
        current, previous, *_ = (*(generation for generation, _ in found), None, None)
        return current, previous

    def _mend(self) -> None:
        mended = generations.newest_whole(self._state / "current", self._generations, self._written_notes())
        if mended is not None:
            current, previous, why = mended
            log.error("%s", why)
            notes = self.notes()
            self.remember(notes.failed(why, notes.last_bytes))
            generations.write_pointer(self._state / "current", current, previous)

    def _tidy(self) -> None:
        """Remove what a round that was interrupted left, and generations that nobody can go back to."""
        named = {generation.name for generation in self._pointer() if generation is not None}
        if not named and (self._state / "current").exists():
            return  # it is damaged: the next release needs less to be fetched when these stay
        for path in self._generations.iterdir():
            if path.name not in named:
                shutil.rmtree(path)
        shutil.rmtree(self._incoming / _NEXT, ignore_errors=True)


@contextmanager
def _disk(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise DeviceError(f"{path}: {error.strerror}") from None


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _is_digest(name: str) -> bool:
    return len(name) == 64 and not set(name) - set("0123456789abcdef")
