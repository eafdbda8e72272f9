"""A dock of a warehouse: shipments of cartons on a belt that stops and runs back, and what is true of them.

story = receive(shipments=10, cartons=200, seed=1)
picture = draw_dock(story, at_s=12.5)

Each carton shows the print of its product and a label: the EAN-13 of the product, or, on a carton with many
pieces, its SSCC and what is inside as GS1-128. One label in five is torn; a few are on the wrong carton.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING

import cv2
import numpy as np

from agent.core.gs1 import check_digit
from tools.synth import drawing as d
from tools.synth.barcodes import draw_barcode, ean13, gs1_128
from tools.synth.camera import lit_by_shop, noisy
from tools.synth.designs import design
from tools.synth.packages import draw_package
from tools.synth.parcels import CARDBOARD, MODULE_PX, SLATS_PX, cast_shadow, empty_belt
from tools.synth.people import COATS, SKINS, draw_arm

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tools.synth.drawing import Picture, Sprite

WIDTH, HEIGHT = 1280, 720
SPEED_PX_S = 300.0
APART_PX = 2200
"""Between two shipments: the belt is empty for a while."""

TORN = 0.2
WRONG = 0.04
UNITS = 0.25
TURN_DEG = 5.0
PRODUCTS = 24
SEED = 6
"""Of the products: below those of training."""


def gtin_of(product: int) -> str:
    """14 digits."""
    body = f"0400638{product:06d}"
    return body + check_digit(body)


@dataclass(frozen=True, slots=True)
class Carton:
    """One carton. In pixels; `along` is its middle where the belt has not moved yet."""

    number: int
    shipment: int
    product: int
    label: int  # product that the label says; another one: it is on the wrong carton
    sscc: str  # 18 digits; empty: the label says the product alone
    count: int  # pieces
    torn: bool  # of a label with two codes the one that says what is inside
    along: float
    across: float
    length: int
    width: int
    turn_deg: float

    @property
    def is_conflict(self) -> bool:
        """Whether label and print can both be seen and name different products."""
        return self.label != self.product and not (self.torn and not self.sscc)


@dataclass(frozen=True, slots=True)
class Shipment:
    """What is announced, and when it is received."""

    name: str
    lines: tuple[tuple[str, int], ...]  # GTIN → pieces
    units: dict[str, tuple[str, int]]  # SSCC → GTIN and pieces
    opened_s: float
    closed_s: float


@dataclass(frozen=True, slots=True)
class Story:
    """All of it."""

    cartons: tuple[Carton, ...]
    shipments: tuple[Shipment, ...]
    moments: tuple[float, ...]  # s, when the belt changes its mind
    places: tuple[float, ...]  # px, how far it has come by then
    hidden: tuple[float, ...] = ()  # s, when somebody reaches over the belt

    @property
    def ends_s(self) -> float:
        """When the last shipment is closed."""
        return self.shipments[-1].closed_s

    def moved_px(self, at_s: float) -> float:
        """How far the belt has come."""
        return float(np.interp(at_s, self.moments, self.places))

    def received(self, number: int) -> dict[str, list[int]]:
        """GTIN → pieces that came of it in a shipment, and pieces whose label is on the wrong carton."""
        found: dict[str, list[int]] = {}
        for carton in self.cartons:
            if carton.shipment == number:
                says = carton.product if carton.torn and not carton.sscc else carton.label
                found.setdefault(gtin_of(says), [0, 0])[carton.is_conflict] += carton.count
        return found


def receive(shipments: int = 10, cartons: int = 200, seed: int = 1) -> Story:
    """A story; the same seed tells the same one."""
    rng = np.random.default_rng([seed, 811])
    made: list[Carton] = []
    ends: list[float] = [0.0]
    tail = -40.0  # px, where the last carton ends
    for shipment in range(shipments):
        products = rng.choice(PRODUCTS, 6, replace=False)
        for _ in range(cartons // shipments):
            carton = _carton(len(made), shipment, products, tail, rng)
            made.append(carton)
            tail = carton.along - _reach(carton) - _gap(rng)
        ends.append(-tail)
        tail -= APART_PX
    moments, places = _belt(ends[-1] + 2 * WIDTH, rng)
    told = []
    for number in range(shipments):
        first = next(carton for carton in made if carton.shipment == number)
        opened = _when(moments, places, -first.along - first.length)
        closed = _when(moments, places, ends[number + 1] + WIDTH + 120.0) + 1.0
        told.append(_announced(number, made, opened, closed, rng))
    made = [
        # Nobody can know how much is in a carton that nobody announced and whose label is torn.
        replace(c, torn=c.torn and not (c.sscc and c.sscc not in told[c.shipment].units))
        for c in made
    ]
    hidden = tuple(float(t) for t in np.sort(rng.uniform(10, told[-1].closed_s, max(1, cartons // 12))))
    return Story(tuple(made), tuple(told), tuple(moments), tuple(places), hidden)


def _carton(
    number: int, shipment: int, products: NDArray[np.int64], tail: float, rng: np.random.Generator
) -> Carton:
    product = int(rng.choice(products[:5]) if rng.random() < 0.97 else products[5])
    unit = rng.random() < UNITS
    length, width = int(rng.integers(410, 480)), int(rng.integers(300, 360))
    wrong = rng.random() < WRONG
    made = Carton(
        number=number,
        shipment=shipment,
        product=product,
        label=int(rng.choice([p for p in products[:5] if p != product])) if wrong else product,
        sscc=_sscc(number) if unit else "",
        count=int(rng.choice((6, 12))) if unit else 1,
        torn=bool(rng.random() < TORN),
        along=0.0,
        across=HEIGHT * rng.uniform(0.47, 0.53),
        length=length,
        width=width,
        turn_deg=float(rng.uniform(-TURN_DEG, TURN_DEG)),
    )
    return replace(made, along=tail - _reach(made))


def _reach(carton: Carton) -> float:
    """From the middle of a carton to its foremost corner, along the belt."""
    angle = np.deg2rad(abs(carton.turn_deg))
    return float(np.cos(angle) * carton.length + np.sin(angle) * carton.width) / 2


def _gap(rng: np.random.Generator) -> float:
    """Pixels: cartons come one by one, or close behind each other."""
    return float(rng.uniform(34, 60) if rng.random() < 0.4 else rng.uniform(80, 320))


def _belt(length: float, rng: np.random.Generator) -> tuple[list[float], list[float]]:
    """Moments and places between which the belt runs evenly: it stops, and runs back a little."""
    moments, places = [0.0], [0.0]
    while places[-1] < length:
        on = float(rng.uniform(900, 3500))
        moments.append(moments[-1] + on / SPEED_PX_S)
        places.append(places[-1] + on)
        if rng.random() < 0.55:
            moments.append(moments[-1] + float(rng.uniform(2, 14)))
            places.append(places[-1])
        else:
            back = float(rng.uniform(120, 380))
            moments.append(moments[-1] + back / SPEED_PX_S)
            places.append(places[-1] - back)
    return moments, places


def _when(moments: list[float], places: list[float], place: float) -> float:
    """When the belt is past a place for good."""
    last = max((n for n in range(len(places) - 1) if places[n] <= place < places[n + 1]), default=0)
    share = (place - places[last]) / (places[last + 1] - places[last])
    return moments[last] + share * (moments[last + 1] - moments[last])


def _announced(
    number: int, made: list[Carton], opened: float, closed: float, rng: np.random.Generator
) -> Shipment:
    """What the sender says: one line too many, one too few, and nothing of what nobody ordered."""
    mine = [carton for carton in made if carton.shipment == number]
    pieces: dict[int, int] = {}
    for carton in mine:
        pieces[carton.product] = pieces.get(carton.product, 0) + carton.count
    products = sorted(pieces)
    rng.shuffle(products)
    if len(products) > 3:
        pieces[products[0]] += int(rng.integers(1, 5))
        pieces[products[1]] = max(1, pieces[products[1]] - 1)
        if rng.random() < 0.5:
            del pieces[products[2]]
    lines = tuple((gtin_of(product), count) for product, count in sorted(pieces.items()))
    units = {c.sscc: (gtin_of(c.label), c.count) for c in mine if c.sscc and c.label in pieces}
    return Shipment(f"S-{number + 1:02d}", lines, units, opened, closed)


def _sscc(number: int) -> str:
    body = f"34006381{number:09d}"
    return body + check_digit(body)


def draw_dock(story: Story, at_s: float) -> Picture:
    """`(720, 1280, 3)` uint8 BGR: what the camera above the belt takes."""
    moved = story.moved_px(at_s)
    picture = empty_belt(WIDTH, HEIGHT, round(moved) % SLATS_PX).copy()
    for carton in story.cartons:
        x = carton.along + moved
        if -carton.length < x < WIDTH + carton.length:
            _lay(picture, carton, round(x - REACH), round(carton.across - REACH))
    place = bisect_right(story.hidden, at_s) - 1
    if place >= 0 and at_s - story.hidden[place] < 1.2:
        x = WIDTH * (0.25 + 0.5 * (place * 0.618 % 1))
        draw_arm(picture, (x, HEIGHT * 0.45), (x + 60, -HEIGHT * 0.2), 70, SKINS[place % 3], COATS[place % 3])
    return noisy(lit_by_shop(picture), round(at_s * 1000))


REACH = 340
"""Pixels from the middle of a carton to where its shadow ends for sure."""


def _lay(picture: Picture, carton: Carton, x: int, y: int) -> None:
    """A carton with its shadow; `x`, `y`: of the corner of all of it, which may lie outside."""
    shade, top, mask = _lying(carton)
    x1, y1 = max(0, x), max(0, y)
    x2, y2 = min(WIDTH, x + 2 * REACH), min(HEIGHT, y + 2 * REACH)
    if x2 <= x1 or y2 <= y1:
        return
    there = (slice(y1 - y, y2 - y), slice(x1 - x, x2 - x))
    part = picture[y1:y2, x1:x2]
    cv2.multiply(part, shade[there], part, 1 / 255)
    cv2.copyTo(top[there], mask[there], part)


@lru_cache(maxsize=24)
def _lying(carton: Carton) -> tuple[Picture, Picture, Picture]:
    """Around the middle of a carton as it lies: what its shadow leaves (255: all), its top, where that is."""
    side = 2 * REACH
    half = np.array([carton.length, carton.width]) / 2
    angle = np.deg2rad(carton.turn_deg)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    corners = (np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)]) * half @ turn + REACH).astype(np.float32)
    shade = np.full((side, side, 3), 255, np.uint8)
    cast_shadow(shade, corners)
    sprite = top_of(carton)
    flat = np.array([(0, 0), (sprite.shape[1], 0), sprite.shape[1::-1], (0, sprite.shape[0])], np.float32)
    laid = cv2.warpPerspective(sprite, cv2.getPerspectiveTransform(flat, corners), (side, side))
    mask = np.where(laid[..., 3] > 127, np.uint8(255), np.uint8(0))
    return shade, np.ascontiguousarray(laid[..., :3]), mask


def studio(product: int, number: int) -> Picture:
    """A reference picture: a carton of the product, `(H, W, 3)` uint8 BGR.

    It has no label, or, from number 3 and 6 on, a small or a large one with nothing on it.
    """
    rng = np.random.default_rng([product, number, 823])
    length, width = int(rng.integers(410, 480)), int(rng.integers(300, 360))
    carton = Carton(9_000 + number, 0, product, product, "", 0, torn=False, along=0, across=0, length=length,
                    width=width, turn_deg=0)  # fmt: skip
    picture = np.ascontiguousarray(top_of(carton)[..., :3])
    if number >= 3:
        wide, tall = (242, 74) if number < 6 else (364, 140)
        x = int(rng.integers(8, 60))
        picture[width - tall - 8 : width - 8, x : x + wide] = 248
    return noisy(picture, 100 * product + number)


@lru_cache(maxsize=48)
def top_of(carton: Carton) -> Sprite:
    """The top of a carton, flat: print of its product, tape, label."""
    card = CARDBOARD[carton.number % len(CARDBOARD)]
    top = d.canvas(carton.length, carton.width, card)
    rng = np.random.default_rng([carton.number, 829])
    top = np.clip(top + rng.normal(0, 2.2, (carton.width, 1, 1)), 0, 255).astype(np.uint8)
    cv2.rectangle(top, (0, 0), (carton.length - 1, carton.width - 1), d.mix(card, (0, 0, 0), 0.35), 3)
    tall = carton.width - 40
    for place in range(2):  # the print: twice, so that the label never covers all of it
        sprite = draw_package(design(carton.product, SEED), tall)
        wide = min(sprite.shape[1], carton.length // 2 - 24)
        sprite = d.resized(sprite, wide, round(sprite.shape[0] * wide / sprite.shape[1]))
        d.paste(top, sprite, 14 + place * (carton.length // 2), (carton.width - sprite.shape[0]) // 2)
    if carton.count:
        label = _label(carton)
        y = carton.width - label.shape[0] - 8
        x = min(carton.length - label.shape[1] - 8, 12 + carton.number * 7 % 60)
        top[y : y + label.shape[0], max(0, x) : max(0, x) + label.shape[1]] = label
    return d.with_alpha(top, np.full(top.shape[:2], 255, np.uint8))


def _label(carton: Carton) -> Picture:
    """White, with one code or two above each other."""
    gtin = gtin_of(carton.label)
    torn: tuple[bool, ...]
    if carton.sscc:
        rows = [gs1_128(f"00{carton.sscc}"), gs1_128(f"02{gtin}37{carton.count:02d}")]
        torn = (False, carton.torn)
    else:
        rows, torn = [ean13(gtin[1:])], (carton.torn,)
    bars = [draw_barcode(row, MODULE_PX, 56) for row in rows]
    width = max(row.shape[1] for row in bars) + 8
    label = d.canvas(width, 8 + 66 * len(bars), (250, 250, 250))
    for n, row in enumerate(bars):
        y, x = 6 + 66 * n, (width - row.shape[1]) // 2
        label[y : y + 56, x : x + row.shape[1]] = row
        if torn[n]:
            shape = np.array(
                [(x, y + 14), (x + row.shape[1], y - 4), (x + row.shape[1], y + 58), (x, y + 50)]
            )
            cv2.fillPoly(label, [shape.astype(np.int32)], d.mix(CARDBOARD[0], (255, 255, 255), 0.3))
    return label
