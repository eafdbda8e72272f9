"""The page that a buyer reads: how much is right, what is taken for what, and whether to believe the numbers.

One file without anything from outside: pictures are inside it, and it has no script.
"""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

from agent.core.page import figure, page, percent, tile
from agent.evaluating.diagram import reliability_diagram

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_TOLD_BY = {
    "in_catalogue": "probability to be in the catalogue",
    "probability": "probability of the first product",
    "similarity": "similarity of the first product",
}

PRODUCTS_SHOWN = 100
"""Rows of the table: nobody reads 10,000, and the JSON has them."""


@dataclass(frozen=True, slots=True)
class Mistake:
    """One confusion with its pictures (JPEG; None where there is none): what was shown, taken for, and is."""

    sku: str
    taken_for: str
    count: int
    of: int  # queries of this product
    probability: float  # that was claimed for the wrong answer
    shown: bytes | None
    answer: bytes | None
    right: bytes | None


def render(gallery: str, figures: dict[str, Any], mistakes: Sequence[Mistake], names: dict[str, str]) -> str:
    """The page as HTML. `figures` are those of figures.py, `names` the name of an SKU where it has one."""
    unknown = _unknown(figures) if figures["unknown"] else ""
    body = f"""<h1>How well products are recognised</h1>
<p class="dim">{escape(gallery)}: {figures["queries"]} photos, {len(figures["products"])} products</p>
{_tiles(figures)}
<h2>What is taken for something else</h2>
{_mistakes(mistakes, names)}
{unknown}
<h2>Are the probabilities right?</h2>
<p>Of the answers given with 80 % some 80 % should be right: the dots should lie on the line. Below it Spotter
claims too much, above it too little. A large dot stands for many photos.
On average the two differ by <b>{percent(figures["ece"])}</b>.
{_chance(figures, "ece")}</p>
{reliability_diagram(figures["reliability"])}
{_in_catalogue(figures) if figures["unknown"] else ""}
<h2>Product by product</h2>
{_products(figures["products"], names)}
<p class="dim">Intervals hold the true value with 95 % certainty.
Half of the answers took at most {figures["latency_ms"]["p50"]:.1f} ms, 95 of 100 at most
{figures["latency_ms"]["p95"]:.1f} ms.</p>"""
    return page(f"{gallery}: how well products are recognised", body, _STYLE)


def _tiles(figures: dict[str, Any]) -> str:
    known, unknown = figures["verdicts"]["known"], figures["verdicts"]["unknown"]
    named = known["named"] + unknown["named"]
    tiles = [
        ("top1", "right at first", "the first product offered is the right one"),
        ("top5", "among the five", "the right one is among the five offered first"),
        ("coarse_top1", "right category", "the first product offered is of the right category"),
        ("macro_f1", "F1", "of precision and recall, each product weighing the same"),
    ]
    cells = [
        _tile(percent(figures[name]), label, hint, figures["intervals_95"].get(name))
        for name, label, hint in tiles
        if figures[name] is not None
    ]
    if named:
        share = f"{known['named_right']} of {named}"
        cells.append(
            _tile(percent(known["named_right"] / named), "right where named", f"{share} photos named", None)
        )
    return f'<div class="tiles">{"".join(cells)}</div>'


def _tile(value: str, label: str, hint: str, interval: Sequence[float] | None) -> str:
    return tile(value, label, f"{percent(interval[0])} to {percent(interval[1])}" if interval else "", hint)


