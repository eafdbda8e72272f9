"""Choosing the probes of a catalogue: pictures whose answer is right, clear, and the same on any device.

The pictures are those of its own products, small. What was chosen before stays while it answers as it did,
so that the file is the same from release to release; the others come in an order that only their SKUs decide.
"""

from __future__ import annotations

import hashlib
import heapq
from contextlib import closing
from dataclasses import replace
from math import floor
from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

from agent.adapters.catalogue import open_files, read_probes, write_probes
from agent.adapters.embedder import load_embedder
from agent.adapters.images import decode_image, encode_jpeg, read_image
from agent.adapters.vectors import codes_of
from agent.core.errors import CatalogueError, InputError
from agent.core.probes import RECALL_AT, Probe, Probes
from agent.core.regions import MIN_SIDE_PX, kept_centre, propose

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from agent.adapters.catalogue import Catalogue
    from agent.adapters.embedder import Embedder, EmbedderSettings
    from agent.core.manifest import FileEntry, Manifest
    from agent.core.types import Candidate

COUNT: Final = 16
ENOUGH: Final = 8
"""Of those chosen before: others are looked for only when fewer are left, so that the file seldom changes."""

TRIED: Final = 64
"""Products looked at to find that many: half of the pictures are clear at a small size."""

BUDGET_BYTES: Final = 45_000
"""Of pictures and embeddings together; base64 makes 61 KB of it. It is fetched whole when it changes."""

LADDER: Final = ((64, 75), (96, 80), (128, 80), (160, 80), (224, 80))
"""Longest side in pixels and quality, of which the first that is clear is taken: 1.9, 3.5, 5.3, 7.3 and 11.7
KB. Of grocery photos seen by a MobileNetV1 of 1,024 numbers 38, 87, 93, 99 and 100 % are clear."""

FLOOR: Final = 0.98
"""Between XNNPACK and the kernels that every TFLite has, the embeddings of probes kept a cosine of 0.9989
(the models that we ship, and a MobileNetV1 of 1,024 numbers); one thread or several gave the same bits. Of 16
probes the worst fell to 0.97 and less when the picture was cut by 5 %, to 0.58 when pixels were taken instead
of averaged, and when red and blue were swapped: one below the floor is enough."""

STEADY: Final = 0.99
"""Least cosine between a picture seen with the one kernels and the others, and with a level of noise. Models
that end in a softmax move a third of the pictures by more, down to 0.83: those prove nothing."""

TOLERANCE: Final = 0.002
"""The same codes are compared on both sides: only the rounding of float32 differs."""

RECALL_STEP: Final = 0.1
"""Devices must find a step less than the last one that head office reached: 0.8 where it found 0.98. Graph
and search are the same there; one whose kernels did not suit its processor found 0.71."""

CLEAR: Final = 0.05
"""Least similarity that the right product is ahead by: other kernels moved that by 0.008 at most."""

STILL_CLEAR: Final = 0.02
"""… for a probe that was chosen before: one that goes as soon as a rival comes costs 5 KB on every device."""


def choose_probes(
    root: Path, folder: Path, manifest: Manifest, settings: EmbedderSettings, before: Manifest | None
) -> FileEntry | None:
    """Put the probes of a finished catalogue into its `folder`; None where nothing is fit to be one.

    `manifest` names its files and no probes yet, `before` those of the catalogue before in the same folder.
    `root` is the product folder.

    Raises:
        ModelError: the model is wrong.
        DeviceError: the disk failed or is full, or the inference failed.
    """
    former = _before(folder, manifest, before)
    with closing(open_files(folder, manifest)) as catalogue:
        kept = [probe for probe in former.probes if _holds(probe, catalogue)][:COUNT] if former else []
        chosen = list(kept)
        if len(chosen) < ENOUGH:
            chooser = _Chooser(root, catalogue, settings)
            chosen += chooser.more({probe.sku for probe in kept}, COUNT - len(kept), _room(kept))
        if not chosen:
            return None
        chosen.sort(key=lambda probe: probe.sku)
        probes = Probes(FLOOR, TOLERANCE, 0.0, tuple(chosen))
        return write_probes(folder, replace(probes, recall=_recall(probes, catalogue, former)))


def _before(folder: Path, manifest: Manifest, before: Manifest | None) -> Probes | None:
    """Those of the catalogue before, if they say what this module says now, of the same model."""
    if before is None or (before.model, before.crop) != (manifest.model, manifest.crop):
        return None
    try:
        probes = read_probes(folder, before)
    except CatalogueError:
        return None
    return probes if probes and (probes.floor, probes.tolerance) == (FLOOR, TOLERANCE) else None


