"""What a device learned: which of it counts beside a release, and what a release makes of it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from agent.core.learned import (
    SAME,
    Counts,
    Forgotten,
    Learned,
    LearnedProduct,
    Reference,
    active,
    changes_of,
    counted,
    key_of_learned,
    listed,
    settle,
    sight_of,
)
from agent.core.matching import PRODUCT_LIMIT, product_of

OATS = Reference(1, "oats", "a" * 64, "eyes 1", 5.0)
MILK = Reference(2, "milk", "b" * 64, "eyes 1", 6.0)
TEA = Forgotten("tea", 7.0)
NAMED = {
    "oats": LearnedProduct(1, "oats", {"name": "Hafer", "gtin": "04006381333931"}),
    "milk": LearnedProduct(2, "milk", {}),
}
LEARNED = Learned((OATS, MILK), NAMED, (TEA,))
ROWS = {1: np.float32([1, 0]), 2: np.float32([0, 1])}
IN_RELEASE = {"milk": 17, "tea": 4}


def number(sku: str) -> int:
    return IN_RELEASE.get(sku, 0)


def holds(sku: str) -> bool:
    return sku in IN_RELEASE


def test_a_product_of_this_device_alone_has_a_number_that_head_office_never_gives() -> None:
    product = NAMED["oats"].product
    assert (product.sku, product.name, product.gtin) == ("oats", "Hafer", "04006381333931")
    assert 1 << 38 < product.no < PRODUCT_LIMIT


def test_an_enrolled_picture_stands_beside_those_of_its_product() -> None:
    changes = changes_of(LEARNED, ROWS, number)
    assert [product_of(int(key)) for key in changes.keys] == [NAMED["oats"].product.no, 17]
    assert changes.rows.tolist() == [[1, 0], [0, 1]]
    assert changes.left_out.tolist() == [4]


def test_a_picture_without_a_vector_and_an_sku_without_a_number_are_passed_over() -> None:
    changes = changes_of(LEARNED, {2: ROWS[2]}, lambda _sku: 0)
    assert [product_of(int(key)) for key in changes.keys] == [NAMED["milk"].product.no]
    assert changes.left_out.tolist() == []
    assert len(changes_of(Learned(), {}, number).keys) == 0


def test_two_pictures_never_share_a_key() -> None:
    keys = {key_of_learned(3, replace(OATS, id=number)) for number in (1, 2, 5_000, 8_388_607)}
    assert len(keys) == 4
    assert {product_of(key) for key in keys} == {3}


SETTLED: dict[str, tuple[Learned, dict[int, float], str, str, str]] = {
    "nothing is found": (LEARNED, {}, "", "", ""),
    "a picture that is nearly the same is another": (LEARNED, {1: SAME - 0.001}, "", "", ""),
    "a picture is found": (LEARNED, {1: SAME, 2: 0.5}, "oats", "", ""),
    "it was found by the release before too": (
        Learned((replace(OATS, taken="r0"),), NAMED), {1: 1.0}, "", "", "oats",
    ),
    "it was found by this release already": (Learned((replace(OATS, taken="r1"),), NAMED), {1: 1.0}, "", "", ""),
    "the release before had it, this one has it not": (
        Learned((replace(OATS, taken="r0"),), NAMED), {1: 0.3}, "", "oats", "",
    ),
    "a forgotten SKU is gone": (Learned(forgotten=(Forgotten("rice", 1.0),)), {}, "rice", "", ""),
    "a forgotten SKU was gone before": (Learned(forgotten=(Forgotten("rice", 1.0, "r0"),)), {}, "", "", "rice"),
    "a forgotten SKU has come back": (Learned(forgotten=(Forgotten("tea", 1.0, "r0"),)), {}, "", "tea", ""),
    "a forgotten SKU has the picture that was enrolled instead": (
        Learned((replace(OATS, sku="tea"),), NAMED, (TEA,)), {1: 1.0}, "tea tea", "", "",
    ),
    "a forgotten SKU has other pictures": (Learned((replace(OATS, sku="tea"),), NAMED, (TEA,)), {1: 0.9}, "", "", ""),
}  # fmt: skip


@pytest.mark.parametrize("story", SETTLED)
def test_a_release_settles_what_was_learned(story: str) -> None:
    learned, similarity, taken, back, gone = SETTLED[story]
    settlement = settle(learned, "r1", similarity, holds)
    found = [
        " ".join(each.sku for each in group) for group in (settlement.taken, settlement.back, settlement.gone)
    ]
    assert found == [taken, back, gone]
    assert bool(settlement) == bool(taken + back + gone)


def test_what_a_release_has_taken_in_does_not_count_beside_it_but_does_beside_another() -> None:
    learned = Learned((replace(OATS, taken="r1"), MILK), NAMED, (replace(TEA, taken="r1"),))
    assert counted(learned, "r1") == Counts(references=1, products=1, forgotten=0, taken=2)
    assert counted(learned, "r0") == counted(learned, "") == Counts(references=2, products=2, forgotten=1)
    assert active(learned, "r1").references == (MILK,)


def test_it_is_listed_by_sku() -> None:
    learned = replace(LEARNED, references=(OATS, MILK, replace(OATS, id=3, taken="r1")))
    assert listed(learned, "r1") == [
        {"sku": "milk", "name": "", "references": 1, "forgotten": False, "taken": 0},
        {"sku": "oats", "name": "Hafer", "references": 2, "forgotten": False, "taken": 1},
        {"sku": "tea", "name": "", "references": 0, "forgotten": True, "taken": 0},
    ]
    assert listed(Learned(), "") == []


def test_embeddings_of_another_model_or_share_are_of_another_sight() -> None:
    assert sight_of("ab", 1.0) != sight_of("ab", 0.875) != sight_of("cd", 0.875)
