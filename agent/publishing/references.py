"""From gathered pictures to references: their keys, the index changed or built anew, and when it is which.

An index is changed by taking out and putting in, so that the next release costs devices what changed. It is
built anew where it cannot be changed, where too much is to be, and where changes have worn it out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from agent.adapters.vectors import IndexBuilder, codes_of
from agent.publishing.asked import nearness
from agent.publishing.projection import fit_projection
from agent.publishing.renewal import View, renew

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from agent.adapters.products import ProductWriter
    from agent.core.projection import Projection
    from agent.publishing.former import Former, FormerIndex
    from agent.publishing.gathering import Gathered

CHANGED_SHARE: Final = 0.4
"""References that may be put in, or taken out. Each per cent of them costs a device 1.0 to 1.1 per cent of
the index (100,000 references of 256 numbers); a patch of more than half of a file is not published at all."""

EMPTY_SHARE: Final = 0.25
"""Places of the index that may be empty: devices hold a third more bytes than they need, and a search
compares with 1.4 times as many references (half of them empty: 1.9; nine of ten: 3 to 13 times the time)."""

LEAST_RECALL: Final = 0.99
NEIGHBOURS: Final = 10
"""Share of the 10 nearest references that a device must find. New indexes find 0.999 or more; 30 rounds that
replaced 5 % of the products took 100,000 drawn references to 0.997, and others, drawn without families, to
0.982."""

ASKED: Final = 500
"""References asked for to tell: 5,000 neighbours, of which 0.99 is known to 0.0015. A second at 100,000."""

WORTH_REBUILDING: Final = 0.005
"""What a new index must find more, or the changed one stays: a whole new file for every device."""

_BLOCK: Final = 4_096
"""References that are projected and compared at once: 1,024 numbers each are 16 MB."""


@dataclass(frozen=True, slots=True)
class Assigned:
    """The references of the next catalogue. Keys ascend within each array."""

    positions: NDArray[np.int64]  # (R,) of their pictures, in the order of `keys`
    keys: NDArray[np.uint64]  # (R,)
    fresh: NDArray[np.bool_]  # (R,) whether the index does not hold this vector under this key
    copies: NDArray[np.bool_]  # (R,) whether it is a small copy of another of them, see core/copies.py
    before: NDArray[np.uint64]  # keys of the catalogue before

    @property
    def removed(self) -> NDArray[np.uint64]:
        """Keys that are gone."""
        return np.setdiff1d(self.before, self.keys, assume_unique=True)

    @property
    def replaced(self) -> NDArray[np.uint64]:
        """Keys that stay, with another vector."""
        return np.intersect1d(self.before, self.keys[self.fresh], assume_unique=True)


@dataclass(frozen=True, slots=True)
class Changes:
    """What a build did to the references of the catalogue before."""

    why: str  # the index was built anew; empty when it was changed
    added: int
    removed: int
    replaced: int  # the same key, another vector; where it was built anew that is not known, and 0
    kept: int


def assign(gathered: Gathered, table: ProductWriter, former: FormerIndex | None) -> Assigned:
    """Give every picture its key, and make the references of `table` those of the pictures.

    Raises:
        ValueError: a product has more pictures than keys can tell apart.
        DeviceError: the disk failed or is full.
    """
    before = table.keys()
    positions = gathered.positions()
    products = np.array(gathered.products, np.uint64)[positions]
    keys = np.empty(len(positions), np.uint64)
    fresh = np.ones(len(positions), np.bool_)
    for start, stop in _runs(products, _BLOCK):
        codes: NDArray[np.int8] | None = None
        if former is not None:
            codes = codes_of(_vectors(gathered, positions[start:stop], former.projection))
        for first, last in _runs(products[start:stop], 1):
            here = slice(start + first, start + last)
            held = table.references_of(int(products[here.start]))
            views = [
                View(gathered.paths[position], codes[first + place].tobytes() if codes is not None else b"")
                for place, position in enumerate(positions[here].tolist())
            ]
            renewal = renew(int(products[here.start]), _views(held, former), views)
            keys[here], fresh[here] = renewal.keys, [not stored for stored in renewal.stored]
            for key, view in zip(renewal.keys, views, strict=True):
                if key not in held:
                    table.add_reference(key, view.path)
                elif held[key] != view.path:
                    table.rename_reference(key, view.path)
    order = np.argsort(keys)
    copies = ~np.isin(positions, gathered.pictures(), assume_unique=True)
    assigned = Assigned(positions[order], keys[order], fresh[order], copies[order], before)
    for key in assigned.removed.tolist():
        table.remove_reference(key)
    return assigned


def renewed_index(
    gathered: Gathered, assigned: Assigned, former: Former, usual: float | None = None
) -> tuple[IndexBuilder, Projection | None, Changes]:
    """The index of these references, not yet saved, what its vectors are made with, and what was done.

    `usual`: how near new photos come to their own product, where the model's description says it. References
    that are nearer to each other say nothing of new ones, nor does what a projection does to them: of 64
    drawn flavours, three studio pictures each, `models/small` called all of 256 looks unknown with the
    projection that a trial on the studio pictures had found helpful.
    """
    worn, why = None, former.why
    if former.index is not None:
        why = _too_much(assigned)
        if not why:
            worn = _changed(gathered, assigned, former.index)
            why = _worn(worn) if assigned.fresh.any() or len(assigned.removed) else ""
        if worn is not None and not why:
            return worn, former.index.projection, _counted(assigned, "")
    products = np.array(gathered.products, np.uint64)
    places = gathered.pictures()
    shown, rows = products[places], lambda chosen: gathered.rows(places[chosen])
    tried = usual is None or nearness(shown, rows) <= usual
    projection = fit_projection(shown, rows)[0] if tried else None
    index = IndexBuilder(projection.outputs if projection else gathered.dimension)
    _put(index, gathered, assigned.positions, assigned.keys, projection)
    if former.index is not None and worn is not None and not _better(index, worn):
        return worn, former.index.projection, _counted(assigned, "")
    return index, projection, _counted(assigned, why)


def _better(new: IndexBuilder, worn: IndexBuilder) -> bool:
    """Whether building anew is worth its bytes: no graph is good among pictures that are nearly the same."""
    if worn.empty_share > EMPTY_SHARE:
        return True
    return new.recall(ASKED, NEIGHBOURS) >= worn.recall(ASKED, NEIGHBOURS) + WORTH_REBUILDING


def _changed(gathered: Gathered, assigned: Assigned, former: FormerIndex) -> IndexBuilder:
    builder = former.builder
    builder.remove(np.union1d(assigned.removed, assigned.replaced))
    fresh = assigned.fresh
    _put(builder, gathered, assigned.positions[fresh], assigned.keys[fresh], former.projection)
    return builder


def _put(
    builder: IndexBuilder,
    gathered: Gathered,
    positions: NDArray[np.int64],
    keys: NDArray[np.uint64],
    projection: Projection | None,
) -> None:
    for start in range(0, len(keys), _BLOCK):
        block = slice(start, start + _BLOCK)
        builder.add(keys[block], _vectors(gathered, positions[block], projection))


def _vectors(
    gathered: Gathered, positions: NDArray[np.int64], projection: Projection | None
) -> NDArray[np.float32]:
    """What the index stores of pictures: the one place where an embedding becomes a vector."""
    rows = gathered.rows(positions)
    return rows if projection is None else projection.apply(rows)


def _too_much(assigned: Assigned) -> str:
    changed = max(len(assigned.removed) + len(assigned.replaced), int(assigned.fresh.sum()))
    if changed <= CHANGED_SHARE * len(assigned.before):
        return ""
    return f"{changed} of {len(assigned.before)} references changed"


def _worn(builder: IndexBuilder) -> str:
    if builder.empty_share > EMPTY_SHARE:
        return f"{builder.empty_share:.0%} of the index was empty"
    recall = builder.recall(ASKED, NEIGHBOURS)
    if recall < LEAST_RECALL:
        return f"the index found {recall:.1%} of the {NEIGHBOURS} nearest references"
    return ""


def _counted(assigned: Assigned, why: str) -> Changes:
    known = np.isin(assigned.keys, assigned.before, assume_unique=True)
    replaced = 0 if why else len(assigned.replaced)
    return Changes(
        why=why,
        added=int((~known).sum()),
        removed=len(assigned.removed),
        replaced=replaced,
        kept=int(known.sum()) - replaced,
    )


def _views(held: dict[int, str], former: FormerIndex | None) -> dict[int, View]:
    if former is None or not held:
        return {key: View(path) for key, path in held.items()}
    codes = former.builder.codes(np.array(list(held), np.uint64))
    return {key: View(path, row.tobytes()) for (key, path), row in zip(held.items(), codes, strict=True)}


def _runs(products: NDArray[np.uint64], least: int) -> Iterator[tuple[int, int]]:
    """Stretches of at least so many references (but for the last) that cut no product in two."""
    ends = np.flatnonzero(np.r_[products[1:] != products[:-1], True]) + 1
    start = 0
    for end in ends.tolist():
        if end - start >= least or end == len(products):
            yield start, end
            start = end
