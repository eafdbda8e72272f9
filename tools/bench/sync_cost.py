"""What a release costs a device in bytes: the first, 1 % of the products changed, one new one, an idle look.

Vectors and rows are drawn; everything after them is what head office and devices run: the update of the
catalogue, `publish`, `spotter catalog serve`, and rounds of sync. Bytes are those of requests and answers,
both ways, without TLS.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from agent.adapters.catalogue import open_catalogue
from agent.adapters.library import Library
from agent.adapters.server import IndexServer, SyncSettings
from agent.adapters.system import SystemClock
from agent.core.manifest import ModelEntry
from agent.publishing.build import write_catalogue
from agent.publishing.folder import Item
from agent.publishing.former import open_former
from agent.publishing.gathering import Gathered, numbered
from agent.publishing.keys import Passphrases, create_keys
from agent.publishing.place import catalogue_place
from agent.publishing.repository import publish
from agent.sync import Sync, Taker
from tools.bench._synthetic import Assortment

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agent.publishing.keys import KeyRing

ROOT = Path(__file__).resolve().parent.parent.parent
THUMBNAIL_BYTES = (
    2_500  # of 96 px; what a photo's JPEG holds cannot be made shorter, and random bytes neither
)


def measure(argv: list[str]) -> dict[str, Any]:
    """Bytes of each round of sync, and as a share of the whole release."""
    parser = argparse.ArgumentParser(prog="python -m tools.bench sync_cost", description=__doc__)
    parser.add_argument("--products", type=int, default=20_000)
    parser.add_argument("--views", type=int, default=5)
    parser.add_argument("--thumbnails", action="store_true")
    args = parser.parse_args(argv)
    hundredth = max(1, args.products // 100)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        office = Office(folder, Assortment(args.products, args.views), thumbnails=args.thumbnails)
        office.publish()
        with served(folder / "www") as url:
            device = Device(folder, url, office)
            costs = {"first": device.cost(), "unchanged": device.cost()}
            spread = np.linspace(1, args.products, hundredth).astype(int).tolist()
            office.revise(spread, pictures=True)
            office.publish()
            costs["hundredth_photographed_anew"] = device.cost()
            office.replace(hundredth)
            office.publish()
            costs["hundredth_replaced_by_new"] = device.cost()
            office.revise(spread, pictures=False)
            office.publish()
            costs["hundredth_of_the_rows"] = device.cost()
            office.grow(1)
            office.publish()
            costs["one_new_product"] = device.cost()
            office.revise(spread[:1], pictures=False)
            office.publish()
            costs["one_row"] = device.cost()
            costs["unchanged_again"] = device.cost()
    whole = costs["first"]["bytes"]
    for cost in costs.values():
        cost["share"] = round(cost["bytes"] / whole, 6)
    return {"references": args.products * args.views, "release_bytes": office.sizes, "costs": costs}


@dataclass
class Office:
    """Head office with a stock that changes."""

    folder: Path
    stock: Assortment
    thumbnails: bool
    revisions: dict[int, tuple[int, int]] = field(
        default_factory=dict
    )  # number → of its row, of its pictures
    sizes: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.revisions = dict.fromkeys(range(1, self.stock.products + 1), (0, 0))
        self.model = ModelEntry("drawn", "ab" * 32, self.stock.dimension, "none")
        self.keys: KeyRing = create_keys(self.folder / "keys", Passphrases(), now_utc=SystemClock().utc())

    def revise(self, numbers: list[int], *, pictures: bool) -> None:
        """Other rows, and with `pictures` other pictures under the same names."""
        for number in numbers:
            if number in self.revisions:
                row, taken = self.revisions[number]
                self.revisions[number] = row + 1, taken + pictures

    def replace(self, count: int) -> None:
        """As many products go as come."""
        for number in sorted(self.revisions)[3::97][:count]:
            del self.revisions[number]
        self.grow(count)

    def grow(self, count: int) -> None:
        """New products."""
        highest = max(self.revisions)
        self.revisions |= dict.fromkeys(range(highest + 1, highest + 1 + count), (0, 0))

    def publish(self) -> None:
        """Update the catalogue and make it the release."""
        out = self.folder / "catalogue"
        with catalogue_place(out), Gathered(out, self.stock.dimension) as gathered:
            former = open_former(out, self.model, 1.0, rebuild=False)
            with closing(former.table):
                self._gather(former.table, gathered)
                manifest, changes = write_catalogue(
                    out, former, gathered, self.model,
                    crop=1.0, thumbnails=self.thumbnails, created_utc=SystemClock().utc(),
                )  # fmt: skip
        self.sizes = {kind: entry.size for kind, entry in manifest.entries.items()}
        report = publish(out, self.folder / "www", self.keys, channel="default", now_utc=SystemClock().utc())
        patches = {
            blob.name.split("-")[0]: [p.size for p in blob.patches][:1] for blob in report.release.blobs
        }
        print(changes, patches, file=sys.stderr)

    def _gather(self, table: Any, gathered: Gathered) -> None:
        views = np.arange(self.stock.views)
        for item in numbered(self._items(), table):
            number = (int(item.product.sku) - 4_000_000) // 7
            taken = self.revisions[number][1]
            rows = self.stock.rows(np.full(self.stock.views, number), views + 100 * taken)
            for view, row in enumerate(rows):
                position = gathered.add(item.product.no, item.images[view])
                gathered.put(position, row, _jpeg(number, view, taken))

    def _items(self) -> Iterator[Item]:
        for number, (row, _) in self.revisions.items():
            product = self.stock.product(number, row)
            yield Item(product, tuple(f"images/{product.sku}/{view}.jpg" for view in range(self.stock.views)))


def _jpeg(number: int, view: int, taken: int) -> bytes:
    return np.random.default_rng([9, number, view, taken]).bytes(THUMBNAIL_BYTES)


class Device:
    """One device that syncs from a server."""

    def __init__(self, folder: Path, url: str, office: Office) -> None:
        clock = SystemClock()
        self._library = Library(folder / "state")
        settings = SyncSettings(url=url, root=str(folder / "keys" / "root.json"))
        taker = Taker(device="shop/shelf", channel="default", fingerprint=office.model.fingerprint)

        def trial(generation: Path) -> str:
            catalogue = open_catalogue(generation, office.model.fingerprint, office.model.dimension)
            catalogue.close()
            return catalogue.release

        server = IndexServer(settings, folder / "state" / "tuf", clock)
        self._sync = Sync(server, self._library, taker, trial, clock)

    def cost(self) -> dict[str, Any]:
        """One round: how it ended, and its bytes."""
        outcome = self._sync.round()
        return {"result": str(outcome.result), "bytes": self._library.notes().last_bytes}


@contextmanager
def served(www: Path) -> Iterator[str]:
    """`spotter catalog serve`, as a process of its own."""
    command = [sys.executable, "-m", "agent", "catalog", "serve", str(www), "--port", "0"]
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as server:
        assert server.stdout is not None
        try:
            yield server.stdout.readline().split()[-1].rstrip("/")
        finally:
            server.terminate()
