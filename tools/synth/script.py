"""What the bay shows at a time, and the camera's frames with their ground truth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from tools.synth.camera import lit_by_shop, noisy
from tools.synth.designs import design
from tools.synth.people import draw_shopper, full_width
from tools.synth.scenes import Bay, Box, draw_bay, overlap

if TYPE_CHECKING:
    from tools.synth.drawing import Picture
    from tools.synth.scenes import Looks

ROUND_S = 24.0
"""In `eventful`: long enough that every state stands for some seconds before the next one."""


@dataclass(frozen=True, slots=True)
class Change:
    """From `at_s` on, `slot` shows product number `product` (None: it is empty)."""

    at_s: float
    slot: str
    product: int | None


@dataclass(frozen=True, slots=True)
class Passage:
    """Somebody walks past the shelf, from left to right, within `[start_s, start_s + takes_s)`."""

    start_s: float
    takes_s: float = 3.0


@dataclass(frozen=True, slots=True)
class Stand:
    """Somebody stands before the shelf, `where` (share of its width, their middle), and goes again."""

    start_s: float
    takes_s: float
    where: float


@dataclass(frozen=True, slots=True)
class Light:
    """From `at_s` on the light goes to `gain` of what it was, within `takes_s`."""

    at_s: float
    gain: float
    takes_s: float = 2.0


@dataclass(frozen=True, slots=True)
class Nudge:
    """From `at_s` on the camera's picture lies so many pixels to the right and further down."""

    at_s: float
    right_px: int
    down_px: int = 0


@dataclass(frozen=True, slots=True)
class Script:
    """What happens before the camera. Times are seconds since the beginning."""

    bay: Bay
    start: tuple[tuple[str, int | None], ...]
    changes: tuple[Change, ...] = ()
    passages: tuple[Passage, ...] = ()
    stands: tuple[Stand, ...] = ()
    lights: tuple[Light, ...] = ()
    nudges: tuple[Nudge, ...] = ()
    looks: Looks = design

    def shown(self, at_s: float) -> dict[str, int | None]:
        """Slot → product number (None: empty) at a time."""
        state: dict[str, int | None] = dict.fromkeys(self.bay.slots)
        state.update(self.start)
        for change in sorted(self.changes, key=lambda change: change.at_s):
            if change.at_s <= at_s:
                state[change.slot] = change.product
        return state

    def shopper(self, at_s: float) -> Box | None:
        """The box of whoever walks past, cut at the picture's edges; None when nobody is there."""
        full = full_width(self.bay.width)
        for stand in self.stands:
            if 0 <= at_s - stand.start_s < stand.takes_s:
                left = round(stand.where * self.bay.width - full / 2)
                return (
                    max(0, left),
                    round(self.bay.height * 0.08),
                    min(self.bay.width, left + full),
                    self.bay.height,
                )
        for passage in self.passages:
            share = (at_s - passage.start_s) / passage.takes_s
            if 0.0 <= share < 1.0:
                width = full
                left = round(-width + share * (self.bay.width + width))
                x1, x2 = max(0, left), min(self.bay.width, left + width)
                return (x1, round(self.bay.height * 0.08), x2, self.bay.height) if x2 > x1 else None
        return None

    def gain(self, at_s: float) -> float:
        """How bright it is: 1 at the beginning."""
        gain = 1.0
        for light in sorted(self.lights, key=lambda light: light.at_s):
            if light.at_s <= at_s:
                share = min(1.0, (at_s - light.at_s) / light.takes_s) if light.takes_s else 1.0
                gain += (light.gain - gain) * share
        return gain

    def nudge(self, at_s: float) -> tuple[int, int]:
        """How far the picture lies to the right and down, pixels."""
        now = [nudge for nudge in self.nudges if nudge.at_s <= at_s]
        last = max(now, key=lambda nudge: nudge.at_s, default=None)
        return (last.right_px, last.down_px) if last is not None else (0, 0)

    def covered(self, at_s: float) -> frozenset[str]:
        """Slots that the shopper hides at least in part."""
        person = self.shopper(at_s)
        if person is None:
            return frozenset()
        return frozenset(slot for slot in self.bay.slots if overlap(self.bay.box(slot), person))


def eventful(bay: Bay, products: int, begin_s: float = 4.0, rounds: int = 200) -> Script:
    """A shelf that is stocked as planned and then lives, for `rounds` × `ROUND_S`.

    In each round one product is sold out and later restocked, two change places and go back, and a shopper
    walks past. Slot number k belongs to product k; needs at least as many products as slots.

    Raises:
        ValueError: when there are fewer products than slots.
    """
    slots = bay.slots
    if products < len(slots):
        raise ValueError(f"products: expected at least {len(slots)}, one per slot, found {products}")
    rng = np.random.default_rng([bay.seed, 41])
    home = {slot: number for number, slot in enumerate(slots)}
    changes: list[Change] = []
    for number in range(rounds):
        at = begin_s + ROUND_S * number
        sold, one, other = (slots[k] for k in rng.permutation(len(slots))[:3])
        changes += [Change(at, sold, None), Change(at + 12.0, sold, home[sold])]
        changes += [Change(at + 3.0, one, home[other]), Change(at + 3.0, other, home[one])]
        changes += [Change(at + 16.0, one, home[one]), Change(at + 16.0, other, home[other])]
    passages = tuple(Passage(begin_s + 6.0 + ROUND_S * number) for number in range(rounds))
    return Script(bay, tuple(home.items()), tuple(changes), passages)


@dataclass(slots=True)
class Filming:
    """The camera: `frame(t)` is what it takes at a time. Keeps the last shelf drawn; not for two threads."""

    script: Script
    _state: dict[str, int | None] | None = None
    _shelf: Picture = None

    def frame(self, at_s: float) -> Picture:
        """`(height, width, 3)` uint8 BGR. The same time gives the same picture."""
        state = self.script.shown(at_s)
        if state != self._state:
            self._shelf = lit_by_shop(draw_bay(self.script.bay, state, self.script.looks))
            self._state = state
        gain = self.script.gain(at_s) * (1.0 + 0.02 * np.sin(at_s * 0.35))
        picture = cv2.convertScaleAbs(self._shelf, alpha=gain)
        person = self.script.shopper(at_s)
        if person is not None:
            draw_shopper(picture, person, full_width(self.script.bay.width), int(at_s // ROUND_S))
        right, down = self.script.nudge(at_s)
        if right or down:
            onto = np.array([[1, 0, right], [0, 1, down]], np.float32)
            size = (picture.shape[1], picture.shape[0])
            picture = cv2.warpAffine(picture, onto, size, borderMode=cv2.BORDER_REPLICATE)
        return noisy(picture, round(at_s * 1000))
