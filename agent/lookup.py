"""What the catalogue in use, and what this device learned, say of a picture, a text or an SKU."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from agent.adapters.catalogue import Catalogue
from agent.adapters.images import THUMBNAIL_PX, decode_image, thumbnail
from agent.adapters.pictures import Pictures
from agent.core.api.scenes import product_body
from agent.core.errors import CatalogueError
from agent.core.regions import kept_centre, propose
from agent.finding import find, look
from agent.parts import OVERLAY_FOLDER, make_second_look
from agent.searching import search_catalogue

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from agent.config import Settings
    from agent.core.clock import Clock
    from agent.core.types import Product, Region
    from agent.parts import Sight
    from agent.searching import Hit, TextSearch


CARD_PX: Final = 320
"""Longer side of the largest picture of what this device learned, as releases have it."""


class Lookup:
    """Any thread may ask; searches by text wait for each other, and so do pictures."""

    def __init__(self, settings: Settings, sight: Callable[[], Sight], clock: Clock) -> None:
        """`sight()`: what is recognised with at this moment."""
        self._settings = settings
        self._sight = sight
        self._clock = clock
        self._lock = Lock()  # of the search
        self._seeing = Lock()  # a picture of 50 million pixels takes 150 MB: one at a time
        self._search: tuple[Sight, TextSearch] | None = None

    def seen(self, image: bytes, k: int) -> list[dict[str, Any]]:
        """What is in a picture, see `finding.find`.

        Raises:
            InputError, ValueError: nothing can be made of it.
            DeviceError, ModelError: the inference failed.
        """
        sight = self._sight()
        _ = sight.memory.version  # what was learned a moment ago counts
        second = make_second_look(self._settings.second_look, self._clock)
        with self._seeing:
            picture = decode_image(image, "image")
            return find(picture, sight.eyes, sight.memory, sight.memory.base.crop, k, second)

    def looked(self, image: NDArray[np.uint8], regions: Sequence[Region], k: int) -> list[dict[str, Any]]:
        """What each region of a picture `(H, W, 3)` BGR shows, see `finding.look`. Raises as `seen`."""
        sight = self._sight()
        _ = sight.memory.version
        second = make_second_look(self._settings.second_look, self._clock)
        with self._seeing:
            return look(image, regions, sight.eyes, sight.memory, k, second)

    def rows(self, pictures: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """`(N, D)` unit rows of pictures of products, as they are learned. Raises as `seen`."""
        sight = self._sight()
        where = kept_centre(sight.memory.base.crop)
        with self._seeing:
            rows = [sight.eyes.embed(each, propose(where, each.shape[1], each.shape[0])) for each in pictures]
        return np.concatenate(rows) if rows else np.empty((0, sight.eyes.dimension), np.float32)

    def meant(self, text: str, k: int) -> list[Hit]:
        """What a text means, best first.

        Raises:
            InputError: it is too long.
            CatalogueError: there is nothing to search.
        """
        with self._lock:
            return self._searching().find(text, k)

    def alike(self, sku: str, k: int) -> list[Product]:
        """Other products that look like this one, the most alike first; none where it has no picture.

        Its small picture goes through the eyes (one inference), as a photo of it would.

        Raises:
            CatalogueError, InputError: the picture cannot be read.
            DeviceError, ModelError: the inference failed.
        """
        data = self.thumbnail(sku)
        if data is None:
            return []
        sight = self._sight()
        memory, image = sight.memory, decode_image(data, sku)
        where = propose(kept_centre(memory.base.crop), image.shape[1], image.shape[0])
        (near,) = memory.nearest(sight.eyes.embed(image, where), k + 1)
        found = [memory.product(each.product) for each in near]
        return [each for each in found if each.sku != sku][:k]

    def product(self, sku: str) -> Product | None:
        """The product with this SKU; None where there is none. CatalogueError: the table cannot be read."""
        memory = self._sight().memory
        _ = memory.version
        found = memory.by_sku(sku)
        return None if found is None or memory.is_left_out(found.no) else found

    def body(self, product: Product) -> dict[str, Any]:
        """A product as pages and programs are told of it. CatalogueError: the table cannot be read."""
        memory = self._sight().memory
        base = memory.base
        shown = isinstance(base, Catalogue) and base.is_pictured(product.no)
        return product_body(
            product,
            learned=base.by_sku(product.sku) is None,
            pictured=shown or bool(memory.picture_of(product.sku)),
        )

    def after(self, no: int, limit: int) -> list[Product]:
        """Products whose number is larger, by their number, at most `limit`. CatalogueError as above."""
        memory = self._sight().memory
        _ = memory.version
        base = memory.base
        rows = base.after(no) if isinstance(base, Catalogue) else iter(())
        found = list(islice((each for each in rows if not memory.is_left_out(each.no)), limit))
        learned = sorted((each for each in memory.learned_products() if each.no > no), key=lambda p: p.no)
        return (found + learned)[:limit]

    def thumbnail(self, sku: str, side_px: int = THUMBNAIL_PX) -> bytes | None:
        """A picture of a product, JPEG: of at least so many pixels, else the largest; None without any.

        Raises:
            CatalogueError, InputError: it cannot be read.
        """
        memory = self._sight().memory
        product = self.product(sku)
        if product is None:
            return None
        base = memory.base
        if isinstance(base, Catalogue) and base.by_sku(sku) is not None:
            key = base.first_key(product.no)
            found = base.card(product.no) if side_px > THUMBNAIL_PX else None
            if found is None and key:
                found = base.thumbnail(key)
            if found is not None:
                return found
        learned = memory.picture_of(sku)
        if not learned:
            return None
        data = Pictures(Path(self._settings.state_dir) / OVERLAY_FOLDER / "pictures").get(learned)
        return thumbnail(decode_image(data, sku), min(side_px, CARD_PX))

    def reference(self, key: int, release: str) -> bytes | None:
        """The small picture of a reference of a release, JPEG; None where that is not in use, or has none.

        Raises:
            CatalogueError: it cannot be read.
        """
        base = self._sight().memory.base
        if not key or base.release != release or not isinstance(base, Catalogue):
            return None
        return base.thumbnail(key)

    def tend(self) -> None:
        """A release that is no longer in use must not be held by who once searched it."""
        with self._lock:
            self._close_old()

    def _searching(self) -> TextSearch:
        """Of the sight in use, the same one until it changes: opening one verifies all of the table."""
        self._close_old()
        sight = self._sight()
        if self._search is None:
            if not isinstance(sight.memory.base, Catalogue):
                raise CatalogueError("find: expected a release to search, found none yet")
            self._search = (sight, search_catalogue(sight.memory.base, sight.memory))
        _ = sight.memory.version  # what was learned a moment ago counts
        return self._search[1]

    def _close_old(self) -> None:
        if self._search is not None and self._search[0] is not self._sight():
            self._search[1].close()
            self._search = None
