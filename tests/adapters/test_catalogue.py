"""A catalogue directory, written by hand from its parts and opened as a device opens it."""

from __future__ import annotations

import random
import shutil
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from agent.adapters.catalogue import (
    Catalogue,
    open_catalogue,
    read_manifest,
    write_manifest,
    write_projection,
)
from agent.adapters.products import ProductWriter
from agent.adapters.thumbnails import ThumbnailWriter
from agent.adapters.vectors import IndexBuilder
from agent.core.calibration import Calibration
from agent.core.errors import CatalogueError
from agent.core.manifest import Manifest, ModelEntry
from agent.core.matching import key_of
from agent.core.projection import rounded
from agent.core.types import Product

DIMENSION = 16
FINGERPRINT = "ab" * 32
VIEWS = 40  # more than are looked at first


def unit(rows: np.ndarray) -> np.ndarray:
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def centre(product: int) -> np.ndarray:
    return np.eye(DIMENSION, dtype=np.float32)[product : product + 1] + 0.1


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Products 1 to 5 with 40 references each; product 6 has none."""
    folder = tmp_path_factory.mktemp("catalogue")
    rng = np.random.default_rng(1)
    builder, table = IndexBuilder(DIMENSION), ProductWriter(folder)
    for product in range(1, 6):
        keys = [key_of(product, view) for view in range(VIEWS)]
        noise = 0.02 * rng.normal(size=(VIEWS, DIMENSION))
        builder.add(np.array(keys, np.uint64), unit(centre(product) + noise))
        table.add(Product(product, f"sku-{product}", name=f"Product {product}"))
        for view, key in enumerate(keys):
            table.add_reference(key, f"images/sku-{product}/{view}.jpg")
    table.add(Product(6, "sku-6"))
    manifest = Manifest(
        created_utc=5.0,
        model=ModelEntry("tiny", FINGERPRINT, DIMENSION, "litert"),
        crop=1.0,
        dimension=DIMENSION,
        calibration=Calibration(-1.0, 2.0, 3.0, "test"),
        products=6,
        references=5 * VIEWS,
        index=builder.save(folder),
        table=table.save(),
    )
    write_manifest(folder, manifest)
    return folder


@pytest.fixture(scope="module")
def projected(good: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same references, as vectors of 5 numbers."""
    folder = tmp_path_factory.mktemp("projected") / "cat"
    shutil.copytree(good, folder)
    old = read_manifest(good)
    rng = np.random.default_rng(2)
    projection = rounded(rng.normal(size=DIMENSION) * 0.01, rng.normal(size=(DIMENSION, 5)))
    builder = IndexBuilder(5)
    rng = np.random.default_rng(1)
    for product in range(1, 6):
        keys = [key_of(product, view) for view in range(VIEWS)]
        noise = 0.02 * rng.normal(size=(VIEWS, DIMENSION))
        builder.add(np.array(keys, np.uint64), projection.apply(unit(centre(product) + noise)))
    entry = write_projection(folder, projection)
    (folder / old.index.path).unlink()
    write_manifest(folder, replace(old, dimension=5, index=builder.save(folder), projection=entry))
    return folder


@contextmanager
def opened(folder: Path) -> Iterator[Catalogue]:
    with closing(open_catalogue(folder, FINGERPRINT, DIMENSION)) as catalogue:
        yield catalogue


def test_thumbnails_are_given_where_there_are_any(good: Path, tmp_path: Path) -> None:
    with opened(good) as catalogue:
        assert catalogue.thumbnail(key_of(1, 0)) is None
    folder = Path(shutil.copytree(good, tmp_path / "catalogue"))
    writer = ThumbnailWriter(folder)
    for product in range(1, 6):
        for view in range(VIEWS):
            writer.put(key_of(product, view), b"jpeg %d %d" % (product, view))
    manifest = replace(read_manifest(folder), thumbnails=writer.save())
    write_manifest(folder, manifest)
    with opened(folder) as catalogue:
        assert catalogue.thumbnail(key_of(4, 2)) == b"jpeg 4 2"
        assert catalogue.thumbnail(key_of(6, 0)) is None
    (folder / manifest.thumbnails.path).write_bytes(b"x")
    with pytest.raises(CatalogueError, match="damaged"):
        open_catalogue(folder, FINGERPRINT, DIMENSION)


@pytest.mark.parametrize("kind", ["good", "projected"])
def test_a_query_finds_its_product_its_row_and_its_picture(kind: str, request: pytest.FixtureRequest) -> None:
    with opened(request.getfixturevalue(kind)) as catalogue:
        looks = catalogue.nearest(unit(np.concatenate([centre(4), centre(2)])), limit=3)
        assert [look[0].product for look in looks] == [4, 2]
        best = looks[0][0]
        assert best.similarity > 0.9
        assert catalogue.product(best.product).name == "Product 4"
        assert catalogue.reference(best.key).startswith("images/sku-4/")
        assert catalogue.by_sku("sku-6") == Product(6, "sku-6")
        assert catalogue.release == catalogue.manifest.release
        assert catalogue.calibration.source == "test"


