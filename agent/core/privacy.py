"""Parts of a picture that nobody is to see: made unrecognisable wherever a picture is kept or shown.

They are drawn once for a camera, or found in each picture that is about to be kept or shown: faces, people.
Recognition sees the picture as it is; nothing of it leaves the device. Who stands before the device's own
screen sees the live picture as it is, too: what it shows stands before them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import cv2
import numpy as np

from agent.core.boxes import clip
from agent.core.errors import DeviceError
from agent.core.settings import check_range, setting

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from agent.core.types import Box, Frame

    Finder = Callable[[NDArray[np.uint8]], Sequence[Box]]

MASKS: Final = 32

_CELLS: Final = 6
"""Means of so many cells along the longer side are all that is left of a part: a face has at least ten times
as many that tell it from another."""

MARGIN: Final = 0.25
"""Of the sides of what was found, on each side: detectors leave hair, ears and chins out."""

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


@dataclass(frozen=True, slots=True, kw_only=True)
class PeopleSettings:
    """What of people is found, to be blurred."""

    faces: str = setting(
        "YuNet (.onnx; `spotter model fetch yunet`), which finds faces: they are blurred as masks are; its "
        "description lies beside it with the ending .json",
        "",
    )
    faces_score: float = setting("score from which a face counts, 0 to 1", 0.5)
    people: str = setting(
        "detector (.tflite) whose class 0 is a person, as in COCO: people are blurred as masks are", ""
    )
    people_score: float = setting("score from which a person counts, 0 to 1", 0.3)

    def __post_init__(self) -> None:
        for key, ending in (("faces", ".onnx"), ("people", ".tflite")):
            path = getattr(self, key)
            if path and (not path.endswith(ending) or "\0" in path):
                raise ValueError(f"{key}: expected a path that ends in {ending}, found {path!r}")
            check_range(f"{key}_score", getattr(self, f"{key}_score"), 0.05, 1.0)


def nobody(_image: NDArray[np.uint8]) -> Sequence[Box]:
    """Where nothing finds people."""
    return ()


class Veil:
    """What each camera is not to show. `settle` is for one thread, the rest for any."""

    def __init__(self, cameras: Mapping[str, PrivacySettings], find: Finder = nobody) -> None:
        """`find(image)`: boxes of people and faces, in any thread; DeviceError where it could not look."""
        self._masks: dict[str, tuple[Shares, ...]] = {}
        self._find = find
        self._found: dict[str, tuple[float, list[Box]]] = {}  # in the latest picture of each camera
        self.settle(cameras)

    def settle(self, cameras: Mapping[str, PrivacySettings]) -> None:
        """What holds from now on."""
        self._masks = {camera: settings.masks for camera, settings in cameras.items() if settings.masks}

    def over(self, frame: Frame) -> Frame:
        """The frame as others may see it: itself where nothing is masked and nobody found."""
        held = self._found.get(frame.camera)
        if held is None or held[0] != frame.at:  # the same picture is shown in several sizes
            held = self._found[frame.camera] = frame.at, self._people(frame.image)
        boxes = self._drawn(frame) + held[1]
        return replace(frame, image=veiled(frame.image, boxes)) if boxes else frame

    def masked(self, frame: Frame) -> Frame:
        """The frame without what is drawn, for whoever keeps a part of it and says `clear` to that later."""
        boxes = self._drawn(frame)
        return replace(frame, image=veiled(frame.image, boxes)) if boxes else frame

    def clear(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """A part of a picture without people: itself where nobody is found."""
        boxes = self._people(image)
        return veiled(image, boxes) if boxes else image

    def _drawn(self, frame: Frame) -> list[Box]:
        return masked_boxes(self._masks.get(frame.camera, ()), frame.width, frame.height)

    def _people(self, image: NDArray[np.uint8]) -> list[Box]:
        """With a margin; all of the picture where nobody could look."""
        height, width = image.shape[:2]
        try:
            found = np.array(self._find(image), np.float64).reshape(-1, 4)
        except DeviceError:
            return [(0, 0, width, height)]
        sides = (found[:, 2:] - found[:, :2]) * MARGIN
        grown = np.concatenate([np.floor(found[:, :2] - sides), np.ceil(found[:, 2:] + sides)], axis=1)
        boxes = clip(grown, width, height).astype(int).tolist()
        return [(x1, y1, x2, y2) for x1, y1, x2, y2 in boxes if x1 < x2 and y1 < y2]


def masked_boxes(masks: Sequence[Shares], width: int, height: int) -> list[Box]:
    """Masks in a picture of this size: every pixel that they touch."""
    return [
        (
            int(x1 * width),
            int(y1 * height),
            max(int(x1 * width) + 1, int(np.ceil(x2 * width))),
            max(int(y1 * height) + 1, int(np.ceil(y2 * height))),
        )
        for x1, y1, x2, y2 in masks
    ]


def veiled(image: NDArray[np.uint8], boxes: Sequence[Box]) -> NDArray[np.uint8]:
    """`(H, W, 3)` → a copy in which the boxes are means of a few cells, faded into each other."""
    result = image.copy()
    for x1, y1, x2, y2 in boxes:
        rows, columns = slice(y1, y2), slice(x1, x2)
        part: Any = result[rows, columns]
        tall, wide = part.shape[:2]
        share = min(1.0, _CELLS / max(tall, wide))
        coarse = cv2.resize(
            part, (max(1, int(wide * share)), max(1, int(tall * share))), interpolation=cv2.INTER_AREA
        )
        result[rows, columns] = cv2.resize(coarse, (wide, tall), interpolation=cv2.INTER_LINEAR)
    return result
