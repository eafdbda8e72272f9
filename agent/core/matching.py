"""From the references near a query to the products near it.

A reference is one picture of a product. Its key in the index carries the product it belongs to:

    key = product << 24 | view        product from 1, view from 0 within the product

so that neighbours are grouped to products without a table. Key 0 belongs to no product; the index uses it
to pad short answers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from agent.core.types import Candidate

VIEW_BITS = 24
"""16 million pictures of one product; leaves 40 bits, of which `PRODUCT_LIMIT` are used."""

VIEW_LIMIT = 1 << VIEW_BITS

PRODUCT_LIMIT = 1 << 39
"""One bit below the room there is: keys stay below 2⁶³, so that SQLite holds them as plain integers, and
away from 2⁶⁴−1, which usearch never finds."""


NEIGHBOURS = 32
"""References looked at per query, at least: products have a handful to some dozens of pictures."""

NEIGHBOURS_PER_PRODUCT = 4
"""… and for each product asked for: the near ones are seldom seen in fewer pictures."""

NEIGHBOURS_WIDE = 512
"""References looked at when the first are all of one product: the margin is evidence, and a rival that was
not looked at would make it as large as the similarity itself."""

SUPPORT = 3
"""References whose mean similarity supports a product. On Grocery Store, 20 of 81 products left out, it tells
known from unknown a little better than the nearest alone: AUROC 0.903 against 0.885 among training photos
whose nearest siblings were left out, 0.834 against 0.832 among validation photos."""

WIDER = 16
"""How many times more are looked at, again and again, while all that were seen are left out."""

Found = tuple[NDArray[np.uint64], NDArray[np.float32], NDArray[np.int64]]
"""Keys `(N, k)` and similarities `(N, k)`, best first, and how many of each row count, `(N,)`."""

Search = Callable[[NDArray[np.float32], int], Found]
"""`search(queries, k)`: the `k` nearest references of each row of `queries`, `(N, D)`."""


@dataclass(frozen=True, slots=True, eq=False)
class Changes:
    """What is looked at beside an index that is never written, and what of the index counts no longer."""

    rows: NDArray[np.float32] = field(default_factory=lambda: np.empty((0, 0), np.float32))  # (R, D) unit
    keys: NDArray[np.uint64] = field(default_factory=lambda: np.empty(0, np.uint64))  # (R,) of these rows
    left_out: NDArray[np.uint64] = field(default_factory=lambda: np.empty(0, np.uint64))
    """Products, `(P,)` ascending, whose references in the index do not count; those in `keys` always do."""

    def similarities(self, queries: NDArray[np.float32]) -> NDArray[np.float32]:
        """Of each of `queries` to each of `rows`: `(N, R)` in [-1, 1]."""
        if len(self.keys) == 0:
            return np.empty((len(queries), 0), np.float32)
        found: NDArray[np.float32] = queries @ self.rows.T
        return np.clip(found, -1, 1, out=found)

    def kept(self, keys: NDArray[np.uint64]) -> NDArray[np.bool_]:
        """Which of these references of the index count: `(k,)`."""
        if len(self.left_out) == 0:
            return np.ones(len(keys), np.bool_)
        products = keys >> np.uint64(VIEW_BITS)
        places = np.minimum(np.searchsorted(self.left_out, products), len(self.left_out) - 1)
        kept: NDArray[np.bool_] = self.left_out[places] != products
        return kept


UNCHANGED = Changes()


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
    `agreeing` counts how many of its references are among the neighbours, `support` averages the nearest of
    them. Equal similarities are ordered by product, and within a product by key, so that the same neighbours
    always give the same answer.
    """
    ranks: dict[int, list[tuple[float, int]]] = {}  # product -> (-similarity, key): the smaller is the better
    for key, similarity in zip(keys.tolist(), similarities.tolist(), strict=True):
        ranks.setdefault(key >> VIEW_BITS, []).append((-similarity, key))
    for held in ranks.values():
        held.sort()
    ranked = sorted(ranks.items(), key=lambda item: (item[1][0][0], item[0]))
    return tuple(
        Candidate(
            product=product,
            similarity=-held[0][0],
            key=held[0][1],
            agreeing=len(held),
            support=-sum(negated for negated, _ in held[:SUPPORT]) / min(SUPPORT, len(held)),
        )
        for product, held in ranked[:limit]
    )


def nearest_products(
    queries: NDArray[np.float32], search: Search, size: int, limit: int, changes: Changes = UNCHANGED
) -> list[tuple[Candidate, ...]]:
    """Per row of `queries`, `(N, D)` float32 unit rows, the nearest products, best first.

    At most `limit` of them; at least two wherever there are two near enough to be seen. `size` is the number
    of references that `search` knows.
    """
    first = max(NEIGHBOURS, NEIGHBOURS_PER_PRODUCT * limit)
    keys, similarities, counts = search(queries, first)
    beside = changes.similarities(queries)
    looks = []
    for row, count in enumerate(counts.tolist()):
        near, closeness, seen = keys[row, :count], similarities[row, :count], first
        while True:
            kept = changes.kept(near)
            best = _best(beside[row], seen)
            together = np.concatenate([near[kept], changes.keys[best]])
            look = group(together, np.concatenate([closeness[kept], beside[row][best]]), limit)
            enough = len(look) >= min(2, limit) or (seen >= NEIGHBOURS_WIDE and kept.any())
            if enough or seen >= size:
                break
            seen = NEIGHBOURS_WIDE if seen < NEIGHBOURS_WIDE else seen * WIDER
            wider = search(queries[row : row + 1], seen)
            near, closeness = wider[0][0, : wider[2][0]], wider[1][0, : wider[2][0]]
        looks.append(look)
    return looks


def _best(similarities: NDArray[np.float32], k: int) -> NDArray[np.intp] | slice:
    """Where the `k` highest are: grouping thousands one by one would take longer than comparing with them."""
    return slice(None) if len(similarities) <= k else np.argpartition(similarities, -k)[-k:]
