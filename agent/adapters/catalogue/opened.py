"""A catalogue directory, opened: its products, found by what the eyes saw."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

from agent.adapters.catalogue.files import read_manifest, read_probes, read_projection, read_text_model
from agent.adapters.portraits import Portraits, open_portraits
from agent.adapters.products import ProductTable, open_products
from agent.adapters.thumbnails import Thumbnails, open_thumbnails
from agent.adapters.vectors import VectorIndex, open_index
from agent.adapters.words import open_words
from agent.core.manifest import Manifest, refuse_other_model
from agent.core.matching import nearest_products
from agent.core.second_look import Closer, Weights

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from agent.adapters.words import Words
    from agent.core.calibration import Calibration
    from agent.core.matching import Found
    from agent.core.probes import Probes
    from agent.core.projection import Projection
    from agent.core.text_model import TextModel
    from agent.core.types import Candidate, Product
    from agent.core.verifying import Reference


class Catalogue:
    """One release, immutable: another release is another object. Any thread may ask."""

    version = 0  # its answers never change

    def __init__(
        self,
        folder: Path,
        manifest: Manifest,
        index: VectorIndex,
        table: ProductTable,
        projection: Projection | None,
        thumbnails: Thumbnails | None,
        portraits: Portraits | None,
    ) -> None:
        """Use `open_catalogue`."""
        self._folder = folder
        self.manifest = manifest
        self.release = manifest.release
        self._index = index
        self._table = table
        self._projection = projection
        self._thumbnails = thumbnails
        self._portraits = portraits

    def __len__(self) -> int:
        """References."""
        return len(self._index)

    @property
    def calibration(self) -> Calibration:
        """How similarity and margin become a probability; fitted on this catalogue when it was built."""
        return self.manifest.calibration

    @property
    def crop(self) -> float:
        """Share of each side of a reference picture that was kept around its centre."""
        return self.manifest.crop

    def project(self, embeddings: NDArray[np.float32]) -> NDArray[np.float32]:
        """Embeddings of the model, `(N, D)` float32 unit rows → vectors of this catalogue, `(N, d)`.

        Raises:
            ValueError: the embeddings have another length.
        """
        return embeddings if self._projection is None else self._projection.apply(embeddings)

    def nearest(self, embeddings: NDArray[np.float32], limit: int = 8) -> list[tuple[Candidate, ...]]:
        """Per row of `embeddings`, `(N, D)` float32 unit rows of the model, the nearest products, best first.

        At most `limit` of them; at least two wherever the catalogue has two near enough to be seen.

        Raises:
            ValueError: the embeddings are not finite `(N, D)` float32.
        """
        return self.alike(self.project(embeddings), limit)

    def alike(self, vectors: NDArray[np.float32], limit: int) -> list[tuple[Candidate, ...]]:
        """The same of vectors that `project` could have made, `(N, d)` float32 unit rows."""
        return nearest_products(vectors, self.search, len(self), limit)

    def learned_products(self) -> tuple[Product, ...]:
        """None: a release alone has learned nothing."""
        return ()

    def is_left_out(self, no: int) -> bool:  # noqa: ARG002
        """Nothing of a release alone was forgotten."""
        return False

    def open_words(self) -> Words | None:
        """Its full-text search, for one who closes it; None where an older Spotter built it.

        Raises:
            CatalogueError: the table is damaged by now, or this SQLite cannot search.
        """
        return open_words(self._folder / self.manifest.table.path, self.manifest.table)

    def text_model(self) -> TextModel | None:
        """What finds pictures by words; None where it has none. Read now, from its directory.

        Raises:
            CatalogueError: the file is damaged, or is for other vectors.
        """
        return read_text_model(self._folder, self.manifest)

    def search(self, rows: NDArray[np.float32], k: int) -> Found:
        """The `k` nearest references of each of `rows`, which `project` made; see `VectorIndex.search`."""
        return self._index.search(rows, k)

    def probes(self) -> Probes | None:
        """The pictures with head office's answers; None where it has none. Read now, from its directory.

        Raises:
            CatalogueError: the file is damaged, or is for another model.
        """
        return read_probes(self._folder, self.manifest)

    def recall(
        self, embeddings: NDArray[np.float32], k: int, rest: Callable[[], object] = lambda: None
    ) -> float:
        """Share of the true `k` nearest references that searching finds; see `VectorIndex.recall`."""
        return self._index.recall(self.project(embeddings), k, rest)

    def product(self, no: int) -> Product:
        """The row of a product.

        Raises:
            CatalogueError: there is none.
        """
        return self._table.product(no)

    def numbers(self) -> list[int]:
        """The numbers of all products, ascending; some may have no picture.

        Raises:
            CatalogueError: the table cannot be read.
        """
        return self._table.numbers()

    def by_sku(self, sku: str) -> Product | None:
        """The product with this sku, None where there is none."""
        return self._table.by_sku(sku)

    def picture_keys(self) -> NDArray[np.uint64]:
        """The keys of all references that are no small copies of others, ascending. Raises as `numbers`."""
        return self._table.picture_keys()

    def skus(self) -> Iterator[tuple[int, str]]:
        """Number and SKU of every product.

        Raises:
            CatalogueError: the table cannot be read.
        """
        return self._table.skus()

    def after(self, no: int) -> Iterator[Product]:
        """Products whose number is larger, by their number. Raises as `numbers`."""
        return self._table.after(no)

    def first_key(self, product: int) -> int:
        """The first reference of a product; 0 where it has none. Raises as `numbers`."""
        return self._table.first_key(product)

    def first_reference(self, product: int) -> str:
        """The first picture of a product. Raises as `reference`."""
        return self._table.first_reference(product)

    def reference(self, key: int) -> str:
        """The picture of a reference: its path within the product folder.

        Raises:
            CatalogueError: there is none.
        """
        return self._table.reference(key)

    def thumbnail(self, key: int) -> bytes | None:
        """The thumbnail of a reference, a JPEG, for a copy its picture's; None where this catalogue has none.

        Raises:
            CatalogueError: the file cannot be read.
        """
        return self._thumbnails.of(self._table.picture_key(key)) if self._thumbnails else None

    def card(self, product: int) -> bytes | None:
        """A larger picture of a product, a JPEG; None where there is none. Raises as `thumbnail`."""
        return self._thumbnails.card(product) if self._thumbnails else None

    def is_pictured(self, product: int) -> bool:
        """Whether there is a thumbnail of a product. Raises as `numbers`."""
        return self._thumbnails is not None and self._table.first_key(product) != 0

    def portraits(self, product: int) -> tuple[Reference, ...]:
        """References of a product for closer looks; none where it has no near rival.

        Raises:
            CatalogueError: the file cannot be read.
        """
        return self._portraits.of(product) if self._portraits else ()

    def is_portrayed(self, product: int) -> bool:
        """Whether `portraits` has any, without reading them. Raises as `portraits`."""
        return self._portraits is not None and self._portraits.has(product)

    @property
    def closer(self) -> Closer:
        """What closer looks compare with."""
        return self

    @property
    def weights(self) -> Weights:
        """What the measures of closer looks are worth in this catalogue."""
        return self._portraits.weights if self._portraits else Weights()

    def by_gtin(self, gtin: str) -> Product | None:
        """The product with this GTIN of 14 digits, None where there is none or where several have it."""
        return self._table.by_gtin(gtin)

    def has_gtins(self) -> bool:
        """Whether any product has one. Raises as `numbers`."""
        return self._table.has_gtins()

    def close(self) -> None:
        """Give the tables back; the index goes with the object."""
        self._table.close()
        if self._thumbnails:
            self._thumbnails.close()
        if self._portraits:
            self._portraits.close()


def open_catalogue(folder: Path, fingerprint: str, dimension: int) -> Catalogue:
    """Open a catalogue directory for a model of this fingerprint and dimension.

    All of its bytes are verified: about 0.5 s per gigabyte.

    Raises:
        CatalogueError: there is none, a file is damaged, or another model built it.
    """
    manifest = read_manifest(folder)
    refuse_other_model(manifest, fingerprint, dimension, str(folder))
    return open_files(folder, manifest)


def open_files(folder: Path, manifest: Manifest) -> Catalogue:
    """Open the files that a manifest names, be it in `folder` already or not. Raises as `open_catalogue`."""
    projection = read_projection(folder, manifest)
    index = open_index(
        folder / manifest.index.path,
        manifest.index,
        dimension=manifest.dimension,
        count=manifest.references,
    )
    table = open_products(
        folder / manifest.table.path,
        manifest.table,
        products=manifest.products,
        references=manifest.references,
    )
    with ExitStack() as opened:
        opened.callback(table.close)
        thumbnails = _open_thumbnails(folder, manifest, table)
        if thumbnails:
            opened.callback(thumbnails.close)
        entry = manifest.features
        portraits = open_portraits(folder / entry.path, entry) if entry else None
        opened.pop_all()
    return Catalogue(folder, manifest, index, table, projection, thumbnails, portraits)


def _open_thumbnails(folder: Path, manifest: Manifest, table: ProductTable) -> Thumbnails | None:
    entry = manifest.thumbnails
    if entry is None:
        return None
    return open_thumbnails(folder / entry.path, entry, references=table.count_pictures())
