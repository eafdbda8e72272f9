"""A device before a shelf: three products side by side, and something printed that nobody knows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np

from tests.support.road import picture
from tests.support.web import Shop, Site


def shelf(folder: Path) -> Path:
    """Photos of a shelf with three products side by side, and something printed that nobody knows."""
    folder.mkdir()
    for view in range(4):
        image = np.full((240, 990, 3), 128, np.uint8)
        image[:, 750:] = picture(11, 90 + view, 240)
        for line in range(9):
            y = 20 + 24 * line
            cv2.rectangle(image, (770, y), (830 + 13 * (line * 7 % 9), y + 8), (245, 245, 245), -1)
        for number in range(3):
            image[:, number * 250 : number * 250 + 240] = picture(number, 70 + view + 10 * number, 240)
        cv2.imwrite(str(folder / f"{view}.png"), image)
    return folder


class Rack(Site):
    """A site whose camera looks at a shelf, and whose file has a comment."""

    def __init__(self, shop: Shop, folder: Path, **more: Any) -> None:
        photos = shelf(folder / "shelf")
        super().__init__(shop, folder, camera={"source": f"folder:{photos}"}, **more)
