"""How good answers are: shares, intervals, confusions, open set and calibration, as plain formulas on arrays.

A query is *known* when the gallery holds its product, otherwise *unknown*. A score is anything that is higher
the surer the answer: a similarity or a probability.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from math import erf, exp, pi, sqrt
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

Z95 = 1.959964
"""95 % of a normal distribution lie within so many standard deviations."""

DRAWS = 1_000
"""Resamplings of a bootstrap: its 95 % interval then moves by a twentieth of its width between seeds."""

BINS = 10
"""Bins of equal width for the calibration, as the literature has them."""


@dataclass(frozen=True, slots=True)
class ProductScore:
    """How one product fares. A rate without any query to take it from is 0."""

    sku: str
    queries: int
    answered: int  # queries that were taken for it, rightly or not
    right: int

    @property
    def precision(self) -> float:
        """Of what was taken for it, the share that was it."""
        return self.right / self.answered if self.answered else 0.0

    @property
    def recall(self) -> float:
        """Of its queries, the share that was taken for it."""
        return self.right / self.queries if self.queries else 0.0

    @property
    def f1(self) -> float:
        """The harmonic mean of precision and recall: `2·right / (queries + answered)`."""
        return 2 * self.right / (self.queries + self.answered) if self.queries + self.answered else 0.0


@dataclass(frozen=True, slots=True)
class Bin:
    """Answers whose probability lies in `[low, high)`; the last bin has 1 too."""

    low: float
    high: float
    count: int
    probability: float  # mean of what was claimed; 0 where there is none
    right: float  # share that was right; 0 where there is none


def wilson(hits: int, count: int) -> tuple[float, float]:
    """The 95 % interval of a share: `wilson(8, 10)` → `(0.490, 0.943)`; of nothing it is `(0, 1)`."""
    if count == 0:
        return 0.0, 1.0
    share, z = hits / count, Z95
    middle = share + z * z / (2 * count)
    reach = z * sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    scale = 1 + z * z / count
    return max(0.0, (middle - reach) / scale), min(1.0, (middle + reach) / scale)


def bootstrap(
    figure: Callable[[NDArray[np.int64]], float | None], count: int, seed: int = 0
) -> tuple[float, float] | None:
    """The 95 % interval of a figure of `count` queries, from resampling them.

    `figure(rows)` computes it from those rows, `(count,)`, some of them repeated. None where it cannot be
    computed from the queries themselves, or from nearly none of their resamplings.
    """
    if count == 0 or figure(np.arange(count)) is None:
        return None
    rng = np.random.default_rng(seed)
    values = [figure(rng.integers(0, count, count)) for _ in range(DRAWS)]
    found = [value for value in values if value is not None]
    if len(found) < DRAWS // 10:
        return None
    low, high = np.percentile(found, [2.5, 97.5])
    return float(low), float(high)


def per_product(truth: Sequence[str], answer: Sequence[str]) -> list[ProductScore]:
    """Of every product that a query is of, in the order of SKUs; the two sequences belong together."""
    queries, answered = Counter(truth), Counter(answer)
    right = Counter(sku for sku, found in zip(truth, answer, strict=True) if sku == found)
    return [ProductScore(sku, queries[sku], answered[sku], right[sku]) for sku in sorted(queries)]


def macro_f1(truth: NDArray[np.int64], answer: NDArray[np.int64]) -> float | None:
    """Mean F1 over the products that a query is of, each weighing the same; None without queries.

    Products as numbers from 0, `(N,)`. A product that no query is of has no recall and does not count.
    """
    if len(truth) == 0:
        return None
    size = int(max(truth.max(), answer.max())) + 1
    queries, answered = np.bincount(truth, minlength=size), np.bincount(answer, minlength=size)
    right = np.bincount(truth[truth == answer], minlength=size)
    asked = queries > 0
    return float(np.mean(2 * right[asked] / (queries[asked] + answered[asked])))


def confusions(truth: Sequence[str], answer: Sequence[str]) -> list[tuple[str, str, int]]:
    """`(product, what it was taken for, how often)`, the most frequent first."""
    wrong = Counter((sku, found) for sku, found in zip(truth, answer, strict=True) if sku != found)
    return [(sku, found, count) for (sku, found), count in sorted(wrong.items(), key=lambda i: (-i[1], i[0]))]


def auroc(known: NDArray[np.float64], unknown: NDArray[np.float64]) -> float | None:
    """How often a known query scores above an unknown one, ties counting half; None where one side is empty.

    0.5 is chance, 1 a perfect separation: the area under the curve of true against false accepts.
    """
    if len(known) == 0 or len(unknown) == 0:
        return None
    ordered = np.sort(unknown)
    below = np.searchsorted(ordered, known, side="left").sum()
    not_above = np.searchsorted(ordered, known, side="right").sum()
    return float((below + not_above) / 2 / (len(known) * len(unknown)))


def threshold_for(known: NDArray[np.float64], accepted: float) -> float:
    """The highest score from which at least this share of the known queries is accepted.

    Raises:
        ValueError: there is no known query, or the share is not in (0, 1].
    """
    if len(known) == 0 or not 0.0 < accepted <= 1.0:
        raise ValueError(f"expected scores and a share in (0, 1], found {len(known)} and {accepted}")
    needed = int(np.ceil(round(accepted * len(known), 9)))
    return float(np.sort(known)[len(known) - needed])


def false_accepts(
    known: NDArray[np.float64], unknown: NDArray[np.float64], accepted: float = 0.95
) -> float | None:
    """The share of unknown queries accepted where this share of the known ones is; None as in `auroc`."""
    if len(known) == 0 or len(unknown) == 0:
        return None
    return float(np.mean(unknown >= threshold_for(known, accepted)))


def reliability(probability: NDArray[np.float64], right: NDArray[np.bool_]) -> list[Bin]:
    """What was claimed against what was so, in `BINS` bins of equal width, empty ones included."""
    which = _bin_of(probability)
    bins = []
    for number in range(BINS):
        inside = which == number
        count = int(inside.sum())
        claimed = float(probability[inside].mean()) if count else 0.0
        share = float(right[inside].mean()) if count else 0.0
        bins.append(Bin(number / BINS, (number + 1) / BINS, count, claimed, share))
    return bins


def calibration_error(probability: NDArray[np.float64], right: NDArray[np.bool_]) -> float | None:
    """The expected calibration error: by how much claim and truth differ per bin, weighed by its answers."""
    if len(probability) == 0:
        return None
    gaps = np.bincount(_bin_of(probability), weights=probability - right, minlength=BINS)
    return float(np.abs(gaps).sum() / len(probability))


def expected_calibration_error(probability: NDArray[np.float64]) -> float | None:
    """What `calibration_error` is on average, by chance, where the probabilities are true; None without any.

    The answers are taken to be independent. 296 photos of groceries: 0.042. The mean of the consistency
    resampling of Bröcker and Smith (2007), from the normal distribution that each bin comes near to.
    """
    if len(probability) == 0:
        return None
    spread = np.sqrt(np.bincount(_bin_of(probability), weights=probability * (1 - probability)))
    return float(sqrt(2 / pi) * spread.sum() / len(probability))


def debiased_calibration_error(probability: NDArray[np.float64], right: NDArray[np.bool_]) -> float | None:
    """`calibration_error` without most of what chance adds to it, 0 or more; None as there.

    Shares of a few answers scatter, and what is only scatter counts as error there. Each bin's share is taken
    to scatter normally around what it is, and what that adds to the difference is taken off once (Kumar,
    Liang and Ma, 2019, "Verified Uncertainty Calibration", section 5). Of 296 answers claimed as those to
    photos of groceries, on average: true 0.000 0.025 0.049 0.079, plain 0.042 0.048 0.059 0.082, this one
    0.025 0.033 0.047 0.075.
    """
    if len(probability) == 0:
        return None
    which = _bin_of(probability)
    counts = np.bincount(which, minlength=BINS)
    filled = counts > 0
    counts = counts[filled]
    gaps = np.abs(np.bincount(which, weights=probability - right, minlength=BINS)[filled]) / counts
    shares = np.bincount(which, weights=right, minlength=BINS)[filled] / counts
    scatter = np.sqrt(shares * (1 - shares) / counts)
    added = [_folded(gap, width) - gap for gap, width in zip(gaps.tolist(), scatter.tolist(), strict=True)]
    return max(0.0, float((counts * (gaps - added)).sum() / len(probability)))


def _folded(mean: float, width: float) -> float:
    """The mean of what a normal distribution is away from 0."""
    if width == 0:
        return abs(mean)
    z = mean / width
    return width * sqrt(2 / pi) * exp(-z * z / 2) + mean * erf(z / sqrt(2))


def _bin_of(probability: NDArray[np.float64]) -> NDArray[np.int64]:
    return np.minimum((probability * BINS).astype(np.int64), BINS - 1)
