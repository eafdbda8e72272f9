"""What is found in the neighbours of references, by hand-made cases, and what is advised."""

from __future__ import annotations

import numpy as np
import pytest

from agent.core.advice import advise
from agent.core.checkup import FEW, Checkup, Neighbours, Views, examine
from agent.core.matching import key_of

USUAL = 0.8
"""What the nearest picture of one's own product has in common in these catalogues; the background is 0."""


def neighbours(
    counts: dict[int, int],
    own: dict[tuple[int, int], tuple[int, float]] | None = None,
    other: dict[tuple[int, int], tuple[int, int, float]] | None = None,
) -> Neighbours:
    """Products with so many pictures each, all as usual but for these.

    `own` maps (product, view) → (nearest view, similarity), `other` → (product, view, similarity).
    """
    own, other = own or {}, other or {}
    views = [(product, view) for product, count in counts.items() for view in range(count)]
    near_own = []
    near_other = []
    for product, view in views:
        several = counts[product] > 1
        nearest, similarity = own.get(
            (product, view), ((view + 1) % counts[product], USUAL if several else -1)
        )
        near_own.append((key_of(product, nearest) if several else 0, similarity))
        strangers = [stranger for stranger in counts if stranger != product and counts[stranger]]
        default = (strangers[0], 0, 0.1) if strangers else None
        found = other.get((product, view), default)
        near_other.append((key_of(*found[:2]), found[2]) if found else (0, -1.0))
    return Neighbours(
        keys=np.array([key_of(*one) for one in views], np.uint64),
        own=np.array([similarity for _, similarity in near_own], np.float32),
        own_key=np.array([key for key, _ in near_own], np.uint64),
        other=np.array([similarity for _, similarity in near_other], np.float32),
        other_key=np.array([key for key, _ in near_other], np.uint64),
        background=0.0,
    )


def checkup(counts: dict[int, int], **more: dict) -> Checkup:
    return examine(list(counts), neighbours(counts, **more))


def test_an_empty_catalogue_has_nothing_to_find() -> None:
    found = checkup({})
    assert (found.asked, found.right) == (0, 0)
    assert (found.shared, found.lookalikes, found.copies, found.thin) == ((), (), (), ())


def test_a_healthy_catalogue_has_no_findings() -> None:
    found = checkup({1: 6, 2: 8, 3: 5})
    assert (found.asked, found.right) == (19, 19)
    assert (found.shared, found.lookalikes, found.copies, found.thin) == ((), (), (), ())


def test_one_product_alone_is_nobody_s_lookalike() -> None:
    found = checkup({1: 6})
    assert (found.asked, found.right, found.lookalikes, found.shared) == (6, 6, (), ())


def test_too_few_views_are_said_the_fewest_first() -> None:
    found = checkup({1: 6, 2: 1, 3: 0, 4: FEW - 1, 5: 2})
    assert [(item.product, item.views) for item in found.thin] == [
        (3, Views.NONE),
        (2, Views.ONE),
        (5, Views.FEW),
        (4, Views.FEW),
    ]


def test_pictures_that_are_one_picture_are_grouped_and_count_once() -> None:
    same = {(2, 0): (1, 1.0), (2, 1): (2, 0.99), (2, 2): (1, 0.99), (2, 4): (5, 0.995), (2, 5): (4, 0.995)}
    found = checkup({1: 20, 2: 7}, own=same)
    (copies,) = found.copies
    assert copies.product == 2
    assert copies.useless == 3
    assert copies.groups == ((key_of(2, 0), key_of(2, 1), key_of(2, 2)), (key_of(2, 4), key_of(2, 5)))
    assert [(item.product, item.pictures, item.views) for item in found.thin] == [(2, 4, Views.FEW)]


def test_six_times_the_same_picture_is_one_view() -> None:
    found = checkup({1: 40, 2: 6}, own={(2, view): ((view + 1) % 6, 1.0) for view in range(6)})
    assert [(item.product, item.pictures, item.views) for item in found.thin] == [(2, 1, Views.ONE)]


