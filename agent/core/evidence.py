"""What the looks at one thing add up to: a probability, and known, ambiguous or unknown.

A look is the products nearest to one region in one frame. Looks are averaged per product, so that one blurred
frame neither makes nor breaks an answer. Similarity and margin become a probability by a logistic curve that
was fitted on the catalogue itself when it was built: a fixed threshold would mean something else with every
model and every assortment.

The three answers, with `p(s, m)` the curve and `known` the probability asked for:
    known      p of the best product against all others reaches it, and most looks voted for that product
    ambiguous  it is reached only when the two or three best stand together against the rest
    unknown    neither
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from heapq import nsmallest
from math import exp, isfinite
from typing import TYPE_CHECKING

from agent.core.settings import check_range, setting
from agent.core.types import Decision, Option, Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agent.core.types import Candidate, Look

GROUP_LIMIT = 3
"""Products offered as "did you mean": more than three cards are not an answer."""

OPTION_LIMIT = 5
"""Products kept in a decision; what comes after the fifth has never been the right one in practice."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """`p = 1 / (1 + exp(-(bias + similarity·s + margin·m)))`, never falling in `s` or `m`.

    `s` is the similarity of the best product in [-1, 1], `m` how far it lies above the next in [0, 2].
    """

    bias: float
    similarity: float
    margin: float
    source: str = "default"  # what it was fitted on

    def __post_init__(self) -> None:
        for name in ("bias", "similarity", "margin"):
            value = getattr(self, name)
            if not isfinite(value):
                raise ValueError(f"calibration {name}: expected a finite number, found {value}")
        if self.similarity < 0 or self.margin < 0:
            raise ValueError(
                "calibration: expected weights of 0 or more, found "
                f"similarity={self.similarity} margin={self.margin}"
            )

    def probability(self, similarity: float, margin: float) -> float:
        """Probability in (0, 1) that a product with this similarity and margin is the right one."""
        x = self.bias + self.similarity * similarity + self.margin * margin
        return 1.0 / (1.0 + exp(-x)) if x >= 0 else 1.0 - 1.0 / (1.0 + exp(x))


DEFAULT_CALIBRATION = Calibration(bias=-14.0, similarity=16.0, margin=30.0)
"""For catalogues too small to fit one (one view per product). Deliberately shy: 0.9 needs a similarity of
0.95 with a margin of 0.04, or 0.8 with 0.12."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionSettings:
    """When to name a product."""

    known: float = setting("probability from which a product is named, 0.5 to 0.9999", 0.9)
    looks: int = setting("looks at a thing before the first answer; 1 for single pictures", 2)
    window: int = setting("latest looks that count; older ones are forgotten", 8)

    def __post_init__(self) -> None:
        check_range("known", self.known, 0.5, 0.9999)
        check_range("looks", self.looks, 1, 64)
        check_range("window", self.window, 1, 64)
        if self.looks > self.window:
            raise ValueError(f"looks: expected at most window ({self.window}), found {self.looks}")


def combine(looks: Sequence[Look], limit: int = 8) -> tuple[Option, ...]:
    """Mean similarity per product over the looks, the `limit` best first; probabilities are left 0.

    A product that a look does not list lies below all that it lists: it is given the lowest of them.
    """
    above: dict[int, float] = {}  # product → sum over looks of its similarity above the look's lowest
    best: dict[int, Candidate] = {}
    lowest = 0.0  # sum over looks
    count = 0
    for look in looks:
        if not look.candidates:
            continue
        count += 1
        floor = look.candidates[-1].similarity
        lowest += floor
        for candidate in look.candidates:
            product = candidate.product
            above[product] = above.get(product, 0.0) + candidate.similarity - floor
            held = best.get(product)
            if held is None or candidate.similarity > held.similarity:
                best[product] = candidate
    ranked = nsmallest(limit, ((-gain, product) for product, gain in above.items()))
    return tuple(
        Option(product, best[product].key, (lowest - lost) / count, probability=0.0)
        for lost, product in ranked
    )


def decide(
    looks: Sequence[Look],
    calibration: Calibration,
    settings: DecisionSettings,
    listed: int = OPTION_LIMIT,
) -> Decision:
    """The answer after `looks` (oldest first), with its `listed` best options; pure."""
    options = combine(looks[-settings.window :], max(listed, GROUP_LIMIT + 1))
    if not options:
        return Decision(
            Verdict.UNKNOWN, None, 0.0, -1.0, 0.0, len(looks), "the catalogue holds nothing to compare with"
        )
    rated = _rate(options[: max(1, listed)], calibration, _margin(options, 1))
    best = rated[0]
    margin = _margin(options, 1)
    votes = Counter(look.candidates[0].product for look in looks[-settings.window :] if look.candidates)
    agreed = 2 * votes[best.product] > votes.total()
    if best.probability >= settings.known and agreed:
        verdict, product, reason = Verdict.KNOWN, best.product, ""
    else:
        product = None
        verdict, reason = _why_not(options, calibration, settings.known, votes)
    return Decision(
        verdict=verdict,
        product=product,
        probability=best.probability,
        similarity=best.similarity,
        margin=margin,
        looks=len(looks),
        reason=reason,
        options=rated,
    )


def _margin(options: tuple[Option, ...], group: int) -> float:
    """How far the best lies above the first option outside the best `group`; above 0 where there is none."""
    rest = options[group].similarity if len(options) > group else 0.0
    return max(0.0, options[0].similarity - rest)


def _rate(options: tuple[Option, ...], calibration: Calibration, margin: float) -> tuple[Option, ...]:
    """Each option with its probability against the best of the others; `margin` is that of the first."""
    rated: list[Option] = []
    for option in options:
        rival = margin if not rated else option.similarity - options[0].similarity
        probability = calibration.probability(option.similarity, rival)
        rated.append(Option(option.product, option.key, option.similarity, probability))
    return tuple(rated)


def _why_not(
    options: tuple[Option, ...], calibration: Calibration, known: float, votes: Counter[int]
) -> tuple[Verdict, str]:
    best = options[0].similarity
    for group in range(1, min(GROUP_LIMIT, len(options)) + 1):
        if calibration.probability(best, _margin(options, group)) < known:
            continue
        if group == 1:
            return Verdict.AMBIGUOUS, f"only {votes[options[0].product]} of {votes.total()} looks agree"
        return Verdict.AMBIGUOUS, f"{group} products look alike: margin {_margin(options, 1):.3f}"
    return Verdict.UNKNOWN, f"nothing in the catalogue is near enough: similarity {best:.3f}"
