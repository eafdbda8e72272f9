"""A catalogue of drawn products with every fault in it is examined as `catalog health` does it."""

from __future__ import annotations

import json
import shutil
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from agent.adapters.catalogue import read_manifest
from agent.adapters.embedder import EmbedderSettings
from agent.adapters.images import decode_image
from agent.adapters.vectors import IndexBuilder
from agent.core.errors import CatalogueError, InputError
from agent.core.matching import key_of
from agent.publishing import checkup_page, neighbours
from agent.publishing.build import BuildSettings, build_catalogue
from agent.publishing.checkup import check_up
from agent.publishing.checkup_page import render
from agent.publishing.neighbours import find_neighbours
from tests.support.tiny_models import write_tiny_model

EVIL = '<script>alert("x")</script>'


def picture(product: int, view: int) -> np.ndarray:
    """Sixteen coloured fields that belong to the product, changed a good deal by each view."""
    fields = np.random.default_rng(product).integers(30, 226, (4, 4, 3))
    moved = fields + np.random.default_rng([product, view]).normal(0, 25, fields.shape)
    return cv2.resize(np.clip(moved, 0, 255).astype(np.uint8), (64, 64), interpolation=cv2.INTER_NEAREST)


@pytest.fixture(scope="module")
def products(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("shop")
    names = {sku: f"Product {sku}" for sku in "abcdefgh"} | {"d": EVIL}
    rows = "".join(f'{sku},"{name.replace(chr(34), chr(34) * 2)}"\n' for sku, name in names.items())
    (root / "products.csv").write_text("sku,name\n" + rows + "b,again\n")
    for number, sku in enumerate("abcdefg"):
        folder = root / "images" / sku
        folder.mkdir(parents=True)
        for view in range(1 if sku == "g" else 6):
            cv2.imwrite(str(folder / f"{view}.png"), picture(number, view))
    shutil.copy(root / "images/a/0.png", root / "images/a/copy.png")
    shutil.copy(root / "images/b/1.png", root / "images/c/of-b.png")
    for view in range(6):  # e looks like d
        mixed = picture(3, view) * 0.85 + picture(4, view) * 0.15
        cv2.imwrite(str(root / "images/e" / f"{view}.png"), mixed.astype(np.uint8))
    (root / "images/f/broken.png").write_bytes(b"\x89PNG\r\n\x1a\nno")
    return root


@pytest.fixture(scope="module")
def catalogue(products: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    model = EmbedderSettings(file=str(write_tiny_model(tmp_path_factory.mktemp("model"))))
    out = tmp_path_factory.mktemp("catalogue") / "out"
    build_catalogue(products, out, model, BuildSettings(jobs=1), created_utc=1.0)
    return out


@pytest.fixture(scope="module")
def found(catalogue: Path, products: Path) -> dict[str, Any]:
    with check_up(catalogue, products) as report:
        document: dict[str, Any] = report.document
    assert json.loads(json.dumps(document)) == document
    return document


def test_counts_are_those_of_the_catalogue(found: dict[str, Any], catalogue: Path) -> None:
    manifest = read_manifest(catalogue)
    assert (found["products"], found["references"]) == (8, 6 * 6 + 1 + 2)
    assert found["release"] == manifest.release
    assert found["compared"] == 38
    assert found["nearest_is_own"] <= 38


def test_the_same_picture_in_two_products_is_found(found: dict[str, Any]) -> None:
    (shared,) = found["shared"]
    assert [one["picture"] for one in shared["pictures"]] == ["images/b/1.png", "images/c/of-b.png"]
    assert shared["similarity"] == pytest.approx(1, abs=0.001)


def test_copies_are_found(found: dict[str, Any]) -> None:
    (copies,) = found["copies"]
    assert (copies["sku"], copies["useless"]) == ("a", 1)
    ((one, other),) = copies["groups"]
    assert [one["picture"], other["picture"]] == ["images/a/0.png", "images/a/copy.png"]


def test_products_that_look_alike_are_found(found: dict[str, Any]) -> None:
    pairs = [{item["sku"], item["other"]["sku"]} for item in found["lookalikes"]]
    assert pairs[0] == {"d", "e"}
    assert {"b", "c"} not in pairs


def test_products_without_enough_views_are_found(found: dict[str, Any]) -> None:
    views = [(item["sku"], item["pictures"], item["views"]) for item in found["views"]]
    assert views[:2] == [("h", 0, "none"), ("g", 1, "one")]
    assert [item["sku"] for item in found["photograph"]][:2] == ["h", "g"]


def test_files_that_cannot_be_used_come_before_those_that_surprise(found: dict[str, Any]) -> None:
    said = [(item["file"], item["line"], item["used"]) for item in found["files"]]
    assert said == [("products.csv", 10, False), ("images/f/broken.png", 0, False), ("products.csv", 9, True)]
    assert found["files"][1]["reason"].startswith("expected a JPEG, PNG, WebP or BMP picture")


def test_without_the_product_folder_nothing_is_said_of_files(catalogue: Path) -> None:
    told: list[tuple[int, int]] = []
    with check_up(catalogue, comparing=lambda done, total: told.append((done, total))) as report:
        assert report.document["files"] is None
        assert told == [(39, 39)]
        small = report.picture(key_of(1, 0))
        assert small is not None
        assert decode_image(small, "thumbnail").shape == (64, 64, 3)


def test_pictures_come_from_the_folder_where_the_catalogue_has_none(products: Path, tmp_path: Path) -> None:
    model = EmbedderSettings(file=str(write_tiny_model(tmp_path)))
    out = tmp_path / "out"
    build_catalogue(products, out, model, BuildSettings(jobs=1, thumbnails=False), created_utc=1.0)
    with check_up(out) as report:
        assert report.picture(key_of(1, 0)) is None
        assert "no picture" in render("x", report.document, report.picture)
    with check_up(out, products) as report:
        small = report.picture(key_of(1, 0))
        assert small is not None
        assert decode_image(small, "thumbnail").shape == (64, 64, 3)
    shutil.copytree(products, tmp_path / "moved")
    for path in (tmp_path / "moved" / "images").rglob("*.png"):
        path.write_bytes(b"gone")
    with check_up(out, tmp_path / "moved") as report:
        assert report.picture(key_of(1, 0)) is None


class Reader(HTMLParser):
    """What a browser would load, run or nest wrongly."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.asked: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.asked += [value or "" for name, value in attrs if name in {"src", "href"}]

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_page_asks_nobody_and_runs_nothing(catalogue: Path, products: Path) -> None:
    with check_up(catalogue, products) as report:
        reader = Reader()
        reader.feed(render(EVIL, report.document, report.picture))
    assert "script" not in reader.tags
    assert "img" in reader.tags
    assert all(address.startswith("data:image/jpeg;base64,") for address in reader.asked)
    assert EVIL in reader.text, "what a table holds is shown as it is"
    for said in ("What looks alike", "One picture, two products", "Useless copies", "images/f/broken.png"):
        assert said in reader.text


def test_the_page_is_bounded_and_says_how_much_it_leaves_out(
    catalogue: Path, products: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with check_up(catalogue, products) as report:
        whole = render("x", report.document, report.picture)
        monkeypatch.setattr(checkup_page, "ROWS_SHOWN", 1)
        many = report.document | {"shared": report.document["shared"] * 1000}
        page = render("x", many, report.picture)
    assert "… and 2 more, all less urgent: they are in the JSON." in page
    assert f"… and {1000 - checkup_page.CARDS_SHOWN} more" in page
    assert len(page) < len(whole) + checkup_page.CARDS_SHOWN * 10_000


def test_nothing_to_mend_is_said(catalogue: Path) -> None:
    with check_up(catalogue) as report:
        kinds = ("shared", "lookalikes", "copies", "views", "photograph")
        page = render("x", report.document | dict.fromkeys(kinds, ()), report.picture)
    assert "Nothing to mend" in page


def test_a_catalogue_that_is_damaged_or_none_is_refused(catalogue: Path, tmp_path: Path) -> None:
    with pytest.raises(CatalogueError, match="found no manifest"), check_up(tmp_path):
        pass
    spoiled = Path(shutil.copytree(catalogue, tmp_path / "spoiled"))
    index = next(spoiled.glob("index-*"))
    index.write_bytes(index.read_bytes()[:-1] + b"?")
    with pytest.raises(CatalogueError, match="the file is damaged"), check_up(spoiled):
        pass
    with pytest.raises(InputError, match="expected a folder"), check_up(catalogue, tmp_path / "none"):
        pass


@pytest.mark.parametrize(("queries", "columns"), [(1024, 8192), (7, 5), (1, 1), (3, 1000)])
def test_neighbours_are_the_same_whatever_the_blocks(
    queries: int, columns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(neighbours, "_QUERIES", queries)
    monkeypatch.setattr(neighbours, "_COLUMNS", columns)
    counts = [4, 1, 9, 2, 1, 6]
    keys = np.array([key_of(p + 1, v) for p, count in enumerate(counts) for v in range(count)], np.uint64)
    rows = np.random.default_rng(3).normal(size=(len(keys), 16)).astype(np.float32)
    index = IndexBuilder(16)
    index.add(keys, rows / np.linalg.norm(rows, axis=1, keepdims=True))
    near = find_neighbours(index, index.keys())
    held = index.vectors(keys)
    similarities = held @ held.T
    products = keys >> np.uint64(24)
    same = products[:, None] == products[None]
    for mask, best, key in (
        (same & ~np.eye(len(keys), dtype=bool), near.own, near.own_key),
        (~same, near.other, near.other_key),
    ):
        expected = np.where(mask, similarities, -1)
        assert np.allclose(expected.max(axis=1), best, atol=1e-6)
        nearest = np.where(mask.any(axis=1), keys[expected.argmax(axis=1)], 0)
        assert np.array_equal(nearest, key)
    assert -0.3 < near.background < 0.3
