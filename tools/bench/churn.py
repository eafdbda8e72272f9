"""What many updates do to an index: recall against an exact search, CPU time of a query, size of the file."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from time import thread_time
from typing import TYPE_CHECKING, Any

import numpy as np

from agent.adapters.vectors import IndexBuilder, open_index, reopen_index
from tools.bench._synthetic import Assortment

if TYPE_CHECKING:
    from numpy.typing import NDArray

ASKED = 400


def measure(argv: list[str]) -> dict[str, Any]:
    """One row of figures per round: of replacing a share of the products, then of taking products out."""
    parser = argparse.ArgumentParser(prog="python -m tools.bench churn", description=__doc__)
    parser.add_argument("--products", type=int, default=20_000)
    parser.add_argument("--views", type=int, default=5)
    parser.add_argument("--dimension", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--share", type=float, default=0.05, help="of the products, replaced in each round")
    args = parser.parse_args(argv)
    stock = Assortment(args.products, args.views, args.dimension)
    with tempfile.TemporaryDirectory() as folder:
        fresh = IndexBuilder(args.dimension)
        _add(fresh, stock, np.arange(1, args.products + 1))
        first = _Figures(Path(folder), stock, fresh)
        replaced = [first.row(0)]
        for number in range(1, args.rounds + 1):
            first.change(int(args.products * args.share), replace=True)
            if number % 5 == 0 or number < 4:
                replaced.append(first.row(number))
        anew = IndexBuilder(args.dimension)
        _add(anew, stock, first.products)
        replaced.append(_Figures(Path(folder), stock, anew, first.products).row(-1))
        shrunk = _Figures(Path(folder), stock, fresh)
        removed = []
        for share in (0.1, 0.2, 0.3, 0.4, 0.5, 0.7, 0.9):
            gone = len(shrunk.products) - round(args.products * (1 - share))
            shrunk.change(gone, replace=False)
            removed.append({"removed": share} | shrunk.row(0))
    return {"references": args.products * args.views, "replaced": replaced, "removed": removed}


class _Figures:
    """One index over its rounds."""

    def __init__(
        self,
        folder: Path,
        stock: Assortment,
        builder: IndexBuilder,
        products: NDArray[np.int64] | None = None,
    ) -> None:
        self.products = np.arange(1, stock.products + 1) if products is None else products
        self._folder, self._stock = folder, stock
        self._next = int(self.products.max()) + 1
        self._dimension = builder.dimension
        self._entry, self._count = builder.save(folder), len(builder)
        self._dice = np.random.default_rng(1)

    def change(self, count: int, *, replace: bool) -> None:
        """Take products out, and put as many new ones in."""
        builder = self._reopened()
        gone = np.sort(self._dice.choice(self.products, count, replace=False))
        builder.remove(self._stock.keys(gone))
        self.products = np.setdiff1d(self.products, gone)
        if replace:
            new = np.arange(self._next, self._next + count)
            self._next += count
            _add(builder, self._stock, new)
            self.products = np.concatenate([self.products, new])
        former = self._entry
        self._entry, self._count = builder.save(self._folder), len(builder)
        (self._folder / former.path).unlink()

    def row(self, number: int) -> dict[str, Any]:
        """Recall of new pictures of products that are there, time of a query, size."""
        builder = self._reopened()
        path = self._folder / self._entry.path
        index = open_index(path, self._entry, dimension=self._dimension, count=self._count)
        asked = self._dice.choice(self.products, ASKED)
        queries = self._stock.rows(asked, np.full(ASKED, 1000 + number))
        exact, vectors = builder.keys(), []
        for part in np.array_split(exact, 50):
            vectors.append(queries @ builder.vectors(part).T)
        similar = np.concatenate(vectors, axis=1)
        best = -np.sort(-np.partition(-similar, 10, axis=1)[:, :10], axis=1)
        took = []
        found = np.empty((ASKED, 10), np.float32)
        for place in range(ASKED):
            began = thread_time()
            _, near, _ = index.search(queries[place : place + 1], 32)
            took.append(thread_time() - began)
            found[place] = near[0, :10]
        slack = 0.004  # the rounding of the query to int8
        return {
            "round": number,
            "recall_at_1": round(float((found[:, 0] >= best[:, 0] - slack).mean()), 4),
            "recall_at_10": round(float((found >= best[:, -1:] - slack).mean()), 4),
            "self_recall": round(builder.recall(500, 10), 4),
            "query_cpu_us": round(1e6 * float(np.median(took))),
            "bytes_per_reference": round(self._entry.size / self._count),
            "empty_share": round(builder.empty_share, 3),
        }

    def _reopened(self) -> IndexBuilder:
        return reopen_index(
            self._folder / self._entry.path, self._entry, dimension=self._dimension, count=self._count
        )


def _add(builder: IndexBuilder, stock: Assortment, products: NDArray[np.int64]) -> None:
    for part in np.array_split(products, -(-len(products) // 2_000)):
        builder.add(stock.keys(part), stock.rows(*stock.views_of(part)))
