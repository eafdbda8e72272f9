"""What is a picture, what is refused, and what the refusal says."""

from __future__ import annotations

import base64
import os
import random
import struct
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest

from agent.adapters.image_header import read_header
from agent.adapters.images import (
    THUMBNAIL_PX,
    ImageLimits,
    decode_image,
    encode_jpeg,
    encode_png,
    read_image,
    thumbnail,
)
from agent.core.errors import InputError
from tests.support.pictures import coded, jpeg_with_exif, png_chunk, png_header, scene

if TYPE_CHECKING:
    from pathlib import Path

RED_CMYK = base64.b64decode(
    "/9j/7gAOQWRvYmUAZAAAAAAA/9sAQwADAgIDAgIDAwMDBAMDBAUIBQUEBAUKBwcGCAwKDAwLCgsLDQ4SEA0OEQ4LCxAWEBETFBUVFQwPFxgW"
    "FBgSFBUU/8AAFAgACAAQBEMRAE0RAFkRAEsRAP/EABUAAQEAAAAAAAAAAAAAAAAAAAAJ/8QAFBABAAAAAAAAAAAAAAAAAAAAAP/aAA4EQwBN"
    "AFkASwAAPwCqaVSVSqYA/9k="
)
"""16 × 8 pixels of pure red as a CMYK JPEG with Adobe's marker, as print shops send them."""

JPEG, PNG, WEBP, BMP = (coded(scene(1), suffix) for suffix in (".jpg", ".png", ".webp", ".bmp"))
LOSSLESS_WEBP = coded(scene(1), ".webp", cv2.IMWRITE_WEBP_QUALITY, 101)


def clear(image: np.ndarray) -> np.ndarray:
    """`image` whose lower half is transparent."""
    alpha = np.full((*image.shape[:2], 1), 255, np.uint8)
    alpha[image.shape[0] // 2 :] = 0
    return np.concatenate([image, alpha], axis=2)


def sized(data: bytes, offset: int, form: str, *size: int) -> bytes:
    return data[:offset] + struct.pack(form, *size) + data[offset + struct.calcsize(form) :]


def jpeg_of(width: int, height: int) -> bytes:
    start = JPEG.index(b"\xff\xc0")
    return sized(JPEG, start + 5, ">HH", height, width)


def webp_canvas(width: int, height: int, flags: int) -> bytes:
    body = bytes([flags, 0, 0, 0]) + (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    chunk = b"WEBPVP8X" + struct.pack("<I", 10) + body
    return b"RIFF" + struct.pack("<I", len(chunk)) + chunk


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(JPEG, id="a JPEG"),
        pytest.param(coded(scene(1), ".jpg", cv2.IMWRITE_JPEG_PROGRESSIVE, 1), id="a progressive JPEG"),
        pytest.param(JPEG + bytes(100), id="a JPEG with padding behind it"),
        pytest.param(PNG, id="a PNG"),
        pytest.param(WEBP, id="a lossy WebP"),
        pytest.param(LOSSLESS_WEBP, id="a lossless WebP"),
        pytest.param(BMP, id="a BMP"),
    ],
)
def test_shows_the_picture(data: bytes) -> None:
    image = decode_image(data, "x")
    assert image.shape == (48, 64, 3)
    assert image.dtype == np.uint8
    assert image.flags.c_contiguous
    assert image.flags.owndata
    difference = np.abs(image.astype(int) - scene(1)).mean()
    assert difference < 6, "the colours are those that were coded"


@pytest.mark.parametrize("suffix", [".png", ".webp"])
def test_what_is_transparent_becomes_white(suffix: str) -> None:
    options = (cv2.IMWRITE_WEBP_QUALITY, 101) if suffix == ".webp" else ()
    image = decode_image(coded(clear(scene(3)), suffix, *options), "x")
    assert (image[:24] == scene(3)[:24]).all()
    assert (image[24:] == 255).all()


def test_half_transparent_is_half_white() -> None:
    black = np.zeros((4, 4, 4), np.uint8)
    black[:, :, 3] = 128
    assert (decode_image(coded(black, ".png"), "x") == 127).all()


