"""A picture against references of a few products, on drawn flavours: alike but for one thing."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from agent.core.between import PICTURE_PX
from agent.core.local_features import describe
from agent.core.verifying import MEASURES, Query, Reference, compare, query_of, small
from tools.synth.flavours import flavour
from tools.synth.kiosk import held_up
from tools.synth.views import studio_view

SHOP = 3


@cache
def references(product: int) -> tuple[Reference, ...]:
    pictures = [studio_view(flavour(product, SHOP), number) for number in range(2)]
    return tuple(
        Reference(number, describe(each).first(64), small(each)) for number, each in enumerate(pictures)
    )


@cache
def held(product: int, number: int = 0) -> Query:
    return query_of(np.ascontiguousarray(held_up(flavour(product, SHOP), number)))


def right(measure: str, differs: int) -> float:
    """Share of held products that a measure gives to the right one of two that differ in one thing."""
    found = [
        (1 if member == 0 else -1) * measured(line, member, differs)[MEASURES.index(measure)] > 0
        for line in range(5)
        for member in (0, differs)
    ]
    return float(np.mean(found))


@cache
def measured(line: int, member: int, differs: int) -> np.ndarray:
    pair = [references(4 * line), references(4 * line + differs)]
    return compare(held(4 * line + member), pair)[0, 1]


@pytest.mark.parametrize(
    ("measure", "differs"),
    [
        ("points", 1),
        ("tint", 1),
        ("palette", 1),
        ("detail", 2),
        ("detail", 3),
    ],
    ids=[
        "another colour shows in the points",
        "another colour shows where the pictures lie on each other",
        "another colour shows in the colours of the whole",
        "another word shows in the drawing",
        "another picture shows in the drawing",
    ],
)
def test_one_difference_is_seen(measure: str, differs: int) -> None:
    assert right(measure, differs) >= 0.8


def test_references_taken_as_the_picture_was_prove_little_between_twins() -> None:
    """Points say -8 here without a bound: the wrong product alone has references from before this camera."""
    photos = [small(held(2, number).picture, 2 * PICTURE_PX) for number in range(4)]
    taken = [Reference(9 + number, describe(each), small(each)) for number, each in enumerate(photos)]
    measures = compare(held(0), [references(0), (*references(2), *taken)])
    assert measures[0, 1, 2:4].any(), "they were laid over each other"
    assert measures[0, 1, 0] == -1


def test_exchanging_two_products_turns_every_sign() -> None:
    both = [references(0), references(2), references(3)]
    measures = compare(held(0), both)
    assert measures.shape == (3, 3, len(MEASURES))
    assert np.allclose(measures, -measures.swapaxes(0, 1))
    turned = compare(held(0), both[::-1])[::-1, ::-1]
    clear = np.abs(measures) > 0.2  # whichever comes first lends the other its light
    assert (np.sign(measures) == np.sign(turned))[clear].all()


def test_the_same_picture_gives_the_same_numbers() -> None:
    pair = [references(0), references(2)]
    assert np.array_equal(compare(held(0), pair), compare(held(0), pair))


def test_products_without_references_are_compared_with_nobody() -> None:
    measures = compare(held(0), [references(0), (), references(2)])
    assert not measures[1].any()
    assert not measures[:, 1].any()
    assert measures[0, 2].any()
    assert compare(held(0), []).shape == (0, 0, len(MEASURES))


@pytest.mark.parametrize("level", [0, 255])
def test_an_even_picture_says_little_and_breaks_nothing(level: int) -> None:
    measures = compare(query_of(np.full((33, 50, 3), level, np.uint8)), [references(0), references(2)])
    assert np.isfinite(measures).all()
    assert not measures[0, 1, [MEASURES.index(name) for name in ("points", "layout", "tint", "detail")]].any()


def test_noise_proves_nothing() -> None:
    noise = np.random.default_rng(5).integers(0, 255, (200, 200, 3), np.uint8)
    measures = compare(query_of(noise), [references(0), references(2)])
    assert np.isfinite(measures).all()
    assert not measures[0, 1, [MEASURES.index(name) for name in ("layout", "tint", "detail")]].any()
