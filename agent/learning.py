"""A device is taught: pictures go through its eyes to its disk, and a release settles what it has taken in.

Whoever recognises notices by itself (see `memory.py`); this is for one thread at a time.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

import cv2
import numpy as np

from agent.adapters.images import decode_image, encode_jpeg
from agent.core.errors import InputError, quoted
from agent.core.evidence import ONE_LOOK, decide
from agent.core.learned import Settlement, settle, sight_of
from agent.core.product_rules import checked_sku, checked_texts
from agent.core.regions import kept_centre, propose
from agent.core.types import Look

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from agent.adapters.overlay import Overlay
    from agent.core.calibration import Calibration
    from agent.core.clock import Clock
    from agent.core.learned import Learned, Reference
    from agent.core.types import Candidate, Product, Region

log = logging.getLogger(__name__)

SIDE_PX: Final = 1024
"""Longest side of a picture that is kept: models look at 96 to 300 pixels of it, and so do those to come."""

QUALITY: Final = 92
"""Of the JPEG that is kept. Measured on 296 photos of groceries, see `SAME`."""

_CHUNK: Final = 64
"""Pictures embedded or compared between two writes."""

_RIVALS: Final = 32
"""Products among which the own one is looked for: where it comes after them, it may as well not be there."""


class Eyes(Protocol):
    """What turns pictures into embeddings: `adapters.embedder.Embedder`."""

    fingerprint: str
    dimension: int

    def embed(self, image: NDArray[np.uint8], regions: Sequence[Region]) -> NDArray[np.float32]:
        """`(N, D)` unit rows, one per region."""


class Base(Protocol):
    """The release: `adapters.catalogue.Catalogue`, or `memory.Nothing`."""

    @property
    def release(self) -> str:
        """Which one; empty while there is none."""

    @property
    def calibration(self) -> Calibration:
        """The curve fitted on it."""

    @property
    def crop(self) -> float:
        """Share of each side of a reference picture that was kept."""

    def nearest(self, embeddings: NDArray[np.float32]) -> list[tuple[Candidate, ...]]:
        """The nearest products of it."""

    def by_sku(self, sku: str) -> Product | None:
        """The product with this sku."""


class Known(Protocol):
    """What is recognised with at this moment: `memory.DeviceMemory`."""

    @property
    def base(self) -> Base:
        """The release."""

    @property
    def version(self) -> int:
        """Looks whether it changed."""

    def nearest(self, embeddings: NDArray[np.float32], limit: int = 8) -> list[tuple[Candidate, ...]]:
        """The nearest products."""

    def product(self, no: int) -> Product:
        """The row of a product."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture that somebody shows: `name` is for errors."""

    name: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Taught:
    """What came of enrolling."""

    sku: str
    added: int  # pictures that were not there yet
    pictures: int  # that the device has of it now, beside the release
    in_release: bool  # the release has this SKU too
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Dropped:
    """What came of forgetting."""

    sku: str
    removed: int  # pictures that were enrolled
    in_release: bool  # the release has this SKU; its pictures do not count from now on


