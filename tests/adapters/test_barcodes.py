"""Barcodes: drawn ones, real photographs of them, and pictures that have none."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from agent.adapters.barcodes import SIDE_LIMIT_PX, read_barcodes
from agent.adapters.images import read_image
from tools.synth.barcodes import code128, draw_barcode, ean13

EAN = "4006381333931"


def on_white(code: np.ndarray, width: int = 400, height: int = 300, x: int = 60, y: int = 80) -> np.ndarray:
    picture = np.full((height, width, 3), 255, np.uint8)
    picture[y : y + code.shape[0], x : x + code.shape[1]] = code
    return picture


def test_an_article_number_is_read_with_its_place() -> None:
    code = draw_barcode(ean13(EAN), 2, 60)
    (found,) = read_barcodes(on_white(code))
    assert (found.format, found.text, found.gtin) == ("EAN13", EAN, f"0{EAN}")
    xs, ys = zip(*found.place, strict=True)
    assert 60 <= min(xs) < max(xs) <= 60 + code.shape[1]
    assert 80 <= min(ys) <= max(ys) <= 80 + code.shape[0]


def test_a_large_picture_is_made_smaller_and_the_place_is_of_the_large_one() -> None:
    code = cv2.resize(draw_barcode(ean13(EAN), 2, 60), None, fx=6, fy=6, interpolation=cv2.INTER_NEAREST)
    (found,) = read_barcodes(on_white(code, SIDE_LIMIT_PX * 2, 900, x=2400, y=200))
    assert found.gtin == f"0{EAN}"
    assert 2400 <= min(x for x, _ in found.place) < 2400 + code.shape[1] / 4


def test_other_codes_are_read_and_are_no_article() -> None:
    (found,) = read_barcodes(on_white(draw_barcode(code128("LOT-42"), 2, 60)))
    assert (found.format, found.text, found.gtin) == ("Code128", "LOT-42", "")


def test_two_codes_are_two() -> None:
    picture = np.vstack([on_white(draw_barcode(ean13(text), 2, 60)) for text in (EAN, "5901234123457")])
    assert {each.gtin for each in read_barcodes(picture)} == {f"0{EAN}", "05901234123457"}


@pytest.mark.parametrize("shape", [(1, 1), (1, 5000), (2, 2), (5000, 1), (64, 64)])
def test_a_picture_without_a_code_has_none(shape: tuple[int, int]) -> None:
    noise = np.random.default_rng(3).integers(0, 255, (*shape, 3), np.uint8)
    assert read_barcodes(noise) == ()


def test_a_part_of_a_picture_is_read_as_one() -> None:
    picture = on_white(draw_barcode(ean13(EAN), 2, 60))
    assert [each.gtin for each in read_barcodes(picture[70:160, 30:300])] == [f"0{EAN}"]


@pytest.mark.parametrize(
    ("folder", "least", "gtins"),
    [("ean13-2", 0.5, True), ("upce-2", 0.7, True), ("itf-1", 0.5, False), ("qrcode-1", 0.7, False)],
)
def test_real_photographs_are_read(shared_data: Path, folder: str, least: float, gtins: bool) -> None:
    pictures = sorted((shared_data / "barcodes" / folder).glob("*.png"))
    assert pictures
    read = [read_barcodes(read_image(path)) for path in pictures]
    assert sum(bool(found) for found in read) >= least * len(pictures)
    if gtins:
        assert all(each.gtin for found in read for each in found)
