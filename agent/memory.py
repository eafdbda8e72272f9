"""What a device recognises with: a catalogue, what it learned itself, and not what it has forgotten.

A snapshot of what was learned is searched beside the catalogue. `version` looks whether this or another
process changed it (5 µs), and then makes the next snapshot, which takes the place of the old one by one
assignment: who searches never waits for who writes, and never sees half of a change.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING, Final, Protocol

import numpy as np

from agent.core.errors import AgentError
from agent.core.learned import (
    NOTHING_LEARNED,
    REFERENCE_LIMIT,
    Learned,
    active,
    changes_of,
    counted,
    sight_of,
)
from agent.core.matching import UNCHANGED, VIEW_BITS, Changes, nearest_products

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from numpy.typing import NDArray

    from agent.core.calibration import Calibration
    from agent.core.learned import Counts, Reference
    from agent.core.matching import Found
    from agent.core.second_look import Closer
    from agent.core.types import Candidate, Product

log = logging.getLogger(__name__)

_KEPT: Final = 4 * REFERENCE_LIMIT
"""Learned pictures whose path is remembered after they were forgotten: a track may still hold one."""


class Base(Protocol):
    """A release: `adapters.catalogue.Catalogue`, or `Nothing`."""

    @property
    def release(self) -> str:
        """Which one; empty while there is none."""

    @property
    def calibration(self) -> Calibration:
        """The curve fitted on it."""

    @property
    def crop(self) -> float:
        """Share of each side of a reference picture that was kept."""

    @property
    def closer(self) -> Closer | None:
        """What closer looks compare with."""

    def __len__(self) -> int:
        """References."""

    def project(self, embeddings: NDArray[np.float32]) -> NDArray[np.float32]:
        """Embeddings as it compares them."""

    def nearest(self, embeddings: NDArray[np.float32]) -> list[tuple[Candidate, ...]]:
        """The nearest products of the release alone."""

    def search(self, rows: NDArray[np.float32], k: int) -> Found:
        """The nearest references."""

    def product(self, no: int) -> Product:
        """The row of a product."""

    def by_sku(self, sku: str) -> Product | None:
        """The product with this sku."""

    def reference(self, key: int) -> str:
        """The picture a reference was made from."""


class Store(Protocol):
    """What was learned, on disk: `adapters.overlay.Overlay`. Any method may raise DeviceError."""

    def changed(self) -> bool:
        """Whether somebody changed it since the last call."""

    def read(
        self, sight: str, known: Collection[int], dimension: int
    ) -> tuple[Learned, dict[int, NDArray[np.float32]]]:
        """What was learned, and by id the embeddings of this sight that are not known yet."""


@dataclass(frozen=True, slots=True)
class _Snapshot:
    """What was learned, ready to be searched. Nobody changes it."""

    learned: Learned = field(default_factory=Learned)
    counts: Counts = NOTHING_LEARNED
    changes: Changes = UNCHANGED
    vectors: Mapping[int, NDArray[np.float32]] = field(default_factory=dict)  # by id of the reference


class DeviceMemory:
    """One release with what was learned beside it. Any thread may ask."""

    def __init__(
        self, base: Base, store: Store | None, dimension: int, fingerprint: str, notice: str = ""
    ) -> None:
        """`dimension` and `fingerprint` are of the model whose embeddings it will be asked about.

        Without a store there is only the release. One that fails is said in `problem`, and what was read of
        it last goes on to count. `notice` is what was wrong with it when it was opened.
        """
        self.base = base
        self._notice = notice
        self._problem = ""
        self._store = store
        self._dimension = dimension
        self.sight = sight_of(fingerprint, base.crop)  # what made the embeddings it is asked about
        self._looking = Lock()
        self._stale = False  # there is something to look at that was not taken
        self._version = 0
        self._snapshot = _Snapshot()
        self._numbers: dict[str, int] = {}  # of SKUs in the release, 0: not there
        self._products: dict[int, Product] = {}  # of this device alone, also those that are gone by now
        self._paths: dict[int, str] = {}  # of learned pictures by key, likewise
        self._look()

    @property
    def version(self) -> int:
        """Another number after answers changed. Looks whether they did: ask once per frame."""
        if self._store is not None and self._looking.acquire(blocking=False):  # or another thread is at it
            try:
                self._look()
            finally:
                self._looking.release()
        return self._version

    @property
    def problem(self) -> str:
        """What is wrong with the store; empty when nothing."""
        return self._problem or self._notice

    @property
    def counts(self) -> Counts:
        """How much was learned, as of the last look."""
        return self._snapshot.counts

    @property
    def release(self) -> str:
        """Id of the release."""
        return self.base.release

    @property
    def calibration(self) -> Calibration:
        """The curve of the release; learned pictures are compared in the same way."""
        return self.base.calibration

    @property
    def closer(self) -> Closer | None:
        """What closer looks compare with: the release alone."""
        return self.base.closer

    def nearest(self, embeddings: NDArray[np.float32], limit: int = 8) -> list[tuple[Candidate, ...]]:
        """Per row of `embeddings`, `(N, D)` float32 unit rows of the model, the nearest products, best first.

        At most `limit` of them; at least two wherever two are near enough to be seen.

        Raises:
            ValueError: the embeddings are not finite `(N, D)` float32.
        """
        return self.alike(self.base.project(embeddings), limit)

    def alike(self, vectors: NDArray[np.float32], limit: int) -> list[tuple[Candidate, ...]]:
        """The same of vectors of this catalogue, `(N, d)` float32 unit rows."""
        base = self.base
        return nearest_products(vectors, base.search, len(base), limit, self._snapshot.changes)

    def learned_products(self) -> list[Product]:
        """Those that have learned pictures which count, and that the release does not have."""
        snapshot = self._snapshot
        counted_skus = {each.sku for each in active(snapshot.learned, self.release).references}
        return [
            each.product
            for sku, each in snapshot.learned.products.items()
            if sku in counted_skus and not self._number(sku)
        ]

    def picture_of(self, sku: str) -> str:
        """The sha256 of a picture that was enrolled for an SKU and counts; empty where there is none."""
        learned = active(self._snapshot.learned, self.release).references
        return next((each.picture for each in learned if each.sku == sku), "")

    def is_left_out(self, no: int) -> bool:
        """Whether it was forgotten, and no picture of it was enrolled since."""
        changes = self._snapshot.changes
        return bool((changes.left_out == no).any()) and not (changes.keys >> VIEW_BITS == no).any()

    def product(self, no: int) -> Product:
        """The row of a product, also of one that was forgotten since it was found.

        Raises:
            CatalogueError: there is none.
        """
        return self._products.get(no) or self.base.product(no)

    def by_sku(self, sku: str) -> Product | None:
        """The product with this SKU, in the release or learned; None where there is none."""
        learned = self._snapshot.learned.products.get(sku)
        return self.base.by_sku(sku) or (learned.product if learned else None)

    def by_gtin(self, gtin: str) -> Product | None:
        """The product with this GTIN of 14 digits, in the release or learned; None where there is none."""
        learned = self._snapshot.learned.products.values()
        own = next((each.product for each in learned if each.product.gtin == gtin), None)
        return (self.base.closer.by_gtin(gtin) if self.base.closer else None) or own

    def reference(self, key: int) -> str:
        """The picture of a reference: its path within the product folder.

        Raises:
            CatalogueError: there is none.
        """
        return self._paths.get(key) or self.base.reference(key)

    def _look(self) -> None:
        if self._store is None:
            return
        try:
            self._stale |= self._store.changed()
            if not self._stale:
                return
            self._take(*self._store.read(self.sight, self._snapshot.vectors, self._dimension))
            self._stale = False
            self._problem = ""
        except AgentError as error:
            log.log(logging.DEBUG if self._problem else logging.ERROR, "what was learned: %s", error)
            self._problem = str(error)

    def _take(self, learned: Learned, rows: dict[int, NDArray[np.float32]]) -> None:
        """The next snapshot. Only what is new is read and projected: one picture more costs a millisecond."""
        now = active(learned, self.release)
        seen = [each for each in now.references if each.sight == self.sight]
        vectors = dict(self._snapshot.vectors)
        if rows:
            vectors.update(zip(rows, self.base.project(np.stack(list(rows.values()))), strict=True))
        vectors = {each.id: vectors[each.id] for each in seen if each.id in vectors}
        changes = changes_of(now, vectors, self._number)
        self._name(now, changes.keys.tolist(), [each for each in seen if each.id in vectors])
        self._snapshot = _Snapshot(learned, counted(learned, self.release), changes, vectors)
        self._version += 1

    def _name(self, learned: Learned, keys: Sequence[int], references: Sequence[Reference]) -> None:
        """Who asks for a product or a picture later may hold a number of before."""
        if len(self._paths) > _KEPT:
            self._paths, self._products = {}, {}
        known = self._snapshot.learned.products if self._products else {}
        for sku, each in learned.products.items():
            if known.get(sku) != each:
                self._products[each.product.no] = each.product
        for key, reference in zip(keys, references, strict=True):
            if key not in self._paths:
                self._paths[key] = reference.path

    def _number(self, sku: str) -> int:
        if sku not in self._numbers:
            product = self.base.by_sku(sku)
            self._numbers[sku] = product.no if product else 0
        return self._numbers[sku]
