"""How soon a kiosk answers: from the first steady frame to the screen, and from a key to the list.

A drawn hand before a drawn camera, the real daemon, and its page in a real Chromium (`--chromium PATH`). The clock
is that of this machine on both sides: a frame counts from when it was handed to the network, an answer from when
the browser drew it.
"""

from __future__ import annotations

import argparse
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import yaml

from tools.kiosk_demo import props
from tools.kiosk_demo.camera import KioskCamera
from tools.synth.visit import Visit

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).resolve().parents[2]
WATCH = """
() => {
  window.seen = [];
  const drawn = () => requestAnimationFrame(() => requestAnimationFrame(() => {
    window.seen.push([document.body.dataset.view, document.getElementById("product-name").textContent, Date.now()]);
  }));
  new MutationObserver(drawn).observe(document.body, { attributes: true, attributeFilter: ["data-view"] });
}
"""
TYPE = """
(text) => new Promise((done) => {
  const list = document.getElementById("search-list"), field = document.getElementById("search-text");
  const began = performance.now();
  const watch = new MutationObserver(() => requestAnimationFrame(() => {
    watch.disconnect();
    done(performance.now() - began);
  }));
  watch.observe(list, { childList: true });
  field.value = text;
  field.dispatchEvent(new Event("input", { bubbles: true }));
})
"""


def measure(argv: list[str]) -> dict[str, Any]:
    """`answer_ms`: steady frame → drawn answer; `held_ms`: of it, until the daemon knew; `list_ms`: key → list."""
    parser = argparse.ArgumentParser(prog="python -m tools.bench kiosk", description=__doc__)
    parser.add_argument("--visits", type=int, default=20, metavar="N")
    parser.add_argument("--products", type=int, default=16, metavar="N", help="that are held up (default: 16)")
    parser.add_argument("--catalogue", type=int, default=100_000, metavar="N", help="to search (default: 100,000)")
    parser.add_argument("--keys", type=int, default=100, metavar="N", help="strokes (default: 100)")
    parser.add_argument("--model", default="models/base.tflite")
    parser.add_argument("--chromium", default=shutil.which("chromium") or "chromium")
    parser.add_argument("--only", choices=("answers", "lists"))
    args = parser.parse_args(argv)
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix="spotter-bench-") as name:
        if args.only != "lists":
            found |= _answers(Path(name), args)
        if args.only != "answers":
            found |= _lists(Path(name) / "many", args)
    return found


def _answers(folder: Path, args: argparse.Namespace) -> dict[str, Any]:
    products = props.assortment(args.products)
    props.write_products(folder / "products", products)
    _spotter("catalog", "build", str(folder / "products"), "--model", args.model, "-o", str(folder / "catalogue"))
    with KioskCamera(products[0]) as camera:
        config = _configure(folder, args.model, folder / "catalogue", camera.url, idle_s=3.0)
        with _Running(config), _Page(args.chromium, config) as page:
            page.evaluate(WATCH)
            answers = [_visit(page, camera, Visit(products[n % len(products)], seed=n, before=0))
                       for n in range(args.visits)]  # fmt: skip
    known = [each for each in answers if each is not None]
    return {"visits": len(answers), "named_rightly": len(known), "answer_ms": _spread(known)}


def _visit(page: Any, camera: KioskCamera, visit: Visit) -> float | None:
    """Milliseconds from the steady frame to the right name on the screen; None where it did not come."""
    page.evaluate("window.seen.length = 0")
    camera.show(visit, 30)
    while camera.busy:
        time.sleep(0.1)
    page.wait_for_selector('body[data-view="attract"]', timeout=60_000)
    seen = page.evaluate("window.seen")
    drawn = [at for view, name, at in seen if view == "product" and name == visit.product.name]
    if not drawn or camera.steady_at is None:
        return None
    return max(0.0, float(drawn[0]) - camera.steady_at * 1000)


def _lists(folder: Path, args: argparse.Namespace) -> dict[str, Any]:
    from agent.adapters.embedder import EmbedderSettings, load_embedder
    from tools.bench.words import drawn_catalogue

    folder.mkdir()
    eyes = load_embedder(EmbedderSettings(file=args.model))
    names = drawn_catalogue(folder / "catalogue", args.catalogue, eyes, seed=0)
    draw = np.random.default_rng(0)
    with KioskCamera(props.assortment(1)[0]) as camera:
        config = _configure(folder, args.model, folder / "catalogue", camera.url, idle_s=600.0)
        with _Running(config), _Page(args.chromium, config) as page:
            page.click("#start-search")
            spent = []
            while len(spent) < args.keys:
                name = names[int(draw.integers(len(names)))]
                for length in range(2, len(name) + 1):
                    spent.append(float(page.evaluate(TYPE, name[:length])))
                    time.sleep(0.06)  # nobody types faster than 16 keys a second
    return {"catalogue": args.catalogue, "keys": len(spent), "list_ms": _spread(spent)}
