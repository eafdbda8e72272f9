"""Patches for devices that hold an older file (see core/patching.py): the publisher's side."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

import zstandard

from agent.core.errors import DeviceError
from agent.core.patching import LENGTH_BYTES, segments

if TYPE_CHECKING:
    from pathlib import Path
    from typing import BinaryIO

PATCHED_FROM_BYTES: Final = 65_536
"""Files up to this size are fetched whole: a patch would save less than its request costs."""

_LEVEL: Final = 12
"""655 KB in 4 s for a file of 53 MB with 1 % changed; level 3 finds a third of what could be copied, 15 to 19
take six to ten times as long and find nothing more."""

_TABLE_LOG: Final = 24
"""The finder must remember all of the stretch: with the tables that zstd takes by itself, one frame over a
file of 53 MB came to 25.7 MB instead of 0.67."""


def write_patch(old: Path, new: Path, out: Path, limit_bytes: int) -> bool:
    """Write the patch from `old` to `new`; False, leaving nothing, when it would reach `limit_bytes`.

    The same files give the same bytes with the same version of zstandard. Takes up to 300 MB of memory,
    whatever the files, and 0.1 s per MB.

    Raises:
        DeviceError: a file cannot be read, or the disk failed or is full.
    """
    try:
        with old.open("rb") as before, new.open("rb") as after, out.open("wb") as target:
            worth = _write(before, after, target, limit_bytes)
    except OSError as error:
        out.unlink(missing_ok=True)
        raise DeviceError(f"{error.filename or out}: no patch can be made: {error.strerror}") from None
    if not worth:
        out.unlink()
    return worth


def _write(before: BinaryIO, after: BinaryIO, target: BinaryIO, limit_bytes: int) -> bool:
    for segment in segments(os.fstat(before.fileno()).st_size, os.fstat(after.fileno()).st_size):
        stretch = os.pread(before.fileno(), segment.old_end - segment.old_start, segment.old_start)
        frame = _encoded(after.read(segment.end - segment.start), stretch)
        target.write(len(frame).to_bytes(LENGTH_BYTES, "big") + frame)
        if target.tell() >= limit_bytes:
            return False
    return True


def _encoded(content: bytes, stretch: bytes) -> bytes:
    # The window reaches back over the content and the stretch before it.
    reach_log = max(10, (len(content) + len(stretch)).bit_length())
    parameters = zstandard.ZstdCompressionParameters.from_level(
        _LEVEL,
        source_size=len(content),
        dict_size=len(stretch),
        window_log=reach_log,
        hash_log=min(_TABLE_LOG, reach_log),
        chain_log=min(_TABLE_LOG, reach_log),
    )
    dictionary = zstandard.ZstdCompressionDict(stretch, dict_type=zstandard.DICT_TYPE_RAWCONTENT)
    compressor = zstandard.ZstdCompressor(compression_params=parameters, dict_data=dictionary)
    return compressor.compress(content)
