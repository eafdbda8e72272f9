"""What a closer look at a picture says for each of a few products, as clues that evidence adds up.

Measures of core/verifying.py become log-odds by weights, one per measure and 0 or more, that were fitted on
the catalogue when it was built: on pictures of its products, each against the products nearest to it. The
weights of `DEFAULT_WEIGHTS` are the guess that the catalogue's own pictures correct.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite
from typing import TYPE_CHECKING, Final, Protocol

import numpy as np

from agent.core.settings import check_range, setting
from agent.core.types import Clue
from agent.core.verifying import MEASURES

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from numpy.typing import NDArray

    from agent.core.types import Product
    from agent.core.verifying import Reference

SOURCES: Final = {"features": ("points", "layout", "detail"), "colour": ("tint", "palette")}
"""Clue → the measures it is made of."""

DEFAULT_WEIGHTS: Final = (0.9, 0.6, 0.6, 2.5, 0.5)
"""One per measure, natural log-odds per unit. Fitted on a drawn shop of flavours, which differ in one colour,
one word or one picture; the right one of two was then the likelier in 95 % of 288 pairs."""

CLUE_LIMIT: Final = 6.0
"""Most that one source may say, natural log: 400 to 1. Pictures of one catalogue never prove more."""

BARCODE_LOG_ODDS: Final = 12.0
"""Of a barcode that was read, check digit and all: one in 160,000. It may still be that of a neighbour in the
picture."""

PRIOR_PAIRS: Final = 40.0
"""Pairs of pictures that the default weights stand for. The catalogue's own are kinder than a camera's: they
are taken one after the other, in one light; 40 of them move the weights half of the way."""

WEIGHT_LIMIT: Final = 4.0

MOST: Final = (WEIGHT_LIMIT, WEIGHT_LIMIT, WEIGHT_LIMIT, WEIGHT_LIMIT, 0.5)
"""Of each weight, whatever the pictures of a catalogue say. Those were taken in one place, so that the
palette finds the shelves around a product again, and is fitted 1.6. Of 27 errors of two models in validation
photos of cartons, taken elsewhere, closer looks then left 20 and made one; with 0.5 they left 19 and made
none."""

_STEPS: Final = 50
_SETTLED: Final = 1e-8


@dataclass(frozen=True, slots=True, kw_only=True)
class SecondLookSettings:
    """Closer looks at what the first look leaves undecided."""

    features: bool = setting("compare local features with those of the references", True)
    colour: bool = setting("compare colours with those of the references, laid over the picture", True)
    barcode: bool = setting("read barcodes in the picture", True)
    budget_ms: float = setting("milliseconds per frame after which no closer look is begun; 0: none", 60.0)

    def __post_init__(self) -> None:
        check_range("budget_ms", self.budget_ms, 0.0, 60_000.0)

    @property
    def sources(self) -> frozenset[str]:
        """The comparisons that are switched on."""
        return frozenset(name for name in SOURCES if getattr(self, name))


@dataclass(frozen=True, slots=True)
class Weights:
    """What the measures of a catalogue are worth."""

    values: tuple[float, ...] = DEFAULT_WEIGHTS  # as MEASURES
    pairs: int = 0  # they were fitted on; 0: not fitted

    def __post_init__(self) -> None:
        if len(self.values) != len(MEASURES):
            raise ValueError(f"weights: expected {len(MEASURES)}, found {len(self.values)}")
        if not all(isfinite(value) and 0 <= value <= WEIGHT_LIMIT for value in self.values):
            raise ValueError(f"weights: expected numbers from 0 to {WEIGHT_LIMIT:g}, found {self.values}")


class Closer(Protocol):
    """What closer looks compare with: `adapters.catalogue.Catalogue`. Any method may raise CatalogueError."""

    @property
    def weights(self) -> Weights:
        """What the measures are worth."""

    def portraits(self, product: int) -> tuple[Reference, ...]:
        """References of a product; none where it has no near rival."""

    def is_portrayed(self, product: int) -> bool:
        """Whether there are any, without reading them."""

    def by_gtin(self, gtin: str) -> Product | None:
        """The product with this GTIN of 14 digits."""

    def has_gtins(self) -> bool:
        """Whether any product has one."""


def fit_weights(pairs: NDArray[np.float64]) -> Weights:
    """Weights from measures `(P, len(MEASURES))` of the right product against a rival, one row a pair.

    Logistic regression without a constant, because exchanging the two turns every sign. It is held to the
    default weights as if these had been seen in `PRIOR_PAIRS` pairs. A weight that would be negative is 0.
    """
    prior = np.array(DEFAULT_WEIGHTS)
    if len(pairs) == 0:
        return Weights()
    ridge = PRIOR_PAIRS * np.maximum((pairs**2).mean(axis=0), 1e-3) / 4  # curvature of as many even odds
    weights = prior.copy()
    for _ in range(_STEPS):
        p = 1 / (1 + np.exp(-np.clip(pairs @ weights, -30, 30)))
        gradient = pairs.T @ (1 - p) - ridge * (weights - prior)
        curvature = (pairs.T * (p * (1 - p))) @ pairs + np.diag(ridge)
        before = weights
        weights = np.clip(weights + np.linalg.solve(curvature, gradient), 0, MOST)
        if np.abs(weights - before).max() < _SETTLED:
            break
    return Weights(tuple(round(float(value), 4) for value in weights), len(pairs))


def clues_of(
    measures: NDArray[np.float64],
    products: Sequence[int],
    weights: Weights,
    sources: Collection[str],
) -> tuple[Clue, ...]:
    """Clues from measures `(n, n, len(MEASURES))` of these products against each other.

    Each source gives every product one clue: how much likelier its comparison is if the picture shows this
    product than on average over all of them. So the difference between two products is what the comparison
    says between the two.
    """
    if len(products) < 2:
        return ()
    clues = []
    for source in sorted(set(sources) & set(SOURCES)):
        places = [MEASURES.index(name) for name in SOURCES[source]]
        worth = measures[:, :, places] @ np.minimum(weights.values, MOST)[places]
        support = worth.mean(axis=1)
        if support.any():
            clues += against_mean(source, products, support)
    return tuple(clues)


def against_mean(source: str, products: Sequence[int], support: NDArray[np.float64]) -> list[Clue]:
    """A clue for each product from what supports it, natural log, `(n,)`: by how much more than the mean.

    The mean is that of the likelihoods, so that all together say nothing of being in the catalogue.
    """
    most = support.max()
    odds = support - (most + np.log(np.exp(support - most).mean()))
    told = odds.clip(-CLUE_LIMIT, CLUE_LIMIT).tolist()
    return [Clue(source, product, value) for product, value in zip(products, told, strict=True)]
