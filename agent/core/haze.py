"""What a small or blurred look is worth: it is less like what it shows, and less unlike all else.

Similarities are judged as those of pictures with all their detail. A thing seen from afar or out of focus
lies farther from its own references, so that it would be called unknown for being blurred. `haze` is how much
detail a look lacks, by its sharpness (core/looking.py) and so by its size as well: a region of less than 64
pixels is made larger. The evidence is then flattened, and raised:

    log-odds that the catalogue has it   x → x / (1 + flatter·haze) + raised·haze

Error of the probability that the catalogue has a thing (`python -m tools.train.worth`), models/base
and, of five looks, the one before it: validation photos of groceries made smaller (pixels of the shorter
side) or blurred (σ, of 348 pixels), 20 of 81 products left out twelve times over, numbers fitted on other
products; true probabilities show 0.04 on the 296 photos:

                             as they are   150    100     70     50     40    σ 2    σ 4
    one look, without haze         0.040  0.043  0.038  0.041  0.071  0.122  0.029  0.088
        with it                    0.035  0.039  0.027  0.027  0.025  0.031  0.029  0.037
    five looks, without            0.045  0.065  0.081  0.117  0.203  0.314  0.084  0.237
        with it, for each look     0.052  0.053  0.064  0.075  0.067  0.082  0.080  0.065
        … once for all of them     0.053  0.052  0.054  0.077  0.081  0.144  0.064  0.118

By the size of the region alone blur is not seen; raised and not flattened, half of the error is left.

What the catalogue surely lacks stays unlikely: of 120 pictures of waste and 120 of clothes at 40 pixels two
and none come to more than one half. How often an unknown thing gets as far (`false_accept`) is not touched:
of unknown groceries of every size at most 1.3 % are named at 0.01 without.
"""

from __future__ import annotations

from math import log
from typing import TYPE_CHECKING, Final, TypeVar

from agent.core.repeats import shares_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from agent.core.types import Look

Reals = TypeVar("Reals", float, "NDArray[np.float64]")

MOST: Final = 1.0
"""Of haze: an even wall has no detail either, and is no product that is blurred."""


def haze(looks: Sequence[Look], full: float) -> float:
    """e-folds of sharpness that looks lack in the mean of what they count, [0, `MOST`].

    `full` is the sharpness from which nothing is lacking; 0: not known. A look whose sharpness is not known
    lacks nothing.
    """
    if full <= 0 or not looks:
        return 0.0
    shares = shares_of(looks)
    lacking = (hazy(look.sharpness, full) * share for look, share in zip(looks, shares, strict=True))
    return sum(lacking) / sum(shares)


def hazy(sharpness: float, full: float) -> float:
    """The same of one."""
    return 0.0 if sharpness < 0 else min(MOST, max(0.0, log(full / max(sharpness, 1.0))))


def seen_through(log_odds: Reals, lacking: Reals, flatter: float, raised: float) -> Reals:
    """Log-odds that the catalogue has what looks show that lack so much detail, of one or of `(N,)`."""
    return log_odds / (1 + flatter * lacking) + raised * lacking
