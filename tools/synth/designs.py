"""What a drawn product is, decided from a seed and a number: facts, no pixels."""

from __future__ import annotations

import colorsys
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

import numpy as np

_T = TypeVar("_T")

Color = tuple[int, int, int]
"""Blue, green, red; 0 to 255."""


class Kind(StrEnum):
    """The body of a product."""

    BOX = "box"
    CAN = "can"
    BOTTLE = "bottle"
    CARTON = "carton"
    BAG = "bag"
    JAR = "jar"


class Layout(StrEnum):
    """How the face is divided into fields of colour."""

    PANEL = "panel"
    BAND = "band"
    SPLIT = "split"
    DIAGONAL = "diagonal"
    WAVE = "wave"
    FRAME = "frame"
    RAYS = "rays"
    STRIPES = "stripes"


class Mark(StrEnum):
    """The shape that carries the brand's name."""

    OVAL = "oval"
    BAR = "bar"
    RIBBON = "ribbon"
    SHIELD = "shield"
    PLAIN = "plain"


class Motif(StrEnum):
    """The picture on the face."""

    FRUIT = "fruit"
    BOWL = "bowl"
    GRAIN = "grain"
    LEAVES = "leaves"
    SUN = "sun"
    HILLS = "hills"
    DROPS = "drops"
    BEANS = "beans"
    STAR = "star"


@dataclass(frozen=True, slots=True)
class Design:
    """One product. `aspect` is width by height; `tall` its height as a fraction of the tallest product.

    `index` is the number of the product. `line` decides what is neither word nor colour: lettering, folds,
    which side shows. Products of one line are alike but for the fields in which they differ, see flavours.py.
    """

    index: int
    line: int
    kind: Kind
    brand: str
    title: str
    variant: str
    size: str
    base: Color
    accent: Color
    paper: Color
    ink: Color
    layout: Layout
    mark: Mark
    motif: Motif
    aspect: float
    tall: float

    @property
    def name(self) -> str:
        """What a price label says: brand, title, variant and size."""
        return f"{self.brand} {self.title} {self.variant} {self.size}"


_GOODS: dict[Kind, tuple[tuple[str, Motif], ...]] = {
    Kind.BOX: (
        ("Corn flakes", Motif.BOWL), ("Muesli", Motif.GRAIN), ("Crackers", Motif.SUN),
        ("Herbal tea", Motif.LEAVES), ("Rice", Motif.HILLS), ("Biscuits", Motif.STAR),
    ),
    Kind.CAN: (
        ("Tomato soup", Motif.BOWL), ("Chick peas", Motif.BEANS), ("Lemonade", Motif.FRUIT),
        ("Kidney beans", Motif.BEANS), ("Sweetcorn", Motif.GRAIN), ("Cola", Motif.DROPS),
    ),
    Kind.BOTTLE: (
        ("Orange soda", Motif.FRUIT), ("Spring water", Motif.HILLS), ("Olive oil", Motif.LEAVES),
        ("Iced tea", Motif.SUN), ("Washing up", Motif.DROPS), ("Shampoo", Motif.STAR),
    ),
    Kind.CARTON: (
        ("Whole milk", Motif.HILLS), ("Oat drink", Motif.GRAIN), ("Apple juice", Motif.FRUIT),
        ("Soy drink", Motif.BEANS), ("Buttermilk", Motif.DROPS), ("Mint tea", Motif.LEAVES),
    ),
    Kind.BAG: (
        ("Crisps", Motif.STAR), ("Coffee", Motif.BEANS), ("Oats", Motif.GRAIN),
        ("Dried mango", Motif.FRUIT), ("Salad mix", Motif.LEAVES), ("Pretzels", Motif.SUN),
    ),
    Kind.JAR: (
        ("Honey", Motif.DROPS), ("Cherry jam", Motif.FRUIT), ("Pesto", Motif.LEAVES),
        ("Mustard", Motif.GRAIN), ("Olives", Motif.BEANS), ("Salsa", Motif.BOWL),
    ),
}  # fmt: skip
VARIANTS = ("Classic", "Mild", "Organic", "Extra", "Family", "Light", "Original", "Fresh", "Spicy", "Gold")
_SIZES: dict[Kind, tuple[str, ...]] = {
    Kind.BOX: ("250 g", "375 g", "500 g"),
    Kind.CAN: ("330 ml", "400 g", "425 ml"),
    Kind.BOTTLE: ("0.5 l", "0.75 l", "1 l"),
    Kind.CARTON: ("0.5 l", "1 l"),
    Kind.BAG: ("150 g", "200 g", "250 g"),
    Kind.JAR: ("190 g", "340 g", "500 g"),
}
_SHAPES: dict[Kind, tuple[tuple[float, float], tuple[float, float]]] = {  # (aspect range, tall range)
    Kind.BOX: ((0.62, 0.84), (0.82, 1.0)),
    Kind.CAN: ((0.54, 0.76), (0.58, 0.74)),
    Kind.BOTTLE: ((0.34, 0.44), (0.9, 1.0)),
    Kind.CARTON: ((0.42, 0.52), (0.82, 0.98)),
    Kind.BAG: ((0.66, 0.84), (0.74, 0.94)),
    Kind.JAR: ((0.68, 0.86), (0.56, 0.7)),
}
_HEADS = ("Lu", "Ka", "Bo", "Ve", "Mi", "Ta", "Fro", "Del", "Sun", "Or", "Pa", "Gre", "Ni", "Al", "Zo", "Hal")
_TAILS = ("mara", "brin", "vento", "lia", "nova", "dora", "rise", "kella", "mio", "stad", "vale", "quin")

