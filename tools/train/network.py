"""MobileNetV1 with an embedding head, started from the weights of a public `.tflite` (Google, Apache-2.0).

Batch normalisation is folded into the public weights and stays so: each convolution has a bias and a ReLU6,
which is what the device runs, and training works without it (see models/base.md).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from ai_edge_litert import schema_py_generated as schema
from torch import nn
from torch.nn import functional

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

BLOCKS = ((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *((512, 1),) * 5, (1024, 2), (1024, 1))
"""Depthwise-separable blocks of MobileNetV1 1.0: channels and stride."""


@dataclass(frozen=True, slots=True)
class Layer:
    """One convolution as its file holds it, in real numbers."""

    weights: NDArray[np.float32]  # (O, kh, kw, I), or (1, kh, kw, C) where depthwise
    bias: NDArray[np.float32]  # (O,)
    depthwise: bool


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
        self.head = nn.Linear(channels, dimension)
        nn.init.orthogonal_(self.head.weight)
        nn.init.zeros_(self.head.bias)
        for step in steps:  # for a run from nothing: the usual start of PyTorch fades in a network so deep
            nn.init.kaiming_normal_(step.convolution.weight, nonlinearity="relu")

    def forward(self, picture: torch.Tensor) -> torch.Tensor:
        """`(N, 3, H, W)` RGB in -1..1, H and W multiples of 32 → `(N, dimension)`."""
        embedding: torch.Tensor = self.head(self.steps(picture).mean(dim=(2, 3)))
        return embedding

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


def read_layers(path: Path) -> list[Layer]:
    """The convolutions of a quantised MobileNetV1, dequantised; a classifier is left out."""
    model = schema.ModelT.InitFromPackedBuf(path.read_bytes(), 0)
    graph = model.subgraphs[0]
    layers = []
    for operator in graph.operators:
        code = model.operatorCodes[operator.opcodeIndex]
        kind = max(code.builtinCode, code.deprecatedBuiltinCode)
        if kind == schema.BuiltinOperator.AVERAGE_POOL_2D:
            break
        if kind not in {schema.BuiltinOperator.CONV_2D, schema.BuiltinOperator.DEPTHWISE_CONV_2D}:
            continue
        weights, bias = (_real(model, graph.tensors[index]) for index in operator.inputs[1:3])
        layers.append(Layer(weights, bias, kind == schema.BuiltinOperator.DEPTHWISE_CONV_2D))
    return layers


_TYPES: dict[int, np.dtype[Any]] = {
    schema.TensorType.UINT8: np.dtype("u1"),
    schema.TensorType.INT8: np.dtype("i1"),
    schema.TensorType.INT32: np.dtype("<i4"),
    schema.TensorType.FLOAT32: np.dtype("<f4"),
}


def _real(model: schema.ModelT, tensor: schema.TensorT) -> NDArray[np.float32]:
    raw = np.asarray(model.buffers[tensor.buffer].data, np.uint8).tobytes()
    stored = np.frombuffer(raw, _TYPES[tensor.type]).reshape(tensor.shape)
    if tensor.type == schema.TensorType.FLOAT32:
        return np.asarray(stored, np.float32)
    scale, zero = np.asarray(tensor.quantization.scale), np.asarray(tensor.quantization.zeroPoint)
    if len(scale) > 1:  # one for each slice along an axis
        along = [1] * stored.ndim
        along[tensor.quantization.quantizedDimension] = -1
        scale, zero = scale.reshape(along), zero.reshape(along)
    real: NDArray[np.float32] = ((stored.astype(np.float64) - zero) * scale).astype(np.float32)
    return real
