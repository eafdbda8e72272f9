"""What similarities of one catalogue are worth, fitted on its own pictures when it was built.

Two curves and a tail, because three things are to be told apart:

    known     log-odds that the catalogue has the thing at all: `bias + similarity·s + margin·m + support·t`
    identity  how many times more likely the best product is than another: `exp(identity · difference)`
    tail      how often a thing that the catalogue lacks gets so far all the same

`s` is the similarity of the best product, `m` how far it lies above the next product, `t` the mean similarity
of its three nearest references. No weight is negative: a nearer, clearer or better supported answer is never
less sure. The tail is what an operator's `false_accept` is about; it needs no opinion on how many things are
unknown.

Whether the first curve holds takes many photos to see: true probabilities measure an error of 0.038 to 0.040
on 296 validation photos of groceries with 20 of 81 products left out twelve times over, models/base 0.040. On
2,000 training photos, by numbers fitted on other products, half of the siblings left out, it was 0.015 and
0.012 for the public MobileNets with their projection and 0.004 without. Tried, and not held:

    numbers of its own for each product, held to 0 by 20 photos: asked about the other half of the training
    photos AUROC rose from 0.953 to 0.956; with 20 products left out and validation photos asked, from 0.745
    to 0.747 and 0.699 to 0.704, without projection it fell from 0.666 to 0.661, and of 867 unknown photos
    33 were named in place of 24

    a share of known things that look like nothing: mends the validation photos and not the training photos
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from math import exp, isfinite, log, sqrt
from typing import TYPE_CHECKING, Final

from agent.core.haze import haze, seen_through
from agent.core.others import otherness, unpack

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agent.core.types import Look

KNOWN_SHARE: Final = 0.75
"""Of what a camera sees, how much is taken to be in the catalogue; the rest is as like to its products as
they are to each other. It is a guess: a wrong one moves probabilities, and nothing that `false_accept`
decides."""

PRIOR: Final = log(KNOWN_SHARE / (1 - KNOWN_SHARE))

TAIL_SHARE: Final = 0.05
"""Of the unknown things, the part that the tail begins with; see `Calibration.tail`."""

_LARGEST: Final = 1e4
"""Of any number here: beyond it is no fit but a damaged file."""

_FIRST: Final = frozenset({"bias", "similarity", "margin", "source"})

_STEEPEST: Final = 1e-3
"""Least fall of the tail: what is narrower comes from too few pictures."""


def sigmoid(x: float) -> float:
    """`1 / (1 + exp(-x))`, for any finite x."""
    return 1.0 / (1.0 + exp(-x)) if x >= 0 else 1.0 - 1.0 / (1.0 + exp(min(x, 700.0)))


@dataclass(frozen=True, slots=True)
class Calibration:
    """The numbers. Catalogues of before lack those with a default, and keep their meaning."""

    bias: float
    similarity: float  # weight of s
    margin: float  # weight of m
    source: str = "default"  # what it was fitted on
    support: float = 0.0  # weight of t
    identity: float = 0.0  # 0: as `margin`
    unknown: float = (
        0.0  # mean evidence of a look at an unknown thing, natural log; 0: not known, see `reach`
    )
    tail: float = 0.0  # evidence that `TAIL_SHARE` of unknown things reach; 0: not known
    fall: float = 0.0  # … and by how much more evidence that share falls to 1/e of it
    rival_tail: float = (
        0.0  # the same of products that are taken for each other: `TAIL_SHARE` of known things
    )
    rival_fall: float = 0.0
    nearest: float = 0.0  # similarity of a new picture to its own product, in the middle
    alike: float = 0.0  # cosine of two photos of one product, in the middle; what is above it is no new look
    others: str = ""  # directions of what is no product, packed by core/others.py; empty: not known
    others_from: float = 1.0  # cosine to the nearest of them from which it counts against being known
    full: float = 0.0  # sharpness from which a look lacks no detail, see core/haze.py; 0: not known
    flatter: float = 0.0  # by how much haze flattens the log-odds that the catalogue has a thing
    raised: float = 0.0  # … and raises them

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(field.default, str):
                continue
            if not (isfinite(value) and abs(value) <= _LARGEST):
                raise ValueError(
                    f"calibration {field.name}: expected a number within ±{_LARGEST:g}, found {value}"
                )
        weights = {name: getattr(self, name) for name in ("similarity", "margin", "support", "identity")}
        if min(weights.values()) < 0:
            found = " ".join(f"{name}={value}" for name, value in weights.items())
            raise ValueError(f"calibration: expected weights of 0 or more, found {found}")
        for name in ("fall", "rival_fall", "full", "flatter", "raised"):
            if getattr(self, name) < 0:
                raise ValueError(f"calibration {name}: expected 0 or more, found {getattr(self, name)}")
        if not -1 <= self.alike < 1:
            raise ValueError(f"calibration alike: expected a cosine in [-1, 1), found {self.alike}")
        try:
            unpack(self.others)
        except ValueError as error:
            raise ValueError(f"calibration {error}") from None

    def evidence(self, similarity: float, margin: float, support: float) -> float:
        """Natural log of P(such a look | in the catalogue) / P(such a look | not in it)."""
        x = self.bias + self.similarity * similarity + self.margin * margin + self.support * support
        return x - PRIOR

    def probability(self, similarity: float, margin: float, support: float | None = None) -> float:
        """Probability in (0, 1) that the catalogue has what one such look shows."""
        near = similarity if support is None else support
        return sigmoid(PRIOR + self.evidence(similarity, margin, near))

    def through_haze(self, evidence: float, looks: Sequence[Look]) -> float:
        """Evidence of looks as it is where they lack detail: core/haze.py."""
        lacking = haze(looks, self.full)
        if not lacking:
            return evidence
        return seen_through(PRIOR + evidence, lacking, self.flatter, self.raised) - PRIOR

    @property
    def document(self) -> dict[str, float | str]:
        """Its fields, without those of later that are as they were before: what a release id is a hash of."""
        return {
            field.name: getattr(self, field.name)
            for field in fields(self)
            if field.name in _FIRST or getattr(self, field.name) != field.default
        }

    def against(self, looks: Sequence[Look]) -> float:
        """Log-odds that looks lose in the mean for being like what is no product; 0 or more."""
        return (self.similarity + self.support) * otherness(looks, self.others, self.others_from)

    @property
    def sharpness(self) -> float:
        """Log-odds between two products per unit of similarity."""
        return self.identity or self.margin

    def false_accept(self, evidence: float, looks: float) -> float:
        """Share in (0, 1] of unknown things whose mean evidence over so many independent looks gets so far.

        The mean of n looks scatters 1/√n as much around `unknown` as that of one.
        """
        if not self.fall:  # of before: no more than e^-x of them can, whatever the distribution (Markov)
            return min(1.0, exp(-looks * evidence)) if evidence > 0 else 1.0
        return _beyond(self.unknown + sqrt(looks) * (evidence - self.unknown), self.tail, self.fall)

    def mistaken(self, odds: float, looks: float) -> float:
        """Share in (0, 1] of known things that are taken for another product with odds like these (log)."""
        if not self.rival_fall:
            return sigmoid(-looks * odds)
        return _beyond(sqrt(looks) * odds, self.rival_tail, self.rival_fall)


def _beyond(x: float, tail: float, fall: float) -> float:
    """An exponential tail that has `TAIL_SHARE` beyond `tail`."""
    return min(1.0, TAIL_SHARE * exp(min(50.0, (tail - x) / max(fall, _STEEPEST))))


DEFAULT_CALIBRATION: Final = Calibration(bias=-14.0, similarity=16.0, margin=30.0)
"""For catalogues too small to fit one (one view per product)."""

LATER: Final = {f.name: f.default for f in fields(Calibration) if f.name not in _FIRST}
"""The fields that a catalogue of before lacks, with what they are then."""
