"""The convolutions of a `.tflite` MobileNetV1 as real numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Layer:
    """One convolution as its file holds it, in real numbers."""

    weights: NDArray[np.float32]  # (O, kh, kw, I), or (1, kh, kw, C) where depthwise
    bias: NDArray[np.float32]  # (O,)
    depthwise: bool


def read_layers(path: Path) -> list[Layer]:
    """The convolutions of a quantised MobileNetV1, dequantised; a classifier is left out."""
    data = path.read_bytes()
    model = schema.ModelT.InitFromPackedBuf(data, 0)
    graph = model.subgraphs[0]
    layers = []
    for operator in graph.operators:
        code = model.operatorCodes[operator.opcodeIndex]
        kind = max(code.builtinCode, code.deprecatedBuiltinCode)
        if kind == schema.BuiltinOperator.AVERAGE_POOL_2D:
            break
        if kind not in {schema.BuiltinOperator.CONV_2D, schema.BuiltinOperator.DEPTHWISE_CONV_2D}:
            continue
        weights, bias = (_real(data, model, graph.tensors[index]) for index in operator.inputs[1:3])
        layers.append(Layer(weights, bias, kind == schema.BuiltinOperator.DEPTHWISE_CONV_2D))
    return layers


_TYPES: dict[int, np.dtype[Any]] = {
    schema.TensorType.UINT8: np.dtype("u1"),
    schema.TensorType.INT8: np.dtype("i1"),
    schema.TensorType.INT32: np.dtype("<i4"),
    schema.TensorType.FLOAT32: np.dtype("<f4"),
}


def _real(data: bytes, model: schema.ModelT, tensor: schema.TensorT) -> NDArray[np.float32]:
    buffer = model.buffers[tensor.buffer]
    if buffer.data is None:  # ai-edge-quantizer puts the numbers behind the flatbuffer
        raw = data[buffer.offset : buffer.offset + buffer.size]
    else:
        raw = np.asarray(buffer.data, np.uint8).tobytes()
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
