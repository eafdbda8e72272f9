"""A real video: three bottles on a table that hands take and put back, watched as three slots.

`data/bottles.csv` is what a person saw: from which frame on a place is empty, and nothing of hand or bottle is
left of it; from which on the bottle stands there and the hand is gone. Hands are in the picture for 1 to 3
seconds before that, and sometimes put a bottle down long before they let it go.
"""

from __future__ import annotations

import csv
import os
from pathlib import Path
from typing import Any

import cv2
import pytest

from tests.support.road import ROOT
from tools.bench._all_of_it import spotter
from tools.bench._shelf_device import ShelfDevice, sku_of
from tools.synth.designs import design
from tools.synth.photos import shelf_photo
from tools.synth.views import studio_view

DATA = Path(os.environ.get("SPOTTER_DATA", ROOT.parent / "shared" / "data"))
VIDEO = DATA / "video" / "bottle-detection.mp4"
FPS = 29.833
EACH = 3
"""Every third frame is looked at: 10 a second."""

FOUND_S = 2.0
PUT_DOWN_S = 1.3
"""How long before the hand lets it go a bottle is in its place at most: the one in the middle is held upright in it, a
finger above the table, for the first 0.3 s of that, and stands for the rest."""

BOXES = {"left": (44, 95, 124, 320), "middle": (276, 95, 356, 320), "right": (498, 95, 582, 320)}
MODEL = "models/base.tflite"


def timeline() -> list[tuple[str, float, str]]:
    """(slot, second, what it becomes), in order."""
    with (Path(__file__).parent / "data" / "bottles.csv").open(newline="") as file:
        return [(row["slot"], int(row["frame"]) / FPS, row["becomes"]) for row in csv.DictReader(file)]


def build(folder: Path, frames: list[Any]) -> Path:
    """A catalogue of the bottle, as it was photographed in its place, and of eight other products."""
    products = folder / "products"
    for number in range(8):
        images = products / "images" / sku_of(number)
        images.mkdir(parents=True)
        for view in range(3):
            cv2.imwrite(str(images / f"studio-{view}.png"), studio_view(design(number, 5), view))
            cv2.imwrite(str(images / f"shelf-{view}.png"), shelf_photo(number, view, 5))
    water = products / "images" / "water"
    water.mkdir()
    for number in (0, 40, 80, 120):
        for slot, (x1, y1, x2, y2) in BOXES.items():
            cv2.imwrite(str(water / f"{slot}-{number}.png"), frames[number][y1:y2, x1:x2])
    skus = ["water", *(sku_of(number) for number in range(8))]
    (products / "products.csv").write_text("sku,name\n" + "".join(f"{sku},{sku}\n" for sku in skus))
    spotter("catalog", "build", str(products), "--model", MODEL, "-o", str(folder / "catalogue"))
    return folder / "catalogue"


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.skipif(not VIDEO.is_file(), reason=f"the video is not there: {VIDEO}")
def test_each_bottle_that_is_taken_and_returned_is_found_and_no_hand_is_a_sale(tmp_path: Path) -> None:
    capture, frames = cv2.VideoCapture(str(VIDEO)), []
    while (read := capture.read())[0]:
        frames.append(read[1])
    plan = {"slots": [{"name": slot, "sku": "water", "box": list(box)} for slot, box in BOXES.items()]}
    quick = {"dwell_s": 0.5, "restock_s": 0.3, "blocked_after_s": 0.3}
    device = ShelfDevice(tmp_path, MODEL, build(tmp_path, frames), plan, quick)
    for number in range(0, len(frames), EACH):
        device.see(number / FPS, frames[number])
    told = [
        (fact["slot"], at, {"out_of_stock": "empty", "restocked": "full"}[fact["event"]])
        for at, fact in device.facts()
        if fact["event"] in {"out_of_stock", "restocked"}
    ]
    expected = timeline()
    assert len(told) == len(expected), told
    for slot in BOXES:
        mine = [each for each in told if each[0] == slot]
        wanted = [each for each in expected if each[0] == slot]
        assert [what for _, _, what in mine] == [what for _, _, what in wanted]
        for (_, at, what), (_, true, _) in zip(mine, wanted, strict=True):
            early = PUT_DOWN_S if what == "full" else 0.0
            assert true - early <= at <= true + FOUND_S, (slot, what, at, true)
    assert [fact for _, fact in device.facts() if fact["event"].startswith("camera")] == []
    assert {topic: state["state"] for topic, state in device.states.items() if "/" in topic} == dict.fromkeys(
        (f"shelf/{slot}" for slot in BOXES), "correct"
    )
