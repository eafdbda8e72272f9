"""From a region, its embedding and what the index answered to the look that evidence weighs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import cv2

from agent.core.tensors import visible
from agent.core.types import Look

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from agent.core.types import Candidate, Region

SIDE: Final = 64
"""Pixels across and down that sharpness is measured on: what is finer than this no model here looks at."""


def looks_at(
    image: NDArray[np.uint8],
    regions: Sequence[Region],
    embeddings: NDArray[np.float32],
    found: Sequence[tuple[Candidate, ...]],
) -> list[Look]:
    """One look per region of `image`; `embeddings` `(N, D)` and `found` are in the order of the regions.

    Raises:
        ValueError: no pixel of a region is in the picture.
    """
    return [
        Look(candidates, side_px(image, region), sharpness(image, region), embedding=row)
        for region, row, candidates in zip(regions, embeddings, found, strict=True)
    ]


def side_px(image: NDArray[np.uint8], region: Region) -> int:
    """The shorter side of what the picture shows of a region, in pixels. Raises as `looks_at`."""
    x1, y1, x2, y2 = visible(region, image)
    return min(x2 - x1, y2 - y1)


def sharpness(image: NDArray[np.uint8], region: Region) -> float:
    """How much fine detail a region shows: 0 for an even area, about 80 for a photo of groceries in focus.

    The root mean square of the Laplacian, in levels, of the region in 64 × 64 grey pixels. 40 groceries
    of 348 px had 49 to 115; blurred by a σ of 1 px 40 to 92, of 2 px 28 to 61, of 4 px 15 to 28. 20 µs.
    Raises as `looks_at`.
    """
    x1, y1, x2, y2 = visible(region, image)
    small = cv2.resize(image[y1:y2, x1:x2], (SIDE, SIDE), interpolation=cv2.INTER_LINEAR)
    grey = cv2.cvtColor(small, cv2.COLOR_BGR2GRAY)
    edges = cv2.Laplacian(grey, cv2.CV_32F)
    return float(cv2.norm(edges, cv2.NORM_L2)) / SIDE
