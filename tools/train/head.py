"""The head that ships is not the one that training leaves: it is fitted on what the trained layers see.

A trained head has learnt how pictures of one product differ from those it was shown, and meets others in the
next shop. This one turns down every direction in which pictures of one product differ, studio pictures from
photos among them, and turns up those in which products do: the within-class covariance normalisation of
agent/publishing/projection.py, on what the head is given in place of what it gives, with less shrinkage, and
with directions weighted by how much of their variance lies between products. MobileNetV1 0.5 after 16,500
pictures of 128 px, asked for 579 photos that the run left out, of each product those that look least like the
others; in percent:

    head                               nearest  prototypes  studio  5-shot nearest
    as trained                            66.1        66.7    50.1            62.6
    fitted on the photos                  71.0        72.0    53.9            67.9
    … with directions weighted
    and on the studio pictures            72.7        73.4    72.0            70.6

It is given the means of five depths in place of the last alone. The last layers have learnt the products and
the shops of the training by heart; those before them still see the colours and textures that the public
network saw. MobileNetV1 0.5 after 16,500 pictures of 128 px, trained without the twenty products of P4, asked
at 192 px for 440 photos as above of the others, then for 141 of the twenty; int8 in the last line:

    steps                       nearest  prototypes  studio   5-shot nearest
    26                        80.0 81.6   81.4 76.6   78.4 59.6    79.2 71.9
    26, 24                    82.3 82.3   82.3 74.5   80.5 60.3    81.2 71.9
    26, 22, 14                83.0 81.6   83.6 75.2   82.3 61.0    82.1 74.6
    26, 24, 22, 14, 10        83.6 83.0   84.1 76.6   83.9 61.7    83.0 73.5
    … and 18, 8, 6, 4         83.6 83.0   83.9 75.9   83.4 65.2    82.6 76.7
    26, 24, 22, 14, 10, int8  83.9 82.3   83.9 75.2   83.4 61.0    82.5 72.2

The largest numbers of the last layer beside its means won no more than a point, and augmented pictures in the
fit nothing.

Drawn products stand in the fit beside the photos, on shelves, in hands and from the studio. Photos of 81
products alone say little of how pictures of one differ, and nothing of printed packages. MobileNetV1 0.5
after 16,464 pictures of 128 px, asked at 192 px, float, for 440 photos as above, chosen anew, then for 141 of
the twenty; in the last columns for 143 whole slots of drawn shelves of flavours, by all references and by
studio pictures alone, of six shops that are in no training and in no fit:

    drawn, of all   nearest  prototypes  studio   5-shot nearest   drawn slots
    0             81.4 84.4   81.1 82.3   79.3 58.9    81.0 78.0     72.7 49.7
    0.11          82.3 83.7   81.6 83.0   80.5 62.4    81.1 80.1
    0.23          82.3 86.5   81.4 83.0   80.2 63.8    81.3 80.7
    0.38          82.0 86.5   80.9 84.4   80.0 65.2    80.9 81.3
    0.55          81.6 86.5   80.7 86.5   80.0 69.5    80.5 82.6     74.1 60.1
    0.71          80.9 87.2   80.0 87.2   79.3 73.8    80.0 82.3     72.0 64.3

What ships has 0.43. The covariance as a mean of that of the photos and that of the drawn pictures came out
as the same share of all did (half each: 81.8 87.2, 80.7 86.5, 80.0 68.8, 80.5 82.6), and drawn products that
the layers had not been trained on as well, within the noise (81.8 90.8, 80.2 84.4, 80.2 71.6, 80.2 80.0;
slots 71.3 and 65.0).
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

import numpy as np
import torch

from tools.train.network import DEPTHS
from tools.train.ship import prepared

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from tools.train.data import Group, Pixels
    from tools.train.network import Network

    Rows = NDArray[np.float64]

SHRINKAGE = 0.2
"""Share of the identity in the covariance: a compromise between products trained on and others. `base`
trained without the twenty products of P4, int8, asked for those 173 of their training photos that look least
like the rest, in percent; the last column is the first of the table above.

    share    nearest  prototypes  studio  5-shot nearest    trained on
    0.02        86.7        84.4    71.1            81.5          73.2
    0.1         87.9        86.1    69.9            81.8          73.1
    0.2         91.3        86.7    71.7            83.8          72.7
    0.4                                                           72.0

