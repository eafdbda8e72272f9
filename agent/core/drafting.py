"""A first planogram from what a shelf shows: recognised candidates become slots for a person to correct.

In each row those candidates are kept that explain it best: they do not overlap, and each looks like a
product by as much of its width as it can. Neighbours of one product are the facings of one slot, and a slot
reaches as far beyond its goods as it can to both sides before it meets the next, from the board below to the
one above.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agent.core.boards import Candidate, Row

LEAST: Final = 0.5
"""Similarity, by the probability of being a product at all, below which a candidate is none."""

APART: Final = 0.35
"""Share of a facing's width that may be between two facings of a slot."""

ALIKE: Final = 1.8
"""How many times as wide as the other one of two facings may be."""

MARGIN: Final = 0.5
"""Share of a facing's width that a slot reaches beyond its goods where nothing stands beside it."""

TILTED: Final = 0.04
"""Share of a slot's height by which its ends may differ until it is drawn as four corners."""

FACINGS: Final = 20


@dataclass(frozen=True, slots=True)
class Seen:
    """A candidate, and what it looks like."""

    candidate: Candidate
    sku: str
    name: str
    known: float  # probability that the catalogue has it, whichever product it is
    probability: float  # of this product
    similarity: float
    others: tuple[str, ...] = ()  # SKUs that it may be as well

    @property
    def worth(self) -> float:
        """To the row, pixels."""
        return (self.known * self.similarity - LEAST) * (self.candidate.right - self.candidate.left)


@dataclass(frozen=True, slots=True)
class Drafted:
    """A slot as plain data, and what a person should know of it."""

    slot: dict[str, Any]
    name: str
    probability: float
    others: tuple[str, ...]


def draft(rows: Sequence[Row], seen: Sequence[Seen], size: tuple[int, int]) -> list[Drafted]:
    """Slots from the upper left to the lower right; `size`: width and height of the picture."""
    drafted = []
    for number, row in enumerate(rows):
        kept = _best([each for each in seen if each.candidate.row == number])
        runs = _runs(kept)
        for place, (run, (left, right)) in enumerate(zip(runs, _reach(runs, size[0]), strict=True), 1):
            surest = max(run, key=lambda each: each.probability)
            slot = {"name": f"{chr(97 + number)}{place}", "sku": surest.sku, **_place(row, left, right, size)}
            if len(run) > 1:
                slot["facings"] = len(run)
            others = tuple(dict.fromkeys(sku for each in run for sku in each.others if sku != surest.sku))
            drafted.append(Drafted(slot, surest.name, surest.probability, others))
    return drafted


def _best(seen: Sequence[Seen]) -> list[Seen]:
    """Those that do not overlap and are worth most together, from the left."""
    ordered = sorted((each for each in seen if each.worth > 0), key=lambda each: each.candidate.right)
    worth, chain = [0.0], [list[Seen]()]
    ends = [each.candidate.right for each in ordered]
    for number, each in enumerate(ordered):
        before = sum(end <= each.candidate.left for end in ends[:number])
        taken = worth[before] + each.worth
        if taken > worth[-1]:
            worth.append(taken)
            chain.append([*chain[before], each])
        else:
            worth.append(worth[-1])
            chain.append(chain[-1])
    return chain[-1]


def _runs(kept: Sequence[Seen]) -> list[list[Seen]]:
    """Neighbours of one product together."""
    runs: list[list[Seen]] = []
    for each in kept:
        last = runs[-1][-1] if runs else None
        wide = each.candidate.right - each.candidate.left
        beside = (
            last is not None
            and last.sku == each.sku
            and each.candidate.left - last.candidate.right <= APART * wide
            and wide / ALIKE <= last.candidate.right - last.candidate.left <= wide * ALIKE
            and len(runs[-1]) < FACINGS
        )
        if beside:
            runs[-1].append(each)
        else:
            runs.append([each])
    return runs


def _reach(runs: Sequence[Sequence[Seen]], width: int) -> list[tuple[int, int]]:
    """From where to where each slot goes: as far to the one side of its goods as to the other."""
    spans = [(run[0].candidate.left, run[-1].candidate.right) for run in runs]
    found = []
    for number, (left, right) in enumerate(spans):
        one = MARGIN * (right - left) / len(runs[number])
        before = (left - spans[number - 1][1]) / 2 if number else left
        behind = (spans[number + 1][0] - right) / 2 if number + 1 < len(spans) else width - right
        more = int(max(0.0, min(one, before, behind)))
        found.append((left - more, right + more))
    return found


def _place(row: Row, left: int, right: int, size: tuple[int, int]) -> dict[str, Any]:
    def within(y: float) -> int:
        return max(0, min(size[1], round(y)))

    tops, floors = [[within(line.at(x)) for x in (left, right)] for line in (row.top, row.floor)]
    tilt = max(abs(tops[0] - tops[1]), abs(floors[0] - floors[1]))
    if tilt <= TILTED * (min(floors) - max(tops)):
        return {"box": [left, round(sum(tops) / 2), right, round(sum(floors) / 2)]}
    return {"quad": [[left, tops[0]], [right, tops[1]], [right, floors[1]], [left, floors[0]]]}
