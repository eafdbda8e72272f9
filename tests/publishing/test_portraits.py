"""Which products are portrayed when a catalogue is built, and what the next build keeps of them."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from agent.adapters.embedder import EmbedderSettings
from agent.adapters.images import encode_png
from agent.core.types import Product
from agent.publishing.build import BuildSettings, build_catalogue
from agent.publishing.portraits import REFERENCES, representative
from agent.sight import open_folder
from tests.support.road import ROOT
from tools.synth.flavours import flavour
from tools.synth.views import studio_view

MODEL = EmbedderSettings(file=str(ROOT / "models" / "small.tflite"))
SETTINGS = BuildSettings(jobs=1)


def put(folder: Path, product: int, views: range) -> None:
    (folder / f"p{product}").mkdir(parents=True, exist_ok=True)
    for view in views:
        (folder / f"p{product}" / f"{view}.png").write_bytes(
            encode_png(studio_view(flavour(product, 4), view))
        )


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """Two flavours of one line, and the first products of four other lines."""
    folder = tmp_path / "shop"
    for product in (0, 2, 4, 8, 12, 16):
        put(folder, product, range(3))
    return folder


def build(shop: Path, settings: BuildSettings = SETTINGS) -> Path:
    out = shop.parent / "catalogue"
    build_catalogue(shop, out, MODEL, settings, created_utc=0.0)
    return out


def portrayed(out: Path) -> dict[str, int]:
    _, catalogue = open_folder(out, MODEL)
    with closing(catalogue):
        assert all(catalogue.is_portrayed(no) == bool(catalogue.portraits(no)) for no in catalogue.numbers())
        numbers = ((catalogue.product(no).sku, len(catalogue.portraits(no))) for no in catalogue.numbers())
        return {sku: count for sku, count in numbers if count}


def test_products_that_look_alike_are_portrayed(shop: Path) -> None:
    found = portrayed(build(shop))
    assert found["p0"] == found["p2"] == 3
    assert len(found) < 6, "one that looks like no other never gets a closer look"


def test_many_pictures_are_stood_for_by_a_few_and_weigh_the_measures(shop: Path) -> None:
    put(shop, 0, range(REFERENCES + 3))
    out = build(shop)
    assert portrayed(out)["p0"] == REFERENCES
    _, catalogue = open_folder(out, MODEL)
    with closing(catalogue):
        assert catalogue.weights.pairs >= 3


def test_without_features_there_is_no_file_and_the_catalogue_opens(shop: Path) -> None:
    out = build(shop, replace(SETTINGS, features=False))
    assert not list(out.glob("features-*"))
    assert portrayed(out) == {}


def test_the_same_products_again_give_the_same_file_and_a_new_picture_another(shop: Path) -> None:
    out = build(shop)
    (before,) = out.glob("features-*")
    held = before.read_bytes()
    build(shop)
    assert [path.name for path in out.glob("features-*")] == [before.name]
    put(shop, 2, range(4))
    build(shop)
    (after,) = out.glob("features-*")
    assert after.name != before.name
    shared = sum(held[k : k + 4096] in after.read_bytes() for k in range(0, len(held), 4096))
    assert shared > len(held) // 4096 // 2, "what did not change stays where it was"


def test_two_processes_make_the_same_file_as_one(shop: Path) -> None:
    put(shop, 0, range(REFERENCES + 3))
    made = []
    for jobs in (1, 2):
        out = shop.parent / f"by-{jobs}"
        build_catalogue(shop, out, MODEL, replace(SETTINGS, jobs=jobs), created_utc=0.0)
        (path,) = out.glob("features-*")
        made.append((path.name, path.read_bytes()))
    assert made[0] == made[1]


def test_a_damaged_file_before_is_made_again(shop: Path) -> None:
    out = build(shop)
    (path,) = out.glob("features-*")
    name = path.name
    path.write_bytes(b"damaged")
    build(shop)
    assert [each.name for each in out.glob("features-*")] == [name]
    assert portrayed(out)


def test_a_product_is_found_by_its_gtin_unless_two_have_it(tmp_path: Path) -> None:
    folder = tmp_path / "shop"
    gtins = {"a": "04006381333931", "b": "05901234123457", "c": "05901234123457"}
    for number, sku in enumerate(gtins):
        (folder / "images" / sku).mkdir(parents=True)
        (folder / "images" / sku / "1.png").write_bytes(encode_png(studio_view(flavour(4 * number), 0)))
    rows = [f"{sku},{gtin}" for sku, gtin in gtins.items()]
    (folder / "products.csv").write_text("\n".join(["sku,gtin", *rows]) + "\n")
    _, catalogue = open_folder(build(folder), MODEL)
    with closing(catalogue):
        found = catalogue.by_gtin("04006381333931")
        assert isinstance(found, Product)
        assert found.sku == "a"
        assert catalogue.has_gtins()
        assert catalogue.by_gtin("05901234123457") is None
        assert catalogue.by_gtin("00000000000000") is None
    (folder / "products.csv").write_text("\n".join(["sku", *gtins]) + "\n")
    _, without = open_folder(build(folder), MODEL)
    with closing(without):
        assert not without.has_gtins()


def test_those_that_stand_for_the_most_others_are_chosen() -> None:
    rows = np.array([[1, 0, 0], [0.99, 0.1, 0], [0.98, 0.15, 0], [0, 1, 0], [0, 0.99, 0.1], [0, 0, 1]], float)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    chosen = representative(rows @ rows.T, 3)
    assert len(chosen) == 3
    assert {place // 3 for place in chosen} == {0, 1}
    assert 5 in chosen
    assert representative(np.empty((0, 0)), 3) == []
    assert representative(np.ones((1, 1)), 3) == [0]


def test_small_copies_are_not_portrayed(shop: Path) -> None:
    out = build(shop, replace(SETTINGS, small=(60,)))
    _, catalogue = open_folder(out, MODEL)
    with closing(catalogue):
        pictures = set(catalogue.picture_keys().tolist())
        assert len(pictures) < len(catalogue)
        keys = {each.key for no in catalogue.numbers() for each in catalogue.portraits(no)}
        assert keys
        assert keys <= pictures


@pytest.mark.parametrize(
    "name", ["features-0123456789abcdef.db", "words-0123456789abcdef.bin", ".features.partial"]
)
def test_what_a_stopped_build_left_behind_is_removed(shop: Path, name: str) -> None:
    out = build(shop)
    (out / name).write_bytes(b"left behind")
    build(shop)
    assert not (out / name).exists()


def test_weights_are_kept_by_an_update_and_fitted_when_built_anew(shop: Path) -> None:
    put(shop, 0, range(REFERENCES + 6))
    first = _pairs(build(shop))
    put(shop, 0, range(REFERENCES + 6, REFERENCES + 8))
    assert _pairs(build(shop)) == first
    assert _pairs(build(shop, replace(SETTINGS, rebuild=True))) > first


def _pairs(out: Path) -> int:
    _, catalogue = open_folder(out, MODEL)
    with closing(catalogue):
        return catalogue.weights.pairs
