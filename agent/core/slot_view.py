"""How a slot looks: a tiny picture of it, and how much of it looks otherwise than another one.

Two views are compared in the light of the later one. The light of the shop is known from what is not goods;
a slot may have a little more or less of it than the rest, as under a lamp that failed. Shares of the slot are
compared and not levels: where a single small package is left in a wide slot, a small share looks otherwise,
and very much so.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from dataclasses import dataclass
from math import exp
from typing import TYPE_CHECKING, Any, Final

import cv2
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from agent.core.types import Quad

SIDE: Final = 16
"""Cells across and down: in a slot of 200 px one is 12 px wide, less than the narrowest package."""

SAMPLED: Final = 64
"""A slot is first brought to this, then averaged: 40 µs whatever its size."""

LEVELS: Final = 20.0
"""By which a cell must differ in a channel, of 255 at the brightness of `BRIGHT`."""

BRIGHT: Final = 128.0
DARKEST: Final = 48.0
"""Levels below which a view is not taken for brighter than that: noise would count as a difference."""

MORE_LIGHT: Final = 1.45
"""By how much the light of a slot may have changed otherwise than that of the shop; the colour of it less."""

MORE_COLOUR: Final = 1.08


@dataclass(frozen=True, slots=True, eq=False)
class SlotView:
    """`pixels` `(SIDE, SIDE, 3)` uint8 BGR; `light` of the shop when it was taken, levels per channel."""

    pixels: NDArray[np.uint8]
    light: tuple[float, float, float]

    @property
    def texture(self) -> float:
        """How steep brightness is from cell to cell, as a share of how bright it is: prints have much."""
        grey = self.pixels.astype(np.float32).mean(axis=2)
        steps = np.abs(np.diff(grey, axis=0)).mean() + np.abs(np.diff(grey, axis=1)).mean()
        return float(steps / max(DARKEST, float(grey.mean())))

    def kept(self) -> dict[str, Any]:
        """As plain data."""
        return {
            "pixels": b64encode(self.pixels.tobytes()).decode(),
            "light": [round(level, 2) for level in self.light],
        }

    @classmethod
    def from_kept(cls, kept: Mapping[str, Any]) -> SlotView:
        """What `kept` gave. ValueError, KeyError, TypeError: it is something else."""
        pixels = np.frombuffer(b64decode(kept["pixels"]), np.uint8).reshape(SIDE, SIDE, 3)
        blue, green, red = (float(level) for level in kept["light"])
        return cls(pixels, (blue, green, red))


def view_of(image: NDArray[np.uint8], quad: Quad, light: tuple[float, float, float]) -> SlotView:
    """How the quad looks. `image`: `(H, W, 3)` uint8 BGR; what lies outside of it is black."""
    onto = np.array([(0, 0), (SAMPLED, 0), (SAMPLED, SAMPLED), (0, SAMPLED)], np.float32)
    corners = np.array(quad, np.float32)
    low = np.maximum(np.floor(corners.min(axis=0)).astype(int), 0)
    high = np.ceil(corners.max(axis=0)).astype(int)
    part: Any = image[low[1] : high[1], low[0] : high[0]]
    if not part.size:
        return SlotView(np.zeros((SIDE, SIDE, 3), np.uint8), light)
    corners -= low.astype(np.float32)
    while min(part.shape[:2]) >= 2 * SAMPLED:  # a warp takes single pixels
        half = part.shape[1] // 2, part.shape[0] // 2
        part = cv2.resize(part[: 2 * half[1], : 2 * half[0]], half, interpolation=cv2.INTER_AREA)
        corners /= 2
    flat = cv2.warpPerspective(part, cv2.getPerspectiveTransform(corners, onto), (SAMPLED, SAMPLED))
    return SlotView(np.asarray(cv2.resize(flat, (SIDE, SIDE), interpolation=cv2.INTER_AREA), np.uint8), light)


def unlike(now: SlotView, before: SlotView) -> float:
    """Share of the slot that looks otherwise than before, in today's light: [0, 1]."""
    shop = (np.array(now.light) + 2) / (np.array(before.light) + 2)
    here, there = now.pixels.astype(np.float32), before.pixels.astype(np.float32) * shop.astype(np.float32)
    ratios = ((here + 2) / (there + 2)).reshape(-1, 3)
    more = float(np.clip(np.median(ratios), 1 / MORE_LIGHT, MORE_LIGHT))
    tint = np.clip(np.median(ratios, axis=0) / more, 1 / MORE_COLOUR, MORE_COLOUR)
    best = 1.0
    for gain in (np.ones(3), more * tint):
        fitted = np.minimum(there * gain.astype(np.float32), 255)
        scale = BRIGHT / max(DARKEST, float(fitted.mean()))
        apart = np.abs(here - fitted).max(axis=2) * scale > LEVELS
        best = min(best, float(apart.mean()))
    return best


def least_unlike(now: SlotView, others: Sequence[SlotView]) -> float:
    """The least of `unlike` over them; 1 without any."""
    return min((unlike(now, other) for other in others), default=1.0)


def looks_like(share: float, middle: float, width: float) -> float:
    """Probability that two views show the same thing, of which `share` looks otherwise."""
    return 1 / (1 + exp(min(50.0, (share - middle) / width)))
