"""Words lead to pictures of products whose own words nobody wrote, or the model is left out."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from agent.adapters.catalogue import read_text_model
from agent.adapters.embedder import EmbedderSettings, load_embedder
from agent.adapters.images import read_image
from agent.adapters.products import ProductWriter
from agent.core.errors import CatalogueError
from agent.core.manifest import FileEntry
from agent.core.matching import key_of
from agent.core.regions import kept_centre, propose
from agent.core.text_model import BUCKETS_LIMIT, TextModel, dump_text_model, hashed, parse_text_model
from agent.core.types import Product
from agent.publishing.former import Former
from agent.publishing.text_model import LEAST_PRODUCTS, Trial, fit_text_model, renewed_text_model, texts_of
from tests.core.test_manifest import MANIFEST
from tests.support.grocery import photos

ROOT = Path(__file__).resolve().parents[2]
COLOURS = ("red", "green", "blue", "yellow", "black")
THINGS = ("apple", "carton", "bottle", "jar", "tin", "bag")


class Drawn:
    """Products whose vectors are the sum of what their two words look like, and a little of their own."""

    def __init__(self, *, lies: bool = False) -> None:
        rng = np.random.default_rng(3)
        look = {word: rng.normal(size=24) for word in (*COLOURS, *THINGS)}
        pairs = [(colour, thing) for colour in COLOURS for thing in THINGS]
        self.products = [
            Product(no, f"sku-{no}", name=f"{colour} {thing}") for no, (colour, thing) in enumerate(pairs, 1)
        ]
        rows = [look[colour] + look[thing] for colour, thing in pairs]
        if lies:
            rows = list(rng.normal(size=(len(pairs), 24)))
        self.keys = np.array([key_of(each.no, view) for each in self.products for view in (0, 1)], np.uint64)
        drawn = np.repeat(rows, 2, axis=0) + rng.normal(0, 0.2, (2 * len(rows), 24))
        self.rows = (drawn / np.linalg.norm(drawn, axis=1, keepdims=True)).astype(np.float32)

    def vectors(self, keys: np.ndarray) -> np.ndarray:
        return self.rows[np.searchsorted(self.keys, keys)]

    def fit(self, products: Sequence[Product] | None = None) -> tuple[TextModel | None, Trial | None]:
        return fit_text_model(self.products if products is None else products, self.keys, self.vectors)


def test_words_find_pictures_of_a_product_without_words() -> None:
    shop = Drawn()
    silent = shop.products[7]  # green carton
    model, trial = shop.fit([each for each in shop.products if each is not silent])
    assert model
    assert trial
    assert trial.found >= 0.9
    vector = model.vector("green carton")
    assert vector is not None
    near = np.argsort(-(shop.rows @ vector))[:2]
    assert {int(shop.keys[place]) >> 24 for place in near} == {silent.no}
    similarity = float((shop.rows @ vector).max())
    assert model.trust(similarity) > 0.9
    assert model.trust(model.strange) == 0.0


def test_words_that_say_nothing_of_the_pictures_give_no_model() -> None:
    model, trial = Drawn(lies=True).fit()
    assert model is None
    assert trial
    assert not trial.helps


@pytest.mark.parametrize(
    "products",
    [[], Drawn().products[: LEAST_PRODUCTS - 1], [Product(no, f"{no}") for no in range(1, 31)]],
    ids=["none", "too few", "without a text"],
)
def test_there_is_no_model_where_there_is_nothing_to_fit(products: list[Product]) -> None:
    assert Drawn().fit(products) == (None, None)


def test_what_is_written_is_read_and_the_same_products_give_the_same_bytes() -> None:
    model, _ = Drawn().fit()
    assert model
    data = dump_text_model(model)
    assert dump_text_model(parse_text_model(data)) == data
    again, _ = Drawn().fit()
    assert again
    assert dump_text_model(again) == data
    assert len(data) < 16_000  # 512 × 24 numbers, and 6 bytes for each of the 512
    found = parse_text_model(data).vector("red apple")
    assert found is not None
    assert np.array_equal(found, model.vector("red apple"))
    assert model.vector("") is None


DAMAGES = {
    "nothing": (b"", "expected a text model, found 0 other bytes"),
    "something else": (b"x" * 100, "expected a text model, found 100 other bytes"),
    "no buckets": (slice(8, 12), "buckets: expected"),
    "no outputs": (slice(12, 16), "outputs: expected"),
    "no products": (slice(16, 20), "products: expected"),
}


@pytest.mark.parametrize(("damage", "reason"), DAMAGES.values(), ids=DAMAGES.keys())
def test_damaged_bytes_are_refused(damage: bytes | slice, reason: str) -> None:
    model, _ = Drawn().fit()
    assert model
    data = bytearray(dump_text_model(model))
    if isinstance(damage, slice):
        data[damage] = bytes(4)
    with pytest.raises(ValueError, match=reason):
        parse_text_model(damage if isinstance(damage, bytes) else bytes(data))
    with pytest.raises(ValueError, match="expected"):
        parse_text_model(dump_text_model(model)[:-1])


def test_the_parts_of_a_word_have_fixed_places() -> None:
    """Another hash would make the files of before say something else."""
    places, weights = hashed("soup", BUCKETS_LIMIT)
    order = np.argsort(places)
    assert places[order].tolist() == [92, 465, 625, 717, 791, 1761, 2736, 2778, 2870, 3659]
    assert np.abs(weights).max() == pytest.approx(np.log1p(1.0))


def former(folder: Path, shop: Drawn, count: int, model: FileEntry | None = None) -> Former:
    """A catalogue of the first products, with a text model or none."""
    table = ProductWriter(folder)
    for product in shop.products[:count]:
        table.add(product)
    manifest = replace(MANIFEST, dimension=24, model=replace(MANIFEST.model, dimension=24), text_model=model)
    return Former(table, manifest)


def test_the_model_stays_while_the_catalogue_is_much_the_same(tmp_path: Path) -> None:
    shop = Drawn()

    def renewed(count: int, before: FileEntry | None, *, anew: bool = False) -> FileEntry | None:
        made = former(tmp_path, shop, count, before)
        with closing(made.table):
            return renewed_text_model(tmp_path, made, shop.keys, shop.vectors, anew=anew)

    first = renewed(24, None)
    assert first
    assert renewed(24, first) == first
    assert renewed(26, first) == first
    assert renewed(30, first) != first  # a quarter more
    assert renewed(24, first, anew=True) == first  # fitted again, to the same bytes
    (tmp_path / first.path).write_bytes(b"damaged")
    assert renewed(26, first) != first
    damaged = replace(MANIFEST, dimension=24, model=replace(MANIFEST.model, dimension=24), text_model=first)
    (tmp_path / first.path).write_bytes(b"damaged")
    with pytest.raises(CatalogueError, match="damaged"):
        read_text_model(tmp_path, damaged)


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_real_pictures_are_found_by_descriptions_of_other_products(shared_data: Path) -> None:
    """At least five times as many among the first five as by chance; with all photos 54 %, 9 times."""
    shop = shared_data / "grocery"
    with (shop / "classes.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    numbers = {row["Class Name (str)"]: int(row["Class ID (int)"]) + 1 for row in rows}
    products = []
    for row in rows:
        path = row["Product Description Path (str)"].replace("/iconic-images-and-descriptions", "iconic")
        sku = row["Class Name (str)"]
        said = (shop / path).read_text(errors="replace")
        products.append(Product(numbers[sku], sku, name=sku.replace("-", " "), description=said))
    eyes = load_embedder(EmbedderSettings(file=str(ROOT / "models" / "base.tflite")))
    held: dict[int, list[np.ndarray]] = {}
    for photo, sku in photos(shared_data, "train"):
        views = held.setdefault(numbers[sku], [])
        if len(views) < 4:
            image = read_image(photo)
            views.append(eyes.embed(image, propose(kept_centre(0.875), image.shape[1], image.shape[0]))[0])
    keys = np.array([key_of(no, view) for no in sorted(held) for view in range(len(held[no]))], np.uint64)
    embedded = np.concatenate([held[no] for no in sorted(held)])
    model, trial = fit_text_model(products, keys, lambda asked: embedded[np.searchsorted(keys, asked)])
    assert model
    assert trial
    assert trial.found >= 5 * trial.chance
    assert texts_of(products[0])[0] == "Golden Delicious"
