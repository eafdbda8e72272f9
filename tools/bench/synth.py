"""How many pictures a second are drawn: for training and of whole scenes.

One process; CPU seconds, so that what else the machine does matters little.
"""

from __future__ import annotations

import argparse
import time
from typing import TYPE_CHECKING, Any

from tools.synth.flavours import flavour
from tools.synth.kiosk import draw_held, hold
from tools.synth.parcels import draw_belt, load
from tools.synth.scenes import Bay
from tools.synth.shelves import draw_shelf, stock
from tools.synth.training import TrainingPictures

if TYPE_CHECKING:
    from collections.abc import Callable


def measure(argv: list[str]) -> dict[str, Any]:
    """Images per CPU second; the products of a picture are drawn already unless it says `first`."""
    parser = argparse.ArgumentParser(prog="python -m tools.bench synth", description=__doc__)
    parser.add_argument("--pictures", type=int, default=200, metavar="N", help="of each kind (default: 200)")
    parser.add_argument("--size", type=int, default=160, metavar="PX", help="for training (default: 160)")
    args = parser.parse_args(argv)
    pictures = TrainingPictures(args.pictures, args.size)
    bay = Bay(rows=4, columns=4)
    shelf = stock(bay, [flavour(number) for number in range(len(bay.slots))])
    belt = load(6)
    work: dict[str, Callable[[int], object]] = {
        "training_scene_first": lambda number: pictures.scene(number, 0),
        "training_scene": lambda number: pictures.scene(number, 1),
        "training_studio": lambda number: pictures.studio(number, 1),
        "shelf_1280x720": lambda _number: draw_shelf(shelf),
        "belt_1280x720": lambda number: draw_belt(belt, number * 0.1),
        "kiosk_640x480": lambda number: draw_held(hold(flavour(number % 8))),
    }
    return {f"{name}_per_s": round(_rate(draw, args.pictures), 1) for name, draw in work.items()}


def _rate(draw: Callable[[int], object], count: int) -> float:
    draw(0)
    began = time.process_time()
    for number in range(count):
        draw(number)
    return count / (time.process_time() - began)
