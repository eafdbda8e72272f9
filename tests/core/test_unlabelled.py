"""What is painted over, in which colour, and what stays as it was."""

from __future__ import annotations

import numpy as np
import pytest

from agent.adapters.barcodes import read_labels
from agent.core.types import Quad
from agent.core.unlabelled import without_codes
from tools.synth.barcodes import draw_barcode, ean13

PRINT = (40, 160, 90)
EAN = "4006381333931"


def labelled(turned: int = 0) -> np.ndarray:
    image = np.full((300, 400, 3), PRINT, np.uint8)
    bars = draw_barcode(ean13(EAN), 2, 60)
    image[180 : 180 + bars.shape[0], 60 : 60 + bars.shape[1]] = bars
    return np.ascontiguousarray(np.rot90(image, turned))


@pytest.mark.parametrize("turned", range(4))
def test_a_code_that_was_read_is_gone_and_the_print_is_left(turned: int) -> None:
    image = labelled(turned)
    before = image.copy()
    (code,) = read_labels(image)
    cleared = without_codes(image, [code.place])
    assert (image == before).all(), "the picture itself is the camera's"
    assert read_labels(cleared) == ()
    bars = image.min(axis=2) < 30
    assert (cleared[bars].min(axis=1) > 200).mean() > 0.9, "as light as the label"
    outside = (np.rot90(cleared, -turned) == PRINT).all(axis=2)
    assert outside[:160].all()


def test_without_a_code_nothing_changes() -> None:
    image = labelled()
    cleared = without_codes(image, [])
    assert cleared is not image
    assert (cleared == image).all()


OUTSIDE: dict[str, Quad] = {
    "beyond the edge": ((500.0, 10.0), (600.0, 10.0), (600.0, 60.0), (500.0, 60.0)),
    "a point": ((-9.0, -9.0), (-9.0, -9.0), (-9.0, -9.0), (-9.0, -9.0)),
}


@pytest.mark.parametrize("place", OUTSIDE.values(), ids=OUTSIDE.keys())
def test_a_place_with_nothing_of_the_picture_in_it_changes_nothing(place: Quad) -> None:
    image = labelled()
    assert (without_codes(image, [place]) == image).all()


def test_a_place_that_is_cut_off_is_painted_as_far_as_it_goes() -> None:
    image = labelled()
    cleared = without_codes(image, [((360.0, 0.0), (460.0, 0.0), (460.0, 40.0), (360.0, 40.0))])
    assert (cleared == image).all(), "one colour stays that colour"
    image[:40, 380:] = 0
    cleared = without_codes(image, [((360.0, 0.0), (460.0, 0.0), (460.0, 40.0), (360.0, 40.0))])
    assert (cleared[:40, 380:] == PRINT).all()
