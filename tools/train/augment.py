"""What a camera may do to a picture of a product: little to most, to some all that goes wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Pixels = NDArray[np.uint8]

ASPECT = 1.33
"""Longest side by shortest of the part that is kept: regions are stretched onto the square input."""

FAR_PX = (40, 120)
"""Sides of a product far from the camera, before it is enlarged to the input."""

HARSH = 0.4
"""Share of the pictures that a bad camera takes. The others are cut, mirrored and lit otherwise."""

_NOISE_SIDE = 512


class Camera:
    """Takes pictures. It owns a field of noise: drawing one for each picture would double the cost."""

    def __init__(self, seed: int) -> None:
        rng = np.random.default_rng([seed, 71])
        self._noise = rng.normal(0, 1, (_NOISE_SIDE, _NOISE_SIDE, 3)).astype(np.float32)

    def take(
        self,
        picture: Pixels,
        side: int,
        rng: np.random.Generator,
        *,
        least: float = 0.25,
        studio: bool = False,
    ) -> Pixels:
        """`(H, W, 3)` → `(side, side, 3)`, both uint8 BGR.

        `least` is the share of the picture that is kept at least: the smallest makes one apple of a box of
        apples. A studio picture is seen half the time on a ground that is not white.
        """
        if studio and rng.random() < 0.5:
            picture = grounded(picture, rng)
        if rng.random() >= HARSH:
            return gently(picture, side, rng, least)
        seen = cut(picture, side, rng, least)
        seen = lit(seen, rng)
        seen = blurred(seen, rng)
        if rng.random() < 0.3:
            seen = self._noisy(seen, float(rng.uniform(2, 14)), rng)
        if rng.random() < 0.2:
            quality = int(rng.integers(20, 80))
            _, coded = cv2.imencode(".jpg", seen, [cv2.IMWRITE_JPEG_QUALITY, quality])
            seen = np.asarray(cv2.imdecode(coded, cv2.IMREAD_COLOR), np.uint8)
        return covered(seen, rng) if rng.random() < 0.25 else seen

    def _noisy(self, picture: Pixels, sigma: float, rng: np.random.Generator) -> Pixels:
        height, width = picture.shape[:2]
        y, x = rng.integers(0, _NOISE_SIDE - height), rng.integers(0, _NOISE_SIDE - width)
        field = self._noise[y : y + height, x : x + width]
        return np.asarray(cv2.scaleAdd(field, sigma, picture.astype(np.float32)).clip(0, 255), np.uint8)


def gently(picture: Pixels, side: int, rng: np.random.Generator, least: float) -> Pixels:
    """A random part as a square, half of them mirrored, in slightly other light."""
    height, width = picture.shape[:2]
    share, aspect = rng.uniform(least, 1.0), np.exp(rng.uniform(-1, 1) * np.log(ASPECT))
    across = min(width, int(width * np.sqrt(share * aspect)))
    down = min(height, int(height * np.sqrt(share / aspect)))
    x, y = int(rng.integers(0, width - across + 1)), int(rng.integers(0, height - down + 1))
    how = cv2.INTER_AREA if min(across, down) > 1.5 * side else cv2.INTER_LINEAR
    seen = cv2.resize(picture[y : y + down, x : x + across], (side, side), interpolation=how)
    if rng.random() < 0.5:
        seen = cv2.flip(seen, 1)
    lit_up = seen * ((1 + rng.uniform(-0.2, 0.2)) * (1 + rng.uniform(-0.05, 0.05, 3))).astype(np.float32)
    middle = lit_up.mean()
    lit_up = (lit_up - middle) * np.float32(1 + rng.uniform(-0.2, 0.2)) + middle
    grey = lit_up.mean(axis=2, keepdims=True)
    lit_up = grey + (lit_up - grey) * np.float32(1 + rng.uniform(-0.2, 0.2))
    return np.asarray(lit_up.clip(0, 255), np.uint8)


def cut(picture: Pixels, side: int, rng: np.random.Generator, least: float) -> Pixels:
    """A random part, turned and seen from an angle, as a square; half of them mirrored."""
    height, width = picture.shape[:2]
    share, aspect = rng.uniform(least, 1.0), np.exp(rng.uniform(-1, 1) * np.log(ASPECT))
    across = min(1.08, np.sqrt(share * aspect)) * width  # beyond 1: imprecise boxes take in what is around
    down = min(1.08, np.sqrt(share / aspect)) * height
    x, y = rng.uniform(0, 1) * (width - across), rng.uniform(0, 1) * (height - down)
    corners = np.array([(0, 0), (across, 0), (across, down), (0, down)])
    turn = np.deg2rad(rng.normal(0, 7) if rng.random() < 0.6 else 0)
    middle = np.array((across, down)) / 2
    rotation = np.array([(np.cos(turn), np.sin(turn)), (-np.sin(turn), np.cos(turn))])
    corners = (corners - middle) @ rotation + middle + (x, y)
    if rng.random() < 0.4:
        corners += rng.uniform(-0.09, 0.09, (4, 2)) * (across, down)
    target = np.array([(0, 0), (side, 0), (side, side), (0, side)], np.float32)
    if rng.random() < 0.5:
        target = target[[1, 0, 3, 2]]
    shrink = min(across, down) / side
    if shrink > 1.5:  # linear interpolation would skip pixels
        scale, how = 1 / shrink, cv2.INTER_AREA
        picture = np.asarray(cv2.resize(picture, None, fx=scale, fy=scale, interpolation=how), np.uint8)
        corners /= shrink
    matrix = cv2.getPerspectiveTransform(corners.astype(np.float32), target)
    return np.asarray(
        cv2.warpPerspective(picture, matrix, (side, side), borderMode=cv2.BORDER_REFLECT_101), np.uint8
    )


def lit(picture: Pixels, rng: np.random.Generator) -> Pixels:
    """Other light: exposure, contrast, gamma, colour cast, a little saturation; sometimes glare."""
    levels = np.arange(256, dtype=np.float32)[:, None] / 255
    gain = np.exp(rng.normal(0, 0.22)) * np.exp(rng.normal(0, 0.06, 3))
    if rng.random() < 0.1:
        gain *= rng.uniform(0.3, 0.6)  # a dark corner
    contrast, gamma = np.exp(rng.normal(0, 0.15)), np.exp(rng.normal(0, 0.18))
    curve = ((levels**gamma * gain - 0.45) * contrast + 0.45).clip(0, 1) * 255
    picture = np.asarray(cv2.LUT(picture, curve.astype(np.uint8)[None]), np.uint8)
    if rng.random() < 0.5:
        grey = cv2.cvtColor(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
        colour = float(rng.uniform(0.6, 1.35))
        picture = np.asarray(cv2.addWeighted(picture, colour, grey, 1 - colour, 0), np.uint8)
    return glaring(picture, rng) if rng.random() < 0.08 else picture


def glaring(picture: Pixels, rng: np.random.Generator) -> Pixels:
    """A soft bright spot, as lamps make on foil and glass."""
    side = picture.shape[0]
    spot = np.zeros((side // 4, side // 4), np.float32)
    centre = (int(rng.integers(side // 4)), int(rng.integers(side // 4)))
    axes = (int(rng.integers(2, side // 12)), int(rng.integers(2, side // 12)))
    cv2.ellipse(spot, centre, axes, float(rng.uniform(0, 180)), 0, 360, float(rng.uniform(120, 255)), -1)
    spot = np.asarray(cv2.resize(cv2.GaussianBlur(spot, (0, 0), 2), (side, side)), np.float32)
    return np.asarray((picture + spot[..., None]).clip(0, 255), np.uint8)


def blurred(picture: Pixels, rng: np.random.Generator) -> Pixels:
    """Out of focus, moved, or far away and enlarged; more than half stay sharp."""
    side, choice = picture.shape[0], rng.random()
    if choice < 0.12:
        return np.asarray(
            cv2.GaussianBlur(picture, (0, 0), float(rng.uniform(0.4, 2.0) * side / 160)), np.uint8
        )
    if choice < 0.20:
        return moved(picture, rng)
    if choice < 0.38:
        far = int(rng.integers(*FAR_PX))
        if far < side:
            small = cv2.resize(picture, (far, far), interpolation=cv2.INTER_AREA)
            how = cv2.INTER_LINEAR if rng.random() < 0.7 else cv2.INTER_CUBIC
            return np.asarray(cv2.resize(small, (side, side), interpolation=how), np.uint8)
    return picture


def moved(picture: Pixels, rng: np.random.Generator) -> Pixels:
    """Blurred along a line: camera or product moved while the shutter was open."""
    length = int(rng.integers(3, max(4, picture.shape[0] // 16)))
    kernel = np.zeros((length, length), np.float32)
    angle = rng.uniform(0, np.pi)
    reach = np.array((np.cos(angle), np.sin(angle))) * length / 2
    middle = np.array((length - 1, length - 1)) / 2
    ends = [tuple(int(place) for place in np.rint(middle + sign * reach)) for sign in (-1, 1)]
    cv2.line(kernel, ends[0], ends[1], 1.0)
    return np.asarray(cv2.filter2D(picture, -1, kernel / max(kernel.sum(), 1)), np.uint8)


def covered(picture: Pixels, rng: np.random.Generator) -> Pixels:
    """A part hidden behind something of one colour: a hand, a price label, another product's edge."""
    side = picture.shape[0]
    across, down = (int(side * rng.uniform(0.15, 0.45)) for _ in range(2))
    x, y = (
        int(rng.integers(-across // 2, side - across // 2)),
        int(rng.integers(-down // 2, side - down // 2)),
    )
    out = picture.copy()
    out[max(0, y) : y + down, max(0, x) : x + across] = rng.integers(0, 256, 3)
    return out


def grounded(picture: Pixels, rng: np.random.Generator) -> Pixels:
    """A studio picture with its white ground in another colour, brighter on one side than on the other."""
    height, width = picture.shape[:2]
    white = np.asarray(picture.min(axis=2) > 243, np.uint8)
    edge = np.zeros((height + 2, width + 2), np.uint8)
    for corner in ((0, 0), (width - 1, 0), (0, height - 1), (width - 1, height - 1)):
        if white[corner[1], corner[0]] == 1:
            cv2.floodFill(white, edge, corner, 2)
    share = cv2.GaussianBlur((white == 2).astype(np.float32), (0, 0), 0.8)[..., None]
    colour = rng.uniform(20, 235) + rng.normal(0, 14, 3)
    slope = np.linspace(rng.uniform(0.6, 1.1), rng.uniform(0.6, 1.1), width)[None, :, None]
    ground = (colour * slope).clip(0, 255)
    return np.asarray(picture * (1 - share) + ground * share, np.uint8)
