"""How long something took, counted in fixed buckets: those of many devices can be added up."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from typing import Final

BUCKETS_S: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
"""Upper bounds, seconds, each within its bucket: from a frame in which nothing changed (under 1 ms) to one
that a busy board spends seconds on. Each is up to 2.5 times the one before: so far off may a quantile be."""


@dataclass(frozen=True, slots=True)
class Durations:
    """All measurements of one name since the start."""

    counts: tuple[int, ...]  # per bucket, and behind them those above the last bound: not cumulated
    sum_s: float

    def __post_init__(self) -> None:
        if len(self.counts) != len(BUCKETS_S) + 1:
            expected = f"{len(BUCKETS_S) + 1} counts (buckets and the rest)"
            raise ValueError(f"durations: expected {expected}, found {len(self.counts)}")


def bucket(seconds: float) -> int:
    """Place in `Durations.counts`: 0.001 → 0, 0.0011 → 1, 6 → the last."""
    return bisect_left(BUCKETS_S, seconds)
