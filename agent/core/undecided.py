"""Whether a decision is still open, and between which products a closer look could decide it."""

from __future__ import annotations

from math import log
from typing import TYPE_CHECKING, Final

from agent.core.evidence import GROUP_LIMIT, RIVALS, in_catalogue
from agent.core.types import Verdict

if TYPE_CHECKING:
    from agent.core.types import Decision

_WORTH: Final = 0.1
"""Products less probable than this share of the likeliest are not worth a second look."""

_CLEAR: Final = log(1.7)
"""Log-odds of the likeliest product against all others that a second look rarely outweighs. All 63 first
errors of 256 drawn flavours are below log(1.5); by the limit, the share of 100 photos of cartons that are
looked at again, and of 90 slots of drawn flavours that are named (one more carton was mended at log(3)):

    log(1.5)   12 %   37.8 %
    log(1.7)   15 %   40.0 %
    log(2)     17 %   40.0 %
    log(3)     23 %   43.3 %
"""

_HOPELESS: Final = 0.01
"""Probability of being in the catalogue below which no second look is taken. Of 128 drawn packages with near
twins 17 are above, and a second look leaves 2 of 10 errors; above 0.05 are 10, and it leaves 2 of 5."""


def is_open(decision: Decision) -> bool:
    """Whether it is neither known nor surely unknown."""
    return not (decision.settled and decision.verdict in {Verdict.KNOWN, Verdict.UNKNOWN})


def worth_a_second_look(decision: Decision) -> tuple[int, ...]:
    """Products among which a closer look could still decide, the likeliest first; none where it could not.

    It says which of them it is, and not whether it is one of them: two cartons of one brand have as many
    points in common as two pictures of one (known or not: AUROC 0.71 by points, 0.95 by the first look).
    """
    if decision.verdict is Verdict.KNOWN or in_catalogue(decision, haze=False) < _HOPELESS:
        return ()
    if dict(decision.evidence).get(RIVALS, _CLEAR) >= _CLEAR:
        return ()
    least = _WORTH * max((option.probability for option in decision.options), default=0.0)
    likely = [option.product for option in decision.options if option.probability >= least]
    return tuple(likely[:GROUP_LIMIT]) if len(likely) > 1 else ()
