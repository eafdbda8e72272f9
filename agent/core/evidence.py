"""What the looks at one thing add up to: a probability, and known, ambiguous or unknown.

A look is the products nearest to one region in one frame. Looks are averaged per product, the sharper ones
counting more, and count together as many as they are independent (core/repeats.py). What
they say is weighed by the calibration of the catalogue; what other sources say (clues) is added as log-odds.

    known      a wrong name is rarer than `false_accept` allows: of things that the catalogue lacks, and of
               those taken for another product, fewer get this far; and most looks voted for the product
    unknown    it is more likely that the catalogue lacks it
    ambiguous  neither: "did you mean"

The test is sequential (Wald, 1945): while a thing is neither known nor surely unknown it goes on, and
`settled` says which. Whoever tells of it sets an end to the waiting.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from heapq import nsmallest
from math import exp, log
from typing import TYPE_CHECKING, Final

from agent.core.calibration import PRIOR, Calibration, sigmoid
from agent.core.clues import gathered, of_product, weight_of
from agent.core.errors import quoted
from agent.core.product_rules import sku_problem
from agent.core.repeats import independent_looks, shares_of
from agent.core.settings import check_range, setting
from agent.core.types import Decision, Option, Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agent.core.types import Candidate, Clue, Look

GROUP_LIMIT: Final = 3
"""Products offered as "did you mean": more than three cards are not an answer."""

OPTION_LIMIT: Final = 5
"""Products kept in a decision; what comes after the fifth has never been the right one in practice."""

WEIGHED: Final = 8
"""Products that compete; the ninth has some thousandth of the probability."""

RIVALS: Final = "rivals"
"""Source of what is between the best product and the others; the rest is about being in the catalogue."""

HAZE: Final = "haze"
"""Source of what small and blurred looks lack (core/haze.py). It says how true a probability is; whether more
looks, or closer ones, are worth waiting for is asked without it: a bare wall lacks detail as well."""

_GROUP_SHARE: Final = 0.9
"""A group of products that look alike is one that holds the right one with this probability."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionSettings:
    """When to name a product."""

    false_accept: float = setting(
        "share of things that may be given a wrong name, 0.00001 to 0.5", 0.01, replaces="known"
    )
    miss: float = setting(
        "probability of being in the catalogue after all, were the looks sharp, below which a thing is "
        "called unknown at once",
        0.05,
    )
    patience_s: float = setting("seconds after which an undecided thing is told of as it is", 2.0)
    looks: int = setting("looks at a thing before the first answer; 1 for single pictures", 2)
    window: int = setting("latest looks that count; older ones are forgotten", 8)
    assortment: str = setting(
        "file beside this one with the SKUs that the store carries, one a line: others of the catalogue are "
        "less expected; empty: none is",
        "",
    )
    carried: tuple[str, ...] = setting("the same SKUs as a list, in place of a file", ())

    def __post_init__(self) -> None:
        check_range("false_accept", self.false_accept, 1e-5, 0.5)
        check_range("miss", self.miss, 1e-5, 0.5)
        check_range("patience_s", self.patience_s, 0.0, 3600.0)
        check_range("looks", self.looks, 1, 64)
        check_range("window", self.window, 1, 64)
        if self.looks > self.window:
            raise ValueError(f"looks: expected at most window ({self.window}), found {self.looks}")
        if self.assortment and self.carried:
            raise ValueError("carried: expected a list or the file `assortment`, found both")
        for sku in self.carried:
            if reason := sku_problem(sku):
                raise ValueError(f"carried: {reason}: {quoted(sku[:80])}")


ONE_LOOK: Final = DecisionSettings(looks=1, window=1)
"""For a single picture: a track of one look."""


@dataclass(frozen=True, slots=True)
class _Pooled:
    """One product over all looks."""

    product: int
    key: int
    similarity: float
    support: float


