"""Parcels on the belt of an inbound dock, seen from above, with printed EAN-13 and Code 128 labels.

belt = load(count=6, seed=3)
picture = draw_belt(belt, at_s=1.5)
belt.truth(1.5)     which parcels are in the picture, where, and what their labels say
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from agent.core.gs1 import check_digit
from tools.synth import drawing as d
from tools.synth.barcodes import code128, draw_barcode, ean13
from tools.synth.camera import lit_by_shop, noisy

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tools.synth.designs import Color
    from tools.synth.drawing import Picture, Sprite
    from tools.synth.scenes import Box

CARDBOARD: tuple[Color, ...] = ((104, 148, 188), (118, 160, 196), (92, 134, 174), (214, 218, 220))
RUBBER: Color = (52, 54, 56)
STEEL: Color = (150, 154, 156)
SLATS_PX = 46
"""Distance of the ribs of the belt."""

MODULE_PX = 2
"""Width of the thinnest bar: what a camera of this size sees of a label of 100 mm from above."""

TURN_DEG = 7.0
"""How far a parcel is turned on the belt at most; rollers straighten them before."""

GAP_PX = (50, 190)


class Symbology(StrEnum):
    """What a label is printed in."""

    EAN13 = "EAN-13"
    CODE128 = "Code 128"


@dataclass(frozen=True, slots=True)
class Parcel:
    """One box. In pixels; `along` and `across` are its middle at time 0, `label` the corner of its label."""

    number: int
    along: float
    across: float
    length: int
    width: int
    turn_deg: float
    card: int
    symbology: Symbology
    text: str  # what the barcode says
    label: tuple[int, int]
    damaged: bool  # the barcode is torn: nobody can read it


@dataclass(frozen=True, slots=True)
class Belt:
    """A belt that runs from left to right, and what lies on it."""

    width: int
    height: int
    speed_px_s: float
    parcels: tuple[Parcel, ...]

    def corners(self, parcel: Parcel, at_s: float) -> NDArray[np.float64]:
        """The corners of a parcel's top, `(4, 2)` clockwise from its own top left, cut at nothing."""
        x = parcel.along + self.speed_px_s * at_s
        half = np.array([parcel.length, parcel.width]) / 2
        flat = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)]) * half
        angle = np.deg2rad(parcel.turn_deg)
        turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
        return np.asarray(flat @ turn + np.array([x, parcel.across]))

    def box(self, parcel: Parcel, at_s: float) -> Box | None:
        """Where a parcel's top is seen, cut at the edges of the picture; None when it is not."""
        corners = self.corners(parcel, at_s)
        low, high = np.floor(corners.min(axis=0)), np.ceil(corners.max(axis=0))
        x1, y1, x2, y2 = max(0, int(low[0])), int(low[1]), min(self.width, int(high[0])), int(high[1])
        return (x1, y1, x2, y2) if x2 > x1 else None

    def truth(self, at_s: float) -> list[dict[str, Any]]:
        """The parcels in the picture, as plain data; `whole` when no edge cuts them."""
        seen = []
        for parcel in self.parcels:
            box = self.box(parcel, at_s)
            if box is not None:
                xs = self.corners(parcel, at_s)[:, 0]
                seen.append(
                    {
                        "parcel": parcel.number,
                        "box": list(box),
                        "whole": bool(xs.min() >= 0 and xs.max() <= self.width),
                        "symbology": parcel.symbology.value,
                        "text": parcel.text,
                        "readable": not parcel.damaged,
                    }
                )
        return seen