def test_a_rival_is_found_though_the_first_32_neighbours_are_of_one_product(good: Path) -> None:
    with opened(good) as catalogue:
        (look,) = catalogue.nearest(unit(centre(3)))
        assert len(look) >= 2
        assert look[0].product == 3
        assert look[0].agreeing == VIEWS
        assert look[1].similarity < look[0].similarity - 0.3


@pytest.mark.parametrize("kind", ["good", "projected"])
def test_rows_are_answered_one_by_one_whatever_stands_beside_them(
    kind: str, request: pytest.FixtureRequest
) -> None:
    queries = unit(np.random.default_rng(3).normal(size=(20, DIMENSION)))
    with opened(request.getfixturevalue(kind)) as catalogue:
        together = catalogue.nearest(queries)
        assert together == [catalogue.nearest(row[None])[0] for row in queries]
        assert catalogue.nearest(queries[:0]) == []


@pytest.mark.parametrize("limit", [1, 2, 5, 50])
def test_at_most_limit_products_are_named(good: Path, limit: int) -> None:
    with opened(good) as catalogue:
        (look,) = catalogue.nearest(unit(centre(1)), limit=limit)
    assert len(look) == min(limit, 5)
    assert [c.similarity for c in look] == sorted((c.similarity for c in look), reverse=True)


def test_a_catalogue_of_another_model_is_refused(good: Path) -> None:
    with pytest.raises(CatalogueError, match=f"{good}: .*found one built with '{FINGERPRINT}'"):
        open_catalogue(good, "cd" * 32, DIMENSION)
    with pytest.raises(CatalogueError, match="expected 17, found 16"):
        open_catalogue(good, FINGERPRINT, DIMENSION + 1)


def test_a_directory_without_a_manifest_is_no_catalogue(good: Path, tmp_path: Path) -> None:
    with pytest.raises(CatalogueError, match="found no manifest"):
        open_catalogue(tmp_path, FINGERPRINT, DIMENSION)
    with pytest.raises(CatalogueError, match="found no manifest"):
        open_catalogue(tmp_path / "missing", FINGERPRINT, DIMENSION)
    (tmp_path / "manifest.json").mkdir()
    with pytest.raises(CatalogueError, match="cannot be read"):
        read_manifest(tmp_path)
    for path in good.iterdir():
        if path.suffix != ".json":
            shutil.copy(path, tmp_path)
    with pytest.raises(CatalogueError, match="cannot be read"):
        open_catalogue(tmp_path, FINGERPRINT, DIMENSION)


def test_a_manifest_that_contradicts_its_files_is_refused(good: Path, tmp_path: Path) -> None:
    shutil.copytree(good, tmp_path / "cat")
    manifest = read_manifest(good)
    for change, reason in {
        "references": "count_present: expected 7, found 200",
        "products": "products: expected 7, found 6",
    }.items():
        write_manifest(tmp_path / "cat", replace(manifest, **{change: 7}))
        with pytest.raises(CatalogueError, match=reason):
            open_catalogue(tmp_path / "cat", FINGERPRINT, DIMENSION)
    write_manifest(tmp_path / "cat", replace(manifest, index=manifest.table, table=manifest.index))
    with pytest.raises(CatalogueError, match="expected a usearch index"):
        open_catalogue(tmp_path / "cat", FINGERPRINT, DIMENSION)


def test_a_projection_for_other_embeddings_or_vectors_is_refused(projected: Path, tmp_path: Path) -> None:
    shutil.copytree(projected, tmp_path / "cat")
    manifest = read_manifest(projected)
    assert manifest.projection is not None
    other = write_projection(tmp_path / "cat", rounded(np.zeros(17), np.ones((17, 5))))
    huge = replace(manifest.projection, size=1 << 30)
    for entry, reason in ((other, "of 16 onto 5 numbers, found 17 onto 5"), (huge, "expected at most")):
        write_manifest(tmp_path / "cat", replace(manifest, projection=entry))
        with pytest.raises(CatalogueError, match=reason):
            open_catalogue(tmp_path / "cat", FINGERPRINT, DIMENSION)


def test_400_damaged_directories_are_refused_in_one_line(projected: Path, tmp_path: Path) -> None:
    random.seed(1)
    folder = tmp_path / "cat"
    shutil.copytree(projected, folder)
    for path in sorted(folder.iterdir()):
        whole = path.read_bytes()
        cases = [b"", whole[:-1], whole + b"x", bytes(len(whole)), random.randbytes(len(whole)), b"<html>"]
        cases += [whole[: random.randrange(len(whole) - 2)] for _ in range(14)]
        for flips in [1] * 60 + [20] * 20:
            data = bytearray(whole)
            for place in random.sample(range(len(whole)), flips):
                data[place] ^= 1 << random.randrange(8)
            cases.append(bytes(data))
        for data in cases:
            path.write_bytes(data)
            with pytest.raises(CatalogueError) as caught:
                open_catalogue(folder, FINGERPRINT, DIMENSION)
            assert str(caught.value).startswith(str(path))
            assert str(caught.value).isprintable()
        path.unlink()
        with pytest.raises(CatalogueError):
            open_catalogue(folder, FINGERPRINT, DIMENSION)
        path.write_bytes(whole)
    with opened(folder) as catalogue:
        assert len(catalogue.nearest(unit(centre(1)))[0]) >= 2