class Teacher:
    """Teaches beside one release, with one model."""

    def __init__(self, store: Overlay, eyes: Eyes, known: Known, clock: Clock) -> None:
        self._store = store
        self._eyes = eyes
        self._known = known
        self._clock = clock
        self._sight = sight_of(eyes.fingerprint, known.base.crop)
        self._where = kept_centre(known.base.crop)

    def enrol(self, sku: str, pictures: Sequence[Picture], texts: Mapping[str, str]) -> Taught:
        """Add pictures to an SKU, all or none of them. `texts` count while the release has it not.

        Raises:
            InputError: a picture or a text is refused, or there would be too many.
            DeviceError: the disk failed or is full, or an inference failed.
            ModelError: the model's answer is no embedding.
        """
        sku, checked = checked_sku(sku), checked_texts(dict(texts))
        if not pictures:
            raise InputError(f"{quoted(sku)}: expected at least one picture, found none")
        prepared = [(picture.name, *self._prepared(picture)) for picture in pictures]
        warnings = self._doubts(sku, prepared)
        fresh = [(data, row) for _, data, row in prepared]
        added = self._store.enrol(sku, checked, fresh, self._sight, self._clock.utc())
        held = sum(each.sku == sku for each in self._store.learned().references)
        return Taught(sku, added, held, self._known.base.by_sku(sku) is not None, warnings)

    def forget(self, sku: str) -> Dropped:
        """Remove what was enrolled for an SKU, and let the release's pictures of it count no longer.

        Raises:
            InputError: neither the release nor this device knows it.
            DeviceError: the disk failed or is full.
        """
        in_release = self._known.base.by_sku(checked_sku(sku)) is not None
        learned = self._store.learned()
        if not in_release and sku not in learned.products:
            raise InputError(f"sku: expected one that is known here, found {quoted(sku)}")
        removed = self._store.forget(sku, held=in_release, utc=self._clock.utc())
        return Dropped(sku, removed, in_release)

    def remember(self, sku: str) -> None:
        """Let the release's pictures of an SKU count again.

        Raises:
            InputError: it was not forgotten.
            DeviceError: the disk failed or is full.
        """
        if not self._store.remember(checked_sku(sku)):
            raise InputError(f"sku: expected one that was forgotten, found {quoted(sku)}")

    def settle(self) -> Settlement:
        """Embed anew what another model embedded, and note what the release has taken in.

        Raises:
            DeviceError: the disk failed or is full, or an inference failed.
        """
        self._refit(self._store.learned())
        base = self._known.base
        learned, rows = self._store.read(self._sight, (), self._eyes.dimension)
        if not base.release or not (learned.references or learned.forgotten):
            return Settlement()
        similarity = {}
        for chunk in _chunks([each for each in learned.references if each.id in rows]):
            looks = base.nearest(np.stack([rows[each.id] for each in chunk]))
            for each, look in zip(chunk, looks, strict=True):
                own = base.by_sku(each.sku)
                near = (candidate for candidate in look if own and candidate.product == own.no)
                similarity[each.id] = max((candidate.similarity for candidate in near), default=-1.0)
        settlement = settle(learned, base.release, similarity, lambda sku: base.by_sku(sku) is not None)
        if settlement:
            self._store.settle(settlement, base.release)
            for verb, group in (("has taken in", settlement.taken), ("has not", settlement.back)):
                if group:
                    skus = sorted({each.sku for each in group})
                    log.info("release %s %s what was learned of %s", base.release, verb, quoted(skus))
        return settlement

    def _refit(self, learned: Learned) -> None:
        """Embed again what was embedded by another model, or with another crop."""
        for chunk in _chunks([each for each in learned.references if each.sight != self._sight]):
            rows = []
            for each in chunk:
                try:
                    image = decode_image(self._store.pictures.get(each.picture), each.path)
                    rows.append((each.id, self._row(image, each.path)))
                except InputError as error:
                    log.warning("%s does not count: %s", each.path, error)
            self._store.refit(rows, self._sight)

    def _prepared(self, picture: Picture) -> tuple[bytes, NDArray[np.float32]]:
        """The JPEG that is kept, and the embedding of that very JPEG: head office will get no other."""
        image = decode_image(picture.data, picture.name)
        height, width = image.shape[:2]
        share = SIDE_PX / max(height, width)
        if share < 1:
            size = (max(1, round(width * share)), max(1, round(height * share)))
            image = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
        kept = encode_jpeg(image, QUALITY)
        return kept, self._row(decode_image(kept, picture.name), picture.name)

    def _row(self, image: NDArray[np.uint8], name: str) -> NDArray[np.float32]:
        try:
            rows = self._eyes.embed(image, propose(self._where, image.shape[1], image.shape[0]))
        except ValueError as error:
            raise InputError(f"{name}: {error}") from None
        if not rows.any():
            raise InputError(f"{name}: the model sees nothing in this picture: its embedding is all zeros")
        row: NDArray[np.float32] = rows[0]
        return row

    def _doubts(
        self, sku: str, prepared: Sequence[tuple[str, bytes, NDArray[np.float32]]]
    ) -> tuple[str, ...]:
        """Pictures that are nearer to another product than to their own, in words.

        Where there is no other picture of their own product, those that would be named as another.
        """
        known = self._known
        _ = known.version  # what was changed a moment ago counts
        looks = known.nearest(np.stack([row for *_, row in prepared]), limit=_RIVALS)
        doubts = []
        for (name, _, _), look in zip(prepared, looks, strict=True):
            options = [(known.product(each.product).sku, each) for each in look]
            own = max((each.similarity for found, each in options if found == sku), default=None)
            others = tuple(each for found, each in options if found != sku)
            if not others:
                continue
            rival, near = known.product(others[0].product).sku, others[0].similarity
            named = decide([Look(others)], known.base.calibration, ONE_LOOK).product is not None
            if named if own is None else near > own:
                own_text = "" if own is None else f" than to it (similarity {own:.3f})"
                doubts.append(f"{name}: nearer to {quoted(rival)} (similarity {near:.3f}){own_text}")
        return tuple(doubts)


def _chunks(references: Sequence[Reference]) -> Iterator[Sequence[Reference]]:
    for start in range(0, len(references), _CHUNK):
        yield references[start : start + _CHUNK]
