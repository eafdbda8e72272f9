"""Product lines: products that are alike but for one thing, as flavours are, and what that thing is.

A shop of lines numbers its products so that `LINE` neighbours are one line:

    index 4k      the product itself, `design(k)`
    index 4k + 1  one colour differs: the accent
    index 4k + 2  one word differs: the variant ("Mild" for "Classic")
    index 4k + 3  one picture differs: the motif
"""

from __future__ import annotations

import colorsys
from dataclasses import fields, replace

import numpy as np

from tools.synth.designs import VARIANTS, Color, Design, Motif, color, design

LINE = 4
"""Products of a line."""

TURN = (0.3, 0.7)
"""How far the accent of a flavour lies from that of the product itself, as a share of the colour circle: less
than 0.3 would be a shade of the same colour, which no shop sells as another flavour."""

_NUMBERS = frozenset({"index", "line"})


def flavour(index: int, seed: int = 0) -> Design:
    """Product number `index` of the shop of lines `seed`. The same arguments give the same product."""
    line, member = divmod(index, LINE)
    rng = np.random.default_rng([seed, index, 83])
    first = replace(design(line, seed), index=index)
    if member == 1:
        return replace(first, accent=_turned(first.accent, float(rng.uniform(*TURN))))
    if member == 2:
        return replace(first, variant=_other(VARIANTS, first.variant, rng))
    if member == 3:
        return replace(first, motif=Motif(_other(tuple(Motif), first.motif, rng)))
    return first


def differences(one: Design, other: Design) -> tuple[str, ...]:
    """Names of what can be seen to differ between two products: `("accent",)` for two flavours."""
    return tuple(
        field.name
        for field in fields(Design)
        if field.name not in _NUMBERS and getattr(one, field.name) != getattr(other, field.name)
    )


def near_identical(one: Design, other: Design) -> bool:
    """Whether two products of one line differ in one thing alone."""
    return one.line == other.line and len(differences(one, other)) == 1


def _turned(accent: Color, share: float) -> Color:
    """The colour with its hue turned by a share of the circle; a pale one becomes strong enough to see."""
    blue, green, red = (value / 255 for value in accent)
    hue, saturation, value = colorsys.rgb_to_hsv(red, green, blue)
    return color(hue + share, max(saturation, 0.6), value)


def _other(words: tuple[str, ...], than: str, rng: np.random.Generator) -> str:
    rest = [word for word in words if word != than]
    return rest[int(rng.integers(len(rest)))]
