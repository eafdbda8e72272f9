"""A small shelf of the packages that `road.picture` draws, and a camera before it."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from tests.support.road import picture

if TYPE_CHECKING:
    from types import TracebackType

WIDTH, HEIGHT = 640, 360
SLOTS = {f"{'ab'[row]}{column + 1}": (row, column) for row in range(2) for column in range(4)}
"""Two boards of four; product number k belongs in slot number k."""


def box(slot: str) -> tuple[int, int, int, int]:
    row, column = SLOTS[slot]
    x, y = 40 + 145 * column, 20 + 170 * row
    return x, y, x + 125, y + 130


def planogram(*slots: str) -> dict[str, Any]:
    """Of these slots, or of all, as plain data."""
    names = slots or tuple(SLOTS)
    return {
        "bay": "A",
        "slots": [
            {"name": slot, "sku": f"sku-{number:02d}", "box": list(box(slot))}
            for number, slot in enumerate(SLOTS)
            if slot in names
        ],
    }


def _furniture() -> Any:
    rng = np.random.default_rng(5)
    scene = np.full((HEIGHT, WIDTH, 3), (175, 182, 186), np.uint8)
    scene += rng.integers(0, 6, scene.shape, np.uint8)
    for row in range(2):
        y = 150 + 170 * row
        scene[y : y + 24] = (236, 238, 238)
        for x in range(20, WIDTH - 40, 46):  # price labels
            label = np.kron(rng.integers(0, 2, (4, 9)), np.ones((4, 4))) * 200 + 30
            scene[y + 4 : y + 20, x : x + 36] = label[..., None].astype(np.uint8)
    return scene


_FURNITURE = _furniture()


@dataclass
class Shown:
    """What is before the camera."""

    products: dict[str, int | None] = field(
        default_factory=lambda: {slot: number for number, slot in enumerate(SLOTS)}
    )
    person: bool = False
    gain: float = 1.0
    shift: tuple[int, int] = (0, 0)

    def draw(self, moment: int) -> Any:
        """`(360, 640, 3)`; the same moment has the same noise."""
        scene = _FURNITURE.copy()
        for slot, product in self.products.items():
            if product is not None:
                x1, y1, x2, y2 = box(slot)
                scene[y1 + 8 : y2, x1 + 12 : x2 - 12] = cv2.resize(
                    picture(product, 7), (x2 - x1 - 24, y2 - y1 - 8)
                )
        if self.person:
            scene[15:, 180:470] = (70, 50, 40)
            scene[5:50, 290:360] = (90, 120, 160)
        scene = cv2.convertScaleAbs(scene, alpha=self.gain)
        onto = np.array([[1, 0, self.shift[0]], [0, 1, self.shift[1]]], np.float32)
        scene = cv2.warpAffine(scene, onto, (WIDTH, HEIGHT), borderMode=cv2.BORDER_REPLICATE)
        noise = np.random.default_rng(moment % 5).normal(0, 2, scene.shape)
        return np.clip(scene + noise, 0, 255).astype(np.uint8)


class Filmed:
    """Writes what is shown into a folder that a camera watches, a picture each `every_s`."""

    def __init__(self, folder: Path, every_s: float = 0.2) -> None:
        folder.mkdir(exist_ok=True)
        self.shown = Shown()
        self._folder, self._every_s = folder, every_s
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._film, daemon=True)

    def _film(self) -> None:
        number = 0
        while not self._ended.wait(self._every_s):
            done = self._folder / f"{number:06d}.png"
            part = done.with_suffix(".part")
            part.write_bytes(cv2.imencode(".png", self.shown.draw(number))[1].tobytes())
            part.rename(done)
            number += 1

    def __enter__(self) -> Filmed:
        self._thread.start()
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()