GOLDEN = 0.618034
"""Steps of the golden ratio round the colour circle: any few neighbours in number are far apart in hue."""


def design(index: int, seed: int = 0) -> Design:
    """Product number `index` of the shop `seed`. The same arguments give the same product."""
    rng = np.random.default_rng([seed, index])
    kinds = tuple(Kind)
    kind = kinds[index % len(kinds)]
    goods = _GOODS[kind]
    title, motif = goods[(index // len(kinds) + int(rng.integers(2)) * 3) % len(goods)]
    (low, high), (short, tall) = _SHAPES[kind]
    base, accent, paper, ink = _palette(index * GOLDEN + seed * 0.37, rng)
    return Design(
        index=index,
        line=index,
        kind=kind,
        brand=_pick(rng, _HEADS) + _pick(rng, _TAILS),
        title=title,
        variant=_pick(rng, VARIANTS),
        size=_pick(rng, _SIZES[kind]),
        base=base,
        accent=accent,
        paper=paper,
        ink=ink,
        layout=tuple(Layout)[(index * 5 + int(rng.integers(3))) % len(Layout)],
        mark=_pick(rng, tuple(Mark)),
        motif=motif,
        aspect=float(rng.uniform(low, high)),
        tall=float(rng.uniform(short, tall)),
    )


def _palette(hue: float, rng: np.random.Generator) -> tuple[Color, Color, Color, Color]:
    """Base, accent, paper and ink of one product that go together and stay readable."""
    turn = float(rng.choice([0.08, 0.42, 0.5, 0.58, -0.1]))
    dark_base = bool(rng.random() < 0.3)
    base = color(hue, rng.uniform(0.6, 0.92), rng.uniform(0.32, 0.5) if dark_base else rng.uniform(0.66, 0.9))
    accent = color(hue + turn, rng.uniform(0.6, 0.95), rng.uniform(0.75, 0.97))
    paper = color(hue + rng.uniform(-0.1, 0.1), rng.uniform(0.02, 0.14), rng.uniform(0.93, 0.99))
    ink = color(hue + rng.uniform(-0.05, 0.05), rng.uniform(0.5, 0.9), rng.uniform(0.12, 0.28))
    return base, accent, paper, ink


def color(hue: float, saturation: float, value: float) -> Color:
    """Hue, saturation and value (hue wraps, the others in [0, 1]) as blue, green, red."""
    red, green, blue = colorsys.hsv_to_rgb(hue % 1.0, saturation, value)
    return round(blue * 255), round(green * 255), round(red * 255)


def _pick(rng: np.random.Generator, options: tuple[_T, ...]) -> _T:
    return options[int(rng.integers(len(options)))]