def _mistakes(mistakes: Sequence[Mistake], names: dict[str, str]) -> str:
    if not mistakes:
        return "<p>Nothing: every product was recognised in every photo.</p>"
    cards = []
    for item in mistakes:
        often = "once" if item.count == 1 else f"{item.count} times"
        taken_for = f"was taken for <b>{_name(item.taken_for, names)}</b>"
        detail = f"{often} in {item.of} photos; here with a probability of {percent(item.probability)}"
        cards.append(
            f"<article><p><b>{_name(item.sku, names)}</b> {taken_for} "
            f'<span class="dim">{detail}</span></p>'
            f'<div class="three">{figure(item.shown, "the photo")}{figure(item.answer, "taken for")}'
            f"{figure(item.right, 'what it is')}</div></article>"
        )
    advice = (
        "<p>The most frequent first, each with the photo that Spotter was surest of. Two or three more "
        "photos of both products, taken as the camera sees them, help most.</p>"
    )
    return f'{advice}<div class="cards">{"".join(cards)}</div>'


def _unknown(figures: dict[str, Any]) -> str:
    unknown = figures["verdicts"]["unknown"]
    rows = "".join(
        f"<tr><td>{_TOLD_BY[name]}</td><td>{_number(values['auroc'])}</td><td>{percent(values['far_at_95_tar'])}</td></tr>"
        for name, values in figures["open_set"].items()
    )
    return f"""<h2>Products that the catalogue does not have</h2>
<p>{unknown["queries"]} photos show something that it does not have. <b>{unknown["named"]}</b> of them
({percent(unknown["named_95"][0])} to {percent(unknown["named_95"][1])}) were
given a product's name all the same, {unknown["ambiguous"]} were said to be ambiguous, and
{unknown["not_named"]} unknown.</p>
<table><tr><th>told apart by</th><th>a known photo scores higher (AUROC)</th>
<th>false accepts where 95 % of the known are accepted</th></tr>{rows}</table>"""


def _in_catalogue(figures: dict[str, Any]) -> str:
    return f"""<p>The same of the probability that the catalogue has the thing at all, whichever product it
is; on average claim and truth differ by <b>{percent(figures["ece_known"])}</b>.
{_chance(figures, "ece_known")}</p>
{reliability_diagram(figures["reliability_known"])}"""


def _chance(figures: dict[str, Any], name: str) -> str:
    return f"""Of so few photos true probabilities would differ by {percent(figures[name + "_by_chance"])};
without most of what is chance it is {percent(figures[name + "_debiased"])}."""


def _products(products: Iterable[dict[str, Any]], names: dict[str, str]) -> str:
    weakest = sorted(products, key=lambda item: (item["f1"], -item["queries"], item["sku"]))
    rows = "".join(
        f"<tr><td>{_name(item['sku'], names)}</td><td>{item['queries']}</td>"
        f'<td>{_bar(item["recall"])} <span class="dim">{percent(item["recall_95"][0])} to '
        f"{percent(item['recall_95'][1])}</span></td>"
        f"<td>{_bar(item['precision'])}</td><td>{percent(item['f1'])}</td></tr>"
        for item in weakest[:PRODUCTS_SHOWN]
    )
    more = len(weakest) - PRODUCTS_SHOWN
    rest = f'<p class="dim">{more} more, all better than these, are in the JSON.</p>' if more > 0 else ""
    head = "<tr><th>product, the weakest first</th><th>photos</th><th>found (recall)</th>"
    return (
        f"<table>{head}<th>right where it is the answer (precision)</th><th>F1</th></tr>{rows}</table>{rest}"
    )


def _bar(share: float) -> str:
    return f'<span class="bar"><i style="width:{share * 100:.0f}%"></i></span> {percent(share)}'


def _name(sku: str, names: dict[str, str]) -> str:
    name = names.get(sku, "")
    return escape(name if name and name != sku else sku or "nothing")


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


_STYLE = """
td .dim{white-space:nowrap}
.three{display:grid;grid-template-columns:repeat(3,1fr);gap:.5rem}
.bar{display:inline-block;width:5rem;height:.6rem;background:var(--line);border-radius:.3rem;overflow:hidden}
.bar i{display:block;height:100%;background:var(--good)}
svg{max-width:30rem;width:100%;height:auto}svg text{fill:var(--dim);font:12px system-ui,sans-serif}
"""
