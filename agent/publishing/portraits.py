"""Which references closer looks compare with, and what the comparison is worth in this catalogue.

Only products that a first look may take for one another are portrayed: no other one ever gets a closer look.
What was portrayed before and was not changed is kept, so that a release costs its devices what changed.
"""

from __future__ import annotations

import hashlib
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from agent.adapters.catalogue import open_files
from agent.adapters.durable import open_verified
from agent.adapters.images import LIMITS, read_bytes
from agent.adapters.portraits import PortraitWriter
from agent.adapters.vectors import reopen_index
from agent.core.errors import CatalogueError, InputError
from agent.core.matching import VIEW_BITS
from agent.core.second_look import fit_weights
from agent.core.verifying import MEASURES, Reference, compare
from agent.publishing.embed import Picture

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from agent.adapters.catalogue import Catalogue
    from agent.adapters.tables import Previous
    from agent.core.manifest import FileEntry, Manifest
    from agent.publishing.embed import Workforce

REFERENCES: Final = 4
"""Per product, those that stand for the most others: 42 KB with photos, 26 with studio pictures. With eight
(83 KB) closer looks at 45 of 100 photos of cartons left 11 of 14 errors, with four 13 or 14. What is left
shows sides that no reference does, lids and other packages: more points, larger pictures or twelve references
left as many."""

LOOKED_AT: Final = 32
"""References of a product among which they are chosen."""

RIVAL_SHARE: Final = 0.3
"""A rival is nearer than this share of the way from two pictures of different products to two of one. What a
camera takes comes less near to its own product than references do: with 0.5 eight of 31 cartons were left
out, and products that photos were mistaken for were among them; with 0.3 none."""

RIVALS: Final = 4
"""Of a product, the nearest: the closer look is at three products in all."""

OWN_SIMILARITY: Final = 0.9
"""Of two pictures of one product, where no product has two."""

STRANGERS: Final = 2_000
"""Pairs of pictures that say how near two products are in general."""

NEIGHBOURS: Final = 48
ASKED: Final = 120
"""Pictures that the weights are fitted on: 25 ms each. They have five numbers."""

_FORMAT: Final = b"1"
"""Part of what a portrait is made from: another one when pictures become portraits in another way."""


@dataclass(frozen=True, slots=True)
class _Chosen:
    """One product that is portrayed."""

    keys: tuple[int, ...]
    rest: tuple[int, ...]  # its other references
    rivals: tuple[int, ...]  # nearest first


def write_portraits(
    root: Path, folder: Path, manifest: Manifest, before: Manifest | None, force: Workforce, *, anew: bool
) -> FileEntry | None:
    """Put portraits into a finished catalogue's `folder`; None where no product has a near rival.

    `manifest` names its files and no portraits yet, `before` those of the catalogue before in the same
    folder. `root` is the product folder. Weights are fitted where the catalogue is built `anew`, and kept by
    updates as the projection is: comparing pictures for it took 2.5 of the 4 s of a build without changes.

    Raises:
        ModelError: the model's file is another one by now.
        DeviceError: the disk failed or is full, or a process died.
    """
    with closing(open_files(folder, manifest)) as catalogue:
        chosen = _choose(folder, manifest, catalogue)
        if not chosen:
            return None
        with closing(PortraitWriter(folder, _before(folder, before))) as writer:
            sitters = _Sitters(root, catalogue, manifest.crop)
            keys = sorted(key for each in chosen.values() for key in each.keys)
            for key in sorted(set(writer.keys()) - set(keys)):
                writer.remove(key)
            _portray(keys, sitters, writer, force)
            if anew or not writer.weighed:
                writer.put_weights(fit_weights(_pairs(chosen, sitters, writer, force)))
            return writer.save()


def _before(folder: Path, before: Manifest | None) -> Previous | None:
    entry = before.features if before else None
    if entry is None:
        return None
    try:
        open_verified(folder / entry.path, entry).close()
    except CatalogueError:
        return None
    return folder / entry.path, entry


