"""The trial at the end of a smoke run: are drawn products that were never trained on told apart?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from agent.adapters.embedder import EmbedderSettings, load_embedder
from agent.core.regions import kept_centre, propose
from tools.synth.training import TrainingPictures

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

PRODUCTS = 40
"""Products of the trial: ten lines of four flavours."""

REFERENCES, QUERIES = 3, 3

SHOP = 7
"""Seed of the trial's shop; training has those from 1,000 on."""


def trial(model: Path) -> float:
    """The share of camera pictures whose nearest reference is of their product."""
    eyes = load_embedder(EmbedderSettings(file=str(model)))
    pictures = TrainingPictures(PRODUCTS, size=160, seed=SHOP)

    def embedded(numbers: range) -> NDArray[np.float32]:
        taken = [pictures.scene(product, number) for product in range(PRODUCTS) for number in numbers]
        where = propose(kept_centre(1.0), 160, 160)
        return np.concatenate([eyes.embed(picture, where) for picture in taken])

    gallery, queries = embedded(range(REFERENCES)), embedded(range(REFERENCES, REFERENCES + QUERIES))
    truth = np.repeat(np.arange(PRODUCTS), QUERIES)
    nearest = (queries @ gallery.T).argmax(axis=1) // REFERENCES
    return float(np.mean(nearest == truth))
