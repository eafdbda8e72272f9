"""Frames on a disk: a directory with the pictures, and `frames.jsonl` with one line for each.

    {"camera": "shelf", "seq": 0, "at": 12.5, "utc": 1767225600.25, "cut": false, "source": "",
     "file": "shelf-00000000.jpg", "sha256": "…"}

A picture is complete under its name before its line is written, so a process killed at any moment leaves a
recording that can be read and continued. What a line says is exact: floats are written so that they read
back the same, and the picture that was written is the one that a replay sees.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
from typing import TYPE_CHECKING, Annotated, Self

import msgspec

from agent.adapters.images import decode_image, encode_jpeg, encode_png, read_bytes
from agent.core.errors import DeviceError, InputError, quoted
from agent.core.types import Frame

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from types import TracebackType

INDEX = "frames.jsonl"
LINE_MAX_BYTES = 65536
PICTURE_MAX_BYTES = 64_000_000
MAX_BYTES = 2_000_000_000
"""An hour of two pictures a second of 1280 × 720 as JPEG of quality 95 (about 250 kB each) is 1.8 GB."""


class _Line(msgspec.Struct, frozen=True):
    camera: Annotated[str, msgspec.Meta(pattern="^[a-z0-9_-]{1,64}$")]
    seq: Annotated[int, msgspec.Meta(ge=0)]
    at: float
    utc: float
    cut: bool
    source: str
    file: Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9_-]+\.(jpg|png)$")]  # a plain name, no path
    sha256: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]


class RecordingWriter:
    """Appends frames to a recording of at most `max_bytes`; one writer at a time.

    A recording is not a fact that must survive a power cut: nothing is synced, and a picture that was lost
    in one is found by its sha256 when it is read.
    """

    def __init__(self, path: Path, lossless: bool = False, max_bytes: int = MAX_BYTES) -> None:
        """Make the directory, or continue the recording in it.

        Raises:
            InputError: there is something else in the directory.
            DeviceError: it cannot be written, or another process writes to it.
        """
        self._path = path
        self._lossless = lossless
        self._max_bytes = max_bytes
        try:
            path.mkdir(parents=True, exist_ok=True)
            if not (path / INDEX).exists() and any(path.iterdir()):
                raise InputError(f"{path}: expected an empty directory or a recording, found other files")
            self._index = os.open(path / INDEX, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise DeviceError(f"{path}: cannot be written: {error.strerror}") from None
        try:
            fcntl.flock(self._index, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._frames, self._bytes = self._mend()
        except OSError as error:
            os.close(self._index)
            reason = "another process records here" if isinstance(error, BlockingIOError) else error.strerror
            raise DeviceError(f"{path}: cannot be written: {reason}") from None

    def _mend(self) -> tuple[int, int]:
        """Cut a torn last line and remove a torn picture → (lines, bytes) that are there."""
        lines = end = position = 0
        while chunk := os.pread(self._index, 1 << 20, position):
            lines += chunk.count(b"\n")
            newline = chunk.rfind(b"\n")
            end = position + newline + 1 if newline >= 0 else end
            position += len(chunk)
        os.ftruncate(self._index, end)
        for torn in self._path.glob("*.part"):
            torn.unlink()
        return lines, sum(file.stat().st_size for file in self._path.iterdir())

    def write(self, frame: Frame) -> bool:
        """Append one frame; False when the recording is full, and the frame is not in it.

        Raises:
            DeviceError: the disk is full or gone.
        """
        picture = encode_png(frame.image) if self._lossless else encode_jpeg(frame.image, 95)
        suffix = "png" if self._lossless else "jpg"
        name = f"{frame.camera}-{self._frames:08d}.{suffix}"
        digest = hashlib.sha256(picture).hexdigest()
        line = msgspec.json.encode(
            _Line(
                camera=frame.camera,
                seq=frame.seq,
                at=frame.at,
                utc=frame.utc,
                cut=frame.cut,
                source=frame.source,
                file=name,
                sha256=digest,
            )
        )
        size = len(picture) + len(line) + 1
        if self._bytes + size > self._max_bytes:
            return False
        part = self._path / f"{name}.part"
        try:
            part.write_bytes(picture)
            part.rename(self._path / name)
            self._append(line + b"\n")
        except OSError as error:
            part.unlink(missing_ok=True)
            raise DeviceError(f"{self._path}: cannot be written: {error.strerror}") from None
        self._frames += 1
        self._bytes += size
        return True

    def _append(self, line: bytes) -> None:
        end = os.lseek(self._index, 0, os.SEEK_END)
        if os.write(self._index, line) != len(line):  # the disk is full: leave no half of a line
            os.ftruncate(self._index, end)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def close(self) -> None:
        """Let another process write. Safe to call twice."""
        if self._index >= 0:
            os.close(self._index)
            self._index = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def read_recording(path: Path, camera: str | None = None) -> Iterator[Frame]:
    """The frames of a recording in the order in which they were written; of one camera, when it is named.

    A last line without its end is one that was being written, and is left out.

    Raises:
        InputError: the recording, a line or its picture is missing or damaged; names file and line.
    """
    for number, line in _lines(path):
        if camera is not None and line.camera != camera:
            continue
        where = f"{path / INDEX}:{number}"
        file = path / line.file
        data = read_bytes(file, PICTURE_MAX_BYTES) if file.exists() else b""
        found = hashlib.sha256(data).hexdigest()
        if found != line.sha256:
            what = f"sha256 {found}" if data else "no such file, or an empty one"
            raise InputError(f"{where}: file: expected {line.file} with sha256 {line.sha256}, found {what}")
        image = decode_image(data, f"{where}: {line.file}")
        image.flags.writeable = False
        yield Frame(line.camera, line.seq, line.at, line.utc, image, line.source, line.cut)


def cameras_in(path: Path) -> tuple[str, ...]:
    """The cameras of a recording, in the order in which they first appear; no picture is read.

    Raises:
        InputError: as `read_recording`.
    """
    return tuple(dict.fromkeys(line.camera for _, line in _lines(path)))


def _lines(path: Path) -> Iterator[tuple[int, _Line]]:
    index = path / INDEX
    decoder = msgspec.json.Decoder(_Line)
    try:
        with index.open("rb") as file:
            number = 0
            while raw := file.readline(LINE_MAX_BYTES):
                number += 1
                if not raw.endswith(b"\n"):
                    if len(raw) == LINE_MAX_BYTES:
                        raise InputError(
                            f"{index}:{number}: expected at most {LINE_MAX_BYTES} bytes, found more"
                        )
                    return
                try:
                    yield number, decoder.decode(raw)
                except (msgspec.DecodeError, UnicodeDecodeError) as error:
                    raise InputError(
                        f"{index}:{number}: expected a frame, found {quoted(str(error))}"
                    ) from None
    except OSError as error:
        raise InputError(f"{index}: expected a recording, found {error.strerror}") from None
