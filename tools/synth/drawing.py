"""Colours, polygons, text and pasting on `(H, W, 3)` uint8 BGR pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from tools.synth.designs import Color

Picture = Any  # (H, W, 3) uint8 BGR; cv2's stubs and numpy's do not agree on a narrower word
Sprite = Any  # (H, W, 4) uint8 BGR and alpha
FONTS = (cv2.FONT_HERSHEY_DUPLEX, cv2.FONT_HERSHEY_TRIPLEX, cv2.FONT_HERSHEY_SIMPLEX)


def canvas(width: int, height: int, fill: Color) -> Picture:
    """A picture of one colour."""
    picture = np.empty((height, width, 3), np.uint8)
    cv2.rectangle(picture, (0, 0), (width, height), fill, -1)  # a tenth of the time of `picture[:] = fill`
    return picture


def mix(first: Color, second: Color, share: float) -> Color:
    """`first` and `second` blended; share 0 gives the first, 1 the second."""
    b, g, r = (round(a * (1 - share) + c * share) for a, c in zip(first, second, strict=True))
    return b, g, r


def luminance(of: Color) -> float:
    """How bright a colour looks, 0 to 255."""
    return 0.114 * of[0] + 0.587 * of[1] + 0.299 * of[2]


def readable(on: Color, light: Color, dark: Color) -> Color:
    """The one of `light` and `dark` that can be read on `on`."""
    return dark if luminance(on) > 135 else light


def polygon(picture: Picture, points: Iterable[tuple[float, float]], fill: Color) -> None:
    """A filled polygon; points are fractions of the picture's width and height."""
    height, width = picture.shape[:2]
    scaled = np.array([(x * width * 16, y * height * 16) for x, y in points])
    cv2.fillPoly(picture, [np.rint(scaled).astype(np.int32)], fill, cv2.LINE_AA, shift=4)


def rectangle(picture: Picture, x1: float, y1: float, x2: float, y2: float, fill: Color) -> None:
    """A filled rectangle; coordinates are fractions."""
    polygon(picture, ((x1, y1), (x2, y1), (x2, y2), (x1, y2)), fill)


def unit(picture: Picture) -> float:
    """The length in pixels that forms are measured in: the width of an upright face, less on a wide one."""
    return float(min(picture.shape[1], 0.72 * picture.shape[0]))


def oval(picture: Picture, x: float, y: float, rx: float, ry: float, fill: Color) -> None:
    """A filled ellipse that stretches with the picture: everything is a fraction of its side."""
    angles = np.linspace(0, 2 * np.pi, 48, endpoint=False)
    polygon(picture, [(x + rx * np.cos(a), y + ry * np.sin(a)) for a in angles], fill)


def ellipse(
    picture: Picture, x: float, y: float, rx: float, ry: float, fill: Color, *, turn_deg: float = 0.0
) -> None:
    """A filled ellipse that keeps its form: `x y` are fractions, radii are in units of `unit(picture)`."""
    height, width = picture.shape[:2]
    angles = np.linspace(0, 2 * np.pi, 48, endpoint=False)
    turn = np.deg2rad(turn_deg)
    dx, dy = rx * np.cos(angles) * unit(picture), ry * np.sin(angles) * unit(picture)
    px = x * width + dx * np.cos(turn) - dy * np.sin(turn)
    py = y * height + dx * np.sin(turn) + dy * np.cos(turn)
    points = np.rint(np.stack([px, py], axis=1) * 16).astype(np.int32)
    cv2.fillPoly(picture, [points], fill, cv2.LINE_AA, shift=4)


def text(
    picture: Picture,
    words: str,
    box: tuple[float, float, float, float],
    fill: Color,
    *,
    font: int = cv2.FONT_HERSHEY_DUPLEX,
    bold: float = 1.0,
) -> None:
    """Words as large as they fit, centred in `box` (x1, y1, x2, y2 as fractions)."""
    height, width = picture.shape[:2]
    x1, y1, x2, y2 = box[0] * width, box[1] * height, box[2] * width, box[3] * height
    (unit_w, unit_h), _ = cv2.getTextSize(words, font, 1.0, 1)
    scale = min((x2 - x1) / max(unit_w, 1), (y2 - y1) / max(unit_h * 1.25, 1))
    thickness = max(1, round(scale * 2.2 * bold))
    (text_w, text_h), _ = cv2.getTextSize(words, font, scale, thickness)
    origin = (round((x1 + x2 - text_w) / 2), round((y1 + y2 + text_h) / 2))
    cv2.putText(picture, words, origin, font, scale, fill, thickness, cv2.LINE_AA)


def paste(picture: Picture, sprite: Sprite, x: int, y: int) -> None:
    """Lay a sprite over the picture with its top left corner at (x, y); what hangs over is cut off."""
    height, width = picture.shape[:2]
    x1, y1 = max(x, 0), max(y, 0)
    x2, y2 = min(x + sprite.shape[1], width), min(y + sprite.shape[0], height)
    if x2 <= x1 or y2 <= y1:
        return
    part = sprite[y1 - y : y2 - y, x1 - x : x2 - x]
    alpha = part[:, :, 3:].astype(np.float32) / 255.0
    under = picture[y1:y2, x1:x2]
    under[:] = np.rint(part[:, :, :3] * alpha + under * (1.0 - alpha)).astype(np.uint8)


def with_alpha(picture: Picture, mask: NDArray[np.uint8]) -> Sprite:
    """The picture as a sprite; `mask` is `(H, W)`, 255 where it is to be seen."""
    return np.dstack([picture, mask])


def resized(picture: Picture, width: int, height: int) -> Picture:
    """Scaled to the given pixels; averages when it shrinks."""
    shrinks = width * height < picture.shape[0] * picture.shape[1]
    how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return cv2.resize(picture, (max(1, width), max(1, height)), interpolation=how)


def lit(picture: Picture, gain: NDArray[np.float32]) -> Picture:
    """The picture's first three channels times `gain` (broadcast to `(H, W)`); alpha stays."""
    out = picture.copy()
    out[:, :, :3] = np.clip(picture[:, :, :3] * gain[..., None], 0, 255).astype(np.uint8)
    return out
