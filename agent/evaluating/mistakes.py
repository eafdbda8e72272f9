"""What the page shows beyond figures: the worst confusions with their pictures, and names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.adapters.images import read_image, thumbnail
from agent.core.errors import CatalogueError, InputError
from agent.core.matching import key_of
from agent.evaluating.page import Mistake

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from typing import Any

    from agent.evaluating.asking import Answer
    from agent.evaluating.gallery import Gallery

SHOWN = 24
"""Confusions with pictures: what a person looks through, and a page of about a megabyte."""


def worst_mistakes(gallery: Gallery, answers: Sequence[Answer], figures: dict[str, Any]) -> list[Mistake]:
    """The most frequent confusions, each shown by the photo whose wrong answer was the surest."""
    photos = {item["sku"]: item["queries"] for item in figures["products"]}
    mistakes = []
    for item in figures["confusions"][:SHOWN]:
        pair = (item["sku"], item["taken_for"])
        wrong = [a for a in answers if a.offers and a.known and (a.query.sku, a.offers[0].sku) == pair]
        if not wrong:  # nothing was offered: there is nothing to show beside it
            continue
        answer = max(wrong, key=lambda answer: answer.probability)
        mistakes.append(
            Mistake(
                *pair,
                count=item["count"],
                of=photos[item["sku"]],
                probability=answer.probability,
                shown=_small(answer.query.path),
                answer=_reference(gallery, answer.offers[0].key),
                right=_reference(gallery, _key_of_right(gallery, answer)),
            )
        )
    return mistakes


def names_of(gallery: Gallery, answers: Sequence[Answer]) -> dict[str, str]:
    """The names of the products that were shown or answered, by SKU; empty where one has none."""
    skus = {answer.query.sku for answer in answers}
    skus |= {offer.sku for answer in answers for offer in answer.offers[:1]}
    products = {sku: gallery.catalogue.by_sku(sku) for sku in sorted(skus)}
    return {sku: product.name for sku, product in products.items() if product}


def _key_of_right(gallery: Gallery, answer: Answer) -> int:
    """The nearest reference of the right product, or its first one where it was not offered at all."""
    if answer.rank is not None:
        return answer.offers[answer.rank].key
    product = gallery.catalogue.by_sku(answer.query.sku)
    return key_of(product.no, 0) if product else 0


def _reference(gallery: Gallery, key: int) -> bytes | None:
    """From the catalogue itself, or from the product folder where that is at hand."""
    try:
        picture = gallery.catalogue.thumbnail(key)
        if picture is None and gallery.folder is not None:
            picture = _small(gallery.folder / gallery.catalogue.reference(key))
    except CatalogueError:  # the product has no picture of this number
        return None
    return picture


def _small(path: Path) -> bytes | None:
    try:
        return thumbnail(read_image(path))
    except InputError:
        return None
