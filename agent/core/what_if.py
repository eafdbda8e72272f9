"""What another `decision.false_accept` would have made of what was decided of late."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from agent.core.types import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable

    from agent.core.types import Recognition


@dataclass(frozen=True, slots=True)
class Change:
    """A decision that would be another one."""

    decision: Recognition
    named: bool  # whether it would be named: it was not; or else it was, and would not be


def changes(decisions: Iterable[Recognition], false_accept: float, now: float) -> list[Change]:
    """Those that would change if wrong names were allowed at the rate `false_accept` instead of `now`.

    What was decided ambiguous though its rate is allowed has looks that do not agree: no rate names it.
    Of the others that would be named it is not known whether theirs agree: they are as many at most.
    """
    found = []
    for each in decisions:
        known = each.verdict is Verdict.KNOWN
        would = each.false_accept <= false_accept and (known or each.false_accept > now)
        if would != known:
            found.append(Change(each, named=would))
    return found
