"""The reliability diagram as inline SVG: what was claimed across, what was so upwards, a dot per bin."""

from __future__ import annotations

from math import sqrt
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

SIDE = 320
EDGE = 60
"""Room for the scale at the left and below, in the same units as `SIDE`."""

RIGHT = 24
"""Room for the right half of the last number of the scale."""

LARGEST_R = 13.0


def reliability_diagram(bins: Sequence[dict[str, Any]]) -> str:
    """An `<svg>` of bins with `count`, `probability` and `right`; empty bins have no dot."""
    most = max((item["count"] for item in bins), default=0)
    scale = "".join(_tick(share) for share in (0.0, 0.25, 0.5, 0.75, 1.0))
    dots = "".join(_dot(item, most) for item in bins if item["count"])
    wide, high = SIDE + EDGE + RIGHT, SIDE + EDGE + LARGEST_R
    middle = SIDE / 2
    return (
        f'<svg viewBox="0 0 {wide:.0f} {high:.0f}" role="img" aria-label="claimed against true share">'
        f'<g transform="translate({EDGE},{LARGEST_R:.0f})">{scale}'
        f'<line x1="0" y1="{SIDE}" x2="{SIDE}" y2="0" stroke="var(--dim)" stroke-dasharray="4 4"/>{dots}'
        f'<text x="{middle:.0f}" y="{SIDE + 36}" text-anchor="middle">claimed</text>'
        f'<text x="{-middle:.0f}" y="-46" text-anchor="middle" transform="rotate(-90)">right</text></g></svg>'
    )


def _tick(share: float) -> str:
    at, up = share * SIDE, (1 - share) * SIDE
    text = f"{share * 100:.0f} %"
    return (
        f'<line x1="{at:.0f}" y1="0" x2="{at:.0f}" y2="{SIDE}" stroke="var(--line)"/>'
        f'<line x1="0" y1="{up:.0f}" x2="{SIDE}" y2="{up:.0f}" stroke="var(--line)"/>'
        f'<text x="{at:.0f}" y="{SIDE + 18}" text-anchor="middle">{text}</text>'
        f'<text x="-6" y="{up + 4:.0f}" text-anchor="end">{text}</text>'
    )


def _dot(item: dict[str, Any], most: int) -> str:
    """Its area stands for the number of answers; the title tells it."""
    radius = max(2.5, LARGEST_R * sqrt(item["count"] / most))
    x, y = item["probability"] * SIDE, (1 - item["right"]) * SIDE
    title = f"{item['count']} answers: claimed {item['probability']:.0%}, right {item['right']:.0%}"
    return (
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius:.1f}" fill="var(--good)" fill-opacity="0.8">'
        f"<title>{title}</title></circle>"
    )
