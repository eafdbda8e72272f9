"""How soon a kiosk answers: from the first steady frame to the screen, and from a key to the list.

A drawn hand before a drawn camera, the real daemon, and its page in a real Chromium (`--chromium PATH`).
The clock is that of this machine on both sides: a frame counts from when it was handed to the network, an
answer from when the browser drew it.
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
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import yaml

from agent.adapters.embedder import EmbedderSettings, load_embedder
from agent.adapters.products import ProductWriter
from agent.adapters.vectors import IndexBuilder
from agent.core.calibration import DEFAULT_CALIBRATION
from agent.core.manifest import MANIFEST_NAME, Manifest, ModelEntry, dump_manifest
from tools.bench._synthetic import Assortment
from tools.kiosk_demo import props
from tools.kiosk_demo.camera import KioskCamera
from tools.synth.visit import Visit

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).resolve().parents[2]
_START_S = 120.0
_BETWEEN_KEYS_S = 0.06
"""Nobody types faster than 16 keys a second."""

WATCH = """
() => {
  window.seen = [];
  const drawn = () => requestAnimationFrame(() => requestAnimationFrame(() => {
    const name = document.getElementById("product-name").textContent;
    window.seen.push([document.body.dataset.view, name, Date.now()]);
  }));
  new MutationObserver(drawn).observe(document.body, { attributes: true, attributeFilter: ["data-view"] });
}
"""
TYPE = """
(text) => new Promise((done) => {
  const list = document.getElementById("search-results"), field = document.getElementById("search-text");
  const began = performance.now();
  const watch = new MutationObserver(() => requestAnimationFrame(() => {
    watch.disconnect();
    done(performance.now() - began);
  }));
  watch.observe(list, { childList: true, subtree: true });
  field.value = text;
  field.dispatchEvent(new Event("input", { bubbles: true }));
})
"""


def measure(argv: list[str]) -> dict[str, Any]:
    """`answer_ms`: first steady frame → answer on the screen; `list_ms`: key → list on the screen."""
    parser = argparse.ArgumentParser(prog="python -m tools.bench kiosk", description=__doc__)
    parser.add_argument("--visits", type=int, default=20, metavar="N")
    parser.add_argument(
        "--products", type=int, default=16, metavar="N", help="that are held up (default: 16)"
    )
    parser.add_argument(
        "--catalogue", type=int, default=100_000, metavar="N", help="to search (default: 100,000)"
    )
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
    _spotter(
        "catalog", "build", str(folder / "products"), "--model", args.model, "-o", str(folder / "catalogue")
    )
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
    folder.mkdir()
    names = _many(folder / "catalogue", args.model, args.catalogue)
    draw = np.random.default_rng(0)
    with KioskCamera(props.assortment(1)[0]) as camera:
        config = _configure(folder, args.model, folder / "catalogue", camera.url, idle_s=600.0)
        with _Running(config), _Page(args.chromium, config) as page:
            page.click("#start-search")
            spent: list[float] = []
            while len(spent) < args.keys:
                name = names[int(draw.integers(len(names)))]
                for length in range(1, min(len(name), args.keys - len(spent)) + 1):
                    spent.append(float(page.evaluate(TYPE, name[:length])))
                    time.sleep(_BETWEEN_KEYS_S)
    return {"catalogue": args.catalogue, "keys": len(spent), "list_ms": _spread(spent)}


def _many(folder: Path, model: str, count: int) -> list[str]:
    """A catalogue of as many drawn rows, of which a few have a picture; names of some of them.

    Names of four words and descriptions of 25, of 40,000 that are used as unevenly as those of a language.
    """
    eyes = load_embedder(EmbedderSettings(file=model))
    folder.mkdir()
    drawn = Assortment(count, 1, eyes.dimension)
    pictured = np.arange(1, 101)
    table, index = ProductWriter(folder), IndexBuilder(eyes.dimension)
    words = _words(count * 29)
    names = []
    for number in range(1, count + 1):
        own = words[number * 29 - 29 : number * 29]
        names.append(" ".join(own[:4]))
        table.add(replace(drawn.product(number), name=names[-1], description=" ".join(own[4:])))
    keys = drawn.keys(pictured)
    for key in keys.tolist():
        table.add_reference(key, f"{key}.png")
    index.add(keys, drawn.rows(*drawn.views_of(pictured)))
    manifest = Manifest(
        created_utc=0.0,
        model=ModelEntry(eyes.spec.name, eyes.fingerprint, eyes.dimension, eyes.runtime),
        crop=1.0,
        dimension=eyes.dimension,
        calibration=DEFAULT_CALIBRATION,
        products=count,
        references=len(keys),
        index=index.save(folder),
        table=table.save(),
    )
    (folder / MANIFEST_NAME).write_bytes(dump_manifest(manifest))
    return names


def _words(count: int) -> list[str]:
    draw = np.random.default_rng(0)
    syllables = np.array([first + last for first in "bcdfgklmnprstvz" for last in "aeiou"])
    made = np.array(sorted({"".join(draw.choice(syllables, draw.integers(2, 5))) for _ in range(40_000)}))
    draw.shuffle(made)
    weights = 1 / (np.arange(len(made)) + 5)
    return [str(word) for word in draw.choice(made, count, p=weights / weights.sum())]


def _configure(folder: Path, model: str, catalogue: Path, source: str, *, idle_s: float) -> dict[str, Any]:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port = int(sock.getsockname()[1])
    settings = props.settings(folder, model=model, catalogue=catalogue, source=source, port=port)
    settings["cameras"][0]["kiosk"]["idle_s"] = idle_s
    (folder / "spotter.yaml").write_text(yaml.safe_dump(settings))
    return {"path": str(folder / "spotter.yaml"), "url": f"http://127.0.0.1:{port}/kiosk"}


class _Running:
    """The daemon, until it serves and for as long as it is needed."""

    def __init__(self, config: dict[str, Any]) -> None:
        self._config = config

    def __enter__(self) -> None:
        command = [sys.executable, "-m", "agent", "run", "-c", self._config["path"]]
        self._process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL)
        end = time.monotonic() + _START_S
        while True:
            try:
                urllib.request.urlopen(self._config["url"], timeout=5).close()
                return
            except OSError:
                if self._process.poll() is not None or time.monotonic() > end:
                    raise RuntimeError(f"expected the daemon at {self._config['url']}, found none") from None
                time.sleep(0.2)

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(30)


class _Page:
    """The kiosk's page, open in a browser."""

    def __init__(self, chromium: str, config: dict[str, Any]) -> None:
        self._chromium, self._url = chromium, config["url"]

    def __enter__(self) -> Any:
        from playwright.sync_api import sync_playwright

        self._playwright = sync_playwright().start()
        self._browser = self._playwright.chromium.launch(
            executable_path=self._chromium, args=["--no-sandbox", "--disable-gpu"]
        )
        page = self._browser.new_page(viewport={"width": 1080, "height": 1920})
        page.goto(self._url)
        page.wait_for_selector("body[data-ready]", timeout=60_000)
        return page

    def __exit__(self, *_: object) -> None:
        self._browser.close()
        self._playwright.stop()


def _spotter(*args: str) -> None:
    subprocess.run([sys.executable, "-m", "agent", *args], cwd=ROOT, check=True, capture_output=True)


def _spread(values: Sequence[float]) -> dict[str, float]:
    at = {"p50": 50, "p95": 95, "max": 100}
    return (
        {name: round(float(np.percentile(values, place)), 1) for name, place in at.items()} if values else {}
    )
