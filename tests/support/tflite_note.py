"""What TFLite writes to stderr of itself when it makes an interpreter; nothing silences it."""

from __future__ import annotations

import re

_PIECES = re.compile(r"(INFO: |Created TensorFlow Lite XNNPACK delegate for CPU\.)+")


def without_note(err: str, *, together: bool = False) -> list[str]:
    """The lines of `err` but for that note.

    `together`: of several processes at once. TFLite writes its line in three pieces, which then mix.
    """
    return [line for line in err.splitlines() if not _PIECES.fullmatch(line) and (line or not together)]
