"""Still pictures: the only place that decodes or encodes them.

What a file claims is checked before a decoder sees it (`image_header.py`), so that a hostile or damaged one
costs microseconds and a sentence. `OPENCV_IO_MAX_IMAGE_PIXELS`, set in `agent/__init__.py`, is the second
line of defence.
"""

from __future__ import annotations

import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from agent.adapters.image_header import EXPECTED, ImageHeader, read_header
from agent.core.errors import InputError, quoted

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp"})
"""How the names of pictures end, in lower case."""

THUMBNAIL_PX = 96
"""Longest side of a thumbnail: packages are told apart on a page, their small print is not read."""

THUMBNAIL_QUALITY = 65
"""With Huffman tables of its own: 2.5 KB on average over photos from shops. At 40 the blocks show in smooth
skin and cartons; from 65 on nobody saw a difference, and 85 costs 1.3 KB more."""


@dataclass(frozen=True, slots=True)
class ImageLimits:
    """What one picture may cost."""

    max_bytes: int = 64_000_000  # a 48-megapixel photo is 15-25 MB as JPEG, up to about 60 MB as PNG
    max_pixels: int = 50_000_000  # 8064 × 6048, the largest phones' photos, are 48.8 million: 150 MB decoded


LIMITS = ImageLimits()


def read_image(path: Path, limits: ImageLimits = LIMITS) -> NDArray[np.uint8]:
    """The picture in a file, `(H, W, 3)` uint8 BGR; see `decode_image`.

    Raises:
        InputError: the file cannot be read, or what `decode_image` refuses.
    """
    return decode_image(read_bytes(path, limits.max_bytes), str(path), limits)


def read_bytes(path: Path, max_bytes: int) -> bytes:
    """The content of a regular file of at most `max_bytes`.

    Raises:
        InputError: it is missing, not a regular file, not permitted or too large.
    """
    try:
        state = path.stat()
        if not stat.S_ISREG(state.st_mode):  # opening a FIFO would wait for ever
            raise InputError(f"{path}: expected a file, found {_kind(state.st_mode)}")
        if state.st_size > max_bytes:
            raise InputError(f"{path}: expected at most {max_bytes:,} bytes, found {state.st_size:,}")
        with path.open("rb") as file:
            return file.read(state.st_size)
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None
    except ValueError as error:  # a NUL in the name
        raise InputError(f"{quoted(str(path))}: cannot be read: {error}") from None


def decode_image(data: bytes, name: str, limits: ImageLimits = LIMITS) -> NDArray[np.uint8]:
    """A JPEG, PNG, WebP or BMP file → `(H, W, 3)` uint8 BGR, C-contiguous, owning its memory.

    Grey, palette and CMYK pictures become BGR, 16 bits become 8, and an EXIF orientation is applied.
    What is transparent becomes white, as on the page of a shop: the colour stored beneath is arbitrary
    and often black (an orientation is not applied to those). Animations are refused: which of their
    pictures would be meant, decoders do not agree upon.

    Raises:
        InputError: one line with `name`, what was expected and what was found.
    """
    if len(data) > limits.max_bytes:
        raise InputError(f"{name}: expected at most {limits.max_bytes:,} bytes, found {len(data):,}")
    try:
        header = read_header(data)
    except ValueError as error:
        raise InputError(f"{name}: expected {EXPECTED}, {error}") from None
    _check(header, name, limits)
    flags = cv2.IMREAD_UNCHANGED if header.transparent else cv2.IMREAD_COLOR
    try:
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error as error:
        raise InputError(f"{name}: damaged {header.format}: {quoted(str(error))}") from None
    if pixels is None:
        raise InputError(f"{name}: damaged {header.format}: it cannot be decoded")
    image = _on_white(pixels)
    if image.size != header.width * header.height * 3:
        raise InputError(
            f"{name}: expected {header.width} × {header.height} as its header says, "
            f"found {image.shape[1]} × {image.shape[0]}"
        )
    return image


def thumbnail(
    image: NDArray[np.uint8], side_px: int = THUMBNAIL_PX, quality: int = THUMBNAIL_QUALITY
) -> bytes:
    """`(H, W, 3)` uint8 BGR → a JPEG whose longest side has `side_px`, or fewer where the picture has.

    0.15 ms for a photo of 348 px, a seventieth of what a MobileNet takes to embed it.

    Raises:
        ValueError: another shape or type.
    """
    _check_image(image)
    times = min(1.0, side_px / max(image.shape[:2]))
    width, height = (max(1, round(side * times)) for side in (image.shape[1], image.shape[0]))
    while image.shape[0] >= 2 * height and image.shape[1] >= 2 * width:
        half = image.shape[1] // 2, image.shape[0] // 2  # a fast path of OpenCV, which sees every pixel
        image = np.asarray(cv2.resize(image, half, interpolation=cv2.INTER_AREA), np.uint8)
    small = np.asarray(cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)
    return _encode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, quality, cv2.IMWRITE_JPEG_OPTIMIZE, 1])


