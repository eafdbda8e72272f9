"""Trained networks teach another how alike the pictures of a batch look.

All see the same picture. What the pupil sees at the depths of its head, through a linear layer that is thrown
away afterwards, must point where the embeddings of the teachers do, side by side; their heads are fitted.

MobileNetV1 0.5 after 16,464 pictures of 128 px, asked at 192 px, float, for the 440 photos and then for the
141 of the twenty products of the second table of tools/train/head.py; 0.55 of the fit is drawn. The teacher
had width 1.0 and as many pictures, and had not seen those photos either. The second line of two has the same
batches and another seed of what begins at random; in percent:

    what is taught                    nearest  prototypes  studio   5-shot nearest
    nothing                         81.6 86.5   80.7 86.5   80.0 69.5    80.5 82.6
                                    83.0 87.2   81.4 84.4   80.0 75.9    81.4 76.9
    the depths of the head          84.3 86.5   83.9 87.9   82.7 68.8    83.8 82.4
                                    83.9 86.5   82.5 84.4   80.9 75.9    82.0 81.8
    … without the margin loss       81.8 87.9   80.9 85.8   78.9 70.2    79.3 77.2
    the embedding that is trained   81.8 85.1   79.8 85.8   79.3 74.5    79.4 81.3
    (the teacher)                   86.4 83.7   84.8 83.7   83.9 68.8    84.1 80.1

That is 1.8, 2.1, 1.8 and 2.0 points in the mean for products that were trained on, and for the twenty nothing
beyond the noise; the first seed alone said 2.7 to 3.3.

A network is taught by one of its own width too (width 1.0, the same photos), and two that see differently are
a better teacher than either:

    nothing                         86.4 83.7   84.8 83.7   83.9 68.8    84.1 80.1
    another of width 1.0            86.8 87.9   84.3 84.4   84.8 67.4    85.1 84.0
    (that one and a taught 0.5)     88.0 86.5   85.5 87.2   84.5 73.8    86.0 85.4

So first-base, trained alone, teaches first-small, both teach base, and base teaches small. Of the validation
photos, int8, percent right (P1 nearest and prototypes, P2, P3 nearest and prototypes), AUROC of known above
unknown and unknown accepted at 95 %, in thousands of pictures:

    first-base       72   85.1 87.2   85.5   85.3 86.9   0.903  45.8
    first-small      60   81.8 82.1   83.4   80.7 81.5   0.885  47.0
    base             72   88.9 88.9   89.5   88.7 89.0   0.936  38.6
    taught by base:
    small            60   82.8 81.1   83.1   79.9 80.8   0.899  51.8
    small           180   85.1 85.1   86.8   84.5 85.1   0.938  36.1
    taught by base and that small:
    base            144   88.5 86.5   86.1   86.0 86.3   0.963  18.1
    … its layers and those of base, their mean
                          88.2 88.5   87.8   88.2 88.5   0.950  22.9

What is small lacks time rather than a better teacher: its loss ends at 3.0 after 60,000 pictures and at 1.6
after 180,000, where base, which learns faster, has 1.7 after 72,000. Trained on until its loss is 1.1, base
tells more surely what is unknown, and recognises no more; it is not what ships.

Base is better than its teachers are (84.8, 85.8, 88.2 and 85.6 of the two side by side).

The margin loss and the teacher pull one embedding apart; a linear layer of its own leaves each its way, and
reaches the earlier layers too. The teacher's head is fitted at the device's size: at 128 px, where a product
looks smaller than in the parts that are trained on, it had 80.5, 80.0, 79.5 and 79.5.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.nn import functional

from tools.train.network import DEPTHS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tools.train.network import Network

WEIGHT = 20.0
"""Of one minus the cosine, beside the margin loss, whose cosines are multiplied with as much."""


class Lesson(nn.Module):
    """How far the pupil is from its teachers, who are no part of it; the linear layer is, and is trained."""

    def __init__(self, pupil: Network, teachers: Sequence[Network]) -> None:
        super().__init__()
        self.linear = nn.Linear(sum(pupil.channels(DEPTHS)), sum(each.dimension for each in teachers))
        nn.init.orthogonal_(self.linear.weight)
        self._teachers = tuple(each.eval().requires_grad_(False) for each in teachers)  # in no checkpoint

    def forward(self, means: Sequence[torch.Tensor], pictures: torch.Tensor) -> torch.Tensor:
        """`(N, C)` of each depth and the `(N, 3, H, W)` they are of → the mean loss."""
        with torch.no_grad():
            seen = [functional.normalize(each(pictures).float()) for each in self._teachers]
            wanted = torch.cat(seen, dim=1)
        # The depths have an equal say, as in the head.
        even = [mean / mean.detach().std().clamp_min(1e-6) for mean in means]
        apart = 1 - functional.cosine_similarity(self.linear(torch.cat(even, dim=1)).float(), wanted)
        return WEIGHT * apart.mean()
