"""Additive-margin cosine loss: a picture must be nearer to its class than to any other by a margin.

F. Wang et al., "Additive Margin Softmax for Face Verification", 2018.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

SCALE = 20.0
MARGIN = 0.1
"""Both from a trial on Grocery Store."""


class MarginLoss(nn.Module):
    """One centre for each class; they are trained too, and thrown away afterwards."""

    def __init__(self, classes: int, dimension: int) -> None:
        super().__init__()
        self.centres = nn.Parameter(torch.randn(classes, dimension) * dimension**-0.5)

    def forward(self, embeddings: torch.Tensor, labels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """`(N, D)` of any length and `(N,)` class numbers → the mean loss, and the share that is right."""
        cosine = functional.normalize(embeddings.float()) @ functional.normalize(self.centres).T
        margin = functional.one_hot(labels, len(self.centres)) * MARGIN
        right = (cosine.detach().argmax(dim=1) == labels).float().mean()
        return functional.cross_entropy(SCALE * (cosine - margin), labels), right