def _recall(probes: Probes, catalogue: Catalogue, former: Probes | None) -> float:
    """What devices must find; as before, where that is still right."""
    found = catalogue.recall(probes.embeddings, RECALL_AT)
    if former and former.recall <= found - RECALL_STEP / 2:
        return former.recall
    return max(0.0, round((floor(found / RECALL_STEP) - 1) * RECALL_STEP, 1))


def _holds(probe: Probe, catalogue: Catalogue) -> bool:
    look = catalogue.nearest(probe.embedding[np.newaxis])[0]
    return _ahead(look, catalogue, probe.sku) >= STILL_CLEAR and _rounded(look) == probe.similarity


def _room(probes: list[Probe]) -> int:
    return BUDGET_BYTES - sum(len(probe.picture) + len(probe.codes) for probe in probes)


def _rounded(look: tuple[Candidate, ...]) -> float:
    return round(look[0].similarity, 4)


def _ahead(look: tuple[Candidate, ...], catalogue: Catalogue, sku: str) -> float:
    """Similarity that this product is ahead of all others by; below 0 when it is not the nearest."""
    if not look or catalogue.product(look[0].product).sku != sku:
        return -1.0
    return look[0].similarity - (look[1].similarity if len(look) > 1 else -1.0)


class _Chooser:
    """Looks at pictures of products until there are enough that are fit."""

    def __init__(self, root: Path, catalogue: Catalogue, settings: EmbedderSettings) -> None:
        self._root = root
        self._catalogue = catalogue
        self._eyes = load_embedder(settings)
        self._others = load_embedder(settings, plain=True)
        self._where = kept_centre(catalogue.manifest.crop)

    def more(self, had: set[str], count: int, room: int) -> Iterator[Probe]:
        """At most `count` probes of products that are not among `had`, of at most `room` bytes together."""
        others = (product for product in self._catalogue.skus() if product[1] not in had)
        pictures = {sku: self._picture(no) for no, sku in heapq.nsmallest(TRIED, others, key=_order)}
        for side, quality in LADDER:
            for sku, picture in list(pictures.items()):
                probe = None if picture is None else self._probe(sku, picture, side, quality)
                if probe is None:
                    continue
                room -= len(probe.picture) + len(probe.codes)
                count -= 1
                if room < 0:
                    return
                yield probe
                if count == 0:
                    return
                del pictures[sku]

    def _picture(self, product: int) -> NDArray[np.uint8] | None:
        """What is looked at of the first picture of a product, as large as it may become; None for none."""
        try:
            image = read_image(self._root / self._catalogue.first_reference(product))
            left, top, right, bottom = propose(self._where, image.shape[1], image.shape[0])[0].box
        except (InputError, CatalogueError):
            return None  # it has none, or that was changed since it was built from
        return _shrunk(image[top:bottom, left:right], LADDER[-1][0])

    def _probe(self, sku: str, picture: NDArray[np.uint8], side: int, quality: int) -> Probe | None:
        """The picture at this size, if its answer is right, clear and steady."""
        small = _shrunk(picture, side)
        if min(small.shape[:2]) < MIN_SIDE_PX:
            return None
        data = encode_jpeg(small, quality)
        pixels = decode_image(data, sku)
        seen = _seen(self._eyes, pixels)
        if not seen.any():
            return None
        codes = codes_of(seen[np.newaxis]).tobytes()
        embedding = Probe(data, codes, sku, 0.0).embedding
        look = self._catalogue.nearest(embedding[np.newaxis])[0]
        if _ahead(look, self._catalogue, sku) < CLEAR:
            return None
        for eyes, same in ((self._eyes, _noisy(pixels)), (self._others, pixels)):
            moved = _seen(eyes, same)
            answer = self._catalogue.nearest(moved[np.newaxis])[0]
            if embedding @ moved < STEADY or _ahead(answer, self._catalogue, sku) < STILL_CLEAR:
                return None
        return Probe(data, codes, sku, _rounded(look))


def _seen(eyes: Embedder, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    rows = eyes.embed(pixels, propose(_WHOLE, pixels.shape[1], pixels.shape[0]))
    return np.asarray(rows[0], np.float32)


_WHOLE: Final = kept_centre(1.0)


def _order(product: tuple[int, str]) -> bytes:
    """By chance, but the same for ever: whoever comes or goes moves no other."""
    return hashlib.sha256(f"probe\n{product[1]}".encode("utf-8", "surrogatepass")).digest()


def _shrunk(image: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """With its longest side at most `side` pixels."""
    height, width = image.shape[:2]
    share = min(1.0, side / max(height, width))
    size = (max(1, round(width * share)), max(1, round(height * share)))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)


def _noisy(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Each number up to a level brighter or darker, as another JPEG decoder may make it."""
    noise = np.random.default_rng(0).integers(-1, 2, pixels.shape)
    return np.asarray(np.clip(pixels + noise, 0, 255), np.uint8)
