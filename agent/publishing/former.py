"""The catalogue that a build finds in its directory: what of it can be changed, and why not the rest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from agent.adapters.catalogue import read_manifest, read_projection
from agent.adapters.durable import open_verified
from agent.adapters.products import ProductWriter
from agent.adapters.vectors import reopen_index
from agent.core.errors import CatalogueError
from agent.core.manifest import MANIFEST_NAME, refuse_other_model

if TYPE_CHECKING:
    from pathlib import Path

    from agent.adapters.tables import Previous
    from agent.adapters.vectors import IndexBuilder
    from agent.core.manifest import Manifest, ModelEntry
    from agent.core.projection import Projection


@dataclass(frozen=True, slots=True)
class FormerIndex:
    """An index to be changed, and what its vectors are made with."""

    builder: IndexBuilder
    projection: Projection | None


@dataclass(frozen=True, slots=True)
class Former:
    """Where a build begins."""

    table: ProductWriter  # begun as the table before, so that numbers and keys last; or empty
    manifest: Manifest | None = None  # of the catalogue whose table that is
    thumbnails: Previous | None = None
    index: FormerIndex | None = None
    why: str = ""  # why there is no index to be changed


def open_former(out: Path, model: ModelEntry, crop: float, *, rebuild: bool) -> Former:
    """What the catalogue in `out`, where there is one, gives to the next one of this model and crop.

    Numbers and keys last whatever model made it, unless everything is to be written anew: a device that goes
    over from one to the other may still follow a thing that it knows by its number.

    Raises:
        DeviceError: the disk failed or is full.
    """
    if rebuild or not (out / MANIFEST_NAME).exists():
        return Former(ProductWriter(out), why="asked for" if rebuild else "there was none")
    try:
        manifest = read_manifest(out)
        table = ProductWriter(out, (out / manifest.table.path, manifest.table))
    except CatalogueError as error:
        return Former(ProductWriter(out), why=str(error))
    thumbnails = _thumbnails(out, manifest)
    try:
        index = _index(out, manifest, table, model, crop)
    except CatalogueError as error:
        return Former(table, manifest, thumbnails, why=str(error))
    except BaseException:
        table.close()
        raise
    return Former(table, manifest, thumbnails, index)


def _thumbnails(out: Path, manifest: Manifest) -> Previous | None:
    """Those that can be changed; damaged ones are made again, and no reason to make all else anew."""
    entry = manifest.thumbnails
    if entry is None:
        return None
    try:
        open_verified(out / entry.path, entry).close()
    except CatalogueError:
        return None
    return out / entry.path, entry


def _index(
    out: Path, manifest: Manifest, table: ProductWriter, model: ModelEntry, crop: float
) -> FormerIndex:
    refuse_other_model(manifest, model.fingerprint, model.dimension, str(out))
    if manifest.crop != crop:
        raise CatalogueError(f"{out}: expected pictures cropped to {crop}, found {manifest.crop}")
    builder = reopen_index(
        out / manifest.index.path, manifest.index, dimension=manifest.dimension, count=manifest.references
    )
    if not np.array_equal(builder.keys(), table.keys()):
        raise CatalogueError(f"{out}: expected the same references in index and table, found others")
    return FormerIndex(builder, read_projection(out, manifest))
