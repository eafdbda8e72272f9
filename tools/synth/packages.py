"""A product as an object: the outline of its body, its face laid round it, and the light on it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from tools.synth import drawing as d
from tools.synth.designs import Design, Kind, color
from tools.synth.labels import draw_label

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from tools.synth.drawing import Picture, Sprite

METAL = (196, 198, 200)


def draw_package(design: Design, height: int = 512) -> Sprite:
    """The front view of a product, `(height, W, 4)` uint8 BGR and alpha, without a background.

    `height` is in pixels; the width follows from the design's aspect.
    """
    width = max(8, round(height * design.aspect))
    return _BODIES[design.kind](design, width, height)


def _box(design: Design, width: int, height: int) -> Sprite:
    """A folding box, turned a little: front, one side and the top."""
    side, top = round(width * 0.09), round(height * 0.03)
    left = design.line % 4 < 2
    front = draw_label(design, width - side, height - top)
    front = d.lit(front, _ramp(width - side, 1.05, 0.93))
    flank = d.lit(d.canvas(side, height - top, design.base), np.full(1, 0.62, np.float32))
    cv2.rectangle(
        flank,
        (0, round(height * 0.55)),
        (side, round(height * 0.8)),
        d.mix(design.base, design.paper, 0.6),
        -1,
    )
    picture = d.canvas(width, height, design.base)
    mask = np.zeros((height, width), np.uint8)
    x = side if left else 0
    picture[top:, x : x + width - side] = front
    picture[top:, (0 if left else width - side) : (side if left else width)] = flank
    roof = d.mix(design.base, (255, 255, 255), 0.35)
    back = (side, width) if left else (0, width - side)
    lid = np.array([(0, top), (back[0], 0), (back[1] if left else width - side, 0), (width, top)], np.int32)
    cv2.fillPoly(picture, [lid], roof, cv2.LINE_AA)
    cv2.fillPoly(mask, [lid], 255, cv2.LINE_AA)
    mask[top:] = 255
    edge = side if left else width - side
    cv2.line(picture, (edge, top), (edge, height), d.mix(design.base, (255, 255, 255), 0.4), 1, cv2.LINE_AA)
    return d.with_alpha(picture, mask)


def _carton(design: Design, width: int, height: int) -> Sprite:
    """A drinks carton: straight body, gable and, on some, a screw cap."""
    gable = round(height * 0.17)
    picture = d.canvas(width, height, design.base)
    mask = np.zeros((height, width), np.uint8)
    picture[gable:] = d.lit(draw_label(design, width, height - gable), _ramp(width, 1.04, 0.9))
    fin = round(height * 0.045)
    slope = np.array([(0, gable), (width * 0.06, fin), (width * 0.94, fin), (width, gable)], np.int32)
    cv2.fillPoly(picture, [slope], d.mix(design.base, (255, 255, 255), 0.22), cv2.LINE_AA)
    cv2.fillPoly(mask, [slope], 255, cv2.LINE_AA)
    cv2.rectangle(
        picture, (round(width * 0.06), 0), (round(width * 0.94), fin), d.mix(design.base, (0, 0, 0), 0.15), -1
    )
    cv2.rectangle(mask, (round(width * 0.06), 0), (round(width * 0.94), fin), 255, -1)
    if design.line % 4 != 3:
        center, radius = (width // 2, round(gable * 0.62)), round(width * 0.13)
        cv2.circle(picture, center, radius, d.mix(design.accent, (0, 0, 0), 0.3), -1, cv2.LINE_AA)
        cv2.circle(picture, center, round(radius * 0.85), design.accent, -1, cv2.LINE_AA)
    mask[gable:] = 255
    return d.with_alpha(picture, mask)


def _can(design: Design, width: int, height: int) -> Sprite:
    """A tin: label round a cylinder, bare metal at both rims."""
    rim = round(height * 0.045)
    picture = d.canvas(width, height, METAL)
    label = draw_label(design, round(width * 1.25), height - 2 * rim)
    picture[rim : height - rim] = _round(label, width)
    cv2.line(picture, (0, height - rim - 1), (width, height - rim - 1), (120, 122, 124), 1)
    picture = d.lit(picture, _cylinder(width))
    bulge = max(2, round(width * 0.07))
    mask = np.zeros((height, width), np.uint8)
    mask[bulge : height - bulge] = 255
    for y in (bulge, height - bulge - 1):
        cv2.ellipse(mask, (width // 2, y), (width // 2, bulge), 0, 0, 360, 255, -1, cv2.LINE_AA)
    cv2.ellipse(
        picture, (width // 2, bulge), (width // 2, bulge), 0, 0, 360, (150, 152, 155), -1, cv2.LINE_AA
    )
    inner = (round(width * 0.44), round(bulge * 0.75))
    cv2.ellipse(picture, (width // 2, bulge), inner, 0, 0, 360, (205, 207, 210), -1, cv2.LINE_AA)
    return d.with_alpha(picture, mask)


_BOTTLE = (
    (0.0, 0.19), (0.075, 0.19), (0.08, 0.16), (0.2, 0.17), (0.26, 0.26),
    (0.33, 0.44), (0.37, 0.5), (0.985, 0.5), (1.0, 0.46),
)  # fmt: skip
"""Outline of a bottle: (height from the top, half width), both as fractions."""

_JAR = (
    (0.0, 0.44),
    (0.005, 0.46),
    (0.14, 0.46),
    (0.145, 0.42),
    (0.17, 0.43),
    (0.24, 0.5),
    (0.95, 0.5),
    (1.0, 0.44),
)


def _bottle(design: Design, width: int, height: int) -> Sprite:
    """A bottle: cap, shoulders, tinted body and a label round its lower part."""
    tint = d.mix(d.mix(design.base, color(design.line * 0.31, 0.4, 0.9), 0.25), (255, 255, 255), 0.2)
    picture = d.canvas(width, height, tint)
    top, bottom = round(height * 0.40), round(height * 0.94)
    label = draw_label(design, round(width * 1.25), bottom - top)
    picture[top:bottom] = _round(label, width)
    cap = d.mix(design.accent, (0, 0, 0), 0.1)
    picture[: round(height * 0.078)] = cap
    picture[round(height * 0.078) : round(height * 0.085)] = d.mix(cap, (0, 0, 0), 0.4)
    return d.with_alpha(d.lit(picture, _cylinder(width)), _outline(_BOTTLE, width, height))


def _jar(design: Design, width: int, height: int) -> Sprite:
    """A glass jar: lid, contents that show above and below the label."""
    content = d.mix(d.mix(design.accent, design.ink, 0.3), (255, 255, 255), 0.1)
    picture = d.canvas(width, height, content)
    lid = round(height * 0.145)
    picture[lid : round(height * 0.2)] = (225, 226, 224)
    picture[:lid] = design.base
    for k in range(0, width, max(3, width // 30)):
        cv2.line(picture, (k, round(lid * 0.25)), (k, lid), d.mix(design.base, (0, 0, 0), 0.25), 1)
    top, bottom = round(height * 0.27), round(height * 0.92)
    picture[top:bottom] = _round(draw_label(design, round(width * 1.25), bottom - top), width)
    return d.with_alpha(d.lit(picture, _cylinder(width)), _outline(_JAR, width, height))


def _bag(design: Design, width: int, height: int) -> Sprite:
    """A foil bag: pillow shape, crimped seals and soft folds."""
    rng = np.random.default_rng([design.line, 11])
    picture = draw_label(design, width, height)
    ys, xs = np.mgrid[0:height, 0:width].astype(np.float32)
    u, v = xs / width * 2 - 1, ys / height * 2 - 1
    gain = 1.0 + 0.10 * np.cos(u * 2.2 - 0.7) - 0.30 * np.abs(u) ** 4 - 0.12 * np.abs(v) ** 6
    for _ in range(5):
        angle, offset = rng.uniform(-0.5, 0.5), rng.uniform(-0.8, 0.8)
        ridge = u * np.cos(angle) + v * np.sin(angle) - offset
        gain += rng.choice([-0.07, 0.09]) * np.exp(-((ridge / 0.05) ** 2)) * (np.abs(v) ** 1.5)
    seal = np.abs(v) > 0.91
    gain = np.where(seal, 0.88 + 0.12 * np.sin(ys * 2 * np.pi / max(3.0, height / 90)), gain)
    mask = np.where(np.abs(u) < 0.955 + 0.045 * np.abs(v) ** 3 - 0.012 * np.sin(v * 9), 255, 0).astype(
        np.uint8
    )
    return d.with_alpha(
        d.lit(picture, gain.astype(np.float32)), np.asarray(cv2.GaussianBlur(mask, (3, 3), 0), np.uint8)
    )


_BODIES: dict[Kind, Callable[[Design, int, int], Sprite]] = {
    Kind.BOX: _box,
    Kind.CARTON: _carton,
    Kind.CAN: _can,
    Kind.BOTTLE: _bottle,
    Kind.JAR: _jar,
    Kind.BAG: _bag,
}


def _round(label: Picture, width: int) -> Picture:
    """The middle of a flat label as it looks on an upright cylinder `width` pixels across."""
    height, flat = label.shape[:2]
    across = np.linspace(-0.999, 0.999, width, dtype=np.float32)
    angle = np.arcsin(across)
    xs = (0.5 + angle / np.pi) * (flat - 1)
    rise = 0.03 * width * (1.0 - np.cos(angle))
    map_x = np.repeat(xs[None], height, axis=0).astype(np.float32)
    map_y = (np.arange(height, dtype=np.float32)[:, None] + rise[None]).astype(np.float32)
    return cv2.remap(label, map_x, map_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def _cylinder(width: int) -> NDArray[np.float32]:
    """Gain per column `(1, width)` of a round body lit from the left: soft highlight, dark edges."""
    x = np.linspace(-1, 1, width, dtype=np.float32)
    gain = 0.55 + 0.5 * np.sqrt(np.clip(1 - x**2, 0, 1)) + 0.22 * np.exp(-(((x + 0.42) / 0.12) ** 2))
    return np.asarray(gain[None], np.float32)


def _ramp(width: int, left: float, right: float) -> NDArray[np.float32]:
    """Gain per column `(1, width)` of a flat face, from left to right."""
    return np.linspace(left, right, width, dtype=np.float32)[None]


def _outline(profile: tuple[tuple[float, float], ...], width: int, height: int) -> NDArray[np.uint8]:
    """The mask of a body that is symmetric about its axis."""
    mask = np.zeros((height, width, 3), np.uint8)
    right = [(0.5 + half, down) for down, half in profile]
    left = [(0.5 - half, down) for down, half in reversed(profile)]
    d.polygon(mask, right + left, (255, 255, 255))
    return mask[:, :, 0]
