"""Small copies of reference pictures: the same picture as a camera sees it from afar.

A copy is a reference of its own, which says in its path what it is: `images/4711/front.jpg@70px` is the
picture `images/4711/front.jpg` with 70 pixels on its shorter side. No picture has such a path, since all of
them end like pictures. Whoever counts pictures, or compares them with each other, leaves the copies out.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from agent.core.settings import check_range

if TYPE_CHECKING:
    from collections.abc import Sequence

LIMIT: Final = 4
"""Copies of one picture: the index and the time of a build grow with their number."""

SMALLEST_PX: Final = 24
LARGEST_PX: Final = 256

WORTH: Final = 0.8
"""A copy is made where its sides have less than this share of those of its picture: a larger one shows the
same."""

BLUR_PX: Final = 0.6
JPEG_QUALITY: Final = 70
"""A copy is made as a camera makes it: a little out of focus, and compressed. On shelf pictures with boxes of
45 px, seen by four cameras (blurred by 0.3 to 0.9 px, qualities 50 to 95) and jittered by a tenth, copies
that were only shrunk lifted 61 to 73 % right to 66 to 81 % for our base model, those made so to 72 to 99 %;
for a public MobileNet 14 to 86 % to 43 to 100 %, and to 81 to 100 %. Where they were worse, it was by one of
115 boxes."""

COPY_GLOB: Final = "*@[0-9]*px"
"""What SQLite knows the path of a copy by, where a million of them are counted."""

_MARK: Final = re.compile(r"@(\d+)px\Z")


def check_sizes(name: str, sizes: Sequence[int]) -> None:
    """Refuse what cannot be the shorter sides of copies. Raises ValueError with the name of the setting."""
    if len(sizes) > LIMIT or len(set(sizes)) < len(sizes):
        raise ValueError(f"{name}: expected at most {LIMIT} different sizes, found {list(sizes)}")
    for px in sizes:
        check_range(name, px, SMALLEST_PX, LARGEST_PX)


def copy_of(picture: str, px: int) -> str:
    """The path of a copy: `copy_of("a.jpg", 70)` → `"a.jpg@70px"`."""
    return f"{picture}@{px}px"


def picture_of(path: str) -> str:
    """The picture that a reference shows, whether it is a copy or not: `"a.jpg@70px"` → `"a.jpg"`."""
    return _MARK.sub("", path)


def is_copy(path: str) -> bool:
    """Whether the path of a reference is that of a copy."""
    return _MARK.search(path) is not None
