"""What a shelf costs while nothing happens, by what it costs when every slot changes; and by its slots.

One frame a second of 1280 × 720. "busy": each slot shows another product in each frame. The ratio counts CPU
time of the process, drawing left out, in one run; refreshes of slots that did not change are in it.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tools.bench._shelf_device import ShelfDevice, build_catalogue, sku_of
from tools.synth.camera import noisy
from tools.synth.designs import design
from tools.synth.packages import draw_package

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

WIDTH, HEIGHT = 1280, 720
PRODUCTS = 12
ROWS = 8
GAP_PX = 10
"""Between two rows: the rail."""


def measure(argv: list[str]) -> dict[str, Any]:
    """CPU milliseconds per frame, quiet and busy, for each number of slots."""
    parser = argparse.ArgumentParser(prog="python -m tools.bench shelf", description=__doc__)
    parser.add_argument("--model", default="models/base.tflite", metavar="FILE")
    parser.add_argument("--slots", type=int, nargs="+", default=[10, 50, 200, 400], metavar="N")
    parser.add_argument("--frames", type=int, default=130, metavar="N", help="quiet ones (default: 130)")
    parser.add_argument("--picture", type=Path, metavar="SVG", help="draw the cost by the number of slots")
    args = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as folder:
        catalogue = build_catalogue(Path(folder), args.model, range(PRODUCTS), 1, design)
        costs = {count: _cost(args, catalogue, Path(folder), count) for count in args.slots}
    if args.picture is not None:
        args.picture.write_text(_drawn(costs))
    return {"model": args.model, "frames": args.frames, "slots": costs}


def _cost(args: argparse.Namespace, catalogue: Path, folder: Path, count: int) -> dict[str, float]:
    boxes = _boxes(count)
    slots = [
        {"name": f"s{number}", "sku": sku_of(number % PRODUCTS), "box": list(box)}
        for number, box in enumerate(boxes)
    ]
    device = ShelfDevice(folder, args.model, catalogue, {"slots": slots})
    still = _shelf(boxes, 0)
    settle = 4
    for at in range(settle):
        device.see(float(at), noisy(still, at))
    quiet = _timed(device, settle, args.frames, lambda at: noisy(still, at))
    # A picture of which all goods change at once is taken for another view: the busy one does not ask.
    device = ShelfDevice(folder, args.model, catalogue, {"slots": slots}, {"view": {"every_s": 0}})
    changing = [_shelf(boxes, shift) for shift in range(3)]
    busy = _timed(device, 0, 6, lambda at: noisy(changing[at % 3], at))
    return {
        "quiet_ms": round(quiet, 1),
        "busy_ms": round(busy, 1),
        "quiet_over_busy": round(quiet / busy, 3),
    }


def _timed(device: ShelfDevice, first: int, frames: int, picture: Callable[[int], Any]) -> float:
    """Mean CPU milliseconds of a frame."""
    used = 0.0
    for at in range(first, first + frames):
        image = picture(at)
        began = time.process_time()
        device.see(float(at), image)
        used += time.process_time() - began
    return 1000 * used / frames


def _boxes(count: int) -> list[tuple[int, int, int, int]]:
    rows = min(ROWS, count)
    columns = -(-count // rows)
    across, down = WIDTH // columns, HEIGHT // rows
    return [
        (column * across, row * down, (column + 1) * across, (row + 1) * down - GAP_PX)
        for row in range(rows)
        for column in range(columns)
    ][:count]


def _shelf(boxes: list[tuple[int, int, int, int]], shift: int) -> NDArray[np.uint8]:
    scene = np.full((HEIGHT, WIDTH, 3), 180, np.uint8)
    scene[:, ::37] = 120
    for number, (x1, y1, x2, y2) in enumerate(boxes):
        high = y2 - y1
        sprite = draw_package(design((number + shift) % PRODUCTS, 1), max(16, high - 4))
        wide = min(sprite.shape[1], x2 - x1)
        left = x1 + (x2 - x1 - wide) // 2
        scene[y2 - sprite.shape[0] : y2, left : left + wide] = sprite[:, :wide, :3]
    return scene


def _drawn(costs: dict[int, dict[str, float]]) -> str:
    """Both costs by the number of slots, on axes of equal steps."""
    most_x, most_y = max(costs), max(cost["busy_ms"] for cost in costs.values())

    def at(count: int, cost: float) -> str:
        return f"{60 + 520 * count / most_x:.1f},{300 - 260 * cost / most_y:.1f}"

    lines = []
    for key, colour in (("quiet_ms", "#2a7"), ("busy_ms", "#c43")):
        points = " ".join(at(count, cost[key]) for count, cost in sorted(costs.items()))
        lines.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>')
        x, y = at(most_x, costs[most_x][key]).split(",")
        words = f"{key.partition('_')[0]} {costs[most_x][key]:g} ms"
        lines.append(f'<text x="{x}" y="{float(y) - 6:.1f}" text-anchor="end" fill="{colour}">{words}</text>')
    ticks = "".join(
        f'<text x="{at(count, 0).split(",")[0]}" y="320" text-anchor="middle">{count}</text>'
        for count in sorted(costs)
    )
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 640 350" font-family="sans-serif" '
        'font-size="13">'
        '<path d="M60 40V300H590" fill="none" stroke="#888"/>'
        f'{ticks}{"".join(lines)}<text x="325" y="342" text-anchor="middle">slots</text>'
        '<text x="60" y="28">CPU ms a frame</text></svg>\n'
    )
