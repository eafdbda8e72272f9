"""Stories of a drawn shelf with their ground truth: sold out, misplaced, hidden, in the dark, and knocked.

for story in stories(minutes=30):
    filming = Filming(story.script)
    for at_s in range(round(story.seconds)): filming.frame(at_s), story.truth(at_s)
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from tools.synth.flavours import LINE, flavour
from tools.synth.scenes import Bay
from tools.synth.script import Change, Light, Nudge, Passage, Script, Stand

if TYPE_CHECKING:
    from collections.abc import Iterable

BAY: Final = Bay(rows=3, columns=5, seed=3)
NUDGED_FAR_PX: Final = 80


@dataclass(frozen=True, slots=True)
class Truth:
    """Of one slot at one moment."""

    state: str  # correct, wrong, empty; unknown: the camera looks elsewhere
    product: int | None
    hidden: bool  # somebody stands before it


@dataclass(frozen=True, slots=True)
class Story:
    """What happens in `seconds`, and what a shelf's device should say of it."""

    name: str
    script: Script
    seconds: float

    @property
    def plan(self) -> dict[str, int]:
        """Slot → number of the product that belongs there."""
        return {slot: number for slot, number in self.script.start if number is not None}

    def truth(self, at_s: float) -> dict[str, Truth]:
        """Slot → what is true of it."""
        shown, hidden = self.script.shown(at_s), self.script.covered(at_s)
        away = max(map(abs, self.script.nudge(at_s))) >= NUDGED_FAR_PX
        return {
            slot: Truth("unknown" if away else _state(shown[slot], planned), shown[slot], slot in hidden)
            for slot, planned in self.plan.items()
        }

    def changed(self, slot: str) -> Iterable[Change]:
        """What happens to a slot, in order."""
        return sorted((c for c in self.script.changes if c.slot == slot), key=lambda c: c.at_s)


def stories(minutes: float = 30.0, seed: int = 0, bay: Bay = BAY) -> tuple[Story, ...]:
    """One for each thing that happens in a shop; each is told over and over until the time is up.

    With 3.5 minutes each happens at least once.
    """
    calm = Script(bay, tuple((slot, number) for number, slot in enumerate(bay.slots)))
    lines = replace(
        calm, start=tuple((slot, LINE * number) for number, slot in enumerate(bay.slots)), looks=flavour
    )
    end = minutes * 60
    rng = np.random.default_rng([seed, 67])
    return (
        Story("the last one is taken", _sold(calm, end, rng), end),
        Story("put in the wrong place", _swapped(calm, end, rng), end),
        Story("sold out and filled again while people pass", _busy(calm, end, rng), end),
        Story("a shopper stands there", _stood(calm, end, rng), end),
        Story("the light goes down", _dimmed(calm, end), end),
        Story("the camera is nudged", _nudged(calm, end, 10), end),
        Story("the camera is knocked away", _nudged(calm, end, NUDGED_FAR_PX), end),
        Story("another flavour", _relabelled(lines, end, rng, 1), end),
        Story("another word", _relabelled(lines, end, rng, 2), end),
    )


def products(story: Story) -> tuple[int, ...]:
    """Numbers of the products of its shop, those that never show up included."""
    lines = story.script.looks is flavour
    if not lines:
        return tuple(range(2 * len(story.script.bay.slots)))
    shown = set(story.plan.values())
    swapped = {change.product % LINE for change in story.script.changes if change.product is not None}
    return tuple(sorted(number + member for number in shown for member in swapped | {0}))


def _state(shown: int | None, planned: int) -> str:
    if shown is None:
        return "empty"
    return "correct" if shown == planned else "wrong"


def _home(script: Script) -> dict[str, int | None]:
    return dict(script.start)


def _slot(script: Script, number: int) -> str:
    slots = script.bay.slots
    return slots[number % len(slots)]


def _moments(end: float, every: float, lasts: float) -> list[float]:
    """Every so often from the first half minute on, while what begins there can end."""
    return [float(at) for at in np.arange(30.0, end - lasts - 20, every)]


def _sold(script: Script, end: float, rng: np.random.Generator) -> Script:
    home, changes = _home(script), []
    for at in _moments(end, 120, 90):
        slot = script.bay.slots[int(rng.integers(len(home)))]
        changes += [Change(at, slot, None), Change(at + 90, slot, home[slot])]
    return replace(script, changes=tuple(changes))


def _swapped(script: Script, end: float, rng: np.random.Generator) -> Script:
    home, changes = _home(script), []
    for at in _moments(end, 120, 80):
        one, other = (script.bay.slots[int(k)] for k in rng.permutation(len(home))[:2])
        changes += [Change(at, one, home[other]), Change(at + 80, one, home[one])]
    return replace(script, changes=tuple(changes))


def _busy(script: Script, end: float, rng: np.random.Generator) -> Script:
    sold = _sold(script, end, rng)
    return replace(sold, passages=tuple(Passage(at + 7, 4.0) for at in _moments(end, 35, 10)))


def _stood(script: Script, end: float, rng: np.random.Generator) -> Script:
    stands = tuple(
        Stand(at, 20.0 + 40.0 * (number % 3), float(rng.uniform(0.1, 0.9)))
        for number, at in enumerate(_moments(end, 150, 110))
    )
    return replace(_sold(script, end, rng), stands=stands)


def _dimmed(script: Script, end: float) -> Script:
    lights = []
    for number, at in enumerate(_moments(end, 180, 150)):
        lights += [
            Light(at, (0.5, 0.75, 0.35)[number % 3], (2.0, 0.0, 20.0)[number % 3]),
            Light(at + 90, 1.0),
        ]
    slot = _slot(script, 7)
    sold = (Change(end / 2, slot, None),)
    return replace(script, lights=tuple(lights), changes=sold)


def _nudged(script: Script, end: float, far_px: int) -> Script:
    at = end / 3
    slot, other = _slot(script, 3), _slot(script, 11)
    changes: tuple[Change, ...] = (Change(at / 2, slot, None), Change(end * 0.9, slot, _home(script)[slot]))
    nudges: tuple[Nudge, ...] = (Nudge(at, far_px, far_px // 4),)
    if far_px >= NUDGED_FAR_PX:
        nudges += (Nudge(2 * at, 0, 0),)  # and put back
    else:
        changes += (Change(2 * at, other, None),)
    return replace(script, changes=changes, nudges=nudges)


def _relabelled(script: Script, end: float, rng: np.random.Generator, member: int) -> Script:
    """Another member of the line stands there for a while: 1 has another colour, 2 another word."""
    home, changes = _home(script), []
    for at in _moments(end, 150, 120):
        slot = script.bay.slots[int(rng.integers(len(home)))]
        planned = home[slot]
        if planned is not None:
            changes += [Change(at, slot, planned + member), Change(at + 120, slot, planned)]
    return replace(script, changes=tuple(changes))
