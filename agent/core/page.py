"""A page for people: one file of HTML with everything in it, no script, and nothing asked of anybody."""

from __future__ import annotations

from base64 import b64encode
from html import escape


def page(title: str, body: str, style: str = "") -> str:
    """The whole file. `body` is HTML; `style` is added to what all pages have."""
    return f"""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(title)}</title>
<style>{_STYLE}{style}</style>
<main>
{body}
</main>
</html>
"""


def tile(value: str, label: str, *below: str) -> str:
    """A number in large type, what it is, and lines in small type."""
    lines = "".join(f'<span class="dim">{escape(line)}</span>' for line in below if line)
    return f'<div class="tile"><b>{escape(value)}</b><span>{escape(label)}</span>{lines}</div>'


def figure(picture: bytes | None, caption: str) -> str:
    """A JPEG with what it shows; None where there is none."""
    caption = escape(caption)
    shown = '<div class="none">no picture</div>'
    if picture is not None:
        shown = f'<img alt="{caption}" src="data:image/jpeg;base64,{b64encode(picture).decode()}">'
    return f"<figure>{shown}<figcaption>{caption}</figcaption></figure>"


def percent(share: float | None) -> str:
    """`percent(0.5)` → `50.0 %`, with a space that does not break; `–` for none."""
    return "–" if share is None else f"{share * 100:.1f}\u00a0%".replace("100.0", "100")


_STYLE = """
:root{color-scheme:light dark;
--ink:#1d2429;--dim:#667079;--line:#d9dee2;--card:#f5f7f8;--good:#2f7d4f;--paper:#fff}
@media(prefers-color-scheme:dark){:root{
--ink:#e8ebed;--dim:#9aa4ab;--line:#3a4248;--card:#22282c;--good:#6fc08f;--paper:#171b1e}}
body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.5 system-ui,sans-serif}
main{max-width:66rem;margin:0 auto;padding:2rem 1rem 4rem}
h1{font-size:1.8rem;margin:0}h2{font-size:1.25rem;margin:2.5rem 0 .5rem}
.dim{color:var(--dim);font-size:.9rem}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(11rem,1fr));gap:.8rem;margin-top:1rem}
.tile{background:var(--card);border-radius:.6rem;padding:.8rem 1rem;display:flex;flex-direction:column}
.tile b{font-size:1.7rem;line-height:1.2}
.cards{display:grid;grid-template-columns:repeat(auto-fill,minmax(19rem,1fr));gap:1rem}
article{border:1px solid var(--line);border-radius:.6rem;padding:.7rem .9rem}article p{margin:0 0 .6rem}
figure{margin:0}
figure img,.none{width:100%;aspect-ratio:1;object-fit:contain;background:var(--card);border-radius:.3rem}
.none{display:grid;place-items:center;color:var(--dim);font-size:.8rem}
figcaption{color:var(--dim);font-size:.8rem;text-align:center}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
th,td{text-align:left;padding:.35rem .6rem;border-bottom:1px solid var(--line)}
th{font-weight:600;font-size:.9rem}
"""
