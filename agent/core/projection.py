"""What turns the model's embeddings into the vectors of one catalogue: a centre and a matrix, both fixed.

Fitted on a catalogue's own pictures (see publishing/projection.py) it turns down the directions in which
pictures of one product differ: light, distance, neighbours. It is part of the release, so that head office
and every device compare the same vectors.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from agent.core.json_fields import check_whole

if TYPE_CHECKING:
    from numpy.typing import NDArray

_MAGIC: Final = b"spotproj"
_HEAD: Final = struct.Struct("<8sII")
_SIDE_LIMIT: Final = 1 << 14
"""Numbers in an embedding: mobile models give 128 to 4,096."""

PROJECTION_LIMIT_BYTES: Final = 64 << 20
"""4,096 numbers onto as many would be 32 MB; what is larger is a mistake."""


@dataclass(frozen=True, slots=True, eq=False)
class Projection:
    """Embedding → vector: the centre is taken away, the rest multiplied, the result scaled to length 1."""

    centre: NDArray[np.float32]  # (D,)
    matrix: NDArray[np.float32]  # (D, d)

    def __post_init__(self) -> None:
        if self.matrix.ndim != 2 or self.centre.shape != self.matrix.shape[:1]:
            raise ValueError(
                f"projection: expected (D,) and (D, d), found {self.centre.shape} and {self.matrix.shape}"
            )
        for name, side in zip(("inputs", "outputs"), self.matrix.shape, strict=True):
            check_whole(name, side, 1, _SIDE_LIMIT)
        if not (np.isfinite(self.centre).all() and np.isfinite(self.matrix).all()):
            raise ValueError("projection: expected finite numbers, found others")

    @property
    def inputs(self) -> int:
        """Numbers in an embedding."""
        return int(self.matrix.shape[0])

    @property
    def outputs(self) -> int:
        """Numbers in a vector."""
        return int(self.matrix.shape[1])

    def apply(self, rows: NDArray[np.float32]) -> NDArray[np.float32]:
        """`(N, D)` float32 unit rows → `(N, d)` float32 unit rows; a row of zeros stays one.

        A row gives the same bits whatever rows stand beside it: one product of matrices for all of them would
        be faster (1,024 × 256: 8 µs a row against 40), but its sums depend on how many there are.

        Raises:
            ValueError: the rows have another length.
        """
        if rows.ndim != 2 or rows.shape[1] != self.inputs:
            raise ValueError(f"embeddings: expected (N, {self.inputs}), found {rows.shape}")
        moved = np.empty((len(rows), self.outputs), np.float32)
        for row, target in zip(rows - self.centre, moved, strict=True):
            np.matmul(row, self.matrix, out=target)
        moved[~rows.any(axis=1)] = 0  # the model saw nothing: similar to nothing
        length = np.linalg.norm(moved, axis=1, keepdims=True)
        unit: NDArray[np.float32] = np.divide(moved, length, out=moved, where=length > 0)
        return unit


def rounded(centre: NDArray[np.float64], matrix: NDArray[np.float64]) -> Projection:
    """A projection of numbers that its file can hold: the matrix scaled to ±1, which no cosine sees."""
    scaled = matrix / max(float(np.abs(matrix).max()), np.finfo(np.float64).tiny)
    return Projection(centre.astype("<f2").astype(np.float32), scaled.astype("<f2").astype(np.float32))


def dump_projection(projection: Projection) -> bytes:
    """The bytes of its file, 16-bit floats: `parse_projection(dump_projection(p))` is `p` after `rounded`."""
    head = _HEAD.pack(_MAGIC, projection.inputs, projection.outputs)
    return head + projection.centre.astype("<f2").tobytes() + projection.matrix.astype("<f2").tobytes()


def parse_projection(data: bytes) -> Projection:
    """Read one.

    Raises:
        ValueError: these are not the bytes of a projection; says what was expected and what was found.
    """
    if len(data) < _HEAD.size or not data.startswith(_MAGIC):
        raise ValueError(f"expected a projection, found {len(data)} other bytes")
    _, inputs, outputs = _HEAD.unpack_from(data)
    check_whole("inputs", inputs, 1, _SIDE_LIMIT)
    check_whole("outputs", outputs, 1, _SIDE_LIMIT)
    expected = _HEAD.size + 2 * (inputs + inputs * outputs)
    if len(data) != expected:
        raise ValueError(f"expected {expected} bytes for {inputs} × {outputs} numbers, found {len(data)}")
    numbers = np.frombuffer(data, "<f2", offset=_HEAD.size).astype(np.float32)
    return Projection(numbers[:inputs], numbers[inputs:].reshape(inputs, outputs))
