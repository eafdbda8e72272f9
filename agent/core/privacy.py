"""Parts of a picture that nobody is to see: made unrecognisable wherever a picture is kept or shown.

Recognition sees the picture as it is; nothing of it leaves the device. Who stands before the device's own
screen sees the live picture as it is, too: what it shows stands before them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import cv2
import numpy as np

from agent.core.settings import setting

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from agent.core.types import Frame

MASKS: Final = 32

_CELLS: Final = 6
"""Means of so many cells along the longer side are all that is left of a part: a face has at least ten times
as many that tell it from another."""

Shares = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class PrivacySettings:
    """What nobody is to see."""

    masks: tuple[Shares, ...] = setting(
        "parts of the picture that are blurred in all that is kept or shown, but for the live page on the "
        "device itself: [[x1, y1, x2, y2], …] in shares of width and height, 0 to 1",
        (),
    )

    def __post_init__(self) -> None:
        if len(self.masks) > MASKS:
            raise ValueError(f"masks: expected at most {MASKS}, found {len(self.masks)}")
        for number, (x1, y1, x2, y2) in enumerate(self.masks):
            if not (0 <= x1 < x2 <= 1 and 0 <= y1 < y2 <= 1):
                raise ValueError(
                    f"masks: expected [x1, y1, x2, y2] from 0 to 1 with x1 < x2 and y1 < y2, found "
                    f"{[x1, y1, x2, y2]} as number {number + 1}"
                )


class Veil:
    """What each camera is not to show. `settle` is for one thread, the rest for any."""

    def __init__(self, cameras: Mapping[str, PrivacySettings]) -> None:
        self._masks: dict[str, tuple[Shares, ...]] = {}
        self.settle(cameras)

    def settle(self, cameras: Mapping[str, PrivacySettings]) -> None:
        """What holds from now on."""
        self._masks = {camera: settings.masks for camera, settings in cameras.items() if settings.masks}

    def over(self, frame: Frame) -> Frame:
        """The frame as others may see it: itself where nothing is masked."""
        masks = self._masks.get(frame.camera)
        return replace(frame, image=veiled(frame.image, masks)) if masks else frame


def veiled(image: NDArray[np.uint8], masks: tuple[Shares, ...]) -> NDArray[np.uint8]:
    """`(H, W, 3)` → a copy in which the masked parts are means of a few cells, faded into each other."""
    result = image.copy()
    height, width = image.shape[:2]
    for x1, y1, x2, y2 in masks:
        rows = slice(int(y1 * height), max(int(y1 * height) + 1, int(np.ceil(y2 * height))))
        columns = slice(int(x1 * width), max(int(x1 * width) + 1, int(np.ceil(x2 * width))))
        part: Any = result[rows, columns]
        tall, wide = part.shape[:2]
        share = min(1.0, _CELLS / max(tall, wide))
        coarse = cv2.resize(
            part, (max(1, int(wide * share)), max(1, int(tall * share))), interpolation=cv2.INTER_AREA
        )
        result[rows, columns] = cv2.resize(coarse, (wide, tall), interpolation=cv2.INTER_LINEAR)
    return result
