"""Clues: what other sources than the embedding say of a thing, as log-odds that add up.

A source counts once for a product. What is read counts by the strongest that was said: what is read twice is
not twice as true. Comparisons err by themselves in each picture, so that those of several looks say more than
each, as much as their mean times the looks that they are worth (core/repeats.py); in pictures that are the
same to the eye they err alike.

Drawn flavours, each beside three that differ from it in one thing, with catalogues of three studio pictures
(things in a hand, four looks each) or of these and six facings (slots, up to 16 facings in one picture). Of
how many the first product is right, how many are named, how many wrongly, and the mean surprise at the right
one among its rivals (natural log):

                         192 things in a hand    571 slots, 1280 px    472 slots, 1920 px
    the strongest        182   84  1  0.185      509  344  10  0.284   442  278  2  0.184
    the mean             185   61  0  0.192      518  293   3  0.256   445  241  0  0.166
    … times their worth  185  102  1  0.141      518  340   7  0.236   445  293  1  0.148

Where the catalogue lacks one of the four, 15 of 64 such things are named for another by the first and the
third, 13 by the second.

Priors (`prior:…`) are what is expected, not what was seen. They help to choose between products that look
alike; they never make something a product that does not look like one, so that a surprise stays one.
"""

from __future__ import annotations

from math import log
from typing import TYPE_CHECKING, Final

import numpy as np

from agent.core.repeats import independent_looks, shares_of
from agent.core.second_look import SOURCES, against_mean
from agent.core.types import Clue

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from agent.core.types import Look

PRIOR_SOURCE: Final = "prior:"

PRIOR_LIMIT: Final = 3.0
"""Most that a prior may say, natural log: 20 to 1. A wrong one is then outweighed by one clear look."""


COMPARED_ALIKE: Final = 0.98
"""Cosine above which comparisons err alike. Other facings of a product in one picture have 0.94 to 0.99, what
stands still before a noisy camera 0.997 and more."""

COMPARED_LEAST: Final = 1 / 3
"""Correlation of two comparisons below it: together they are worth three looks at most. With a half and a
fifth 84 and 116 of the 192 things are named, and no other product is the first."""


def gathered(looks: Iterable[Look], priors: Sequence[Clue] = ()) -> tuple[Clue, ...]:
    """The clues of all looks and the priors, each source once per product, by product and source."""
    telling = [look for look in looks if look.clues]
    strongest: dict[tuple[int, str], Clue] = {}
    for clue in (*(clue for look in telling for clue in look.clues), *priors):
        place = (clue.product, clue.source)
        held = strongest.get(place)
        if held is None or abs(clue.log_odds) >= abs(held.log_odds):
            strongest[place] = clue
    if len(telling) > 1:
        for source in {source for _, source in strongest} & set(SOURCES):
            strongest |= {(clue.product, source): clue for clue in _compared(source, telling)}
    return tuple(strongest[place] for place in sorted(strongest))


def _compared(source: str, looks: Sequence[Look]) -> list[Clue]:
    """What the comparisons of several looks say together, each product against the mean of all."""
    looks = [look for look in looks if any(clue.source == source for clue in look.clues)]
    shares = shares_of(looks)
    worth = independent_looks(looks, COMPARED_ALIKE, COMPARED_LEAST) / sum(shares)
    odds: dict[int, float] = {}
    for share, look in zip(shares, looks, strict=True):
        for clue in look.clues:
            if clue.source == source:
                odds[clue.product] = odds.get(clue.product, 0.0) + share * worth * clue.log_odds
    return against_mean(source, tuple(odds), np.array(tuple(odds.values())))


def of_product(clues: Sequence[Clue], product: int) -> tuple[Clue, ...]:
    """Those for or against one product."""
    return tuple(clue for clue in clues if clue.product == product)


def weight_of(clues: Sequence[Clue], product: int, *, priors: bool = True) -> float:
    """Log-odds that the clues add to a product; without `priors` only those of what was seen."""
    return sum(
        clue.log_odds
        for clue in clues
        if clue.product == product and (priors or not clue.source.startswith(PRIOR_SOURCE))
    )


def expected(what: str, product: int, share: float, products: int) -> Clue:
    """The prior that something is `product` in a place where it is so with this share, [0, 1].

    `what` names the reason: "slot" for a planogram, "shipment", "store", "last" for what was there before.
    `products` is how many the catalogue has: without the prior each of them is as likely.

    Raises:
        ValueError: the share is no share.
    """
    if not 0.0 <= share <= 1.0:
        raise ValueError(f"prior {what}: expected a share in [0, 1], found {share}")
    inside = min(max(share, 1e-6), 1 - 1e-6)
    odds = log(inside / (1 - inside)) + log(max(1, products - 1))
    return Clue(f"{PRIOR_SOURCE}{what}", product, min(PRIOR_LIMIT, max(-PRIOR_LIMIT, odds)))
