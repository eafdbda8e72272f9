"""What there is to show of a camera, for those who show devices in words of their own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

App = Literal["", "shelf", "inbound", "kiosk"]


@dataclass(frozen=True, slots=True)
class Watched:
    """One camera."""

    slots: tuple[str, ...] = ()  # names of its configured regions
    app: App = ""  # what is made of its recognitions; empty: they are told as they are
