"""The printed face of a product, flat: fields of colour, brand mark, motif, words and small print."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from tools.synth import drawing as d
from tools.synth.designs import Design, Layout, Mark, Motif

if TYPE_CHECKING:
    from collections.abc import Callable

    from tools.synth.designs import Color
    from tools.synth.drawing import Picture

SUPERSAMPLE = 2
"""Faces are drawn this many times larger and averaged down, which smooths what LINE_AA leaves."""


def draw_label(design: Design, width: int, height: int) -> Picture:
    """The face of a product as `(height, width, 3)` uint8 BGR."""
    rng = np.random.default_rng([design.line, 7])
    face = d.canvas(width * SUPERSAMPLE, height * SUPERSAMPLE, design.base)
    under_title = _LAYOUTS[design.layout](face, design)
    _MOTIFS[design.motif](face, design, rng)
    _brand(face, design)
    _words(face, design, under_title)
    return d.resized(face, width, height)


# Layouts: paint the fields and return the colour that lies under the title.


def _panel(face: Picture, design: Design) -> Color:
    d.rectangle(face, 0.0, 0.0, 1.0, 0.06, design.accent)
    d.rectangle(face, 0.08, 0.30, 0.92, 0.97, design.paper)
    return design.paper


def _band(face: Picture, design: Design) -> Color:
    d.rectangle(face, 0.0, 0.70, 1.0, 0.93, design.accent)
    d.rectangle(face, 0.0, 0.69, 1.0, 0.705, design.paper)
    d.rectangle(face, 0.0, 0.925, 1.0, 0.94, design.paper)
    return design.accent


def _split(face: Picture, design: Design) -> Color:
    d.rectangle(face, 0.0, 0.34, 1.0, 1.0, design.paper)
    d.rectangle(face, 0.0, 0.33, 1.0, 0.36, design.accent)
    return design.paper


def _diagonal(face: Picture, design: Design) -> Color:
    d.polygon(face, ((0, 0.40), (1, 0.28), (1, 0.62), (0, 0.71)), design.paper)
    d.polygon(face, ((0, 0.71), (1, 0.62), (1, 0.645), (0, 0.735)), design.accent)
    return design.base


def _wave(face: Picture, design: Design) -> Color:
    xs = np.linspace(0, 1, 40)
    for lift, fill in ((0.0, design.accent), (0.035, design.paper)):
        edge = [(float(x), float(0.38 + lift + 0.05 * np.sin(x * 2 * np.pi))) for x in xs]
        d.polygon(face, [*edge, (1.0, 1.0), (0.0, 1.0)], fill)
    return design.paper


def _frame(face: Picture, design: Design) -> Color:
    d.rectangle(face, 0.04, 0.03, 0.96, 0.97, design.accent)
    d.rectangle(face, 0.07, 0.045, 0.93, 0.955, design.paper)
    d.rectangle(face, 0.07, 0.045, 0.93, 0.30, design.base)
    return design.paper


def _rays(face: Picture, design: Design) -> Color:
    light = d.mix(design.base, design.paper, 0.35)
    for k in range(12):
        a, b = np.pi * 2 * k / 12, np.pi * 2 * (k + 0.5) / 12
        d.polygon(
            face,
            (
                (0.5, 0.52),
                (0.5 + 2 * np.cos(a), 0.52 + 2 * np.sin(a)),
                (0.5 + 2 * np.cos(b), 0.52 + 2 * np.sin(b)),
            ),
            light,
        )
    d.rectangle(face, 0.0, 0.74, 1.0, 1.0, design.paper)
    return design.paper


def _stripes(face: Picture, design: Design) -> Color:
    for k in range(0, 14, 2):
        d.rectangle(face, k / 14, 0.0, (k + 1) / 14, 1.0, d.mix(design.base, design.accent, 0.55))
    d.ellipse(face, 0.5, 0.52, 0.41, 0.41, design.paper)
    d.rectangle(face, 0.0, 0.76, 1.0, 1.0, design.base)
    return design.base


_LAYOUTS: dict[Layout, Callable[[Picture, Design], Color]] = {
    Layout.PANEL: _panel,
    Layout.BAND: _band,
    Layout.SPLIT: _split,
    Layout.DIAGONAL: _diagonal,
    Layout.WAVE: _wave,
    Layout.FRAME: _frame,
    Layout.RAYS: _rays,
    Layout.STRIPES: _stripes,
}


# Motifs: one picture around the middle of the face, (0.5, 0.54), about 0.3 of the width in radius.


def _fruit(face: Picture, design: Design, _rng: np.random.Generator) -> None:
    skin = d.mix(design.accent, (40, 40, 230), 0.25)
    for x, y, r in ((0.36, 0.56, 0.16), (0.62, 0.58, 0.18), (0.5, 0.47, 0.17)):
        d.ellipse(face, x, y, r, r, d.mix(skin, (0, 0, 0), 0.25))
        d.ellipse(face, x - 0.008, y - 0.005, r * 0.93, r * 0.93, skin)
        d.ellipse(
            face, x - 0.05, y - 0.03, r * 0.28, r * 0.2, d.mix(skin, (255, 255, 255), 0.6), turn_deg=-35
        )
    d.ellipse(face, 0.6, 0.385, 0.1, 0.04, (60, 150, 70), turn_deg=-25)


def _bowl(face: Picture, design: Design, rng: np.random.Generator) -> None:
    d.ellipse(face, 0.5, 0.52, 0.33, 0.11, d.mix(design.ink, design.paper, 0.15))
    d.ellipse(face, 0.5, 0.517, 0.3, 0.09, d.mix(design.accent, design.paper, 0.25))
    for _ in range(26):
        x, y = 0.5 + rng.uniform(-0.24, 0.24), 0.512 + rng.uniform(-0.025, 0.02)
        d.ellipse(face, x, y, 0.035, 0.022, d.mix(design.accent, (40, 130, 220), rng.uniform(0.2, 0.7)))
    half = [(0.5 + 0.33 * np.cos(a), 0.525 + 0.16 * np.sin(a)) for a in np.linspace(0, np.pi, 24)]
    d.polygon(face, half, d.mix(design.ink, design.base, 0.5))
    d.polygon(
        face, [(0.5 + (x - 0.5) * 0.97, y - 0.008) for x, y in half], d.mix(design.base, design.paper, 0.35)
    )


def _grain(face: Picture, design: Design, _rng: np.random.Generator) -> None:
    for stem, lean in ((0.36, -12.0), (0.5, 0.0), (0.64, 12.0)):
        gold = d.mix(design.accent, (70, 190, 235), 0.6)
        top = stem + lean / 250
        d.polygon(
            face, ((stem - 0.008, 0.68), (top - 0.004, 0.40), (top + 0.004, 0.40), (stem + 0.008, 0.68)), gold
        )
        for k in range(5):
            y = 0.40 + 0.04 * k
            x = top + (stem - top) * k / 7
            d.ellipse(face, x - 0.035, y, 0.05, 0.022, gold, turn_deg=55)
            d.ellipse(face, x + 0.035, y, 0.05, 0.022, d.mix(gold, (0, 0, 0), 0.15), turn_deg=-55)


def _leaves(face: Picture, design: Design, _rng: np.random.Generator) -> None:
    green = d.mix(design.accent, (60, 140, 60), 0.6)
    for k, turn in enumerate((-70.0, -30.0, 10.0, 50.0, 90.0)):
        a = np.deg2rad(turn - 90)
        x, y = 0.5 + 0.17 * np.cos(a), 0.55 + 0.09 * np.sin(a)
        d.ellipse(face, x, y, 0.17, 0.06, d.mix(green, (0, 0, 0), 0.08 * k), turn_deg=turn - 90)
        d.ellipse(face, x, y, 0.15, 0.008, d.mix(green, design.paper, 0.6), turn_deg=turn - 90)


def _sun(face: Picture, design: Design, _rng: np.random.Generator) -> None:
    for k in range(16):
        a = 2 * np.pi * k / 16
        d.ellipse(face, 0.5 + 0.24 * np.cos(a), 0.52 + 0.15 * np.sin(a), 0.06, 0.018, design.accent,
                  turn_deg=float(np.rad2deg(a)))  # fmt: skip
    d.ellipse(face, 0.5, 0.52, 0.17, 0.17, d.mix(design.accent, (60, 200, 255), 0.5))
    d.ellipse(face, 0.46, 0.5, 0.07, 0.05, d.mix(design.accent, (255, 255, 255), 0.6), turn_deg=-30)


def _hills(face: Picture, design: Design, _rng: np.random.Generator) -> None:
    d.ellipse(face, 0.68, 0.44, 0.08, 0.08, d.mix(design.accent, (90, 210, 255), 0.6))
    d.polygon(face, ((0.1, 0.68), (0.36, 0.42), (0.62, 0.68)), d.mix(design.base, design.ink, 0.45))
    d.polygon(face, ((0.29, 0.49), (0.36, 0.42), (0.43, 0.49), (0.36, 0.505)), (250, 250, 250))
    d.polygon(face, ((0.38, 0.68), (0.64, 0.5), (0.9, 0.68)), d.mix(design.accent, design.ink, 0.3))


def _drops(face: Picture, design: Design, _rng: np.random.Generator) -> None:
    for x, y, r in ((0.5, 0.58, 0.17), (0.27, 0.52, 0.08), (0.74, 0.5, 0.09)):
        fill = d.mix(design.accent, design.base, 0.25)
        rise, half = r * d.unit(face) / face.shape[0], 0.87 * r * d.unit(face) / face.shape[1]
        d.polygon(face, ((x, y - 2.0 * rise), (x - half, y - 0.5 * rise), (x + half, y - 0.5 * rise)), fill)
        d.ellipse(face, x, y, r, r, fill)
        d.ellipse(face, x - r * 0.4, y, r * 0.18, r * 0.42, (255, 255, 255), turn_deg=20)


def _beans(face: Picture, design: Design, rng: np.random.Generator) -> None:
    for k in range(9):
        x, y = (
            0.3 + 0.2 * (k % 3) + rng.uniform(-0.03, 0.03),
            0.44 + 0.085 * (k // 3) + rng.uniform(-0.01, 0.01),
        )
        turn = float(rng.uniform(-60, 60))
        fill = d.mix(design.accent, design.ink, rng.uniform(0.15, 0.45))
        d.ellipse(face, x, y, 0.105, 0.068, fill, turn_deg=turn)
        d.ellipse(face, x, y, 0.085, 0.011, d.mix(fill, (0, 0, 0), 0.4), turn_deg=turn)


def _star(face: Picture, design: Design, _rng: np.random.Generator) -> None:
    across, down = d.unit(face) / face.shape[1], d.unit(face) / face.shape[0]
    for size, fill in ((0.29, design.ink), (0.265, design.accent), (0.15, design.paper)):
        points = []
        for k in range(16):
            r = size if k % 2 == 0 else size * 0.62
            a = 2 * np.pi * k / 16 - np.pi / 2
            points.append((0.5 + r * np.cos(a) * across, 0.53 + r * np.sin(a) * down))
        d.polygon(face, points, fill)


_MOTIFS: dict[Motif, Callable[[Picture, Design, np.random.Generator], None]] = {
    Motif.FRUIT: _fruit,
    Motif.BOWL: _bowl,
    Motif.GRAIN: _grain,
    Motif.LEAVES: _leaves,
    Motif.SUN: _sun,
    Motif.HILLS: _hills,
    Motif.DROPS: _drops,
    Motif.BEANS: _beans,
    Motif.STAR: _star,
}


def _brand(face: Picture, design: Design) -> None:
    """The brand's name on its mark, in the top quarter of the face."""
    fill = design.accent if d.luminance(design.accent) < d.luminance(design.paper) - 40 else design.ink
    if design.mark is Mark.OVAL:
        d.oval(face, 0.5, 0.16, 0.44, 0.115, design.paper)
        d.oval(face, 0.5, 0.16, 0.42, 0.103, fill)
    elif design.mark is Mark.BAR:
        d.rectangle(face, 0.0, 0.08, 1.0, 0.24, design.paper)
        d.rectangle(face, 0.0, 0.095, 1.0, 0.225, fill)
    elif design.mark is Mark.RIBBON:
        d.polygon(
            face, ((0.03, 0.07), (0.97, 0.07), (0.9, 0.16), (0.97, 0.25), (0.03, 0.25), (0.1, 0.16)), fill
        )
    elif design.mark is Mark.SHIELD:
        d.polygon(face, ((0.08, 0.05), (0.92, 0.05), (0.92, 0.2), (0.5, 0.29), (0.08, 0.2)), design.paper)
        d.polygon(face, ((0.1, 0.06), (0.9, 0.06), (0.9, 0.193), (0.5, 0.277), (0.1, 0.193)), fill)
    on = design.base if design.mark is Mark.PLAIN else fill
    font = d.FONTS[design.line % len(d.FONTS)]
    d.text(
        face,
        design.brand,
        (0.13, 0.105, 0.87, 0.215),
        d.readable(on, design.paper, design.ink),
        font=font,
        bold=1.5,
    )


def _words(face: Picture, design: Design, under: Color) -> None:
    """Title, variant, size and two lines of small print, in the bottom quarter."""
    ink = d.readable(under, (250, 250, 250), design.ink)
    d.text(face, design.title, (0.1, 0.735, 0.9, 0.83), ink, bold=1.3)
    d.text(face, design.variant, (0.14, 0.838, 0.86, 0.91), ink, font=cv2.FONT_HERSHEY_SIMPLEX)
    d.text(face, design.size, (0.66, 0.915, 0.92, 0.955), ink)
    for line in range(2):
        d.rectangle(
            face, 0.12, 0.922 + 0.018 * line, 0.46 - 0.1 * line, 0.928 + 0.018 * line, d.mix(under, ink, 0.5)
        )
