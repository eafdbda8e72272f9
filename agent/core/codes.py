"""A barcode that was read on something that is followed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agent.core.gs1 import Said
    from agent.core.types import Quad


@dataclass(frozen=True, slots=True)
class Read:
    """One code on one track, in one frame."""

    track: str
    format: str  # "EAN13", "Code128", "QRCode", …
    text: str
    said: Said  # by the rules of GS1
    place: Quad  # pixels of the frame
    shown: bool = False  # the catalogue has the product that it names: how that looks is known
