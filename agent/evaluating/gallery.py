"""What is evaluated: a catalogue that was built, or a product folder that becomes one for the purpose."""

from __future__ import annotations

import csv
import tempfile
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from agent.core.errors import DeviceError, InputError, UsageError
from agent.core.manifest import MANIFEST_NAME
from agent.publishing.build import BuildSettings, build_catalogue
from agent.publishing.folder import IMAGES_NAME, TABLE_NAME, read_folder
from agent.sight import open_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from agent.adapters.catalogue import Catalogue
    from agent.adapters.embedder import Embedder, EmbedderSettings
    from agent.publishing.folder import Item
    from agent.publishing.problems import Problem

    Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Gallery:
    """Eyes and catalogue as a device has them; `folder` is where the pictures of its references lie."""

    eyes: Embedder
    catalogue: Catalogue
    folder: Path | None


@contextmanager
def open_gallery(
    path: Path,
    model: EmbedderSettings | None,
    crop: float | None,
    left_out: frozenset[str],
    *,
    created_utc: float,
    report: Callable[[Problem], None],
    progress: Progress | None = None,
) -> Iterator[Gallery]:
    """The gallery at `path`: a catalogue directory, a product folder or its `products.csv`.

    Products `left_out` (SKUs) are not in it, nor in its projection and calibration: queries of them are
    unknown. `crop` is for building; None means all of a picture. `model` None means the one that
    the catalogue carries.

    Raises:
        UsageError: products are to be left out of a catalogue that is built already, or are not in the
            folder; or there is no model to build with.
        InputError: there is nothing to build from.
        ConfigError: model or catalogue are wrong, or do not belong together.
        DeviceError: the disk failed or is full, or an inference failed.
    """
    if (path / MANIFEST_NAME).exists():
        if left_out:
            raise UsageError(f"--unknown-skus: expected a product folder to leave them out of, found {path}")
        eyes, catalogue = open_folder(path, model)
        try:
            yield Gallery(eyes, catalogue, None)
        finally:
            catalogue.close()
        return
    if model is None:
        raise UsageError(f"--model: expected a model to build a catalogue of {path} with, found none")
    root = product_root(path)
    settings = BuildSettings(crop=1.0 if crop is None else crop)
    with tempfile.TemporaryDirectory(prefix="spotter-evaluate-") as name:
        products = _without(root, left_out, Path(name) / "products") if left_out else root
        out = Path(name) / "catalogue"
        done = build_catalogue(products, out, model, settings, created_utc=created_utc, progress=progress)
        for problem in done.problems:
            report(problem)
        eyes, catalogue = open_folder(out, model)
        try:
            yield Gallery(eyes, catalogue, products)
        finally:
            catalogue.close()


def product_root(path: Path) -> Path:
    """The product folder that `path` names, itself or by its table."""
    return path.parent if path.is_file() and path.name == TABLE_NAME else path


def _without(root: Path, left_out: frozenset[str], into: Path) -> Path:
    """A product folder that lacks some products; its pictures are links to those of `root`."""
    items = list(read_folder(root, lambda _problem: None))  # the build reports what is wrong with the rest
    missing = left_out - {item.product.sku for item in items}
    if missing:
        raise UsageError(f"--unknown-skus: expected products of {root}, found {min(missing)!r}")
    kept = [item for item in items if item.product.sku not in left_out]
    if not kept:
        raise InputError(f"{root}: expected products besides the unknown ones, found none")
    try:
        (into / IMAGES_NAME).mkdir(parents=True)
        _write_table(kept, into / TABLE_NAME)
        for item in kept:
            if item.images:
                pictures = (root / item.images[0]).parent.resolve()
                (into / IMAGES_NAME / item.product.sku).symlink_to(pictures, target_is_directory=True)
    except OSError as error:
        raise DeviceError(f"{into}: cannot be written: {error.strerror}") from None
    return into


def _write_table(items: list[Item], path: Path) -> None:
    rows = [asdict(item.product) for item in items]
    columns = [name for name in rows[0] if name not in {"no", "extra"}]
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)