def combine(looks: Sequence[Look], limit: int = WEIGHED) -> tuple[_Pooled, ...]:
    """Mean similarity and support per product over the looks by their shares, the `limit` nearest first.

    A product that a look does not list lies below all that it lists: it is given the lowest of them.
    """
    above: dict[int, float] = {}  # product → sum over looks of its similarity above the look's lowest
    support: dict[int, float] = {}  # … of its support
    best: dict[int, Candidate] = {}
    lowest = 0.0  # sum over looks
    count = 0.0  # of shares
    found = [look for look in looks if look.candidates]
    for look, share in zip(found, shares_of(found), strict=True):
        count += share
        floor = look.candidates[-1].similarity
        lowest += share * floor
        for candidate in look.candidates:
            product = candidate.product
            above[product] = above.get(product, 0.0) + share * (candidate.similarity - floor)
            support[product] = support.get(product, 0.0) + share * (candidate.supported - floor)
            held = best.get(product)
            if held is None or candidate.similarity > held.similarity:
                best[product] = candidate
    ranked = nsmallest(limit, ((-gain, product) for product, gain in above.items()))
    return tuple(
        _Pooled(product, best[product].key, (lowest - lost) / count, (lowest + support[product]) / count)
        for lost, product in ranked
    )


def decide(
    looks: Sequence[Look],
    calibration: Calibration,
    settings: DecisionSettings,
    listed: int = OPTION_LIMIT,
    priors: Sequence[Clue] = (),
) -> Decision:
    """The answer after `looks` (oldest first), with its `listed` best options; pure.

    `priors` is what is expected where the thing is, see core/clues.py.
    """
    latest = looks[-settings.window :]
    pooled = combine(latest, max(listed, WEIGHED))
    clues = gathered(latest, priors)
    if not pooled and not clues:
        reason = "the catalogue holds nothing to compare with"
        return Decision(Verdict.UNKNOWN, None, 0.0, -1.0, 0.0, len(looks), reason)
    return _Weighing(looks, latest, pooled, clues, calibration).decided(settings, listed)


def in_catalogue(decision: Decision, *, haze: bool = True) -> float:
    """Probability that the catalogue has what was seen, whichever product of it that is.

    Without `haze` as if the looks lacked no detail: a bare wall is surely nothing then.
    """
    if not decision.evidence:
        return 0.0
    left_out = {RIVALS} if haze else {RIVALS, HAZE}
    return sigmoid(sum(log_odds for source, log_odds in decision.evidence if source not in left_out))


