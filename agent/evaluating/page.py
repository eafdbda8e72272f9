"""The page that a buyer reads: how much is right, what is taken for what, and whether to believe the numbers.

One file without anything from outside: pictures are inside it, and it has no script.
"""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

from agent.evaluating.diagram import reliability_diagram

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

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
    return f"""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(gallery)}: how well products are recognised</title>
<style>{_STYLE}</style>
<main>
<h1>How well products are recognised</h1>
<p class="dim">{escape(gallery)}: {figures["queries"]} photos, {len(figures["products"])} products</p>
{_tiles(figures)}
<h2>What is taken for something else</h2>
{_mistakes(mistakes, names)}
{unknown}
<h2>Are the probabilities right?</h2>
<p>Of the answers given with 80 % some 80 % should be right: the dots should lie on the line. Below it Spotter
claims too much, above it too little. A large dot stands for many photos.
On average the two differ by <b>{_percent(figures["ece"])}</b>.</p>
{reliability_diagram(figures["reliability"])}
<h2>Product by product</h2>
{_products(figures["products"], names)}
<p class="dim">Intervals hold the true value with 95 % certainty.
Half of the answers took at most {figures["latency_ms"]["p50"]:.1f} ms, 95 of 100 at most
{figures["latency_ms"]["p95"]:.1f} ms.</p>
</main>
</html>
"""


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
        _tile(_percent(figures[name]), label, hint, figures["intervals_95"].get(name))
        for name, label, hint in tiles
        if figures[name] is not None
    ]
    if named:
        share = f"{known['named_right']} of {named}"
        cells.append(
            _tile(_percent(known["named_right"] / named), "right where named", f"{share} photos named", None)
        )
    return f'<div class="tiles">{"".join(cells)}</div>'


def _tile(value: str, label: str, hint: str, interval: Sequence[float] | None) -> str:
    span = f'<span class="dim">{_percent(interval[0])} to {_percent(interval[1])}</span>' if interval else ""
    below = f'<span class="dim">{escape(hint)}</span>'
    return f'<div class="tile"><b>{value}</b><span>{escape(label)}</span>{span}{below}</div>'


def _mistakes(mistakes: Sequence[Mistake], names: dict[str, str]) -> str:
    if not mistakes:
        return "<p>Nothing: every product was recognised in every photo.</p>"
    cards = []
    for item in mistakes:
        often = "once" if item.count == 1 else f"{item.count} times"
        taken_for = f"was taken for <b>{_name(item.taken_for, names)}</b>"
        detail = f"{often} in {item.of} photos; here with a probability of {_percent(item.probability)}"
        cards.append(
            f"<article><p><b>{_name(item.sku, names)}</b> {taken_for} "
            f'<span class="dim">{detail}</span></p>'
            f'<div class="three">{_figure(item.shown, "the photo")}{_figure(item.answer, "taken for")}'
            f"{_figure(item.right, 'what it is')}</div></article>"
        )
    advice = (
        "<p>The most frequent first, each with the photo that Spotter was surest of. Two or three more "
        "photos of both products, taken as the camera sees them, help most.</p>"
    )
    return f'{advice}<div class="cards">{"".join(cards)}</div>'


def _figure(picture: bytes | None, caption: str) -> str:
    shown = '<div class="none">no picture</div>'
    if picture is not None:
        shown = f'<img alt="{caption}" src="data:image/jpeg;base64,{b64encode(picture).decode()}">'
    return f"<figure>{shown}<figcaption>{caption}</figcaption></figure>"


def _unknown(figures: dict[str, Any]) -> str:
    unknown = figures["verdicts"]["unknown"]
    rows = "".join(
        f"<tr><td>{name}</td><td>{_number(values['auroc'])}</td><td>{_percent(values['far_at_95_tar'])}</td></tr>"
        for name, values in figures["open_set"].items()
    )
    return f"""<h2>Products that the catalogue does not have</h2>
<p>{unknown["queries"]} photos show something that it does not have. <b>{unknown["named"]}</b> of them were
given a product's name all the same, {unknown["ambiguous"]} were said to be ambiguous, and
{unknown["not_named"]} unknown.</p>
<table><tr><th>told apart by</th><th>a known photo scores higher (AUROC)</th>
<th>false accepts where 95 % of the known are accepted</th></tr>{rows}</table>"""