def test_a_transparent_colour_of_a_palette_becomes_white() -> None:
    rows = zlib_rows(bytes([0, 1]), bytes([1, 0]))
    palette = png_chunk(b"PLTE", bytes([10, 20, 30, 200, 0, 0])) + png_chunk(b"tRNS", bytes([0, 255]))
    data = png_header(2, 2, colour=3) + palette + png_chunk(b"IDAT", rows) + png_chunk(b"IEND", b"")
    image = decode_image(data, "x")
    assert image.tolist() == [[[255] * 3, [0, 0, 200]], [[0, 0, 200], [255] * 3]]


def zlib_rows(*rows: bytes) -> bytes:
    import zlib

    return zlib.compress(b"".join(b"\0" + row for row in rows))


def test_grey_becomes_bgr() -> None:
    grey = scene(5)[:, :, 0]
    image = decode_image(coded(grey, ".png"), "x")
    assert (image == grey[:, :, None]).all()


@pytest.mark.parametrize("alpha", [False, True], ids=["opaque", "with alpha"])
def test_sixteen_bits_become_eight(alpha: bool) -> None:
    eight = np.dstack([scene(2), np.full((48, 64), 255, np.uint8)]) if alpha else scene(2)
    image = decode_image(coded(eight.astype(np.uint16) * 257, ".png"), "x")
    assert (image == scene(2)).all()


def test_cmyk_becomes_bgr() -> None:
    image = decode_image(RED_CMYK, "x")
    assert image.shape == (8, 16, 3)
    blue, green, red = image[4, 8]
    assert red > 240
    assert blue < 15
    assert green < 15


@pytest.mark.parametrize(
    ("orientation", "turned"),
    [(1, lambda image: image), (3, lambda image: image[::-1, ::-1]), (6, lambda image: np.rot90(image, -1))],
    ids=["upright", "upside down", "on its side"],
)
def test_the_way_the_phone_was_held_is_respected(orientation: int, turned) -> None:
    image = decode_image(jpeg_with_exif(scene(1), orientation), "x")
    expected = turned(scene(1))
    assert image.shape == expected.shape
    assert np.abs(image.astype(int) - expected).mean() < 6


@dataclass(frozen=True)
class Refused:
    data: bytes
    says: str


