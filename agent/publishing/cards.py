"""Larger pictures of products, one of each, for the answer of a kiosk, where a release may grow by them."""

from __future__ import annotations

import hashlib
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from agent.adapters.catalogue import open_files
from agent.adapters.images import LIMITS, decode_image, read_bytes, thumbnail
from agent.adapters.thumbnails import ThumbnailWriter
from agent.core.errors import CatalogueError, InputError

if TYPE_CHECKING:
    from pathlib import Path

    from agent.core.manifest import Manifest

SIDES_PX: Final = ((2_500, 320), (10_000, 192))
"""With up to so many products the longer side of each picture has so many pixels; with more there are none.
Photos of 320 px take 13 KB, of 192 px 6: at most 30 and 60 MB. Upright, a kiosk shows them at 400."""

QUALITY: Final = 75
_FORMAT: Final = b"1"
"""Part of what a card is made from: another one when pictures become cards in another way."""


def write_cards(root: Path, out: Path, manifest: Manifest) -> Manifest:
    """The manifest of a finished catalogue in `out` with cards beside its thumbnails, where it has those.

    Of a product whose first picture in the product folder `root` is the same as before, the card stays.

    Raises:
        DeviceError: the disk failed or is full.
        CatalogueError: the catalogue is damaged.
    """
    entry = manifest.thumbnails
    side = next((px for most, px in SIDES_PX if manifest.products <= most), 0)
    if entry is None:
        return manifest
    with (
        closing(open_files(out, manifest)) as catalogue,
        closing(ThumbnailWriter(out, (out / entry.path, entry))) as writer,
    ):
        wanted = set()
        for product in catalogue.numbers() if side else ():
            key = catalogue.first_key(product)
            try:
                data = read_bytes(root / catalogue.reference(key), LIMITS.max_bytes) if key else b""
                source = hashlib.sha256(b"%s %d %s" % (_FORMAT, side, data)).digest()[:8]
                if not data:
                    continue
                if writer.card_source(product) != source:
                    picture = decode_image(data, str(product))
                    writer.put_card(product, source, thumbnail(picture, side, QUALITY))
            except (InputError, CatalogueError):
                continue  # changed since it was built from: the thumbnail will do
            wanted.add(product)
        writer.keep_cards(wanted)
        return replace(manifest, thumbnails=writer.save())
