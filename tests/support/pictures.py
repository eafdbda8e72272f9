"""Pictures that are known by their colour, and files of every kind, made on the spot."""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


def scene(number: int, height: int = 48, width: int = 64) -> np.ndarray:
    """`(height, width, 3)` uint8 BGR, another one for each number: grey steps with a coloured square."""
    image = np.full((height, width, 3), 40 + number * 7 % 200, np.uint8)
    image[: height // 2, : width // 2] = (number * 37 % 256, 255 - number * 53 % 256, number * 91 % 256)
    return image


def coded(image: np.ndarray, suffix: str = ".jpg", *options: int) -> bytes:
    done, data = cv2.imencode(suffix, image, options)
    assert done
    return data.tobytes()


def write_pictures(folder: Path, numbers: Iterable[int], suffix: str = ".jpg") -> None:
    """`<number>.jpg` each, its number with three digits."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in numbers:
        (folder / f"{number:03d}{suffix}").write_bytes(coded(scene(number), suffix))


def write_video(path: Path, frames: int, fps: float = 10.0) -> None:
    """Motion JPEG in AVI, which every build of OpenCV can write; frame n is `scene(n)`."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), fps, (64, 48))
    assert writer.isOpened()
    for number in range(frames):
        writer.write(scene(number))
    writer.release()


def png_chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png_header(width: int, height: int, colour: int = 2) -> bytes:
    return b"\x89PNG\r\n\x1a\n" + png_chunk(
        b"IHDR", struct.pack(">IIBBBBB", width, height, 8, colour, 0, 0, 0)
    )


def jpeg_with_exif(image: np.ndarray, orientation: int) -> bytes:
    """A JPEG that says how the phone was held."""
    tiff = b"MM\0*\0\0\0\x08" + struct.pack(">HHHIHHI", 1, 0x112, 3, 1, orientation, 0, 0)
    body = b"Exif\0\0" + tiff
    jpeg = coded(image, ".jpg", cv2.IMWRITE_JPEG_QUALITY, 95)
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body + jpeg[2:]