def _choose(folder: Path, manifest: Manifest, catalogue: Catalogue) -> dict[int, _Chosen]:
    """The products that have a near rival, ascending."""
    index = reopen_index(
        folder / manifest.index.path, manifest.index, dimension=manifest.dimension, count=manifest.references
    )
    keys = catalogue.picture_keys()  # small copies show nothing that their pictures do not
    products, starts = np.unique(keys >> np.uint64(VIEW_BITS), return_index=True)
    ends = np.append(starts[1:], len(keys))
    picked: dict[int, tuple[tuple[int, ...], tuple[int, ...]]] = {}
    nearest: dict[int, list[tuple[float, int]]] = {}
    own = [np.empty(0, np.float32)]
    for product, start, end in zip(products.tolist(), starts.tolist(), ends.tolist(), strict=True):
        held = keys[start : min(end, start + LOOKED_AT)]
        rows = index.vectors(held)
        alike = rows @ rows.T
        order = representative(alike, REFERENCES)
        picked[product] = tuple(held[order].tolist()), tuple(np.delete(held, order).tolist())
        own.append(alike[np.triu_indices(len(held), 1)])
        found, similarities, counts = catalogue.search(rows[order], NEIGHBOURS)
        best: dict[int, float] = {}
        for row, count in enumerate(counts.tolist()):
            for key, similarity in zip(found[row, :count].tolist(), similarities[row, :count], strict=True):
                other = key >> VIEW_BITS
                if other != product:
                    best[other] = max(best.get(other, -1.0), float(similarity))
        nearest[product] = sorted(((value, other) for other, value in best.items()), reverse=True)
    pairs = np.concatenate(own)
    usual = float(np.median(pairs)) if len(pairs) else OWN_SIMILARITY
    a, b = np.random.default_rng(0).choice(keys, (2, STRANGERS))
    strangers = float(np.median(np.einsum("nd,nd->n", index.vectors(a), index.vectors(b))))
    least = strangers + RIVAL_SHARE * (usual - strangers)
    rivals = {
        product: tuple(other for value, other in near if value >= least)[:RIVALS]
        for product, near in nearest.items()
    }
    wanted = {product for product, others in rivals.items() if others}
    wanted |= {other for others in rivals.values() for other in others}
    return {product: _Chosen(*picked[product], rivals[product]) for product in sorted(wanted & set(picked))}


def representative(alike: NDArray[np.float32], count: int) -> list[int]:
    """Which `count` rows stand for all: each next one brings all others nearest to one that is chosen.

    `alike` is `(N, N)`, similarities. Deterministic; ascending.
    """
    best = np.full(len(alike), -1.0)
    chosen: list[int] = []
    for _ in range(min(count, len(alike))):
        gain = np.maximum(alike, best).sum(axis=1)
        gain[chosen] = -np.inf
        place = int(gain.argmax())
        chosen.append(place)
        best = np.maximum(best, alike[place])
    return sorted(chosen)


class _Sitters:
    """The pictures of a product folder, and what portraits of them are made from."""

    def __init__(self, root: Path, catalogue: Catalogue, crop: float) -> None:
        self._root = root
        self._catalogue = catalogue
        self._crop = repr(crop).encode()

    def picture(self, key: int) -> Picture | None:
        """The file of a reference; None where it is lost: changed since it was built from."""
        try:
            path = self._catalogue.reference(key)
            return Picture(key, path, read_bytes(self._root / path, LIMITS.max_bytes))
        except (InputError, CatalogueError):
            return None

    def source(self, picture: Picture) -> bytes:
        """What its portrait is made from."""
        return hashlib.sha256(b"\n".join((_FORMAT, self._crop, picture.data))).digest()[:8]


def _portray(keys: list[int], sitters: _Sitters, writer: PortraitWriter, force: Workforce) -> None:
    """Bring the portraits of these references up to date."""
    sources: dict[int, bytes] = {}
    lost: list[int] = []

    def changed() -> Iterator[Picture]:
        for key in keys:
            picture = sitters.picture(key)
            if picture is None:
                lost.append(key)
                continue
            source = sitters.source(picture)
            if source != writer.source_of(key):
                sources[key] = source
                yield picture

    for picture, made in force.portray(changed(), len(keys)):
        if made is None:
            lost.append(picture.key)
        else:
            writer.put(Reference(picture.key, made.features, made.picture), sources.pop(picture.key))
    for key in lost:  # last: when they are found depends on how many workers are kept busy
        writer.remove(key)


def _pairs(
    chosen: dict[int, _Chosen], sitters: _Sitters, writer: PortraitWriter, force: Workforce
) -> NDArray[np.float64]:
    """Measures of pictures that are not portrayed: their product against its rivals."""
    asked = [key for each in chosen.values() for key in each.rest if each.rivals]
    if len(asked) > ASKED:
        asked = [asked[place] for place in np.linspace(0, len(asked) - 1, ASKED).astype(int)]
    kept: dict[int, list[Reference]] = {}

    def portraits(product: int) -> list[Reference]:
        if product not in kept:
            found = [writer.portrait(key) for key in chosen[product].keys]
            kept[product] = [each for each in found if each is not None]
        return kept[product]

    rows = [np.empty((0, len(MEASURES)))]
    pictures = (picture for picture in map(sitters.picture, asked) if picture is not None)
    for picture, query in force.ask(pictures, len(asked)):
        product = picture.key >> VIEW_BITS
        rivals = [other for other in chosen[product].rivals if other in chosen][:2]
        if query is not None and portraits(product):
            rows.append(compare(query, [portraits(product), *map(portraits, rivals)])[0, 1:])
    return np.concatenate(rows)
