"""What is in one picture, as plain data: the answer of `spotter find` and of the command `find`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from agent.core.evidence import ONE_LOOK, WEIGHED, decide
from agent.core.looking import looks_at
from agent.core.regions import kept_centre, propose

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from agent.core.types import Decision, Region
    from agent.pipeline import Eyes, Memory, SecondLook


def find(
    image: NDArray[np.uint8],
    eyes: Eyes,
    memory: Memory,
    crop: float,
    listed: int,
    second: SecondLook | None = None,
) -> list[dict[str, Any]]:
    """The regions of a picture `(H, W, 3)` BGR, each with its decision and up to `listed` candidates.

    `crop` is the share of each side of the picture that is looked at.

    Raises:
        ValueError: the picture is too small for that.
        DeviceError: the inference failed.
        ModelError: the model's answer is no embedding.
    """
    regions = propose(kept_centre(crop), image.shape[1], image.shape[0])
    return look(image, regions, eyes, memory, listed, second)


def look(
    image: NDArray[np.uint8],
    regions: Sequence[Region],
    eyes: Eyes,
    memory: Memory,
    listed: int,
    second: SecondLook | None = None,
) -> list[dict[str, Any]]:
    """The same of given regions, in their order. Raises as `find`."""
    embeddings = eyes.embed(image, regions)
    looks = looks_at(image, regions, embeddings, memory.nearest(embeddings, max(listed, WEIGHED)))
    if second is not None:
        looks = second.improved(image, regions, looks, memory)
    return [
        describe(region, decide([each], memory.calibration, ONE_LOOK, listed=listed), memory)
        for region, each in zip(regions, looks, strict=True)
    ]


def describe(region: Region, decision: Decision, memory: Memory) -> dict[str, Any]:
    """One region's answer as plain data."""
    candidates = []
    for option in decision.options:
        product = memory.product(option.product)
        candidates.append(
            {
                "sku": product.sku,
                "name": product.name,
                "similarity": round(option.similarity, 6),
                "probability": round(option.probability, 6),
                "reference": memory.reference(option.key) if option.key else "",
                "place": product.place,
                "key": option.key,
                "clues": [_weight(clue.source, clue.log_odds) for clue in option.clues],
            }
        )
    known = decision.product is not None
    return {
        "box": list(region.box),
        "verdict": decision.verdict.value,
        "sku": candidates[0]["sku"] if known else None,
        "name": candidates[0]["name"] if known else None,
        "probability": round(decision.probability, 6),
        "similarity": round(decision.similarity, 6),
        "margin": round(decision.margin, 6),
        "false_accept": round(decision.false_accept, 8),
        "evidence": [_weight(source, log_odds) for source, log_odds in decision.evidence],
        "reason": decision.reason,
        "candidates": candidates,
    }


def _weight(source: str, log_odds: float) -> dict[str, Any]:
    return {"source": source, "log_odds": round(log_odds, 4)}