What is turned up most is also what int8 disturbs most."""

CROP = 0.875
"""Share of each side that is kept around the centre, as the figures are measured."""

BATCH = 64


def refit(network: Network, groups: Sequence[Group], side: int) -> None:
    """Give the network the head that `groups` ask for, each picture of one counted `Group.fitted` times."""
    used = [group for group in groups if group.fitted]
    channels = network.look_from(DEPTHS)
    names = [name for group in used for name in group.names]
    counts = np.concatenate([np.full(len(group.names), group.fitted) for group in used])
    seen = np.concatenate([_pooled(network, group.pictures, side) for group in used])
    _, classes = np.unique(names, return_inverse=True)
    matrix, bias = fitted(seen, classes, counts, network.dimension, channels)
    with torch.no_grad():
        network.head.weight.copy_(torch.from_numpy(matrix))
        network.head.bias.copy_(torch.from_numpy(bias))


def fitted(
    seen: Rows,
    classes: NDArray[np.int64],
    counts: Rows,
    dimension: int,
    channels: Sequence[int] | None = None,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """`(N, C)` pooled features, their class numbers 0, 1, … and how often each counts →
    `(dimension, C)` and `(dimension,)` of a linear layer; its numbers have a mean square of 1.

    `channels` says how many columns each depth has; without it all are of one. The depths have an equal say:
    the shrinkage would else leave little of those whose numbers are small.
    """
    weight = counts[:, None]
    centre = (weight * seen).sum(axis=0) / counts.sum()
    members = np.bincount(classes, counts)[:, None]
    means = np.zeros((len(members), seen.shape[1]))
    np.add.at(means, classes, weight * seen)
    means /= members
    apart = seen - means[classes]
    within = (weight * apart).T @ apart / max(1.0, counts.sum() - len(members))
    scale = _equal(np.diag(within), channels or [len(within)])
    within *= scale[:, None] * scale
    even = np.trace(within) / len(within)
    shrunk = (1 - SHRINKAGE) * within + SHRINKAGE * even * np.eye(len(within))
    whitening = scale[:, None] * np.linalg.inv(np.linalg.cholesky(shrunk)).T
    spread = (seen - centre) @ whitening
    variances, directions = np.linalg.eigh((weight * spread).T @ spread / counts.sum())
    kept = slice(None, -dimension - 1, -1)  # eigh has the largest last
    variances, directions = variances[kept], directions[:, kept]
    # Within products the variance is 1 now; what is beyond it lies between them.
    between = np.sqrt((variances - 1).clip(1e-3) / variances.clip(1e-3))
    matrix = whitening @ (directions * between)
    length = np.sqrt(np.mean(((seen - centre) @ matrix) ** 2))
    matrix /= length
    return matrix.T.astype(np.float32), (-centre @ matrix).astype(np.float32)


def _equal(variances: Rows, channels: Sequence[int]) -> Rows:
    """What each column is multiplied with, so that the variances of each depth add up to 1."""
    ends = np.cumsum(channels)
    sums = [part.sum() for part in np.split(variances, ends[:-1])]
    return np.repeat(1 / np.sqrt(np.maximum(sums, 1e-12)), channels)


def _pooled(network: Network, pictures: Sequence[Pixels], side: int) -> Rows:
    """`(N, C)`: what the network sees before its head."""
    inputs, rows = prepared(pictures, side, CROP), []
    with torch.no_grad():
        while batch := list(islice(inputs, BATCH)):
            squares = torch.from_numpy(np.stack(batch)).permute(0, 3, 1, 2)
            rows.append(network.pooled(squares).double().numpy())
    return np.concatenate(rows)
