"""Products that were never photographed: vectors in families, and rows as a retailer has them.

A product has a family of 20 that it resembles, and views that differ from each other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from agent.core.matching import VIEW_BITS
from agent.core.types import Product

if TYPE_CHECKING:
    from numpy.typing import NDArray

FAMILY = 20
_WORDS = [
    "organic", "fresh", "classic", "light", "premium", "family", "mini", "original", "crunchy",
    "creamy", "smooth", "whole", "semi", "skimmed", "oat", "wheat", "barley", "apple", "pear", "cherry",
    "lemon", "orange", "berry", "vanilla", "chocolate", "hazelnut", "almond", "coconut", "honey",
    "yoghurt", "milk", "butter", "cheese", "bread", "pasta", "rice", "sauce", "tomato", "basil",
    "garlic", "onion", "pepper", "tuna", "salmon", "chicken", "beef", "pork", "vegan", "soup", "juice",
    "water", "cola", "tea", "coffee", "biscuit", "bar", "crisps", "nuts", "soap", "shampoo", "paste",
    "brush", "towel", "paper", "bag", "box", "bottle", "can",
]  # fmt: skip


@dataclass(frozen=True)
class Assortment:
    """So many products; those above `products` are new ones. Every vector is a function of its numbers."""

    products: int
    views: int
    dimension: int = 256

    def rows(self, products: NDArray[np.int64], views: NDArray[np.int64]) -> NDArray[np.float32]:
        """Unit rows `(N, D)` of these views of these products."""
        rows = np.empty((len(products), self.dimension), np.float32)
        for row, product, view in zip(rows, products.tolist(), views.tolist(), strict=True):
            family = np.random.default_rng([1, product // FAMILY]).standard_normal(self.dimension)
            own = np.random.default_rng([2, product]).standard_normal(self.dimension)
            seen = np.random.default_rng([3, product, view]).standard_normal(self.dimension)
            row[:] = 0.6 * family + 0.6 * own + 0.7 * seen
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        return rows

    def views_of(self, products: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Product and view of every picture of these products, for `rows`."""
        return np.repeat(products, self.views), np.tile(np.arange(self.views), len(products))

    def keys(self, products: NDArray[np.int64]) -> NDArray[np.uint64]:
        """Keys of every picture of these products, ascending."""
        numbers, views = self.views_of(products)
        return (numbers.astype(np.uint64) << np.uint64(VIEW_BITS)) | views.astype(np.uint64)

    def product(self, number: int, revision: int = 0) -> Product:
        """A row as a retailer has it: 300 bytes."""
        dice = np.random.default_rng([4, number, revision])
        words = [str(word) for word in dice.choice(_WORDS, 22)]
        return Product(
            no=number,
            sku=f"{4_000_000 + number * 7}",
            gtin=f"{4_000_000_000_000 + number * 11:014d}",
            name=" ".join(words[:5]).capitalize(),
            description=" ".join(words[5:]).capitalize() + ".",
            brand=words[0].upper(),
            category=f"{words[1]}/{words[2]}",
            price=f"{dice.integers(29, 1999) / 100:.2f} €",
            aisle=str(number // 400 % 40),
            bay=str(number // 50 % 8),
        )
