"""MobileNetV1 with an embedding head, started from the weights of a public `.tflite` (Google, Apache-2.0).

Batch normalisation is folded into the public weights and stays so: each convolution has a bias and a ReLU6,
which is what the device runs, and training works without it (see models/base.md).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn
from torch.nn import functional

if TYPE_CHECKING:
    from tools.train.layers import Layer

BLOCKS = ((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *((512, 1),) * 5, (1024, 2), (1024, 1))
"""Depthwise-separable blocks of MobileNetV1 1.0: channels and stride."""

DEPTHS = (10, 14, 22, 24, 26)
"""Numbers of the steps whose means the fitted head is given, 26 is the last; tools/train/head.py says why."""


class Step(nn.Module):
    """A convolution, its bias, ReLU6. Padding is TensorFlow's SAME: for stride 2 at the far edges alone."""

    def __init__(self, inputs: int, outputs: int, *, side: int, stride: int, groups: int = 1) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(
            inputs, outputs, side, stride, padding=side // 2 if stride == 1 else 0, groups=groups
        )
        self.stride = stride

    def forward(self, picture: torch.Tensor) -> torch.Tensor:
        """`(N, C, H, W)` → `(N, C', H / stride, W / stride)`; H and W are even where the stride is 2."""
        if self.stride == 2:
            picture = functional.pad(picture, (0, 1, 0, 1))
        return functional.relu6(self.convolution(picture))


class Network(nn.Module):
    """Pictures → embeddings, not yet of length 1."""

    def __init__(self, width: float, dimension: int) -> None:
        super().__init__()
        self.width = width
        self.dimension = dimension
        channels = round(32 * width)
        steps = [Step(3, channels, side=3, stride=2)]
        for outputs, stride in BLOCKS:
            steps.append(Step(channels, channels, side=3, stride=stride, groups=channels))
            steps.append(Step(channels, round(outputs * width), side=1, stride=1))
            channels = round(outputs * width)
        self.steps = nn.Sequential(*steps)
        self.depths: tuple[int, ...] = (len(steps) - 1,)
        self.head = nn.Linear(channels, dimension)
        nn.init.orthogonal_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def forward(self, picture: torch.Tensor) -> torch.Tensor:
        """`(N, 3, H, W)` RGB in -1..1, H and W multiples of 32 → `(N, dimension)`."""
        embedding: torch.Tensor = self.head(self.pooled(picture))
        return embedding

    def pooled(self, picture: torch.Tensor) -> torch.Tensor:
        """`(N, 3, H, W)` as above → `(N, C)`: what the head is given, the steps of `depths` side by side."""
        return torch.cat(self.means(picture, self.depths), dim=1)

    def means(self, picture: torch.Tensor, depths: tuple[int, ...]) -> list[torch.Tensor]:
        """`(N, 3, H, W)` as above → `(N, C)` of each of these steps, in rising order."""
        means = []
        for number, step in enumerate(self.steps):
            picture = step(picture)
            if number in depths:
                means.append(picture.mean(dim=(2, 3)))
        return means

    def channels(self, depths: tuple[int, ...]) -> tuple[int, ...]:
        """How many numbers each of these steps has."""
        return tuple(self.steps[number].convolution.out_channels for number in depths)

    def look_from(self, depths: tuple[int, ...]) -> tuple[int, ...]:
        """Give a new head, all zeros, the steps of these numbers, in rising order; the channels of each."""
        self.depths = depths
        channels = self.channels(depths)
        self.head = nn.Linear(sum(channels), self.dimension)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)
        return channels

    def start_from(self, layers: list[Layer]) -> None:
        """Take the weights of `read_layers`; the head keeps its own.

        Raises:
            ValueError: they are of another network or width.
        """
        if len(layers) != len(self.steps):
            raise ValueError(
                f"starting weights: expected {len(self.steps)} convolutions, found {len(layers)}"
            )
        for number, (step, layer) in enumerate(zip(self.steps, layers, strict=True)):
            order = (3, 0, 1, 2) if layer.depthwise else (0, 3, 1, 2)
            weights = torch.from_numpy(np.ascontiguousarray(layer.weights.transpose(order)))
            target = step.convolution
            if target.weight.shape != weights.shape:
                raise ValueError(
                    f"start: convolution {number}: expected {tuple(target.weight.shape)}, "
                    f"found {tuple(weights.shape)}"
                )
            with torch.no_grad():
                target.weight.copy_(weights)
                target.bias.copy_(torch.from_numpy(layer.bias))