class _Weighing:
    """The looks at one thing, weighed once."""

    def __init__(
        self,
        looks: Sequence[Look],
        latest: Sequence[Look],
        pooled: Sequence[_Pooled],
        clues: Sequence[Clue],
        calibration: Calibration,
    ) -> None:
        self._looks = len(looks)
        self._calibration = calibration
        self._independent = independent_looks(latest, calibration.alike)
        self._votes = Counter(look.candidates[0].product for look in latest if look.candidates)
        self._clues = clues
        floor = pooled[-1].similarity if pooled else -1.0
        listed = {each.product for each in pooled}
        spoken = sorted({clue.product for clue in clues} - listed)
        products = [*pooled, *(_Pooled(product, 0, floor, floor) for product in spoken)]
        sharp = calibration.sharpness * self._independent
        plain = {each.product: sharp * each.similarity for each in products}
        weights = {product: x + weight_of(clues, product) for product, x in plain.items()}
        self._products = sorted(products, key=lambda each: (-weights[each.product], each.product))
        self._by_clues = not pooled or self._products[0].product != pooled[0].product
        self._shares = _shares([weights[each.product] for each in self._products])
        self._lead = _lead([weights[each.product] for each in self._products])
        best = self._products[0]
        rivals = [each.similarity for each in pooled if each.product != best.product]
        self._margin = max(0.0, best.similarity - max(rivals, default=0.0))
        self._look = calibration.evidence(best.similarity, self._margin, best.support)
        self._look -= calibration.against(latest)
        proof = [weight_of(clues, each.product, priors=False) for each in products]
        chances = _shares([plain[each.product] for each in products])
        weighed = sum(chance * exp(x) for chance, x in zip(chances, proof, strict=True))
        self._proof = log(weighed / sum(chances))
        self._haze = self._independent * (calibration.through_haze(self._look, latest) - self._look)
        self._clear = PRIOR + self._independent * self._look + self._proof
        self._known = sigmoid(self._clear + self._haze)

    def decided(self, settings: DecisionSettings, listed: int) -> Decision:
        """The answer by these settings."""
        best, n = self._products[0], self._independent
        unknown = min(1.0, self._calibration.false_accept(self._look, n) * exp(-self._proof))
        mistaken = self._calibration.mistaken(self._lead / n, n)
        rate = max(unknown, mistaken)
        votes = self._votes
        agreed = self._by_clues or 2 * votes[best.product] > votes.total()
        if rate <= settings.false_accept and agreed:
            verdict, reason = Verdict.KNOWN, ""
        else:
            verdict, reason = self._why_not(settings, unknown, mistaken, agreed=agreed)
        share = min(self._shares[0], 1 - 1e-12)
        return Decision(
            verdict=verdict,
            product=best.product if verdict is Verdict.KNOWN else None,
            probability=self._known * self._shares[0],
            similarity=best.similarity,
            margin=self._margin,
            looks=self._looks,
            reason=reason,
            options=tuple(
                Option(
                    each.product,
                    each.key,
                    each.similarity,
                    self._known * p,
                    of_product(self._clues, each.product),
                )
                for each, p in list(zip(self._products, self._shares, strict=True))[: max(1, listed)]
            ),
            false_accept=rate,
            independent=n,
            evidence=(
                ("catalogue", PRIOR),
                ("pictures", n * self._look),
                *([(HAZE, self._haze)] if self._haze else ()),
                ("clues", self._proof),
                (RIVALS, log(share / (1 - share))),
            ),
            settled=verdict is Verdict.KNOWN
            or (verdict is Verdict.UNKNOWN and sigmoid(self._clear) < settings.miss),
        )

    def _why_not(
        self, settings: DecisionSettings, unknown: float, mistaken: float, *, agreed: bool
    ) -> tuple[Verdict, str]:
        best = self._products[0]
        if self._known < 0.5:
            why = f"nothing in the catalogue is near enough: similarity {best.similarity:.3f}"
            return Verdict.UNKNOWN, why
        if mistaken > settings.false_accept and mistaken >= unknown and len(self._products) > 1:
            alike, total = 0, 0.0
            while total < _GROUP_SHARE and alike < len(self._shares):
                total += self._shares[alike]
                alike += 1
            if alike == 1:  # it is almost sure, and fewer mistakes are allowed
                share = f"{100 * mistaken:.2g}% of what lies as far ahead of the next product is that one"
                return Verdict.AMBIGUOUS, f"{share}: margin {self._margin:.3f}"
            number = str(alike) if alike <= GROUP_LIMIT else f"more than {GROUP_LIMIT}"
            return Verdict.AMBIGUOUS, f"{number} products look alike: margin {self._margin:.3f}"
        if not agreed and unknown <= settings.false_accept:
            return (
                Verdict.AMBIGUOUS,
                f"only {self._votes[best.product]} of {self._votes.total()} looks agree",
            )
        return Verdict.AMBIGUOUS, f"perhaps not in the catalogue: {unknown:.1%} of what is not get as near"


def _shares(weights: Sequence[float]) -> list[float]:
    """What exponentials of these log-weights have of the sum of the first `WEIGHED`.

    Who asks for more products gets the same answer.
    """
    most = max(weights)
    parts = [exp(weight - most) for weight in weights]
    total = sum(parts[:WEIGHED])
    return [part / total for part in parts]


def _lead(weights: Sequence[float]) -> float:
    """How far the first lies above the next, natural log; beyond all doubt where there is no other."""
    return weights[0] - weights[1] if len(weights) > 1 else ALONE


ALONE: Final = 50.0
"""Lead of a product that has no rival at all: nothing can be taken for it but what the catalogue lacks."""
