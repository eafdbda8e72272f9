"""Text in, products out: by what is written of them, by what they look like, and what the device learned.

What a text matches is certain, what a picture looks like is a guess: pictures fill in what the words leave
open, and never take a product away from a name that was typed.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, Protocol

from agent.adapters.catalogue import open_files, read_manifest
from agent.core.errors import CatalogueError
from agent.core.spelling import Vocabulary
from agent.core.wording import FEW, indexed, question, score

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from agent.adapters.catalogue import Catalogue
    from agent.core.text_model import TextModel
    from agent.core.types import Candidate, Product
    from agent.core.wording import Question, Sought

RANKED: Final = 100
"""Products that the full-text search gives for a closer look, and twice as many as are wanted: to read and to
weigh 100 of 36 words takes 5 ms."""

_KEPT: Final = 1_000
"""Products whose words are held: the next letter finds many of them again. 2 KB each."""

SEEN: Final = 50
"""Products that are taken from the pictures."""

PICTURES: Final = 0.5
"""Of what the words left open, so much can pictures give: less than one word of two in a name."""


class Words(Protocol):
    """The full-text search of a release: `adapters.words.Words`."""

    vocabulary: Vocabulary

    def candidates(self, sought: Sought, limit: int) -> list[int]:
        """Numbers of products that match best."""


class Shelf(Protocol):
    """The products of a device: `memory.DeviceMemory`, or a catalogue alone."""

    def product(self, no: int) -> Product:
        """The row of a product."""

    def alike(self, vectors: NDArray[np.float32], limit: int) -> list[tuple[Candidate, ...]]:
        """Per row of `vectors`, `(N, d)` unit rows, the products with the nearest pictures."""

    def learned_products(self) -> Sequence[Product]:
        """Those that only this device knows."""

    def is_left_out(self, no: int) -> bool:
        """Whether this device was told to forget it."""


class Closable(Protocol):
    """What holds files."""

    def close(self) -> None:
        """Give them back."""


@dataclass(frozen=True, slots=True)
class Hit:
    """A product that answers."""

    product: Product
    score: float  # in [0, 1]: 1 is a product whose name or code was typed
    words: float  # what its texts gave of it
    pictures: float  # what its pictures gave of it


class TextSearch:
    """The products of one release and of one device. Any thread may ask."""

    def __init__(self, words: Words, products: int, model: TextModel | None, shelf: Shelf) -> None:
        """`products`: of the release. Without a `model` only texts are searched."""
        self._words = words
        self._products = products
        self._model = model
        self._shelf = shelf
        self._fields = lru_cache(_KEPT)(self._read)
        self._held = ExitStack()

    def also_close(self, thing: Closable) -> None:
        """Close it together with this."""
        self._held.callback(thing.close)

    def close(self) -> None:
        """Give the files back that were opened for it."""
        self._held.close()

    def find(self, text: str, limit: int = 5) -> list[Hit]:
        """The products that answer best, best first, at most `limit`; none where nothing has a word of it.

        Raises:
            InputError: the text is too long.
            CatalogueError: the catalogue cannot be read.
        """
        asked = question(text, self._words.vocabulary, self._products)
        worded = self._by_words(asked, max(RANKED, 2 * limit)) | self._learned(text)
        pictured = self._by_pictures(asked)
        hits = []
        for no in {*worded, *pictured}:
            words, pictures = worded.get(no, 0.0), pictured.get(no, 0.0)
            gained = (1 - words) * PICTURES * pictures
            if words + gained > 0 and not self._shelf.is_left_out(no):
                hits.append((-(words + gained), no, words, gained))
        return [
            Hit(self._shelf.product(no), min(1.0, -negated), words, gained)
            for negated, no, words, gained in sorted(hits)[:limit]
        ]

    def _by_words(self, asked: Question, enough: int) -> dict[int, float]:
        numbers: set[int] = set()
        for sought in asked.sought:
            limit = sought.rows if sought.rows <= FEW else enough
            numbers.update(self._words.candidates(sought, limit))
            if len(numbers) >= enough:
                break
        found = {no: score(asked, self._fields(no)) for no in numbers}
        return {no: value for no, value in found.items() if value > 0}

    def _read(self, no: int) -> dict[str, str]:
        return indexed(self._shelf.product(no))

    def _learned(self, text: str) -> dict[int, float]:
        products = self._shelf.learned_products()
        if not products:
            return {}
        rows = {each.no: indexed(each) for each in products}
        asked = question(text, _vocabulary(rows.values()), len(rows))
        found = {no: score(asked, fields) for no, fields in rows.items()}
        return {no: value for no, value in found.items() if value > 0}

    def _by_pictures(self, asked: Question) -> dict[int, float]:
        if self._model is None or not asked.known:
            return {}
        vector = self._model.vector(asked.meant)
        if vector is None:
            return {}
        (near,) = self._shelf.alike(vector[None], SEEN)
        return {each.product: self._model.trust(each.similarity) for each in near}


def search_release(
    folder: Path, shelf_of: Callable[[Catalogue], Shelf] = lambda catalogue: catalogue
) -> TextSearch:
    """Search a catalogue directory. `shelf_of(catalogue)`: with what is beside it.

    Raises:
        CatalogueError: it is damaged, or cannot be searched.
    """
    catalogue = open_files(folder, read_manifest(folder))
    try:
        search = search_catalogue(catalogue, shelf_of(catalogue))
    except BaseException:
        catalogue.close()
        raise
    search.also_close(catalogue)
    return search


def search_catalogue(catalogue: Catalogue, shelf: Shelf) -> TextSearch:
    """Search a catalogue that is open, and what `shelf` has beside it.

    Raises:
        CatalogueError: it cannot be searched.
    """
    words = catalogue.open_words()
    if words is None:
        raise CatalogueError(
            f"release {catalogue.release}: expected words to search, found none: an older Spotter built it;"
            " build it again"
        )
    search = TextSearch(words, catalogue.manifest.products, catalogue.text_model(), shelf)
    search.also_close(words)
    return search


def describe(hit: Hit) -> dict[str, Any]:
    """One product as plain data: of `spotter find --text --json` and of the command `find`."""
    product = hit.product
    return {
        "sku": product.sku,
        "gtin": product.gtin,
        "name": product.name,
        "score": round(hit.score, 6),
        "words": round(hit.words, 6),
        "pictures": round(hit.pictures, 6),
        "price": product.price,
        "aisle": product.aisle,
        "bay": product.bay,
    }


def _vocabulary(rows: Iterable[dict[str, str]]) -> Vocabulary:
    counts: dict[str, int] = {}
    for fields in rows:
        for word in {word for text in fields.values() for word in text.split()}:
            counts[word] = counts.get(word, 0) + 1
    return Vocabulary(counts.items())