def load(count: int, seed: int = 0, width: int = 1280, height: int = 720, speed_px_s: float = 160.0) -> Belt:
    """A belt with so many parcels; the first one is wholly in the picture at time 0, the others follow it."""
    rng = np.random.default_rng([seed, 149])
    parcels = []
    right = width * 0.96
    for number in range(count):
        length, wide = int(rng.integers(400, 500)), int(rng.integers(250, 360))
        symbology = Symbology.EAN13 if rng.random() < 0.5 else Symbology.CODE128
        turn = float(rng.uniform(-TURN_DEG, TURN_DEG))
        reach = length + wide * abs(np.sin(np.deg2rad(turn)))
        label = _label_size(symbology)
        parcels.append(
            Parcel(
                number=number,
                along=right - reach / 2,
                across=height * rng.uniform(0.46, 0.54),
                length=length,
                width=wide,
                turn_deg=turn,
                card=int(rng.integers(len(CARDBOARD))),
                symbology=symbology,
                text=_ean(rng) if symbology is Symbology.EAN13 else _sscc(rng),
                label=(
                    int(rng.integers(8, length - label[0] - 8)),
                    int(rng.integers(8, max(9, wide - label[1] - 8))),
                ),
                damaged=bool(rng.random() < 0.1),
            )
        )
        right -= reach + float(rng.uniform(*GAP_PX))
    return Belt(width, height, speed_px_s, tuple(parcels))


def draw_belt(belt: Belt, at_s: float = 0.0) -> Picture:
    """`(height, width, 3)` uint8 BGR: what the camera above the belt takes at a time."""
    picture = empty_belt(belt.width, belt.height, round(belt.speed_px_s * at_s) % SLATS_PX).copy()
    for parcel in belt.parcels:
        if belt.box(parcel, at_s) is None:
            continue
        corners = belt.corners(parcel, at_s)
        cast_shadow(picture, corners)
        flat = np.array([(0, 0), (parcel.length, 0), (parcel.length, parcel.width), (0, parcel.width)])
        there = cv2.getPerspectiveTransform(flat.astype(np.float32), corners.astype(np.float32))
        d.paste(picture, cv2.warpPerspective(_top(parcel), there, (belt.width, belt.height)), 0, 0)
    return noisy(lit_by_shop(picture), round(at_s * 1000))


@lru_cache(maxsize=64)
def _top(parcel: Parcel) -> Sprite:
    """The top of a parcel with tape, print and label, flat."""
    rng = np.random.default_rng([parcel.number, 151])
    card = CARDBOARD[parcel.card]
    top = d.canvas(parcel.length, parcel.width, card)
    grain = rng.normal(0, 1, (parcel.width, 1, 1)) * 2.2
    top = np.clip(top + grain, 0, 255).astype(np.uint8)
    seam = parcel.width // 2
    cv2.line(top, (0, seam), (parcel.length, seam), d.mix(card, (0, 0, 0), 0.45), 2)
    tape = top[seam - 24 : seam + 24]
    tape[:] = cv2.addWeighted(tape, 0.55, np.full_like(tape, (150, 190, 214)), 0.45, 6)
    cv2.rectangle(top, (0, 0), (parcel.length - 1, parcel.width - 1), d.mix(card, (0, 0, 0), 0.35), 3)
    _arrows(top, parcel, card)
    label = _label(parcel)
    x, y = parcel.label
    label = label[: parcel.width - y, : parcel.length - x]
    top[y : y + label.shape[0], x : x + label.shape[1]] = label
    return d.with_alpha(top, np.full(top.shape[:2], 255, np.uint8))


def _arrows(top: Picture, parcel: Parcel, card: Color) -> None:
    """Two arrows that say which side is up, in a corner."""
    ink = d.mix(card, (30, 30, 40), 0.7)
    foot, head = parcel.width - 18, parcel.width - 58
    for x in (parcel.length - 64, parcel.length - 36):
        cv2.arrowedLine(top, (x, foot), (x, head), ink, 5, cv2.LINE_AA, tipLength=0.45)
    cv2.line(top, (parcel.length - 78, parcel.width - 12), (parcel.length - 22, parcel.width - 12), ink, 4)