def _products(products: Iterable[dict[str, Any]], names: dict[str, str]) -> str:
    weakest = sorted(products, key=lambda item: (item["f1"], -item["queries"], item["sku"]))
    rows = "".join(
        f"<tr><td>{_name(item['sku'], names)}</td><td>{item['queries']}</td>"
        f'<td>{_bar(item["recall"])} <span class="dim">{_percent(item["recall_95"][0])} to '
        f"{_percent(item['recall_95'][1])}</span></td>"
        f"<td>{_bar(item['precision'])}</td><td>{_percent(item['f1'])}</td></tr>"
        for item in weakest[:PRODUCTS_SHOWN]
    )
    more = len(weakest) - PRODUCTS_SHOWN
    rest = f'<p class="dim">{more} more, all better than these, are in the JSON.</p>' if more > 0 else ""
    head = "<tr><th>product, the weakest first</th><th>photos</th><th>found (recall)</th>"
    return (
        f"<table>{head}<th>right where it is the answer (precision)</th><th>F1</th></tr>{rows}</table>{rest}"
    )


def _bar(share: float) -> str:
    return f'<span class="bar"><i style="width:{share * 100:.0f}%"></i></span> {_percent(share)}'


def _name(sku: str, names: dict[str, str]) -> str:
    name = names.get(sku, "")
    return escape(name if name and name != sku else sku or "nothing")


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{share * 100:.1f}\u00a0%".replace("100.0", "100")


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


_STYLE = """
:root{color-scheme:light dark;
--ink:#1d2429;--dim:#667079;--line:#d9dee2;--card:#f5f7f8;--good:#2f7d4f;--paper:#fff}
@media(prefers-color-scheme:dark){:root{
--ink:#e8ebed;--dim:#9aa4ab;--line:#3a4248;--card:#22282c;--good:#6fc08f;--paper:#171b1e}}
body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.5 system-ui,sans-serif}
main{max-width:66rem;margin:0 auto;padding:2rem 1rem 4rem}
h1{font-size:1.8rem;margin:0}h2{font-size:1.25rem;margin:2.5rem 0 .5rem}
.dim{color:var(--dim);font-size:.9rem}
td .dim{white-space:nowrap}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(11rem,1fr));gap:.8rem;margin-top:1rem}
.tile{background:var(--card);border-radius:.6rem;padding:.8rem 1rem;display:flex;flex-direction:column}
.tile b{font-size:1.7rem;line-height:1.2}
.cards{display:grid;grid-template-columns:repeat(auto-fill,minmax(19rem,1fr));gap:1rem}
article{border:1px solid var(--line);border-radius:.6rem;padding:.7rem .9rem}article p{margin:0 0 .6rem}
.three{display:grid;grid-template-columns:repeat(3,1fr);gap:.5rem}
figure{margin:0}
figure img,.none{width:100%;aspect-ratio:1;object-fit:contain;background:var(--card);border-radius:.3rem}
.none{display:grid;place-items:center;color:var(--dim);font-size:.8rem}
figcaption{color:var(--dim);font-size:.8rem;text-align:center}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
th,td{text-align:left;padding:.35rem .6rem;border-bottom:1px solid var(--line)}
th{font-weight:600;font-size:.9rem}
.bar{display:inline-block;width:5rem;height:.6rem;background:var(--line);border-radius:.3rem;overflow:hidden}
.bar i{display:block;height:100%;background:var(--good)}
svg{max-width:30rem;width:100%;height:auto}svg text{fill:var(--dim);font:12px system-ui,sans-serif}
"""
