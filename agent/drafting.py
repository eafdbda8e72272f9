"""A first planogram of what a camera sees, for a person to correct; and what an emptied shelf still has."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from agent.core.boards import candidates_of, rows_of
from agent.core.drafting import Seen, draft
from agent.core.errors import InputError
from agent.core.evidence import ONE_LOOK, decide, in_catalogue
from agent.core.looking import looks_at
from agent.core.placement import Placement
from agent.core.standpoint import Standpoint, ViewSettings
from agent.core.types import Region, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from agent.core.boards import Candidate
    from agent.core.drafting import Drafted
    from agent.core.planogram import Planogram
    from agent.core.types import Decision, Frame
    from agent.pipeline import Eyes, Memory

BATCH: Final = 32
"""Candidates between two reports of how far it is."""

LIKELY: Final = 0.1
"""Probability from which another product is named beside the likeliest."""


def drafted(
    image: NDArray[np.uint8],
    eyes: Eyes,
    memory: Memory,
    tell: Callable[[int, int], None] = lambda _done, _all: None,
) -> list[Drafted]:
    """The slots that a picture of a shelf, `(H, W, 3)` uint8 BGR, seems to have.

    `tell(done, all)`: how many candidates were looked at.

    Raises:
        InputError: nothing in it looks like a product of the catalogue.
        DeviceError: model or catalogue could not be used.
    """
    rows = rows_of(image)
    candidates = candidates_of(image, rows)
    seen: list[Seen] = []
    for start in range(0, len(candidates), BATCH):
        seen += _seen(image, candidates[start : start + BATCH], eyes, memory)
        tell(min(start + BATCH, len(candidates)), len(candidates))
    found = draft(rows, seen, (image.shape[1], image.shape[0]))
    if not found:
        raise InputError(
            f"expected goods of the catalogue on the shelf, found none in {len(rows)} rows: draw the slots, "
            "or take photos of the products as this camera sees them into the catalogue"
        )
    return found


def as_yaml(bay: str, slots: Sequence[Drafted]) -> str:
    """The planogram as a person reads and corrects it: a line for each slot, with how sure it is."""
    lines = [
        "# A draft: what the camera saw. Check each product and its facings, and draw in what is missing.",
        f"bay: {json.dumps(bay, ensure_ascii=False)}",
        "slots:",
    ]
    for each in slots:
        fields = ", ".join(f"{key}: {_flow(value)}" for key, value in each.slot.items())
        maybe = f"; or {', '.join(each.others)}" if each.others else ""
        note = " ".join(f"{each.name}, {each.probability:.0%}{maybe}".split())
        lines.append(f"  - {{{fields}}}  # {note}")
    return "\n".join(lines) + "\n"


def not_empty(frame: Frame, plan: Planogram, eyes: Eyes, memory: Memory) -> list[tuple[str, str]]:
    """Facings in which a product is seen: (name, SKU).

    Raises:
        InputError: the slots do not fit the picture.
        DeviceError: model or catalogue could not be used.
    """
    regions = Placement(plan, Standpoint(ViewSettings(every_s=0))).regions(frame)
    found = []
    for region, decision in zip(regions, _decided(frame.image, regions, eyes, memory), strict=True):
        if decision.verdict is Verdict.KNOWN and decision.product is not None:
            found.append((region.name, memory.product(decision.product).sku))
    return found


def _seen(
    image: NDArray[np.uint8], candidates: Sequence[Candidate], eyes: Eyes, memory: Memory
) -> list[Seen]:
    regions = [Region(candidate.box) for candidate in candidates]
    found = []
    for candidate, decision in zip(candidates, _decided(image, regions, eyes, memory), strict=True):
        if not decision.options:
            continue
        best, *rest = decision.options
        product = memory.product(best.product)
        others = tuple(memory.product(each.product).sku for each in rest if each.probability >= LIKELY)
        found.append(
            Seen(
                candidate,
                product.sku,
                product.name,
                in_catalogue(decision, haze=False),  # bare shelves among the candidates are no blurred goods
                best.probability,
                best.similarity,
                others,
            )
        )
    return found


def _decided(
    image: NDArray[np.uint8], regions: Sequence[Region], eyes: Eyes, memory: Memory
) -> Iterator[Decision]:
    """The answer to one look at each region."""
    embeddings = eyes.embed(image, regions)
    for look in looks_at(image, regions, embeddings, memory.nearest(embeddings)):
        yield decide([look], memory.calibration, ONE_LOOK)


def _flow(value: object) -> str:
    """A value as JSON, which YAML reads; names of keys stay bare."""
    return json.dumps(value, ensure_ascii=False)
