"""One picture of everything that is drawn, to look at: `python -m tools.synth.sheet OUT.png`."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

import cv2
import numpy as np

from tools.synth import drawing as d
from tools.synth.flavours import flavour
from tools.synth.kiosk import draw_held, hold
from tools.synth.parcels import draw_belt, load
from tools.synth.scenes import Bay
from tools.synth.shelves import draw_shelf, stock
from tools.synth.training import TrainingPictures
from tools.synth.views import studio_view

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tools.synth.drawing import Picture
    from tools.synth.shelves import Shelf

WIDTH = 1600
GROUND = (246, 246, 244)
INK = (60, 60, 60)


def contact_sheet(seed: int = 0) -> Picture:
    """`(H, 1600, 3)` uint8 BGR: product lines, training pictures, shelves, the belt, the kiosk."""
    training = TrainingPictures(64, size=160)
    belts = [load(6, seed=seed + number) for number in range(2)]
    rows = [
        _row("product lines: one colour, one word or one picture apart",
             [studio_view(flavour(number, seed), 0, 160) for number in range(20)], 10),
        _row("for training: studio pictures and what a camera sees of the same products",
             [training.studio(number, 1) for number in range(0, 40, 4)]
             + [training.scene(number, 1) for number in range(0, 40, 4)], 10),
        _row("shelves: facings, gaps, few left, misplaced, fallen, a shopper",
             [draw_shelf(_shelf(rows, columns, seed + number, shopper=number == 2))
              for number, (rows, columns) in enumerate(((3, 4), (4, 4), (4, 5), (3, 3)))], 2),
        _row("inbound: parcels with EAN-13 and Code 128",
             [draw_belt(belt, 2.0 + 3.0 * number) for number, belt in enumerate(belts)], 2),
        _row("kiosk: a product held up", [draw_held(hold(flavour(number, seed), number))
                                          for number in (0, 5, 8, 13, 17, 22)], 3),
    ]  # fmt: skip
    return np.vstack(rows)


def _shelf(rows: int, columns: int, seed: int, *, shopper: bool) -> Shelf:
    bay = Bay(rows=rows, columns=columns, seed=seed)
    return stock(bay, [flavour(number, seed) for number in range(len(bay.slots))], seed, shopper=shopper)


def _row(title: str, pictures: Sequence[Picture], columns: int) -> Picture:
    """Pictures side by side, so many in a line, under a title."""
    head = d.canvas(WIDTH, 44, GROUND)
    cv2.putText(head, title, (12, 30), cv2.FONT_HERSHEY_DUPLEX, 0.75, INK, 1, cv2.LINE_AA)
    side = WIDTH // columns
    small = [d.resized(p, side, round(side * p.shape[0] / p.shape[1])) for p in pictures]
    blank = d.canvas(side, small[0].shape[0], GROUND)
    small += [blank] * (-len(small) % columns)
    lines = [np.hstack(small[at : at + columns]) for at in range(0, len(small), columns)]
    body = np.vstack(lines)
    return np.vstack([head, d.resized(body, WIDTH, body.shape[0])])


def main(argv: Sequence[str] | None = None) -> int:
    """Write the sheet; exit code 1 where it cannot be written."""
    parser = argparse.ArgumentParser(prog="python -m tools.synth.sheet", description=__doc__)
    parser.add_argument("out", metavar="OUT.png", help="picture to write (.png or .jpg)")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of the shop drawn (default: 0)")
    args = parser.parse_args(argv)
    try:
        written = cv2.imwrite(args.out, contact_sheet(args.seed))
    except cv2.error:  # an ending that it does not know
        written = False
    if not written:
        print(f"{args.out}: expected a place for a .png or .jpg that can be written", file=sys.stderr)
        return 1
    print(args.out)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
