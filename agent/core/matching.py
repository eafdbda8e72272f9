"""From the references near a query to the products near it.

A reference is one picture of a product. Its key in the index carries the product it belongs to:

    key = product << 24 | view        product from 1, view from 0 within the product

so that neighbours are grouped to products without a table. Key 0 belongs to no product; the index uses it
to pad short answers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.core.types import Candidate

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

VIEW_BITS = 24
"""16 million pictures of one product; leaves 40 bits, of which `PRODUCT_LIMIT` are used."""

VIEW_LIMIT = 1 << VIEW_BITS

PRODUCT_LIMIT = 1 << 39
"""One bit below the room there is: keys stay below 2⁶³, so that SQLite holds them as plain integers, and
away from 2⁶⁴−1, which usearch never finds."""


def key_of(product: int, view: int) -> int:
    """The key of view number `view` of product number `product`: `key_of(1, 2)` → `0x1000002`.

    Raises:
        ValueError: a number is outside its range.
    """
    if not 1 <= product < PRODUCT_LIMIT:
        raise ValueError(f"product: expected a number from 1 to {PRODUCT_LIMIT - 1}, found {product}")
    if not 0 <= view < VIEW_LIMIT:
        raise ValueError(f"view: expected a number from 0 to {VIEW_LIMIT - 1}, found {view}")
    return product << VIEW_BITS | view


def product_of(key: int) -> int:
    """The product a reference belongs to: `product_of(0x1000002)` → `1`."""
    return key >> VIEW_BITS


def view_of(key: int) -> int:
    """Which picture of its product a reference is: `view_of(0x1000002)` → `2`."""
    return key & (VIEW_LIMIT - 1)


def group(keys: NDArray[np.uint64], similarities: NDArray[np.float32], limit: int) -> tuple[Candidate, ...]:
    """The products among the neighbours of one query, best first, at most `limit` of them.

    `keys` and `similarities` are `(k,)`, in any order. The best reference of a product speaks for it;
    `agreeing` counts how many of its references are among the neighbours. Equal similarities are ordered by
    product, and within a product by key, so that the same neighbours always give the same answer.
    """
    best: dict[int, tuple[float, int]] = {}  # product -> (-similarity, key): the smaller is the better
    counts: dict[int, int] = {}
    for key, similarity in zip(keys.tolist(), similarities.tolist(), strict=True):
        product = key >> VIEW_BITS
        rank = (-similarity, key)
        held = best.get(product)
        if held is None or rank < held:
            best[product] = rank
        counts[product] = counts.get(product, 0) + 1
    ranked = sorted(best.items(), key=lambda item: (item[1][0], item[0]))
    return tuple(
        Candidate(product=product, similarity=-negated, key=key, agreeing=counts[product])
        for product, (negated, key) in ranked[:limit]
    )
