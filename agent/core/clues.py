"""Clues: what other sources than the embedding say of a thing, as log-odds that add up.

A source counts once for a product, by the strongest that it said: what is read twice is not twice as true.
Priors (`prior:…`) are what is expected, not what was seen. They help to choose between products that look
alike; they never make something a product that does not look like one, so that a surprise stays one.
"""

from __future__ import annotations

from math import log
from typing import TYPE_CHECKING, Final

from agent.core.types import Clue

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from agent.core.types import Look

PRIOR_SOURCE: Final = "prior:"

PRIOR_LIMIT: Final = 3.0
"""Most that a prior may say, natural log: 20 to 1. A wrong one is then outweighed by one clear look."""


def gathered(looks: Iterable[Look]) -> tuple[Clue, ...]:
    """The clues of all looks, each source once per product, in the order of product and source."""
    strongest: dict[tuple[int, str], Clue] = {}
    for look in looks:
        for clue in look.clues:
            place = (clue.product, clue.source)
            held = strongest.get(place)
            if held is None or abs(clue.log_odds) >= abs(held.log_odds):
                strongest[place] = clue
    return tuple(strongest[place] for place in sorted(strongest))


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
