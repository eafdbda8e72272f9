"""A picture as closer looks compare it: its points, and itself in small."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from agent.core.local_features import LocalFeatures, describe
from agent.core.verifying import Query, small

if TYPE_CHECKING:
    from numpy.typing import NDArray

POINTS: Final = 64
"""Per reference, the strongest near the middle: 4.5 KB, and 5.5 KB for its picture."""


def portrait_of(picture: NDArray[np.uint8]) -> Query:
    """What a catalogue keeps of a reference, `(H, W, 3)` uint8 BGR."""
    return Query(strongest(describe(picture), POINTS), small(picture))


def strongest(features: LocalFeatures, count: int) -> LocalFeatures:
    """The `count` points that are strong and near the middle, where the product is."""
    off = features.places - 0.5
    rank = np.arange(len(features), 0, -1) * np.exp(-4 * (off * off).sum(axis=1))
    order = np.argsort(-rank, kind="stable")[:count]
    return LocalFeatures(features.places[order], features.rows[order])
