"""The shelf application on photographs of shelves: each is shown for a while, by a right and a wrong plan.

Slots are the recorded boxes. In the one plan each holds what stands there; in the other every slot was
planned for a product that stands in none of the photographs, so that `wrong` is what is true of all.
"""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, Final

import cv2
import numpy as np

from agent.adapters.embedder import EmbedderSettings
from agent.adapters.images import decode_image, encode_jpeg, read_image
from agent.core.boxes import iou
from agent.core.planogram import PlannedSlot, Planogram
from agent.core.scoring import wilson
from agent.drafting import drafted
from agent.sight import open_folder
from tools.bench._all_of_it import spotter
from tools.bench._shelf_device import ShelfDevice
from tools.synth.camera import noisy

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Pixels = NDArray[np.uint8]
    Things = list[dict[str, Any]]

SHOWN_S: Final = 14
"""How long, a picture a second: until every answer is there that time alone brings, and has lasted."""

QUICK: Final = {"dwell_s": 3.0, "view": {"every_s": 0}}
"""A photograph shows no camera that moves."""

FOUND_IOU: Final = 0.5
"""From which a drafted facing is a recorded box."""

BLUR_PX: Final = 0.6
JPEG_QUALITY: Final = 70


def from_afar(picture: Pixels, times: float) -> Pixels:
    """The photograph as a camera takes it from so much farther away; as it is where `times` is 1 or more."""
    if times >= 1:
        return picture
    size = (round(picture.shape[1] * times), round(picture.shape[0] * times))
    small = cv2.GaussianBlur(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), (0, 0), BLUR_PX)
    return decode_image(encode_jpeg(np.asarray(small, np.uint8), JPEG_QUALITY), "scene")


def states(folder: Path, model: str, widths: Sequence[int], small: Sequence[int]) -> dict[str, Any]:
    """Per width of a box what the application says of all slots, by either plan."""
    notes: dict[str, Things] = json.loads((folder / "annotations.json").read_text())
    with tempfile.TemporaryDirectory() as held:
        catalogue = _catalogue(folder, Path(held), model, small)
        table = {}
        for width in widths:
            right, wrong = Counter[str](), Counter[str]()
            for scene, things in notes.items():
                wide = median(thing["box"][2] - thing["box"][0] for thing in things)
                times = min(1.0, width / wide) if width else 1.0
                picture = from_afar(read_image(folder / "scenes" / scene), times)
                for planned, counted in ((_own, right), (_other(folder, notes), wrong)):
                    with tempfile.TemporaryDirectory() as device:
                        plan = [planned(thing) for thing in things]
                        counted.update(_said(Path(device), model, catalogue, picture, things, plan, times))
            table[str(width) if width else "as it is"] = {
                "right product planned": _row(right, "correct"),
                "another product planned": _row(wrong, "wrong"),
            }
    return table


def drafts(folder: Path, model: str) -> dict[str, Any]:
    """How many of the recorded boxes a draft of the planogram has as a facing, and with the right product."""
    notes: dict[str, Things] = json.loads((folder / "annotations.json").read_text())
    counted = Counter[str]()
    with tempfile.TemporaryDirectory() as held:
        eyes, catalogue = open_folder(_catalogue(folder, Path(held), model, ()), EmbedderSettings(file=model))
        for scene, things in notes.items():
            image = read_image(folder / "scenes" / scene)
            plan = Planogram(
                slots=tuple(PlannedSlot(**_plain(each.slot)) for each in drafted(image, eyes, catalogue))
            )
            cells = plan.cells(image.shape[1], image.shape[0])
            boxes = np.array([np.concatenate([np.min(cell.quad, 0), np.max(cell.quad, 0)]) for cell in cells])
            counted["drafted"] += len(cells)
            for thing in things:
                overlaps = iou(np.array([thing["box"]], np.float32), boxes.astype(np.float32))[0]
                found = int(overlaps.argmax())
                there = bool(overlaps[found] >= FOUND_IOU)
                counted.update(boxes=1, found=there, right=there and cells[found].sku == _own(thing))
    return dict(counted)


def _plain(slot: dict[str, Any]) -> dict[str, Any]:
    return {key: tuple(map(tuple, value)) if key == "quad" else value for key, value in slot.items()}


def _catalogue(folder: Path, held: Path, model: str, small: Sequence[int]) -> Path:
    for path in sorted((folder / "references").iterdir()):
        product = held / "products" / path.stem
        product.mkdir(parents=True)
        (product / path.name).write_bytes(path.read_bytes())
    sizes = ["--small", ",".join(map(str, small))] if small else []
    out = held / "catalogue"
    spotter("catalog", "build", str(held / "products"), "--model", model, "-o", str(out), *sizes)
    return out


def _own(thing: dict[str, Any]) -> str:
    return Path(thing["reference"]).stem


def _other(folder: Path, notes: dict[str, Things]) -> Any:
    """For each thing a product that stands in no photograph."""
    shown = {_own(thing) for things in notes.values() for thing in things}
    every = sorted((path.stem for path in (folder / "references").iterdir()), key=int)
    away = [sku for sku in every if sku not in shown] or every
    return lambda thing: away[(thing["box"][0] + int(_own(thing))) % len(away)]


def _said(
    folder: Path,
    model: str,
    catalogue: Path,
    picture: Pixels,
    things: Things,
    planned: Sequence[str],
    times: float,
) -> Counter[str]:
    """States of the slots of one photograph; `named right` are those of which what stands there is named."""
    slots = [
        {"name": f"s{number}", "sku": sku, "box": [round(edge * times) for edge in thing["box"]]}
        for number, (thing, sku) in enumerate(zip(things, planned, strict=True))
    ]
    device = ShelfDevice(folder, model, catalogue, {"slots": slots}, QUICK)
    for at in range(SHOWN_S):
        device.see(float(at), noisy(picture, at))
    counted = Counter[str]()
    for number, thing in enumerate(things):
        told = device.states[f"shelf/s{number}"]
        counted[told["state"]] += 1
        counted["named right"] += (told["found"] or {}).get("sku") == _own(thing)
    return counted


def _row(counted: Counter[str], true: str) -> dict[str, Any]:
    slots = sum(counted.values()) - counted["named right"]
    low, high = wilson(counted[true], slots)
    return {
        "slots": slots,
        **{state: counted[state] for state in ("correct", "wrong", "empty", "unknown") if counted[state]},
        "named_right": counted["named right"],
        "accuracy_low_high_percent": [
            round(100 * share, 1) for share in (counted[true] / slots if slots else 0.0, low, high)
        ],
    }
