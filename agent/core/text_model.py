"""From words to where pictures of such a product lie: one matrix, fitted on a catalogue's texts and pictures.

A text becomes numbers by hashing its words and their parts of 3 to 5 letters, so that also a word that no
product has (a compound, a plural) says something. The matrix is linear ridge regression, see
publishing/text_model.py; it is part of the release.
"""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final

import numpy as np

from agent.core.json_fields import check_whole
from agent.core.words import asked_words

if TYPE_CHECKING:
    from numpy.typing import NDArray

BUCKETS_LIMIT: Final = 1 << 12
"""Numbers of a hashed text, at most: with 256 numbers in a vector the file has 1.1 MB."""

PARTS: Final = (3, 4, 5)
"""Letters of the parts of a word, the marks at its two ends among them."""

_PART_WEIGHT: Final = 0.5
"""A part says less than its word: most of them are in other words too."""

_MAGIC: Final = b"spottext"
_HEAD: Final = struct.Struct("<8sIIIff")
_VECTOR_LIMIT: Final = 1 << 14

TEXT_MODEL_LIMIT_BYTES: Final = 80 << 20
"""4,096 buckets onto 16,384 numbers would be 67 MB; what is larger is a mistake."""


@dataclass(frozen=True, slots=True, eq=False)
class TextModel:
    """Text → vector of the catalogue, and what its similarity to a product's pictures says."""

    rarity: NDArray[np.float32]  # (B,) how much each number says; 0 where no text had it
    matrix: NDArray[np.int8]  # (B, d)
    scale: NDArray[np.float32]  # (B,) of each row
    products: int  # that it was fitted on
    strange: float  # median similarity to products that were not meant
    meant: float  # … and to the one that was, its own texts held out; above `strange`

    def __post_init__(self) -> None:
        shapes = self.rarity.shape, self.scale.shape, self.matrix.shape[:1]
        if self.matrix.ndim != 2 or len(set(shapes)) > 1:
            raise ValueError(f"text model: expected (B,), (B,) and (B, d), found {shapes}")
        check_whole("buckets", len(self.matrix), 1, BUCKETS_LIMIT)
        if not (np.isfinite(self.rarity).all() and np.isfinite(self.scale).all()):
            raise ValueError("text model: expected finite numbers, found others")
        if not -1 <= self.strange < self.meant <= 1:
            found = f"{self.strange} and {self.meant}"
            raise ValueError(f"text model: expected -1 <= strange < meant <= 1, found {found}")
        check_whole("products", self.products, 1)

    @property
    def outputs(self) -> int:
        """Numbers in a vector."""
        return int(self.matrix.shape[1])

    def vector(self, text: str) -> NDArray[np.float32] | None:
        """Where pictures of it would lie, `(d,)` a unit row; None where no word of it says anything."""
        places, weights = hashed(text, len(self.rarity))
        weights = weights * self.rarity[places]
        if not weights.any():
            return None
        row = (weights * self.scale[places]).astype(np.float32) @ self.matrix[places].astype(np.float32)
        length = float(np.linalg.norm(row))
        return (row / length).astype(np.float32) if length > 0 else None

    def trust(self, similarity: float) -> float:
        """What a similarity to a product says: 0 as strangers have it, 1 as the one that was meant."""
        return float(np.clip((similarity - self.strange) / (self.meant - self.strange), 0, 1))


def hashed(text: str, buckets: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Places and weights `(n,)` of a text among so many numbers, each place once."""
    sums: dict[int, float] = {}
    for word in asked_words(text):
        for number, weight in _features(word):
            sums[number % buckets] = sums.get(number % buckets, 0.0) + weight
    places = np.array(list(sums), np.int64)
    weights = np.array(list(sums.values()), np.float32)
    return places, (np.sign(weights) * np.log1p(np.abs(weights))).astype(np.float32)


@lru_cache(1 << 16)
def _features(word: str) -> tuple[tuple[int, float], ...]:
    marked = f"<{word}>"
    parts = {marked[start : start + size] for size in PARTS for start in range(len(marked) - size + 1)}
    parts.discard(marked)
    return (_feature(marked, 1.0), *(_feature(part, _PART_WEIGHT) for part in sorted(parts)))


def _feature(text: str, weight: float) -> tuple[int, float]:
    """Half of the texts count negatively, so that those that meet in one place cancel each other."""
    number = int.from_bytes(hashlib.blake2b(text.encode(), digest_size=4).digest(), "little")
    return number, weight if number >> 31 else -weight


def quantised(
    rarity: NDArray[np.float32],
    matrix: NDArray[np.float64],
    *,
    products: int,
    strange: float,
    meant: float,
) -> TextModel:
    """A model of numbers that its file can hold."""
    top = np.abs(matrix).max(axis=1)
    scale = (top / 127).astype("<f4")
    whole = np.rint(np.divide(matrix, scale[:, None], out=np.zeros_like(matrix), where=scale[:, None] > 0))
    return TextModel(
        rarity.astype("<f2").astype(np.float32),
        np.clip(whole, -127, 127).astype(np.int8),
        scale.astype(np.float32),
        products,
        float(np.float32(strange)),
        float(np.float32(meant)),
    )


def dump_text_model(model: TextModel) -> bytes:
    """The bytes of its file."""
    head = _HEAD.pack(_MAGIC, len(model.matrix), model.outputs, model.products, model.strange, model.meant)
    numbers = (model.rarity.astype("<f2"), model.scale.astype("<f4"), model.matrix.astype("<i1"))
    return head + b"".join(each.tobytes() for each in numbers)


def parse_text_model(data: bytes) -> TextModel:
    """Read one.

    Raises:
        ValueError: these are not the bytes of a text model; says what was expected and what was found.
    """
    if len(data) < _HEAD.size or not data.startswith(_MAGIC):
        raise ValueError(f"expected a text model, found {len(data)} other bytes")
    _, buckets, outputs, products, strange, meant = _HEAD.unpack_from(data)
    check_whole("buckets", buckets, 1, BUCKETS_LIMIT)
    check_whole("outputs", outputs, 1, _VECTOR_LIMIT)
    sizes = (2 * buckets, 4 * buckets, buckets * outputs)
    if len(data) != _HEAD.size + sum(sizes):
        expected = _HEAD.size + sum(sizes)
        raise ValueError(f"expected {expected} bytes for {outputs} numbers, found {len(data)}")
    second, third = _HEAD.size + sizes[0], _HEAD.size + sizes[0] + sizes[1]
    return TextModel(
        np.frombuffer(data, "<f2", buckets, _HEAD.size).astype(np.float32),
        np.frombuffer(data, "<i1", buckets * outputs, third).reshape(buckets, outputs),
        np.frombuffer(data, "<f4", buckets, second).astype(np.float32),
        products,
        strange,
        meant,
    )