REFUSED = {
    "an empty file": Refused(b"", "found an empty file"),
    "text": Refused(b"hello there", "found bytes that begin with b'hello th'"),
    "an HTML page": Refused(b"\n <!DOCTYPE html><html>", "found an HTML page"),
    "an SVG": Refused(b"<svg xmlns=''/>", "found XML or SVG"),
    "a GIF": Refused(b"GIF89a" + bytes(50), "found GIF"),
    "a TIFF": Refused(b"II*\0" + bytes(50), "found TIFF"),
    "a photo of an iPhone": Refused(b"\0\0\0\x18ftypheic" + bytes(20), "found a 'heic' file"),
    "a PDF": Refused(b"%PDF-1.4", "found PDF"),
    "two bytes of a JPEG": Refused(JPEG[:2], "found a header that stops early"),
    "a JPEG cut in its header": Refused(JPEG[:30], "found a header that stops early"),
    "a JPEG cut in its picture": Refused(JPEG[:-20], "damaged JPEG: the picture stops early"),
    "a JPEG without its end marker": Refused(JPEG[:-2], "damaged JPEG: the picture stops early"),
    "a JPEG with garbage between its segments": Refused(JPEG[:2] + b"\0\1" + JPEG[2:], "without a marker"),
    "a JPEG that ends before its picture": Refused(b"\xff\xd8\xff\xd9\xff\xd9", "before its picture"),
    "a JPEG with a thousand scans": Refused(
        JPEG[:-2] + b"\xff\xda\0\x08\1\1\0\0\x3f\0" * 1000 + JPEG[-2:],
        "expected at most 100 scans, found 1001",
    ),
    "a JPEG without height": Refused(jpeg_of(64, 0), "expected a picture with pixels, found JPEG of 64 × 0"),
    "a PNG cut in its header": Refused(PNG[:20], "found a header that stops early"),
    "a PNG cut in its picture": Refused(PNG[:-30], "damaged PNG: "),
    "a PNG with a flipped bit": Refused(
        PNG[:60] + bytes([PNG[60] ^ 8]) + PNG[61:], "damaged PNG: chunk b'IDAT' at byte 33 does not match"
    ),
    "a PNG of nothing but a header": Refused(png_header(4, 4), "without an IEND chunk"),
    "a PNG without a picture": Refused(png_header(4, 4) + png_chunk(b"IEND", b""), "damaged PNG: it cannot"),
    "a PNG that begins with another chunk": Refused(
        PNG[:8] + png_chunk(b"tEXt", b"x" * 13) + PNG[8:], "begins with chunk b'tEXt'"
    ),
    "an animated PNG": Refused(
        PNG[:33] + png_chunk(b"acTL", bytes(8)) + PNG[33:], "expected a still picture, found an animated PNG"
    ),
    "a WebP cut in its picture": Refused(WEBP[:-10], "damaged WebP: the picture stops early, expected"),
    "a WebP cut in its header": Refused(WEBP[:22], "found a header that stops early"),
    "an animated WebP": Refused(webp_canvas(64, 48, 2), "expected a still picture, found an animated WebP"),
    "a WebP canvas without a picture": Refused(webp_canvas(64, 48, 0), "damaged WebP: it cannot be decoded"),
    "a sound in a RIFF": Refused(b"RIFF\x24\0\0\0WAVEfmt ", "found bytes that begin with b'RIFF"),
    "a BMP cut in its picture": Refused(BMP[:-10], "damaged BMP: the picture stops early"),
    "a BMP with an odd header": Refused(sized(BMP, 14, "<I", 13), "found a BMP with a header of 13 bytes"),
    "a BMP of negative width": Refused(sized(BMP, 18, "<i", -64), "found BMP of -64 × 48"),
    "a JPEG of 50,000 × 50,000": Refused(
        jpeg_of(50_000, 50_000), "expected at most 50,000,000 pixels, found JPEG of 50,000 × 50,000"
    ),
    "a PNG of 50,000 × 50,000": Refused(png_header(50_000, 50_000), "found PNG of 50,000 × 50,000"),
    "a WebP of 16,383 × 16,383": Refused(webp_canvas(16_383, 16_383, 0), "found WebP of 16,383 × 16,383"),
    "a BMP of 50,000 × 50,000": Refused(
        sized(BMP, 18, "<ii", 50_000, -50_000), "found BMP of 50,000 × 50,000"
    ),
}


@pytest.mark.parametrize("case", REFUSED.values(), ids=REFUSED.keys())
def test_refuses_in_one_line(case: Refused) -> None:
    with pytest.raises(InputError) as refusal:
        decode_image(case.data, "shelf.jpg")
    assert str(refusal.value).startswith("shelf.jpg: ")
    assert case.says in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_refuses_more_bytes_or_pixels_than_the_caller_allows() -> None:
    with pytest.raises(InputError, match=r"expected at most 100 bytes, found [\d,]+"):
        decode_image(JPEG, "x", ImageLimits(max_bytes=100))
    with pytest.raises(InputError, match="expected at most 3,071 pixels, found JPEG of 64 × 48"):
        decode_image(JPEG, "x", ImageLimits(max_pixels=3071))
    assert decode_image(JPEG, "x", ImageLimits(max_pixels=3072)).shape == (48, 64, 3)


@pytest.mark.parametrize(
    "good", [JPEG, PNG, WEBP, LOSSLESS_WEBP, BMP], ids=["JPEG", "PNG", "WebP", "VP8L", "BMP"]
)
def test_flipped_bytes_give_a_picture_or_one_line(good: bytes) -> None:
    chance, refusals = random.Random(7), []
    for _ in range(300):
        data = bytearray(good)
        for _ in range(chance.choice([1, 3, 20])):
            data[chance.randrange(len(data))] = chance.randrange(256)
        cut = chance.choice([len(data), chance.randrange(len(data))])
        try:
            image = decode_image(bytes(data[:cut]), "x", ImageLimits(max_pixels=10**6))
        except InputError as error:
            refusals.append(str(error))
        else:
            assert image.ndim == 3
    assert len(refusals) > 100
    assert not any("\n" in refusal for refusal in refusals)


