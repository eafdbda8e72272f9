"""How a patch is laid out: the new file in segments, each a zstd frame made with a stretch of the old file.

    for each segment of the new file:   length of the frame, 4 bytes, big-endian │ the frame

A file whose index was updated in place differs little and hardly moves, so a stretch around the place of the
segment holds nearly all that is worth copying. Neither side ever needs more memory than for one stretch and
one segment, whatever the file. At 100,000 references of 256 numbers (53 MB), 1 % of the products replaced:
655 KB, where one frame with the whole old file as its dictionary took 669 KB and ten times the memory, and
`zstd -12 --long=27 --patch-from` 1.8 MB.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

SEGMENT_BYTES: Final = 1 << 22
"""Of the new file. 2, 4 and 8 MiB give patches of the same size; with 4 a device needs 45 MB of memory."""

MARGIN_BYTES: Final = 1 << 22
"""Of the old file, looked at on each side of the place of the segment."""

FRAME_LIMIT_BYTES: Final = SEGMENT_BYTES + SEGMENT_BYTES // 128 + 1024
"""More than zstd makes of a segment that it cannot make shorter."""

LENGTH_BYTES: Final = 4


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of the new file and the stretch of the old one it is made with; both half open, in bytes."""

    start: int
    end: int
    old_start: int
    old_end: int


def segments(old_size: int, new_size: int) -> Iterator[Segment]:
    """The segments of a file of `new_size` bytes that is made from one of `old_size`, in order.

    What was put in, or taken out, moves what lies behind it: the stretch is longer on that side.
    """
    grown = min(max(new_size - old_size, 0), MARGIN_BYTES)
    shrunk = min(max(old_size - new_size, 0), MARGIN_BYTES)
    for start in range(0, new_size, SEGMENT_BYTES):
        end = min(start + SEGMENT_BYTES, new_size)
        old_start = min(max(0, start - MARGIN_BYTES - grown), old_size)
        yield Segment(start, end, old_start, min(end + MARGIN_BYTES + shrunk, old_size))
