"""A file made of an older one and a patch (see core/patching.py): the device's side, in bounded memory."""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING, Final

import zstandard

from agent.core.errors import DeviceError, VerifyError, quoted
from agent.core.patching import FRAME_LIMIT_BYTES, LENGTH_BYTES, SEGMENT_BYTES, segments

if TYPE_CHECKING:
    from pathlib import Path
    from typing import BinaryIO

    from agent.core.manifest import FileEntry
    from agent.core.patching import Segment

_SHOWN: Final = 16  # hex digits of a digest in a message: enough to tell two apart


def apply_patch(old: Path, patch: Path, out: Path, entry: FileEntry) -> None:
    """Write to `out` the file that `entry` describes; it is flushed to the disk at return.

    Whatever the patch says, no more than `entry.size` bytes are written and no more memory is taken than for
    one segment and its stretch of the old file (45 MB). Nothing is left at `out` when it fails.

    Raises:
        VerifyError: the patch is damaged, belongs to another file, or makes something else.
        DeviceError: a file cannot be read, or the disk failed or is full.
    """
    try:
        with old.open("rb") as source, patch.open("rb") as frames, out.open("wb") as target:
            _apply(source, frames, target, entry, patch)
            target.flush()
            os.fsync(target.fileno())
    except VerifyError:
        out.unlink(missing_ok=True)
        raise
    except OSError as error:
        out.unlink(missing_ok=True)
        raise DeviceError(f"{error.filename or out}: cannot be patched: {error.strerror}") from None


def _apply(source: BinaryIO, frames: BinaryIO, target: BinaryIO, entry: FileEntry, patch: Path) -> None:
    digest = hashlib.sha256()
    for segment in segments(os.fstat(source.fileno()).st_size, entry.size):
        stretch = os.pread(source.fileno(), segment.old_end - segment.old_start, segment.old_start)
        content = _decoded(_next_frame(frames, patch), stretch, segment, patch)
        digest.update(content)
        target.write(content)
    if frames.read(1):
        raise VerifyError(f"{patch.name}: expected the end of the patch, found more")
    if digest.hexdigest() != entry.sha256:
        raise VerifyError(
            f"{patch.name}: expected it to make {entry.path} of sha256 {entry.sha256[:_SHOWN]}…, "
            f"found {digest.hexdigest()[:_SHOWN]}…"
        )


def _next_frame(frames: BinaryIO, patch: Path) -> bytes:
    length = int.from_bytes(frames.read(LENGTH_BYTES), "big")
    if not 0 < length <= FRAME_LIMIT_BYTES:
        raise VerifyError(
            f"{patch.name}: expected a frame of 1 to {FRAME_LIMIT_BYTES} bytes, found one of {length}"
        )
    frame = frames.read(length)
    if len(frame) < length:
        raise VerifyError(f"{patch.name}: expected a frame of {length} bytes, found its first {len(frame)}")
    return frame


def _decoded(frame: bytes, stretch: bytes, segment: Segment, patch: Path) -> bytes:
    expected = segment.end - segment.start
    try:
        size = zstandard.get_frame_parameters(frame).content_size
        if size != expected:  # judged before memory is taken for it
            raise VerifyError(f"{patch.name}: expected a segment of {expected} bytes, found {size}")
        dictionary = zstandard.ZstdCompressionDict(stretch, dict_type=zstandard.DICT_TYPE_RAWCONTENT)
        decoder = zstandard.ZstdDecompressor(dict_data=dictionary, max_window_size=SEGMENT_BYTES)
        content = decoder.decompress(frame, max_output_size=expected, allow_extra_data=False)
    except zstandard.ZstdError as error:
        raise VerifyError(f"{patch.name}: expected a zstd frame, found {quoted(str(error))}") from None
    if len(content) != expected:
        raise VerifyError(f"{patch.name}: expected a segment of {expected} bytes, found {len(content)}")
    return content
