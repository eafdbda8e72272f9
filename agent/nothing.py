"""A catalogue without products: what a device recognises with before it has one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from agent.core.calibration import DEFAULT_CALIBRATION
from agent.core.errors import CatalogueError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from agent.core.matching import Found
    from agent.core.types import Candidate, Product


class Nothing:
    """A catalogue without products: everything is unknown."""

    release = ""
    version = 0
    calibration = DEFAULT_CALIBRATION
    crop = 1.0
    closer = None

    def __len__(self) -> int:
        """None."""
        return 0

    def project(self, embeddings: NDArray[np.float32]) -> NDArray[np.float32]:
        """As they are."""
        return embeddings

    def nearest(self, embeddings: NDArray[np.float32]) -> list[tuple[Candidate, ...]]:
        """Per row nothing."""
        return [()] * len(embeddings)

    def search(self, rows: NDArray[np.float32], k: int) -> Found:
        """Per row nothing."""
        shape = (len(rows), k)
        return np.zeros(shape, np.uint64), np.full(shape, -1, np.float32), np.zeros(len(rows), np.int64)

    def product(self, no: int) -> Product:
        """There is none. Raises CatalogueError."""
        raise CatalogueError(f"product {no}: expected a catalogue, found none yet")

    def by_sku(self, sku: str) -> Product | None:  # noqa: ARG002
        """There is none."""
        return None

    def reference(self, key: int) -> str:
        """There is none. Raises CatalogueError."""
        raise CatalogueError(f"reference {key}: expected a catalogue, found none yet")
