"""A visit to a kiosk, frame by frame: nobody, a hand brings a product up, holds it, and takes it away."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from tools.synth.camera import lit_by_shop, noisy
from tools.synth.kiosk import draw_held, hold, shop_behind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tools.synth.designs import Design
    from tools.synth.drawing import Picture

TREMBLE = 0.006
"""How far a held product moves from frame to frame, as a share of the picture's height."""


@dataclass(frozen=True, slots=True)
class Visit:
    """One product held up once. Lengths in frames."""

    product: Design
    seed: int = 0
    before: int = 6  # nobody is there
    bring: int = 5
    held: int = 20
    width: int = 640
    height: int = 480

    @property
    def steady(self) -> int:
        """Number of the first frame in which it is held."""
        return self.before + self.bring

    @property
    def frames(self) -> int:
        """Of all of it."""
        return self.before + 2 * self.bring + self.held

    def film(self) -> Iterator[Picture]:
        """`(height, width, 3)` uint8 BGR each."""
        for number in range(self.frames):
            yield self.frame(number)

    def frame(self, number: int) -> Picture:
        """One of them; the noise of each is its own."""
        away = self._away(number)
        if away >= 1.0:
            empty = shop_behind(self.width, self.height, 0)
            return noisy(lit_by_shop(empty.copy()), number)
        rng = np.random.default_rng([self.seed, number, 131])
        held = hold(self.product, self.seed, self.width, self.height)
        held = replace(held, seed=0)
        x, y = held.center
        dx, dy = rng.normal(0.0, TREMBLE * self.height, 2) if away == 0.0 else (0.0, 0.0)
        side = self.width * (0.35 if held.from_right else -0.35)
        there = (x + dx + away * side, y + dy + away * self.height * 1.1)
        return draw_held(replace(held, center=there), number)

    def _away(self, number: int) -> float:
        """How far it is from where it is held: 0 there, 1 out of sight."""
        since, until = number - self.before + 1, self.frames - number
        if since <= 0:
            return 1.0
        return max(0.0, 1.0 - since / (self.bring + 1), 1.0 - until / (self.bring + 1))
