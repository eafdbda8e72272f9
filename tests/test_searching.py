"""Text finds products, in a real table: what is written, what is misspelt, and nothing where there is nothing."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent.adapters.products import ProductTable, ProductWriter, open_products
from agent.adapters.words import open_words
from agent.core.errors import CatalogueError, InputError
from agent.core.manifest import FileEntry
from agent.core.text_model import TextModel
from agent.core.types import Candidate, Product
from agent.core.wording import CROWD, TEXT_LIMIT, Sought
from agent.publishing.folder import read_folder
from agent.searching import TextSearch
from tools.bench.words import misspelt, product_folder

PRODUCTS = [
    Product(1, "lentil-1", "07622210449283", "Red Lentil Soup", "Warming, with cumin", "Otto's", "Soups"),
    Product(2, "orange", name="Orange", category="Fruit"),
    Product(3, "juice", name="Orange Juice", brand="Bravo", category="Drinks", aisle="7", bay="2"),
    Product(4, "creme", name="Crème brûlée", category="Desserts", tags="vanilla, sweet"),
    Product(5, "milk-zh", name="低脂牛奶", category="饮料"),
    Product(6, "apples", name="Royal Gala", category="Apples"),
    Product(7, "tomatoes", name="Chopped Tomatoes", description="Goes well with lentil soup"),
    Product(8, "'; DROP TABLE words; --", name='5" nails "extra*"'),
    Product(9, "ёжик", name="Молоко"),
]


class Shelf:
    """The table, with what a device would have beside it."""

    def __init__(self, table: ProductTable) -> None:
        self.table = table
        self.learned: list[Product] = []
        self.gone: set[int] = set()
        self.near: tuple[Candidate, ...] = ()

    def product(self, no: int) -> Product:
        return next((each for each in self.learned if each.no == no), None) or self.table.product(no)

    def alike(self, vectors: np.ndarray, limit: int) -> list[tuple[Candidate, ...]]:
        return [self.near[:limit]] * len(vectors)

    def learned_products(self) -> Sequence[Product]:
        return self.learned

    def is_left_out(self, no: int) -> bool:
        return no in self.gone


class Shop:
    def __init__(
        self, folder: Path, model: TextModel | None = None, products: Sequence[Product] = PRODUCTS
    ) -> None:
        writer = ProductWriter(folder)
        for product in products:
            writer.add(product)
        entry = writer.save()
        path = folder / entry.path
        self.table = open_products(path, entry, products=len(products), references=0)
        words = open_words(path, entry)
        assert words
        self.words = words
        self.shelf = Shelf(self.table)
        self.search = TextSearch(words, len(products), model, self.shelf)

    def close(self) -> None:
        self.words.close()
        self.table.close()

    def found(self, text: str, limit: int = 5) -> list[str]:
        return [hit.product.sku for hit in self.search.find(text, limit)]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    with closing(Shop(tmp_path_factory.mktemp("shop"))) as opened:
        yield opened


QUESTIONS = {
    "the name": ("Red Lentil Soup", "lentil-1"),
    "a name before one that goes on": ("orange", "orange"),
    "the one that goes on": ("orange juice", "juice"),
    "the words in another order": ("soup lentil red", "lentil-1"),
    "a beginning, as it is typed": ("red lent", "lentil-1"),
    "misspelt": ("lentl soop", "lentil-1"),
    "two letters swapped": ("brvao jucie", "juice"),
    "without accents": ("creme brulee", "creme"),
    "with other accents": ("CRÈME BRÜLEE", "creme"),
    "a part of a Chinese name": ("牛奶", "milk-zh"),
    "one Chinese letter": ("奶", "milk-zh"),
    "Russian, misspelt": ("молако", "ёжик"),
    "one of several apples": ("apple", "apples"),
    "a tag": ("vanilla", "creme"),
    "the brand and a thing": ("ottos soup", "lentil-1"),
    "the GTIN as it stands on the package": ("7622210449283", "lentil-1"),
    "… and with its zero": ("07622210449283", "lentil-1"),
    "… and its beginning": ("762221", "lentil-1"),
    "the SKU": ("lentil-1", "lentil-1"),
    "an SKU that is SQL": ("'; DROP TABLE words; --", "'; DROP TABLE words; --"),
}


@pytest.mark.parametrize(("text", "sku"), QUESTIONS.values(), ids=QUESTIONS.keys())
def test_the_product_that_is_meant_comes_first(shop: Shop, text: str, sku: str) -> None:
    assert shop.found(text)[0] == sku


@pytest.mark.parametrize("text", ["", "   ", "***", '"', "xyzzyplugh", "牙刷", "0000"])
def test_nothing_is_found_where_no_product_has_a_word(shop: Shop, text: str) -> None:
    assert shop.found(text) == []


def test_a_name_that_was_typed_has_the_score_one_and_others_less(shop: Shop) -> None:
    first, second = shop.search.find("orange")
    assert first.score == pytest.approx(1.0)
    assert 0 < second.score < 1
    assert (second.product.aisle, second.product.bay) == ("7", "2")


def test_a_product_that_is_about_it_comes_before_one_that_mentions_it(shop: Shop) -> None:
    assert shop.found("lentil soup") == ["lentil-1", "tomatoes"]


@pytest.mark.parametrize(
    "text",
    [
        "name : orange",
        "orange NOT juice",
        "NEAR(a b)",
        '"orange',
        "orange*",
        "^orange",
        "(",
        "-juice",
        "a AND",
        "{name} : orange",
    ],
)
def test_the_syntax_of_the_search_is_only_words(shop: Shop, text: str) -> None:
    shop.found(text)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200, deadline=None)
@given(text=st.text(max_size=TEXT_LIMIT))
def test_any_text_is_answered(shop: Shop, text: str) -> None:
    for hit in shop.search.find(text):
        assert 0 < hit.score <= 1


def test_a_text_that_is_too_long_is_refused(shop: Shop) -> None:
    with pytest.raises(InputError, match="text: expected at most 200 characters, found 201"):
        shop.search.find("a" * (TEXT_LIMIT + 1))


def test_what_the_device_learned_is_found_and_what_it_forgot_is_not(shop: Shop) -> None:
    shop.shelf.learned = [Product(1 << 38, "new", name="Blood Orange Soda")]
    shop.shelf.gone = {2}
    try:
        assert shop.found("blood orang soda")[0] == "new"
        assert set(shop.found("orange")) == {"juice", "new"}
    finally:
        shop.shelf.learned, shop.shelf.gone = [], set()


def test_pictures_fill_in_and_do_not_take_the_place_of_a_name(tmp_path: Path) -> None:
    model = TextModel(
        np.ones(64, np.float32), np.ones((64, 4), np.int8), np.ones(64, np.float32), 9, 0.1, 0.5
    )
    with closing(Shop(tmp_path, model)) as shop:
        shop.shelf.near = (
            Candidate(6, 0.9, 6 << 24),
            Candidate(2, 0.3, 2 << 24),
            Candidate(4, 0.05, 4 << 24),
        )
        hits = shop.search.find("orange")
        assert [hit.product.no for hit in hits] == [2, 3, 6]  # 4 is no nearer than strangers are
        assert (hits[2].words, hits[2].pictures) == (0.0, 0.5)
        assert shop.found("xyzzyplugh") == []  # the pictures are not asked for what nobody wrote


@pytest.fixture(scope="module")
def crowd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """More products have one word, and more names have another, than are ranked against each other."""
    count = CROWD + 500
    products = [
        Product(no, f"p{no}", name=f"Organic Thing {'abcde'[no % 5] * 3}", description="Made with care")
        for no in range(1, count)
    ]
    products += [
        Product(count, "plain", name="Organic"),
        Product(count + 1, "care", name="Care"),
        Product(count + 2, "hand", name="Hand Care Cream"),
        Product(count + 3, "zebra", name="Zebra"),
        Product(count + 4, "pair", name="Zebra Dropped", description="An organic thing"),
    ]
    with closing(Shop(tmp_path_factory.mktemp("crowd"), products=products)) as opened:
        yield opened


@pytest.mark.parametrize(
    ("text", "skus"),
    [
        ("organic", ["plain"]),
        ("organi", ["plain"]),
        ("care", ["care", "hand"]),
        ("made care", ["p1"]),
        ("hand care", ["hand"]),
        ("organic thing zebra", ["pair"]),
        ("zebra organic", ["zebra", "pair"]),
        ("p5499", ["p5499"]),
    ],
)
def test_who_is_named_so_is_found_in_a_crowd(crowd: Shop, text: str, skus: list[str]) -> None:
    assert crowd.found(text)[: len(skus)] == skus


def test_a_list_in_a_crowd_is_as_long_as_it_was_asked_for(crowd: Shop) -> None:
    assert len(crowd.found("organic", 150)) == 150
    assert len(crowd.found("care", 150)) == 150  # three names, and descriptions


def test_names_of_groceries_are_found_also_misspelt(shared_data: Path, tmp_path: Path) -> None:
    """81 of 81 and 806 of 810, with descriptions beside them; asked for are 95 and 90 %."""
    folder = product_folder(shared_data, tmp_path / "products")
    products = [item.product for item in read_folder(folder, lambda _problem: None)]
    draw = random.Random(1)
    with closing(Shop(tmp_path, products=products)) as shop:
        right = [shop.found(each.name, 1) == [each.sku] for each in products]
        slips = [shop.found(misspelt(each.name, draw), 1) == [each.sku] for each in products for _ in "12"]
    assert sum(right) >= 0.95 * len(right)
    assert sum(slips) >= 0.9 * len(slips)


def test_a_product_that_was_changed_or_removed_is_found_as_it_is_now(tmp_path: Path) -> None:
    with closing(Shop(tmp_path)):
        entry_path = next(tmp_path.glob("products-*.db"))
    data = entry_path.read_bytes()
    entry = FileEntry(entry_path.name, hashlib.sha256(data).hexdigest(), len(data))
    writer = ProductWriter(tmp_path, (entry_path, entry))
    writer.put(Product(2, "orange", name="Mandarin"))
    writer.remove(3)
    changed = writer.save()
    words = open_words(tmp_path / changed.path, changed)
    assert words
    with closing(words):
        assert words.candidates(Sought('"mandarin"', 1), 5) == [2]
        assert words.candidates(Sought('"orange"', 1), 5) == [2]  # its sku
        assert words.candidates(Sought('"juice"', 1), 5) == []
        with pytest.raises(CatalogueError, match="cannot be read"):
            words.candidates(Sought('"', 1), 5)
