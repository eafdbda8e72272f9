"""Small copies of references: found from afar, made once, and counted as pictures by nobody."""

from __future__ import annotations

import shutil
from contextlib import closing
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest

from agent.adapters.catalogue import open_catalogue, read_manifest
from agent.adapters.embedder import EmbedderSettings, load_embedder
from agent.core.copies import is_copy
from agent.core.matching import product_of
from agent.core.regions import RegionSettings, propose
from agent.publishing.build import BuildReport, BuildSettings, build_catalogue
from agent.publishing.checkup import check_up
from agent.publishing.worker import Worker
from tests.support.tiny_models import write_tiny_model
from tests.support.tiny_pictures import drawn_picture

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from agent.adapters.catalogue import Catalogue
    from agent.adapters.embedder import Embedder

PLAIN = BuildSettings(jobs=1)
SMALL = BuildSettings(jobs=1, small=(60, 30))
PRODUCTS, VIEWS = 10, 3


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> EmbedderSettings:
    """It sees the mean of 8 × 8 pixels: what is shrunk to fewer lies elsewhere."""
    return EmbedderSettings(file=str(write_tiny_model(tmp_path_factory.mktemp("model"), size=64, cells=8)))


@pytest.fixture(scope="module")
def eyes(model: EmbedderSettings) -> Embedder:
    return load_embedder(model)


def seen(product: int, view: int) -> np.ndarray:
    """160 × 160: blobs of the product under fine stripes, a little noisy in each view."""
    image = drawn_picture(product, 160, 160).astype(np.int16)
    image += np.random.default_rng(product).integers(-60, 60, (1, 160, 1))
    image += np.random.default_rng([product, view]).integers(-8, 8, image.shape)
    return np.clip(image, 0, 255).astype(np.uint8)


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    for product in range(PRODUCTS):
        folder = tmp_path / "shop" / f"sku-{product}"
        folder.mkdir(parents=True)
        for view in range(VIEWS):
            cv2.imwrite(str(folder / f"{view}.png"), seen(product, view))
    return tmp_path / "shop"


def build(
    shop: Path,
    out: Path,
    model: EmbedderSettings,
    settings: BuildSettings = SMALL,
    cache: Path | None = None,
) -> BuildReport:
    return build_catalogue(shop, out, model, settings, created_utc=1.0, cache=cache)


@pytest.fixture
def catalogue(shop: Path, tmp_path: Path, model: EmbedderSettings, eyes: Embedder) -> Iterator[Catalogue]:
    report = build(shop, tmp_path / "out", model)
    assert (report.references, report.problems) == (PRODUCTS * VIEWS * 3, ())
    with closing(open_catalogue(tmp_path / "out", eyes.fingerprint, eyes.dimension)) as opened:
        yield opened


def from_afar(product: int, px: int) -> np.ndarray:
    """As a camera shows it: small, and not quite in focus."""
    small = cv2.resize(seen(product, 99), (px, px), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.GaussianBlur(small, (0, 0), 0.8), np.uint8)


def test_a_thing_seen_from_afar_is_nearer_to_a_copy(
    catalogue: Catalogue, shop: Path, tmp_path: Path, model: EmbedderSettings, eyes: Embedder
) -> None:
    build(shop, tmp_path / "plain", model, PLAIN)
    nearest: dict[str, list[float]] = {"plain": [], "small": []}
    with closing(open_catalogue(tmp_path / "plain", eyes.fingerprint, eyes.dimension)) as plain:
        for product in range(PRODUCTS):
            rows = eyes.embed(from_afar(product, 30), propose(RegionSettings(), 30, 30))
            for name, each in (("plain", plain), ("small", catalogue)):
                (look,) = each.nearest(rows)
                assert each.product(look[0].product).sku == f"sku-{product}"
                nearest[name].append(look[0].similarity)
    assert 1 - np.mean(nearest["small"]) < 0.7 * (1 - np.mean(nearest["plain"]))


