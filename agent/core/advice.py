"""From the findings of a check-up to the next photo of a product, in words for whoever takes it."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from agent.core.checkup import FEW, Views

if TYPE_CHECKING:
    from collections.abc import Callable

    from agent.core.checkup import Checkup, Lookalike, Thin

_NAMED = 3  # products that one sentence speaks of


def advise(checkup: Checkup, name_of: Callable[[int], str]) -> list[tuple[int, str]]:
    """(product, what to photograph next), who needs it most first: those without a picture, then with one."""
    thin = {item.product: item for item in checkup.thin}
    alike: dict[int, list[Lookalike]] = defaultdict(list)
    for item in checkup.lookalikes:
        alike[item.product].append(item)
        alike[item.other].append(item)
    ranks = {product: _rank(thin.get(product), alike.get(product, [])) for product in {*thin, *alike}}
    return [
        (product, _sentence(product, thin.get(product), alike.get(product, []), name_of))
        for product in sorted(ranks, key=lambda product: (ranks[product], product))
    ]


def _rank(thin: Thin | None, alike: list[Lookalike]) -> tuple[int, float]:
    """Smaller is needier."""
    views = thin.views if thin else None
    lacking = 1 - thin.pictures / FEW if thin and views is Views.FEW else 0.0
    urgent = {Views.NONE: 0, Views.ONE: 1}.get(views, 2) if views else 2
    return urgent, -lacking - max((item.weight for item in alike), default=0.0)


def _sentence(product: int, thin: Thin | None, alike: list[Lookalike], name_of: Callable[[int], str]) -> str:
    parts = [] if thin is None else [_VIEWS[thin.views].format(pictures=thin.pictures)]
    if alike:
        others = [item.other if item.product == product else item.product for item in alike[:_NAMED]]
        parts.append(
            f"looks like {_listed([name_of(other) for other in others])}: "
            "photograph from close up what tells them apart"
        )
    return "; ".join(parts)


def _listed(names: list[str]) -> str:
    """`_listed(["a", "b", "c"])` → `a, b and c`."""
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


_VIEWS = {
    Views.NONE: "no picture: photograph it from the front, from the left, from the right, and on the shelf",
    Views.ONE: "only one view: photograph it on the shelf, from the left and from the right",
    Views.FEW: "only {pictures} views: photograph it on the shelf, from further away and in other light",
    Views.ALIKE: "its {pictures} pictures are much alike: photograph it from another side, from further away "
    "and in other light",
}