def _label(parcel: Parcel) -> Picture:
    """A shipping label: sender, lines of an address, the barcode with its digits below."""
    modules = ean13(parcel.text) if parcel.symbology is Symbology.EAN13 else code128(parcel.text)
    bars = draw_barcode(modules, MODULE_PX, 84)
    width, height = _label_size(parcel.symbology)
    label = d.canvas(width, height, (250, 250, 250))
    d.text(label, f"SHIPMENT {4711 + parcel.number}", (0.04, 0.03, 0.62, 0.15), (30, 30, 30))
    for line in range(3):
        d.rectangle(label, 0.04, 0.19 + 0.06 * line, 0.5 - 0.07 * line, 0.21 + 0.06 * line, (120, 120, 120))
    d.rectangle(label, 0.74, 0.06, 0.95, 0.32, (40, 40, 40))
    d.text(
        label, "AB"[parcel.number % 2] + str(parcel.number % 9 + 1), (0.76, 0.09, 0.93, 0.29), (250, 250, 250)
    )
    y, x = height - 84 - 26, (width - bars.shape[1]) // 2
    label[y : y + 84, x : x + bars.shape[1]] = bars
    if parcel.damaged:
        torn = np.array([(x, y + 20), (x + bars.shape[1], y - 8), (x + bars.shape[1], y + 84), (x, y + 96)])
        cv2.fillPoly(label, [torn.astype(np.int32)], d.mix(CARDBOARD[parcel.card], (255, 255, 255), 0.25))
    d.text(label, parcel.text, (0.12, 1 - 22 / height, 0.88, 1 - 4 / height), (30, 30, 30))
    cv2.rectangle(label, (0, 0), (width - 1, height - 1), (200, 200, 200), 1)
    return label


def _label_size(symbology: Symbology) -> tuple[int, int]:
    """Width and height in pixels."""
    modules = 95 if symbology is Symbology.EAN13 else 11 * 12 + 13
    return (modules + 22) * MODULE_PX + 8, 190


def _ean(rng: np.random.Generator) -> str:
    body = "".join(str(digit) for digit in rng.integers(0, 10, 12))
    return body + check_digit(body)


def _sscc(rng: np.random.Generator) -> str:
    """An SSCC as logistics labels have it, its application identifier 00 in front."""
    body = "".join(str(digit) for digit in rng.integers(0, 10, 17))
    return "00" + body + check_digit(body)


def cast_shadow(picture: Picture, corners: NDArray[np.float64]) -> None:
    """Soft and to the lower right: the lamps hang to the left of the camera."""
    x1, y1 = np.maximum(corners.min(axis=0).astype(int) - 30, 0)
    x2, y2 = corners.max(axis=0).astype(int) + 60
    part = picture[y1:y2, x1:x2]
    if part.size == 0:
        return
    mask = np.zeros(part.shape[:2], np.float32)
    cv2.fillPoly(mask, [np.rint(corners - (x1 - 14, y1 - 18)).astype(np.int32)], 0.6)
    part[:] = (part * (1.0 - cv2.GaussianBlur(mask, (0, 0), 9)[..., None])).astype(np.uint8)


@lru_cache(maxsize=SLATS_PX)
def empty_belt(width: int, height: int, moved_px: int) -> Picture:
    """Floor, frame, rubber belt with its ribs, moved on by so many pixels. Do not write to it."""
    picture = d.canvas(width, height, (126, 130, 132))
    for y in range(0, height, 90):
        cv2.line(picture, (0, y), (width, y), (116, 120, 122), 2)
    top, bottom = round(height * 0.16), round(height * 0.84)
    cv2.rectangle(picture, (0, top - 34), (width, bottom + 34), STEEL, -1)
    for y in (top - 34, bottom + 6):
        cv2.rectangle(picture, (0, y), (width, y + 6), d.mix(STEEL, (255, 255, 255), 0.5), -1)
        for x in range(60, width, 210):
            cv2.circle(picture, (x, y + 18), 6, d.mix(STEEL, (0, 0, 0), 0.5), -1, cv2.LINE_AA)
    cv2.rectangle(picture, (0, top), (width, bottom), RUBBER, -1)
    for x in range(moved_px - SLATS_PX, width + SLATS_PX, SLATS_PX):
        cv2.line(picture, (x, top), (x, bottom), d.mix(RUBBER, (0, 0, 0), 0.4), 3)
        cv2.line(picture, (x + 3, top), (x + 3, bottom), d.mix(RUBBER, (255, 255, 255), 0.1), 2)
    return picture
