"""Barcodes in pictures: the only place that speaks with zxing-cpp.

It is 2 MB and needs nothing else, so that every device has it. Of 511 test pictures of ZXing it reads 357, in
2.6 ms each; OpenCV 268 in 4.4 ms, and it raises on two.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import cv2
import numpy as np
import zxingcpp

from agent.core.gs1.said import NOTHING, Said, said_by

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from agent.core.types import Quad

SIDE_LIMIT_PX: Final = 2_000
"""Longest side that is searched; larger pictures are made smaller. 4 ms per megapixel; a module of a code is
then still 2 pixels wide where the code fills a tenth of the picture."""

TEXT_LIMIT: Final = 4_096
"""Characters of a text: QR codes hold at most 4,296 letters, and no identifier is near as long."""


@dataclass(frozen=True, slots=True)
class Barcode:
    """One code that was read."""

    format: str  # as zxing-cpp 3 names it, without spaces and signs: "EAN13", "Code128", "QRCode"
    text: str  # element strings with brackets
    place: Quad  # pixels of the picture, clockwise from its top left
    said: Said = NOTHING  # by the rules of GS1

    @property
    def gtin(self) -> str:
        """14 digits; empty where the code carries none."""
        return self.said.gtin


_LABELS: Final = tuple(
    getattr(zxingcpp.BarcodeFormat, name)
    for name in ("EAN13", "EAN8", "UPCA", "UPCE", "ITF", "Code128", "DataBarOmni", "DataBarLtd", "DataBarExp",
                 "QRCode", "DataMatrix")
)  # fmt: skip


def read_labels(picture: NDArray[np.uint8]) -> tuple[Barcode, ...]:
    """`read_barcodes` of what GS1 prints on goods and cartons, dark on light: 2.8 ms in place of 6.5."""
    return _read(picture, formats=_LABELS, try_invert=False)


def read_barcodes(picture: NDArray[np.uint8]) -> tuple[Barcode, ...]:
    """The codes that a picture shows, `(H, W, 3)` uint8 BGR, in no special order. Any thread may call it."""
    return _read(picture)


def _read(picture: NDArray[np.uint8], **how: Any) -> tuple[Barcode, ...]:
    height, width = picture.shape[:2]
    share = min(1.0, SIDE_LIMIT_PX / max(height, width))
    grey = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)
    if share < 1:
        size = max(1, round(width * share)), max(1, round(height * share))
        grey = cv2.resize(grey, size, interpolation=cv2.INTER_AREA)
    try:
        found = zxingcpp.read_barcodes(np.ascontiguousarray(grey), **how)
    except (RuntimeError, ValueError):  # it reads what it can; a picture that it cannot has no codes
        return ()
    return tuple(_barcode(each, share) for each in found if each.valid and len(each.text) <= TEXT_LIMIT)


def _barcode(found: Any, share: float) -> Barcode:
    kind = "".join(letter for letter in str(found.format).rpartition(".")[2] if letter.isalnum())
    at = found.position
    corners = (at.top_left, at.top_right, at.bottom_right, at.bottom_left)
    a, b, c, d = ((corner.x / share, corner.y / share) for corner in corners)
    is_gs1 = found.content_type == zxingcpp.ContentType.GS1
    # The bytes have the separators; the text has brackets, which a value may hold as well.
    elements = bytes(found.bytes).decode("ascii", "replace") if is_gs1 else ""
    return Barcode(kind, found.text, (a, b, c, d), said_by(kind, found.text, elements))