def test_pictures_from_one_spot_are_alike_though_none_is_a_copy() -> None:
    found = checkup({1: 40, 2: 8}, own={(2, view): ((view + 1) % 8, 0.91) for view in range(8)})
    assert found.copies == ()
    assert [(item.product, item.views) for item in found.thin] == [(2, Views.ALIKE)]


def test_a_catalogue_of_nothing_but_copies_is_found_out() -> None:
    found = checkup({1: 6, 2: 6}, own={(p, v): ((v + 1) % 6, 1.0) for p in (1, 2) for v in range(6)})
    assert [item.useless for item in found.copies] == [5, 5]


def test_one_picture_in_two_products_is_said_once_and_makes_them_no_lookalikes() -> None:
    there = {(1, 0): (2, 3, 0.999), (2, 3): (1, 0, 0.999), (1, 1): (2, 3, 0.9), (1, 2): (2, 3, 0.9)}
    found = checkup({1: 6, 2: 6}, other=there)
    assert [(item.key, item.other_key) for item in found.shared] == [(key_of(1, 0), key_of(2, 3))]
    assert found.lookalikes == ()


LOOKALIKES = {
    "most pictures are near": ({(1, view): (2, view, 0.6) for view in range(6)}, (6, 0)),
    "a quarter of them is": ({(1, view): (2, 0, 0.6) for view in range(2)}, (2, 0)),
    "one picture is mistaken": ({(1, 0): (2, 1, 0.81)}, (1, 1)),
    "they are near, but not near enough": ({(1, view): (2, view, 0.35) for view in range(6)}, None),
    "one of them is near": ({(1, 0): (2, 0, 0.7)}, None),
}


@pytest.mark.parametrize("story", LOOKALIKES)
def test_products_look_alike_when(story: str) -> None:
    other, expected = LOOKALIKES[story]
    strangers = {(1, view): (3, 0, 0.1) for view in range(6)} | other
    found = checkup({1: 6, 2: 6, 3: 6}, other=strangers)
    assert [(item.near, item.mistaken) for item in found.lookalikes] == ([expected] if expected else [])
    for item in found.lookalikes:
        assert (item.product, item.other, item.pictures) == (1, 2, 6)


def test_a_pair_is_told_once_from_the_side_that_is_nearer_with_its_nearest_pictures() -> None:
    other = {(1, view): (2, 4, 0.5 + view / 100) for view in range(6)}
    other |= {(2, view): (1, 0, 0.7) for view in range(6)}
    (item,) = checkup({1: 6, 2: 6, 3: 6}, other=other).lookalikes
    assert (item.product, item.other, item.near) == (2, 1, 6)
    assert item.closeness == pytest.approx(0.7 / USUAL, abs=1e-6)
    assert (item.key, item.other_key) == (key_of(2, 0), key_of(1, 0))


def test_the_next_photo_is_told_to_the_neediest_first_in_plain_words() -> None:
    other = {(1, view): (2, view, 0.6) for view in range(6)} | {(1, 5): (6, 0, 0.9)}
    found = checkup({1: 6, 2: 6, 3: 0, 4: 1, 5: 3, 6: 6}, other=other)
    told = advise(found, lambda product: f"product {product}")
    assert [product for product, _ in told] == [3, 4, 1, 2, 5, 6]
    words = dict(told)
    assert words[3].startswith("no picture: photograph it from the front")
    assert words[4] == "only one view: photograph it on the shelf, from the left and from the right"
    assert words[1] == "looks like product 2 and product 6: photograph from close up what tells them apart"
    assert words[5].startswith("only 3 views: ")


def test_a_product_with_two_needs_is_told_both() -> None:
    found = checkup({1: 2, 2: 6}, other={(1, view): (2, view, 0.7) for view in range(2)})
    words = dict(advise(found, lambda product: f"P{product}"))
    assert words[1].startswith("only 2 views: ")
    assert words[1].endswith("; looks like P2: photograph from close up what tells them apart")
