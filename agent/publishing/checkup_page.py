"""The page that a buyer reads: what is wrong with the pictures of a catalogue, and which to take next."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

from agent.core.page import figure, page, percent, tile

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Picture = Callable[[int], bytes | None]

CARDS_SHOWN = 60
"""Of each kind, with two or more pictures of some 3 KB: a page stays below 2 MB."""

ROWS_SHOWN = 30
GROUP_SHOWN = 6  # pictures of one group of copies


def render(title: str, found: dict[str, Any], picture: Picture) -> str:
    """The page as HTML. `found` is the document of checkup.py; `picture` gives the JPEG of a key."""
    about = (
        f"{title}: {found['products']} products, {found['references']} pictures, release {found['release']}"
    )
    parts = [
        "<h1>How healthy the pictures are</h1>",
        f'<p class="dim">{escape(about)}</p>',
        _tiles(found),
        _photograph(found["photograph"]),
        _shared(found["shared"], picture),
        _lookalikes(found["lookalikes"], picture),
        _copies(found["copies"], picture),
        _files(found["files"]),
    ]
    if not any(found[kind] for kind in ("photograph", "shared", "copies", "files")):
        parts.append("<p>Nothing to mend: every product has enough pictures, and each shows something.</p>")
    return page(f"{title}: how healthy the pictures are", "\n".join(part for part in parts if part), _STYLE)


def _tiles(found: dict[str, Any]) -> str:
    views = [item["views"] for item in found["views"]]
    share = found["nearest_is_own"] / found["compared"] if found["compared"] else None
    cells = [
        tile(percent(share), "nearest to their own", "pictures; flattered where many were taken in one go"),
        tile(str(len(found["lookalikes"])), "pairs look alike", "most mistakes in the shop lie between them"),
        tile(str(views.count("none") + views.count("one")), "with one picture or none", "hardly recognised"),
        tile(
            str(views.count("few") + views.count("alike")), "with too few views", "or with all from one spot"
        ),
        tile(
            str(sum(item["useless"] for item in found["copies"])), "useless copies", "the same picture again"
        ),
        tile(str(len(found["shared"])), "in two products", "one of the two is a mistake"),
    ]
    if found["files"] is not None:
        lost = sum(not item["used"] for item in found["files"])
        cells.append(tile(str(lost), "files left out", "pictures that cannot be read, and rows"))
    return f'<div class="tiles">{"".join(cells)}</div>'


def _photograph(items: Sequence[dict[str, Any]]) -> str:
    rows = [f"<tr><td><b>{_name(item)}</b></td><td>{escape(item['advice'])}</td></tr>" for item in items]
    head = "<tr><th>product, the neediest first</th><th>next photo</th></tr>"
    return _section("What to photograph next", "", _table(head, rows), items, ROWS_SHOWN)


def _shared(items: Sequence[dict[str, Any]], picture: Picture) -> str:
    cards = []
    for item in items[:CARDS_SHOWN]:
        one, other = item["pictures"]
        said = f"<b>{_name(one)}</b> and <b>{_name(other)}</b> have the same picture"
        cards.append(_card(said, "", [_figure(one, picture), _figure(other, picture)]))
    advice = "One of the two products has a picture of the other. Remove it where it does not belong."
    return _section("One picture, two products", advice, _cards(cards), items, CARDS_SHOWN)


def _lookalikes(items: Sequence[dict[str, Any]], picture: Picture) -> str:
    cards = []
    for item in items[:CARDS_SHOWN]:
        one, other = item["nearest"]
        detail = f"nearest other product of {item['near']} of its {_pictures(item['pictures'])}"
        if item["mistaken"]:
            detail += f"; {item['mistaken']} would be taken for it"
        said = f"<b>{_name(item)}</b> looks like <b>{_name(item['other'])}</b>"
        cards.append(_card(said, detail, [_figure(one, picture), _figure(other, picture)]))
    advice = (
        "The two pictures of each pair are the nearest ones. Photos of what tells the two apart help most: "
        "the front of the package, so near that it fills the picture."
    )
    return _section("What looks alike", advice, _cards(cards), items, CARDS_SHOWN)


def _copies(items: Sequence[dict[str, Any]], picture: Picture) -> str:
    cards = []
    for item in items[:CARDS_SHOWN]:
        group = max(item["groups"], key=len)
        detail = f"{_pictures(item['useless'])} can go"
        figures = [_figure(one, picture, one["picture"]) for one in group[:GROUP_SHOWN]]
        cards.append(_card(f"<b>{_name(item)}</b> has the same picture again", detail, figures))
    advice = "They do no harm, but take room on every device and show nothing new."
    return _section("Useless copies", advice, _cards(cards), items, CARDS_SHOWN)


def _files(items: Sequence[dict[str, Any]] | None) -> str:
    rows = [
        f"<tr><td>{escape(item['file'])}{':' + str(item['line']) if item['line'] else ''}</td>"
        f"<td>{'used' if item['used'] else '<b>left out</b>'}</td><td>{escape(item['reason'])}</td></tr>"
        for item in items or ()
    ]
    head = "<tr><th>file</th><th></th><th>what is wrong</th></tr>"
    return _section("Files that cannot be used, or surprise", "", _table(head, rows), items or (), ROWS_SHOWN)


def _section(heading: str, advice: str, content: str, items: Sequence[object], limit: int) -> str:
    """Empty where there is nothing to say."""
    if not items:
        return ""
    said = f"<p>{advice}</p>" if advice else ""
    more = len(items) - limit
    rest = f'<p class="dim">… and {more} more, all less urgent: they are in the JSON.</p>' if more > 0 else ""
    return f"<h2>{heading}</h2>{said}{content}{rest}"


def _table(head: str, rows: Sequence[str]) -> str:
    return f"<table>{head}{''.join(rows[:ROWS_SHOWN])}</table>"


def _cards(cards: Sequence[str]) -> str:
    return f'<div class="cards">{"".join(cards)}</div>'


def _card(said: str, detail: str, figures: Sequence[str]) -> str:
    below = f'<br><span class="dim">{detail}</span>' if detail else ""
    return f'<article><p>{said}{below}</p><div class="pair">{"".join(figures)}</div></article>'


def _figure(shown: dict[str, Any], picture: Picture, caption: str = "") -> str:
    return figure(picture(shown["key"]), caption or shown["name"])


def _name(item: dict[str, Any]) -> str:
    return escape(item["name"])


def _pictures(count: int) -> str:
    return "1 picture" if count == 1 else f"{count} pictures"


_STYLE = """
.tiles{grid-template-columns:repeat(auto-fit,minmax(14rem,1fr))}
.pair{display:grid;grid-template-columns:repeat(auto-fit,minmax(6rem,1fr));gap:.5rem}
td:first-child{min-width:10rem;overflow-wrap:anywhere}
figcaption{overflow-wrap:anywhere}
"""