def encode_jpeg(image: NDArray[np.uint8], quality: int = 95) -> bytes:
    """`(H, W, 3)` uint8 BGR → JPEG. `quality` is 1…100.

    Raises:
        ValueError: another shape, type or quality.
    """
    if not 1 <= quality <= 100:
        raise ValueError(f"quality: expected 1 to 100, found {quality}")
    return _encode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])


def shrunk_jpeg(
    image: NDArray[np.uint8], side_px: int, quality: int, max_bytes: int
) -> tuple[bytes, int, int]:
    """`(H, W, 3)` uint8 BGR → JPEG of at most `max_bytes`, its width and its height.

    The longest side has at most `side_px`. Where that is too large at this quality (1…95), quality gives way
    first, then size.

    Raises:
        ValueError: another shape or type, or not even the smallest fits.
    """
    _check_image(image)
    while side_px >= 16:
        share = min(1.0, side_px / max(image.shape[:2]))
        width, height = (max(1, round(side * share)) for side in (image.shape[1], image.shape[0]))
        small = np.asarray(cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
        for tried in (quality, *(each for each in (60, 40) if each < quality)):
            data = encode_jpeg(small, tried)
            if len(data) <= max_bytes:
                return data, width, height
        side_px = int(min(side_px, max(width, height)) * 0.7)
    raise ValueError(f"image {image.shape}: expected at most {max_bytes} bytes, found no JPEG that small")


def encode_png(image: NDArray[np.uint8]) -> bytes:
    """`(H, W, 3)` uint8 BGR → PNG, which loses nothing.

    Raises:
        ValueError: another shape or type.
    """
    return _encode(".png", image, [])


def _encode(suffix: str, image: NDArray[np.uint8], options: list[int]) -> bytes:
    _check_image(image)
    try:
        done, data = cv2.imencode(suffix, image, options)
    except cv2.error as error:
        raise ValueError(f"image {image.shape}: cannot be encoded: {quoted(str(error))}") from None
    if not done:
        raise ValueError(f"image {image.shape}: cannot be encoded as {suffix}")
    return bytes(data)


def _check_image(image: NDArray[np.uint8]) -> None:
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or 0 in image.shape:
        raise ValueError(f"image: expected (H, W, 3) uint8, found {image.shape} {image.dtype}")


def _check(header: ImageHeader, name: str, limits: ImageLimits) -> None:
    width, height = header.width, header.height
    if width <= 0 or height <= 0:
        raise InputError(
            f"{name}: expected a picture with pixels, found {header.format} of {width} × {height}"
        )
    if width * height > limits.max_pixels:
        raise InputError(
            f"{name}: expected at most {limits.max_pixels:,} pixels, "
            f"found {header.format} of {width:,} × {height:,}"
        )
    if header.animated:
        raise InputError(f"{name}: expected a still picture, found an animated {header.format}")
    if header.damage:
        raise InputError(f"{name}: damaged {header.format}: {header.damage}")


def _on_white(pixels: NDArray[Any]) -> NDArray[np.uint8]:
    """1, 3 or 4 channels of 8 or 16 bits → 3 channels of 8 bits, with alpha blended over white."""
    if pixels.dtype == np.uint16:
        pixels = (pixels // 257).astype(np.uint8)
    if pixels.ndim == 2:
        pixels = cv2.cvtColor(pixels, cv2.COLOR_GRAY2BGR)
    if pixels.shape[2] == 4:
        alpha = pixels[:, :, 3:].astype(np.uint16)
        blended = pixels[:, :, :3] * alpha + 255 * (255 - alpha)  # at most 255 · 255: fits 16 bits
        pixels = ((blended + 127) // 255).astype(np.uint8)
    return np.ascontiguousarray(pixels, np.uint8)


def _kind(mode: int) -> str:
    names = ((stat.S_ISDIR, "a directory"), (stat.S_ISFIFO, "a pipe"), (stat.S_ISCHR, "a device"))
    return next((name for test, name in names if test(mode)), "a special file")
