"""Fits the model that turns words into where pictures lie; leaves it out where it does not help.

Ridge regression in closed form from the hashed texts of products to the means of their vectors. Each product
gives two texts: its name alone, because that is how people ask, and all that is said of it. How strongly it
is held back is chosen by products left out: they are asked for by their texts, and should be found by
pictures that no text of theirs was fitted to.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeVar

import numpy as np

from agent.adapters.catalogue import read_text_model, write_text_model
from agent.core.errors import CatalogueError
from agent.core.matching import VIEW_BITS, key_of
from agent.core.text_model import BUCKETS_LIMIT, TextModel, hashed, quantised

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from numpy.typing import NDArray

    from agent.core.manifest import FileEntry
    from agent.core.types import Product
    from agent.publishing.former import Former

    Vectors = Callable[[NDArray[np.uint64]], NDArray[np.float32]]
    Hashed = tuple[NDArray[np.int64], NDArray[np.float32]]

LEAST_PRODUCTS: Final = 20
"""With fewer there is nothing to choose by, and a list of them is short enough to read."""

SAMPLE: Final = 8_000
"""Products that it is fitted on, with two texts each: four for each number of a hashed text. That takes 30 s
of CPU, most of it for the choice among the strengths; of few products less than one."""

BUCKETS_LEAST: Final = 1 << 9
BUCKETS_PER_PRODUCT: Final = 4
"""Numbers of a hashed text, up to `BUCKETS_LIMIT`: a file of few products is small too. On the 81 of Grocery
Store 512, 1,024 and 4,096 found 54, 53 and 56 % of those left out among the first five, 256 found 44."""

MOVED_SHARE: Final = 0.2
"""Products by which a catalogue may grow or shrink before the model is fitted again: each time is a new file
for every device, and what is said of new products it can read as it is."""

TRIED: Final = 1_000
FOLDS: Final = 10
"""Products that are left out, a tenth at a time, to choose by."""

STRENGTHS: Final = (0.03, 0.1, 0.3, 1.0, 3.0, 10.0)
"""How strongly the matrix is held back, in units of a text's own length."""

TOP: Final = 5
WORTH: Final = 2.0
"""Of the products left out at least twice as many as by chance must be among the first five, or the words of
this catalogue say nothing of its pictures."""

_BLOCK: Final = 2_048

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Trial:
    """What products left out found with the best strength."""

    strength: float
    found: float  # share of them among the first `TOP` by pictures alone
    chance: float
    strange: float  # median similarity to the others
    meant: float  # … and to themselves

    @property
    def helps(self) -> bool:
        """Whether the model is worth having."""
        return self.found >= WORTH * self.chance and self.meant > self.strange


def fit_text_model(
    products: Iterable[Product], keys: NDArray[np.uint64], vectors: Vectors
) -> tuple[TextModel | None, Trial | None]:
    """The model of a catalogue, None where it would not help, and what the trial found.

    `keys` `(R,)` ascending are of the references, `vectors(keys)` their unit rows.
    """
    pictured = set(np.unique(keys >> np.uint64(VIEW_BITS)).tolist())
    texts = [(each.no, *texts_of(each)) for each in products if each.no in pictured]
    texts = [each for each in texts if each[2]]
    if len(texts) < LEAST_PRODUCTS:
        return None, None
    texts = _spread(texts, SAMPLE)
    means = _means([no for no, _, _ in texts], keys, vectors)
    buckets = _buckets(len(texts))
    rows = [hashed(text, buckets) for _, asked, said in texts for text in (asked, said)]
    rarity = _rarity(rows, buckets)
    tried = _spread(list(range(len(texts))), TRIED)
    trial = _tried([rows[2 * place + side] for place in tried for side in (0, 1)], rarity, means[tried])
    if not trial.helps:
        return None, trial
    matrix = _fitted(rows, rarity, np.repeat(_centred(means), 2, axis=0), trial.strength)
    return (
        quantised(rarity, matrix, products=len(texts), strange=trial.strange, meant=trial.meant),
        trial,
    )


def _buckets(products: int) -> int:
    """A power of two, so that few products more change it seldom."""
    wanted = max(BUCKETS_LEAST, BUCKETS_PER_PRODUCT * products)
    return min(BUCKETS_LIMIT, 1 << (wanted - 1).bit_length())


def renewed_text_model(
    out: Path, former: Former, keys: NDArray[np.uint64], vectors: Vectors, *, anew: bool
) -> FileEntry | None:
    """The file of the text model of a catalogue: the one before where it still serves.

    `former.table` holds the products by now, `keys` and `vectors` are as for `fit_text_model`. `anew`: the
    vectors are others than those of the catalogue before.

    Raises:
        DeviceError: the disk failed or is full.
        CatalogueError: a row of the products is damaged.
    """
    if not anew and former.manifest is not None and former.manifest.text_model is not None:
        with suppress(CatalogueError):  # a damaged one is made again
            held = read_text_model(out, former.manifest)
            fitted = min(former.table.products, SAMPLE)
            if held is not None and abs(held.products - fitted) <= MOVED_SHARE * held.products:
                return former.manifest.text_model
    model, _ = fit_text_model(former.table.all(), keys, vectors)
    return write_text_model(out, model) if model else None


