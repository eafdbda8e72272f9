"""How much each of some looks counts, and how many independent ones they are worth together.

A still picture is no more evidence the tenth time, and a blurred one says little beside a sharp one.

The evidence of two looks at one thing is correlated, the more the more they are alike: by half however unlike
they are (some things simply look more like a product than others), fully where the pictures are the same.
Measured on Grocery Store, 20 of 81 products left out, twelve splits: between photos of one unknown product,
by the cosine of their embeddings, 0.3 to 0.4: 0.1, 0.4 to 0.7: 0.5, 0.7 to 0.8: 0.5, 0.8 to 0.9: 0.8, above:
0.9 to 1 (validation photos, 1,600 pairs, two in the middle had a cosine of 0.8).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agent.core.types import Look

LEAST: Final = 0.5
"""Correlation of the evidence of two looks that have nothing in common but the thing: no number of looks is
worth more than two."""

USUAL: Final = 0.7
"""Cosine of two photos of one product, where a catalogue does not say it."""


LEAST_SHARE: Final = 0.05
"""Of a look's weight: a blurred one among sharp ones still says something."""


def shares_of(looks: Sequence[Look]) -> list[float]:
    """How much each counts, to 1 for the sharpest: its sharpness as a share of that one's; 1 where not known.

    Only looks at one thing are compared, so that a smooth thing is not taken for a blurred one. Measured with
    an earlier models/base on things of up to four validation photos, half of them blurred or from afar: 95 %
    right in place of 94, 51 % named in place of 50, AUROC of known above unknown 0.964 in place of 0.961.
    """
    sharpest = max((look.sharpness for look in looks), default=0.0)
    if sharpest <= 0:
        return [1.0] * len(looks)
    return [1.0 if look.sharpness < 0 else max(LEAST_SHARE, look.sharpness / sharpest) for look in looks]


def independent_looks(looks: Sequence[Look], alike: float = 0.0, least: float = LEAST) -> float:
    """How many they are worth, from 1 to `1 / least`; `alike` as in `Calibration`, 0: not known.

    `least`: correlation of two that have nothing in common but the thing.

    The effective size of a weighted sample with correlated members (Kish, 1965): the square of the sum of the
    weights by the weighted sum of the correlations. Looks whose embedding is not known are taken to have
    nothing in common.
    """
    count = len(looks)
    if count < 2:
        return 1.0
    correlation = np.full((count, count), least)
    rows = [look.embedding for look in looks if look.embedding is not None]
    if len(rows) == count:
        seen = np.stack(rows)
        cosines = seen @ seen.T
        usual = alike or USUAL
        correlation += (1 - least) * np.clip((cosines - usual) / (1 - usual), 0, 1)
    np.fill_diagonal(correlation, 1.0)
    shares = np.array(shares_of(looks))
    return float(shares.sum() ** 2 / (shares @ correlation @ shares))
