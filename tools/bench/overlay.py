"""How soon what a device is taught counts, and what that costs those who search meanwhile.

Quiet and busy seconds alternate, so that a machine that is slow for a while is slow for both.
"""

from __future__ import annotations

import argparse
import tempfile
import threading
from contextlib import closing
from pathlib import Path
from time import perf_counter, sleep
from typing import TYPE_CHECKING, Any

import numpy as np

from agent.adapters.overlay import Overlay
from agent.adapters.vectors import IndexBuilder, VectorIndex, open_index
from agent.core.learned import sight_of
from agent.core.matching import product_of
from agent.memory import DeviceMemory
from agent.nothing import Nothing
from tools.bench._synthetic import Assortment

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from agent.core.matching import Found
    from agent.core.types import Product

EYES = "drawn"


def measure(argv: list[str]) -> dict[str, Any]:
    """`visible_ms` of adding and of forgetting, from the call to the first search that shows it, of that
    `durable_ms` until the disk has it; `search` of another thread as multiples of its quiet median.
    """
    parser = argparse.ArgumentParser(prog="python -m tools.bench overlay", description=__doc__)
    parser.add_argument("--references", type=int, default=100_000)
    parser.add_argument("--dimension", type=int, default=256)
    parser.add_argument("--learned", type=int, default=500, help="pictures that the device knows beforehand")
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--pause", type=float, default=0.05, help="seconds between two changes")
    args = parser.parse_args(argv)
    stock = Assortment(args.references // 5, 5, args.dimension)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        base = _Base(folder, stock)
        with closing(Overlay(folder / "overlay")) as writer, closing(Overlay(folder / "overlay")) as reader:
            device = _Device(stock, writer, DeviceMemory(base, reader, args.dimension, EYES))
            for number in range(0, args.learned, 50):
                device.enrol(f"before-{number}", range(number, min(number + 50, args.learned)))
            return {"references": args.references, "learned": args.learned} | _alternate(device, args)


class _Base(Nothing):
    """A release that is nothing but an index: no product is ever looked up here but by its SKU."""

    release = "drawn"

    def __init__(self, folder: Path, stock: Assortment) -> None:
        builder = IndexBuilder(stock.dimension)
        products = np.arange(1, stock.products + 1)
        for part in np.array_split(products, max(1, stock.products // 200)):
            builder.add(stock.keys(part), stock.rows(*stock.views_of(part)))
        entry = builder.save(folder)
        self._index: VectorIndex = open_index(
            folder / entry.path, entry, dimension=stock.dimension, count=len(builder)
        )
        self._stock = stock

    def __len__(self) -> int:
        return len(self._index)

    def search(self, rows: NDArray[np.float32], k: int) -> Found:
        return self._index.search(rows, k)

    def by_sku(self, sku: str) -> Product | None:
        number = int(sku) if sku.isdigit() else 0
        return self._stock.product(number) if 0 < number <= self._stock.products else None


class _Device:
    """Somebody who teaches, and a memory that notices."""

    def __init__(self, stock: Assortment, writer: Overlay, memory: DeviceMemory) -> None:
        self.stock = stock
        self.writer = writer
        self.memory = memory

    def row(self, product: int) -> NDArray[np.float32]:
        return self.stock.rows(np.array([product]), np.array([0]))

    def enrol(self, sku: str, numbers: range) -> None:
        """Pictures of products that the release has not."""
        pictures = [(sku.encode() + b"%d" % n, self.row(self.stock.products + 1 + n)[0]) for n in numbers]
        self.writer.enrol(sku, {}, pictures, sight_of(EYES, 1.0), 0.0)

    def best(self, row: NDArray[np.float32]) -> int:
        """Number of the nearest product, as a frame would find it; 0: none."""
        _ = self.memory.version
        (look,) = self.memory.nearest(row)
        return product_of(look[0].key) if look else 0


def _alternate(device: _Device, args: argparse.Namespace) -> dict[str, Any]:
    busy, stop = threading.Event(), threading.Event()
    quiet_s: list[float] = []
    busy_s: list[float] = []

    def search() -> None:
        rows = [device.row(1 + number) for number in range(200)]
        number = 0
        while not stop.is_set():
            phase = busy_s if busy.is_set() else quiet_s
            began = perf_counter()
            device.memory.nearest(rows[number % len(rows)])  # the other thread notices changes
            phase.append(perf_counter() - began)
            number += 1

    thread = threading.Thread(target=search)
    thread.start()
    shown_s: list[tuple[float, float]] = []
    hidden_s: list[tuple[float, float]] = []
    number = 0
    end = perf_counter() + args.seconds
    while perf_counter() < end:
        busy.clear()
        sleep(1.0)
        busy.set()
        until = perf_counter() + 1.0
        while perf_counter() < until:
            number += 1
            _add_and_forget(device, args.learned + number, shown_s, hidden_s, args.pause)
    stop.set()
    thread.join()
    quiet = float(np.median(quiet_s))
    return {
        "added": _figures(shown_s),
        "forgotten": _figures(hidden_s),
        "search": {
            "quiet_median_us": round(quiet * 1e6, 1),
            "quiet_p99_ratio": round(float(np.percentile(quiet_s, 99)) / quiet, 2),
            "busy_p50_ratio": round(float(np.median(busy_s)) / quiet, 2),
            "busy_p99_ratio": round(float(np.percentile(busy_s, 99)) / quiet, 2),
        },
    }


def _add_and_forget(
    device: _Device,
    number: int,
    shown_s: list[tuple[float, float]],
    hidden_s: list[tuple[float, float]],
    pause_s: float,
) -> None:
    """A new product comes, and one of the release goes: seconds until the disk has it, and until it shows."""
    row = device.row(device.stock.products + 1 + number)
    before = device.best(row)
    began = perf_counter()
    device.enrol(f"new-{number}", range(number, number + 1))
    durable_s = perf_counter() - began
    while device.best(row) == before:
        pass
    shown_s.append((durable_s, perf_counter() - began))
    sleep(pause_s)
    gone = 1000 + number
    row = device.row(gone)
    began = perf_counter()
    device.writer.forget(str(gone), held=True, utc=0.0)
    durable_s = perf_counter() - began
    while device.best(row) == gone:
        pass
    hidden_s.append((durable_s, perf_counter() - began))
    device.writer.forget(f"new-{number}", held=False, utc=0.0)
    sleep(pause_s)


def _figures(seconds: list[tuple[float, float]]) -> dict[str, Any]:
    durable_s, visible_s = zip(*seconds, strict=True)
    return {"times": len(seconds), "durable_ms": _spread(durable_s), "visible_ms": _spread(visible_s)}


def _spread(seconds: Sequence[float]) -> dict[str, float]:
    ms = np.array(seconds) * 1e3
    return {
        "p50": round(float(np.median(ms)), 2),
        "p99": round(float(np.percentile(ms, 99)), 2),
        "max": round(float(ms.max()), 2),
    }