def texts_of(product: Product) -> tuple[str, str]:
    """What people call a product, and all that is said of it."""
    name = f"{product.brand} {product.name}".strip()
    return name, f"{name} {product.category} {product.tags} {product.description}".strip()


def _means(wanted: list[int], keys: NDArray[np.uint64], vectors: Vectors) -> NDArray[np.float64]:
    """The mean of each product's vectors, unit rows `(P, d)`."""
    starts = np.searchsorted(keys, np.array([key_of(no, 0) for no in wanted], np.uint64))
    stops = np.searchsorted(keys, np.array([key_of(no + 1, 0) for no in wanted], np.uint64))
    spans = zip(starts.tolist(), stops.tolist(), strict=True)
    means = [vectors(keys[start:stop]).mean(axis=0, dtype=np.float64) for start, stop in spans]
    return _unit(np.stack(means))


def _centred(means: NDArray[np.float64]) -> NDArray[np.float64]:
    """What sets each apart, as unit rows: all pictures of shops have something in common."""
    return _unit(means - means.mean(axis=0))


def _unit(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rows of length 1; those of zeros stay."""
    length = np.linalg.norm(rows, axis=-1, keepdims=True)
    unit: NDArray[np.float64] = np.divide(rows, length, out=np.zeros_like(rows), where=length > 0)
    return unit


def _rarity(rows: list[Hashed], buckets: int) -> NDArray[np.float32]:
    having = np.zeros(buckets)
    for places, _ in rows:
        having[places] += 1
    known = np.log1p(len(rows) / np.maximum(having, 1))
    return np.where(having > 0, known, 0).astype(np.float32)


def _dense(rows: list[Hashed], rarity: NDArray[np.float32]) -> NDArray[np.float32]:
    """Texts as unit rows `(N, B)`."""
    made = np.zeros((len(rows), len(rarity)), np.float32)
    for row, (places, weights) in zip(made, rows, strict=True):
        said = weights * rarity[places]
        row[places] = said / max(float(np.linalg.norm(said)), 1e-9)
    return made


def _fitted(
    rows: list[Hashed],
    rarity: NDArray[np.float32],
    wanted: NDArray[np.float64],
    strength: float,
) -> NDArray[np.float64]:
    """The matrix `(B, d)`: by whichever of its two forms is smaller."""
    buckets = len(rarity)
    if len(rows) <= buckets:
        texts = _dense(rows, rarity).astype(np.float64)
        gram = texts @ texts.T
        gram.flat[:: len(gram) + 1] += strength
        return np.asarray(texts.T @ np.linalg.solve(gram, wanted))
    normal = np.zeros((buckets, buckets))
    right = np.zeros((buckets, wanted.shape[1]))
    for start in range(0, len(rows), _BLOCK):
        texts32 = _dense(rows[start : start + _BLOCK], rarity)
        normal += texts32.T @ texts32
        right += texts32.T @ wanted[start : start + _BLOCK]
    normal.flat[:: buckets + 1] += strength
    return np.asarray(np.linalg.solve(normal, right))


def _tried(
    rows: list[Hashed],
    rarity: NDArray[np.float32],
    means: NDArray[np.float64],
) -> Trial:
    """Every product is left out once, both its texts; it is asked for by all that is said of it."""
    texts = _dense(rows, rarity).astype(np.float64)
    gram = texts @ texts.T
    wanted = np.repeat(_centred(means), 2, axis=0)
    fold = np.repeat(np.arange(len(means)) % min(FOLDS, len(means)), 2)
    trials = []
    for strength in STRENGTHS:
        similarity = np.empty((len(means), len(means)))
        for number in range(int(fold.max()) + 1):
            kept, held = np.flatnonzero(fold != number), np.flatnonzero(fold == number)[1::2]
            inner = gram[np.ix_(kept, kept)]
            inner.flat[:: len(kept) + 1] += strength
            guess = gram[np.ix_(held, kept)] @ np.linalg.solve(inner, wanted[kept])
            similarity[held // 2] = _unit(guess) @ means.T
        own = similarity.diagonal()
        rank = (similarity > own[:, None]).sum(axis=1)
        others = similarity[~np.eye(len(means), dtype=np.bool_)]
        found = float((rank < TOP).mean())
        trials.append(
            Trial(strength, found, TOP / len(means), float(np.median(others)), float(np.median(own)))
        )
    return max(trials, key=lambda each: (each.found, each.meant))


def _spread(items: list[_T], limit: int) -> list[_T]:
    """At most so many of them, evenly spread."""
    if len(items) <= limit:
        return items
    return [items[place] for place in np.linspace(0, len(items) - 1, limit).astype(np.int64).tolist()]
