"""Barcodes: drawn ones, real photographs of them, and pictures that have none."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import zxingcpp

from agent.adapters.barcodes import SIDE_LIMIT_PX, read_barcodes, read_labels
from agent.adapters.images import read_image
from agent.core.gs1 import Said
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


GS1 = {
    "a label of a carton": (
        "Code128",
        "(00)106141412345678908(02)04006381333931(37)12",
        Said(sscc="106141412345678908", content="04006381333931", count=12),
    ),
    "a separator within, brackets in a value": (
        "DataMatrix",
        "(01)04006381333931(10)A%B(17)270228",
        Said(gtin="04006381333931", lot="A%B", expiry="270228"),
    ),
    "a weight": (
        "DataBarExp",
        "(01)04006381333931(3103)001750",
        Said(gtin="04006381333931", weight_kg=1.75),
    ),
}


@pytest.mark.parametrize(("kind", "text", "expected"), GS1.values(), ids=GS1.keys())
def test_codes_of_gs1_say_what_they_are_on(kind: str, text: str, expected: Said) -> None:
    code = zxingcpp.create_barcode(text, getattr(zxingcpp.BarcodeFormat, kind), gs1=True)
    drawn = cv2.cvtColor(np.array(code.to_image(scale=2)), cv2.COLOR_GRAY2BGR)
    (found,) = read_barcodes(on_white(drawn, drawn.shape[1] + 120, drawn.shape[0] + 160))
    assert (found.text, found.said, found.gtin) == (text, expected, expected.gtin)


def test_the_same_letters_without_fnc1_are_a_text() -> None:
    (found,) = read_barcodes(on_white(draw_barcode(code128("00106141412345678908"), 2, 60)))
    assert found.said.empty


def test_an_address_of_gs1_and_one_of_a_carton() -> None:
    for kind, text in (("QRCode", "https://id.gs1.org/01/04006381333931"), ("ITF14", "14006381333938")):
        code = zxingcpp.create_barcode(text, getattr(zxingcpp.BarcodeFormat, kind))
        drawn = cv2.cvtColor(np.array(code.to_image(scale=3)), cv2.COLOR_GRAY2BGR)
        (found,) = read_barcodes(on_white(drawn, drawn.shape[1] + 120, drawn.shape[0] + 160))
        assert found.gtin in ("04006381333931", "14006381333938")


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


SETS = (
    "ean13-2", "ean13-4", "ean8-1", "upca-2", "upce-2", "itf-1", "code128-1", "code128-3", "datamatrix-1", "qrcode-1",
    "rssexpanded-1",
)  # fmt: skip


def test_real_photographs_are_read_as_often_as_the_library_reads_them(shared_data: Path) -> None:
    library, own, labels, right = 0, 0, 0, 0
    for folder in SETS:
        for path in sorted((shared_data / "barcodes" / folder).glob("*.png"))[::2]:
            expected = path.with_suffix(".txt").read_text(errors="replace").strip()
            image = read_image(path)
            library += bool(zxingcpp.read_barcodes(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)))
            own += bool(read_barcodes(image))
            read = read_labels(image)
            labels += bool(read)
            # UPC is written out by the reader: UPC-A with a zero in front, UPC-E in full.
            right += folder == "upce-2" or any(
                each.text.strip() in (expected, f"0{expected}") for each in read
            )
    assert own == labels == library > 100
    assert right >= 0.95 * library