def test_a_copy_is_shown_by_the_picture_it_is_of(catalogue: Catalogue, eyes: Embedder) -> None:
    (look,) = catalogue.nearest(eyes.embed(from_afar(3, 30), propose(RegionSettings(), 30, 30)))
    key = look[0].key
    path = catalogue.reference(key)
    assert not is_copy(path)
    own = next(
        each
        for each in catalogue.picture_keys().tolist()
        if product_of(each) == product_of(key) and catalogue.reference(each) == path
    )
    assert catalogue.thumbnail(key) == catalogue.thumbnail(own)
    assert catalogue.thumbnail(key) is not None


def test_copies_change_neither_calibration_nor_projection(
    catalogue: Catalogue, shop: Path, tmp_path: Path, model: EmbedderSettings
) -> None:
    build(shop, tmp_path / "plain", model, PLAIN)
    plain, small = read_manifest(tmp_path / "plain"), catalogue.manifest
    assert small.calibration == plain.calibration
    assert small.projection == plain.projection


def test_health_looks_at_pictures_only(
    catalogue: Catalogue, shop: Path, tmp_path: Path, model: EmbedderSettings
) -> None:
    assert catalogue.manifest.references == 3 * PRODUCTS * VIEWS
    build(shop, tmp_path / "plain", model, PLAIN)
    findings = []
    for out in ("plain", "out"):
        with check_up(tmp_path / out, shop) as report:
            found = report.document
            useless = {row["sku"]: row["useless"] for row in found["copies"]}
            findings.append((found["compared"], found["nearest_is_own"], useless, found["views"]))
    assert findings[0] == findings[1]


def test_the_same_in_one_process_and_in_two(shop: Path, tmp_path: Path, model: EmbedderSettings) -> None:
    one = build(shop, tmp_path / "one", model)
    two = build(shop, tmp_path / "two", model, BuildSettings(jobs=2, small=(60, 30)))
    assert one.release == two.release


def test_asking_for_copies_later_keeps_every_key_and_giving_them_up_takes_only_them(
    shop: Path, tmp_path: Path, model: EmbedderSettings, eyes: Embedder
) -> None:
    out = tmp_path / "out"
    build(shop, out, model, PLAIN)
    before = references(out, eyes)
    added = build(shop, out, model, BuildSettings(jobs=1, small=(60,)))
    assert (added.changes.added, added.changes.removed, added.changes.replaced) == (30, 0, 0)
    assert before.items() <= references(out, eyes).items()
    removed = build(shop, out, model, PLAIN)
    assert (removed.changes.added, removed.changes.removed) == (0, 30)
    assert references(out, eyes) == before


def references(out: Path, eyes: Embedder) -> dict[int, str]:
    with closing(open_catalogue(out, eyes.fingerprint, eyes.dimension)) as opened:
        return {key: opened.reference(key) for key in opened.picture_keys().tolist()}


def test_what_the_cache_has_is_not_embedded_again(
    shop: Path, tmp_path: Path, model: EmbedderSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = tmp_path / "cache"
    first = build(shop, tmp_path / "one", model, cache=cache)

    def refused(*_: object) -> None:
        raise AssertionError("nothing is to be embedded")

    monkeypatch.setattr(Worker, "embed", refused)
    assert build(shop, tmp_path / "two", model, cache=cache).release == first.release
    assert build(shop, tmp_path / "three", model, PLAIN, cache).references == PRODUCTS * VIEWS


def test_a_picture_that_is_small_itself_has_no_copy_of_its_size(
    shop: Path, tmp_path: Path, model: EmbedderSettings
) -> None:
    cv2.imwrite(str(shop / "sku-0" / "tiny.png"), from_afar(0, 64))
    cache = tmp_path / "cache"
    assert build(shop, tmp_path / "one", model, cache=cache).references == PRODUCTS * VIEWS * 3 + 2
    assert build(shop, tmp_path / "two", model, cache=cache).references == PRODUCTS * VIEWS * 3 + 2


def test_a_picture_that_goes_takes_its_copies_along(
    shop: Path, tmp_path: Path, model: EmbedderSettings
) -> None:
    out = tmp_path / "out"
    build(shop, out, model)
    (shop / "sku-1" / "0.png").unlink()
    assert build(shop, out, model).changes.removed == 3
    shutil.rmtree(shop / "sku-2")
    assert build(shop, out, model).changes.removed == 9
