"""The probes of a catalogue, tried here: does this device see and answer as head office did?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from agent.adapters.images import ImageLimits, decode_image
from agent.core.errors import CatalogueError, InputError
from agent.core.probes import RECALL_AT, Answer, judge_both, judge_eyes, judge_index
from agent.core.regions import kept_centre, propose

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from agent.adapters.catalogue import Catalogue
    from agent.adapters.embedder import Embedder
    from agent.core.probes import Probe

_LIMITS: Final = ImageLimits(max_pixels=1_000_000)
"""A probe is a few hundred pixels wide at most."""

_WHOLE: Final = kept_centre(1.0)


def try_probes(eyes: Embedder, catalogue: Catalogue, rest: Callable[[], object] = lambda: None) -> int:
    """Try the probes that a catalogue has; how many they are.

    `rest()` is called after each picture, and after each comparison with all of many references: recognising,
    which may use the same eyes and the same memory bus, goes first.

    Raises:
        CatalogueError: this device sees or answers otherwise than head office: names the probe, what was
            expected and what was found.
        ModelError: the model answers with numbers that are not finite.
        DeviceError: the inference failed.
    """
    probes = catalogue.probes()
    if probes is None:
        return 0
    seen = []
    for place, probe in enumerate(probes.probes):
        seen.append(_seen(f"probe {place + 1} of {len(probes.probes)}", probe, eyes))
        rest()
    rows = np.concatenate(seen)
    problem = (
        judge_eyes(probes, rows)
        or judge_index(probes, _answers(catalogue, probes.embeddings))
        or judge_both(probes, _answers(catalogue, rows))
    )
    if problem:
        raise CatalogueError(problem)
    recall = catalogue.recall(probes.embeddings, RECALL_AT, rest)
    if recall < probes.recall:
        raise CatalogueError(
            f"index: expected searching to find {probes.recall} of the nearest references, found {recall:.2f}"
        )
    return len(probes.probes)


def _seen(name: str, probe: Probe, eyes: Embedder) -> NDArray[np.float32]:
    try:
        image = decode_image(probe.picture, name, _LIMITS)
        return eyes.embed(image, propose(_WHOLE, image.shape[1], image.shape[0]))
    except InputError as error:
        raise CatalogueError(str(error)) from None
    except ValueError as error:
        raise CatalogueError(f"{name}: expected a picture to look at, found: {error}") from None


def _answers(catalogue: Catalogue, embeddings: NDArray[np.float32]) -> list[Answer]:
    nearest = [look[0] if look else None for look in catalogue.nearest(embeddings)]
    return [
        Answer(catalogue.product(best.product).sku, best.similarity) if best else Answer("", -1.0)
        for best in nearest
    ]
