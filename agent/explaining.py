"""Why a picture got its answer: as lines for a terminal, and as a page with the references beside it."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from math import exp
from typing import TYPE_CHECKING, Any, Final, Protocol

import numpy as np

from agent.adapters.images import thumbnail
from agent.core.errors import CatalogueError
from agent.core.page import figure, page, percent

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_WORDS: Final = {
    "catalogue": "most of what is seen is in the catalogue",
    "pictures": "how near its reference pictures are",
    "haze": "that it is small or blurred",
    "clues": "what else was seen",
    "rivals": "that it is not one of its rivals",
}


class Pictures(Protocol):
    """Where small pictures of the references are: `adapters.catalogue.Catalogue`."""

    def thumbnail(self, key: int) -> bytes | None:
        """The JPEG of a reference; None, or CatalogueError, where there is none."""


@dataclass(frozen=True, slots=True)
class Explained:
    """One region of one picture: what it shows (a JPEG), its answer (see finding.py), and the references."""

    image: str
    shown: bytes
    answer: dict[str, Any]
    references: tuple[bytes | None, ...]  # in the order of the candidates


def lines(answer: dict[str, Any]) -> list[str]:
    """What counted how much for the first candidate, and what it would take to name it."""
    if not answer["candidates"]:
        return []
    found = [
        f"{_factor(weight['log_odds'])}  {_WORDS.get(weight['source'], weight['source'])}"
        for weight in answer["evidence"]
        if weight["log_odds"]
    ]
    for candidate in answer["candidates"]:
        found += [
            f"{_factor(clue['log_odds'])}  {clue['source']}, for {candidate['name'] or candidate['sku']}"
            for clue in candidate["clues"]
        ]
    rate = answer["false_accept"]
    return [*found, f"named where {rate:.2%} of wrong names or more are allowed (decision.false_accept)"]


def explained(
    image: str, picture: NDArray[np.uint8], answer: dict[str, Any], pictures: Pictures
) -> Explained:
    """Gather what a page shows of one region of `picture`, `(H, W, 3)` BGR."""
    x1, y1, x2, y2 = answer["box"]
    shown = thumbnail(np.ascontiguousarray(picture[y1:y2, x1:x2]))
    return Explained(
        image, shown, answer, tuple(_reference(pictures, each["key"]) for each in answer["candidates"])
    )


def render(found: Sequence[Explained]) -> str:
    """The page as HTML; one card for each region."""
    cards = "".join(_card(each) for each in found)
    return page("What Spotter sees, and why", f"<h1>What is seen, and why</h1>{cards}", _STYLE)


def _card(found: Explained) -> str:
    answer = found.answer
    pictures = figure(found.shown, "the picture")
    for candidate, picture in zip(answer["candidates"], found.references, strict=True):
        caption = f"{candidate['name'] or candidate['sku']}: similarity {candidate['similarity']:.3f}"
        pictures += figure(picture, f"{caption}, probability {percent(candidate['probability'])}")
    reason = f": {escape(answer['reason'])}" if answer["reason"] else ""
    named = escape(answer["name"] or answer["sku"] or "")
    why = "".join(f"<li>{escape(line)}</li>" for line in lines(answer))
    return (
        f"<article><p><b>{escape(answer['verdict'])}</b> {named}{reason} "
        f'<span class="dim">{escape(found.image)}</span></p>'
        f'<div class="row">{pictures}</div><ul>{why}</ul></article>'
    )


def _factor(log_odds: float) -> str:
    """`_factor(0.6931)` → `2.0 times as likely`, never of more digits than are meant."""
    times = exp(min(abs(log_odds), 13.8))  # a million to one: nobody can tell more apart
    return f"{times:,.1f} times {'as' if log_odds >= 0 else 'less'} likely"


def _reference(pictures: Pictures, key: int) -> bytes | None:
    try:
        return pictures.thumbnail(key) if key else None
    except CatalogueError:  # a picture that this device learned itself
        return None


_STYLE: Final = """
article{margin-top:1.5rem}ul{margin:.6rem 0 0;padding-left:1.2rem}
.row{display:grid;grid-template-columns:repeat(auto-fit,minmax(8rem,1fr));gap:.5rem}
"""
