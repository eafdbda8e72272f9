"""How much more a look is like things that are no product than pictures of the catalogue usually are.

A model's description may hold a few directions: mean embeddings of kinds of things that it was shown beside
products. What a camera sees and nobody sells (a sleeve, a bag, rubbish) lies there, however near it happens
to be to some product. What lies beyond the place that few references of the catalogue reach counts against
being in it, as much as similarity counts for it; before that place nothing does, so that a shop of garments,
whose own references lie there, loses nothing.

Measured with models/base.tflite, gallery the 2,640 training photos of Grocery Store, 296 validation photos
known, two directions of 200 pictures each (AUROC without it and, by the share of references that are usual,
with it; of the garments and of packaging and objects on a board 200 further pictures of the kind):

                                                 without   0.95    0.97    0.98    0.995
    20 of the 81 products left out, one photo     0.934   0.929   0.932   0.934   0.934
        unknown named like 95 % of the known      37.6    38.2    38.2    37.6    37.6   %
    … five photos                                 0.979   0.975   0.977   0.979   0.979
    garments                                      0.991   0.999   0.999   0.998   0.997
    packaging and objects on a board              0.981   0.994   0.992   0.988   0.988
    … by the mean of the other kind alone         0.981   0.984   0.984   0.983   0.981
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from functools import lru_cache
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from agent.core.types import Look

    Rows = NDArray[np.float32]

USUAL_SHARE: Final = 0.97
"""Of a catalogue's references, those that are nearer to no direction than where counting begins."""

OTHERS_LIMIT: Final = 16
"""Directions. Two do as well as sixteen."""

_LEVELS: Final = 127


def pack(rows: Rows) -> str:
    """Directions `(K, D)` as text, 8 bits a number: what `unpack` gives back as unit rows."""
    scale = _LEVELS / np.abs(rows).max(axis=1, keepdims=True)
    return " ".join(b64encode(row.tobytes()).decode() for row in np.rint(rows * scale).astype(np.int8))


@lru_cache(maxsize=8)  # the same text is asked for at every look
def unpack(text: str) -> Rows:
    """Unit rows `(K, D)` of a text; none of an empty one.

    Raises:
        ValueError: it is no such text.
    """
    words = text.split(" ") if text else []
    try:
        rows = [np.frombuffer(b64decode(word, validate=True), np.int8) for word in words[: OTHERS_LIMIT + 1]]
    except ValueError as error:
        raise ValueError(f"others: expected directions in base64, found others: {error}") from None
    if len(rows) > OTHERS_LIMIT or len({len(row) for row in rows}) > 1 or not all(row.any() for row in rows):
        raise ValueError(
            f"others: expected at most {OTHERS_LIMIT} directions of one length and none of zeros, "
            f"found {len(words)} of {sorted({len(row) for row in rows})} numbers"
        )
    found = np.array(rows, np.float32).reshape(len(rows), -1) if rows else np.empty((0, 0), np.float32)
    found /= np.sqrt(np.einsum("kd,kd->k", found, found))[:, None]
    found.flags.writeable = False
    return found


def nearness(rows: Rows, directions: Rows) -> NDArray[np.float32]:
    """Cosine `(N,)` of unit rows `(N, D)` to the nearest direction; -1 where there is none of that length."""
    if directions.shape[1] != rows.shape[1] or len(directions) == 0:
        return np.full(len(rows), -1, np.float32)
    nearest: NDArray[np.float32] = (rows @ directions.T).max(axis=1)
    return nearest


def usual_nearness(rows: Rows, text: str) -> float:
    """The cosine to the nearest direction that `USUAL_SHARE` of the references `(N, D)` do not exceed."""
    found = nearness(rows, unpack(text))
    return round(float(np.clip(np.quantile(found, USUAL_SHARE), -1, 1)), 6) if len(found) else 1.0


def otherness(looks: Sequence[Look], text: str, usual: float) -> float:
    """How far beyond `usual` the looks lie in the mean, 0 to 2; one without embedding counts as usual."""
    rows = [look.embedding for look in looks if look.embedding is not None]
    if not text or not rows:
        return 0.0
    return float(np.maximum(0, nearness(np.stack(rows), unpack(text)) - usual).sum()) / len(looks)
