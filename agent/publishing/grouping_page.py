"""The page on which somebody sees what was put together, and names it."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Final

from agent.core.page import figure, page, tile

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SHOWN: Final = 6
"""Photos of a group, evenly spread: 3 KB each."""

GROUPS_SHOWN: Final = 400
ALONE_SHOWN: Final = 60
"""A page stays below 10 MB; all photos are in the folders beside it."""


_ADVICE: Final = (
    "Rename the folder of a group to the sku of its product, in <code>products.csv</code> too. Move out what"
    " does not belong there, and put two groups of one product into one folder."
)


def render(
    title: str, groups: Mapping[str, Sequence[str]], alone: Sequence[str], small: Mapping[str, bytes]
) -> str:
    """The page as HTML. `groups`: name → photos; `small`: photo → JPEG."""
    cards = [_card(name, paths, small) for name, paths in list(groups.items())[:GROUPS_SHOWN]]
    parts = [
        "<h1>What belongs together</h1>",
        f'<p class="dim">{escape(title)}</p>',
        '<div class="tiles">',
        tile(str(len(groups)), "groups", "each may be one product"),
        tile(str(sum(map(len, groups.values()))), "photos in them"),
        tile(str(len(alone)), "photos like no others", "in the folder leftovers"),
        "</div>",
        f"<p>{_ADVICE}</p>",
        f'<div class="cards">{"".join(cards)}</div>',
        _more(len(groups) - GROUPS_SHOWN, "groups"),
    ]
    if alone:
        figures = "".join(figure(small.get(path), path) for path in alone[:ALONE_SHOWN])
        parts += ["<h2>Like no others</h2>", f'<div class="pair">{figures}</div>']
        parts.append(_more(len(alone) - ALONE_SHOWN, "photos"))
    return page(f"{title}: what belongs together", "\n".join(part for part in parts if part), _STYLE)


def _card(name: str, paths: Sequence[str], small: Mapping[str, bytes]) -> str:
    step = max(1, len(paths) / SHOWN)
    shown = [paths[int(place * step)] for place in range(min(SHOWN, len(paths)))]
    figures = "".join(figure(small.get(path), path) for path in shown)
    said = f'<b>{escape(name)}</b> <span class="dim">{len(paths)} photos</span>'
    return f'<article><p>{said}</p><div class="pair">{figures}</div></article>'


def _more(count: int, what: str) -> str:
    return f'<p class="dim">… and {count} more {what}, in the folders.</p>' if count > 0 else ""


_STYLE = """
.pair{display:grid;grid-template-columns:repeat(auto-fill,minmax(5.5rem,1fr));gap:.5rem}
figcaption{overflow-wrap:anywhere}
"""