def test_reads_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(PNG)
    assert (read_image(tmp_path / "a.png") == scene(1)).all()


def test_refuses_what_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    (tmp_path / "large.jpg").write_bytes(JPEG)
    for name, says in {
        "missing.jpg": "cannot be read: No such file",
        "": "expected a file, found a directory",
        "pipe.jpg": "expected a file, found a pipe",
        "\0": "embedded null",
    }.items():
        with pytest.raises(InputError, match=says):
            read_image(tmp_path / name)
    with pytest.raises(InputError, match=r"large\.jpg: expected at most 99 bytes"):
        read_image(tmp_path / "large.jpg", ImageLimits(max_bytes=99))


def test_what_is_encoded_comes_back() -> None:
    assert (decode_image(encode_png(scene(4)), "x") == scene(4)).all()
    good, poor = encode_jpeg(scene(4), 95), encode_jpeg(scene(4), 5)
    assert len(poor) < len(good)
    assert np.abs(decode_image(good, "x").astype(int) - scene(4)).mean() < 6


@pytest.mark.parametrize(
    "image", [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3), np.float32), np.zeros((0, 4, 3), np.uint8)]
)
def test_encodes_only_frames(image: np.ndarray) -> None:
    with pytest.raises(ValueError, match="expected"):
        thumbnail(image)
    with pytest.raises(ValueError, match=r"image: expected \(H, W, 3\) uint8, found"):
        encode_png(image)
    with pytest.raises(ValueError, match="quality: expected 1 to 100, found 0"):
        encode_jpeg(scene(1), 0)


@pytest.mark.parametrize(
    ("height", "width", "expected"),
    [
        (348, 348, (96, 96)),
        (4000, 3000, (96, 72)),
        (100, 1000, (10, 96)),
        (40, 30, (40, 30)),
        (1, 1, (1, 1)),
        (1, 30_000, (1, 96)),
    ],
)
def test_a_thumbnail_keeps_the_shape_and_is_never_enlarged(
    height: int, width: int, expected: tuple[int, int]
) -> None:
    image = decode_image(thumbnail(np.full((height, width, 3), 90, np.uint8)), "thumbnail")
    assert image.shape == (*expected, 3)
    assert abs(int(image.mean()) - 90) <= 1
    assert max(image.shape) <= THUMBNAIL_PX


def test_the_header_is_read_without_the_picture() -> None:
    header = read_header(png_header(50_000, 40_000))
    assert (header.format, header.width, header.height) == ("PNG", 50_000, 40_000)


def test_opencv_has_a_limit_of_its_own_and_stays_silent() -> None:
    """The second line of defence, should a header ever mean something else to the decoder than to us."""
    program = (
        "import sys, agent, cv2, numpy as np\n"
        "data = np.frombuffer(sys.stdin.buffer.read(), np.uint8)\n"
        "try: print(cv2.imdecode(data, cv2.IMREAD_GRAYSCALE) is not None)\n"
        "except cv2.error: print(False)\n"  # which of both depends on its version
    )
    environment = {name: value for name, value in os.environ.items() if not name.startswith("OPENCV_")}
    outputs = []
    for side in (7_000, 7_100):
        rows = zlib_rows(*[bytes((side + 7) // 8)] * side)
        header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0))
        data = PNG[:8] + header + png_chunk(b"IDAT", rows) + png_chunk(b"IEND", b"")
        done = subprocess.run(
            [sys.executable, "-c", program], input=data, capture_output=True, env=environment
        )
        outputs.append((done.stdout.strip(), done.stderr))
    assert outputs == [(b"True", b""), (b"False", b"")], "49 megapixels are decoded, 50.4 are not"
