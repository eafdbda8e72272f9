"""A catalogue directory, opened: what devices match against.

manifest.json             names the two others, see core/manifest.py
index-<digest>.usearch    vectors of the references
products-<digest>.db      rows of the products, pictures of the references
projection-<digest>.bin   where there is one: from embeddings to the vectors of this catalogue
thumbnails-<digest>.db    where there are any: small pictures of the references
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.adapters.durable import open_verified, settle, write_whole
from agent.adapters.products import ProductTable, open_products
from agent.adapters.thumbnails import Thumbnails, open_thumbnails
from agent.adapters.vectors import VectorIndex, open_index
from agent.core.errors import CatalogueError, DeviceError
from agent.core.manifest import (
    MANIFEST_LIMIT_BYTES,
    MANIFEST_NAME,
    Manifest,
    dump_manifest,
    parse_manifest,
    refuse_other_model,
)
from agent.core.matching import nearest_products
from agent.core.projection import PROJECTION_LIMIT_BYTES, dump_projection, parse_projection

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from agent.core.evidence import Calibration
    from agent.core.manifest import FileEntry
    from agent.core.matching import Found
    from agent.core.projection import Projection
    from agent.core.types import Candidate, Product


class Catalogue:
    """One release, immutable: another release is another object. Any thread may ask."""

    version = 0  # its answers never change

    def __init__(
        self,
        manifest: Manifest,
        index: VectorIndex,
        table: ProductTable,
        projection: Projection | None,
        thumbnails: Thumbnails | None,
    ) -> None:
        """Use `open_catalogue`."""
        self.manifest = manifest
        self.release = manifest.release
        self._index = index
        self._table = table
        self._projection = projection
        self._thumbnails = thumbnails

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
        return nearest_products(self.project(embeddings), self.search, len(self), limit)

    def search(self, rows: NDArray[np.float32], k: int) -> Found:
        """The `k` nearest references of each of `rows`, which `project` made; see `VectorIndex.search`."""
        return self._index.search(rows, k)

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

    def reference(self, key: int) -> str:
        """The picture of a reference: its path within the product folder.

        Raises:
            CatalogueError: there is none.
        """
        return self._table.reference(key)

    def thumbnail(self, key: int) -> bytes | None:
        """The small picture of a reference, a JPEG; None where this catalogue has none.

        Raises:
            CatalogueError: the file cannot be read.
        """
        return self._thumbnails.of(key) if self._thumbnails else None

    def close(self) -> None:
        """Give the tables back; the index goes with the object."""
        self._table.close()
        if self._thumbnails:
            self._thumbnails.close()


def open_catalogue(folder: Path, fingerprint: str, dimension: int) -> Catalogue:
    """Open a catalogue directory for a model of this fingerprint and dimension.

    All of its bytes are verified: about 0.5 s per gigabyte.

    Raises:
        CatalogueError: there is none, a file is damaged, or another model built it.
    """
    manifest = read_manifest(folder)
    refuse_other_model(manifest, fingerprint, dimension, str(folder))
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
    try:
        thumbnails = _open_thumbnails(folder, manifest)
    except BaseException:
        table.close()
        raise
    return Catalogue(manifest, index, table, projection, thumbnails)


def _open_thumbnails(folder: Path, manifest: Manifest) -> Thumbnails | None:
    entry = manifest.thumbnails
    if entry is None:
        return None
    return open_thumbnails(folder / entry.path, entry, references=manifest.references)


def write_projection(folder: Path, projection: Projection) -> FileEntry:
    """Put a projection into a catalogue directory, under a name that its content gives it.

    Raises:
        DeviceError: the disk failed or is full.
    """
    temporary = folder / ".projection.partial"
    try:
        temporary.write_bytes(dump_projection(projection))
    except OSError as error:
        raise DeviceError(f"{temporary}: cannot be written: {error.strerror}") from None
    return settle(temporary, "projection", ".bin")


def read_projection(folder: Path, manifest: Manifest) -> Projection | None:
    """The projection of a catalogue directory; None where it has none.

    Raises:
        CatalogueError: the file is damaged, or is for other embeddings or vectors.
    """
    entry = manifest.projection
    if entry is None:
        return None
    path = folder / entry.path
    if entry.size > PROJECTION_LIMIT_BYTES:
        raise CatalogueError(f"{path}: expected at most {PROJECTION_LIMIT_BYTES} bytes, found {entry.size}")
    with open_verified(path, entry) as file:
        data = file.read()
    try:
        projection = parse_projection(data)
    except ValueError as error:
        raise CatalogueError(f"{path}: {error}") from None
    expected, found = (manifest.model.dimension, manifest.dimension), (projection.inputs, projection.outputs)
    if found != expected:
        raise CatalogueError(
            f"{path}: expected a projection of {expected[0]} onto {expected[1]} numbers, "
            f"found {found[0]} onto {found[1]}"
        )
    return projection


def read_manifest(folder: Path) -> Manifest:
    """What a catalogue directory says of itself.

    Raises:
        CatalogueError: there is no manifest, or it is wrong.
    """
    path = folder / MANIFEST_NAME
    try:
        with path.open("rb") as file:
            data = file.read(MANIFEST_LIMIT_BYTES + 1)
    except FileNotFoundError:
        raise CatalogueError(f"{path}: expected a catalogue directory, found no manifest") from None
    except (OSError, ValueError) as error:
        raise CatalogueError(f"{path}: cannot be read: {error}") from None
    return parse_manifest(data, str(path))


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Make a directory, whose other files are complete, this catalogue, at once.

    Raises:
        DeviceError: the disk failed or is full.
    """
    write_whole(folder / MANIFEST_NAME, dump_manifest(manifest))
