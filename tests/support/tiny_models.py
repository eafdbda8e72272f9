"""Real TFLite models of a few KB that see the layout of colours, written as flatbuffers by hand.

`write_tiny_model(folder)` writes `tiny.tflite` and its spec `tiny.json`. The model is
AVERAGE_POOL_2D over a grid of cells → RESHAPE to `(1, 3 * cells)`, so the embedding of a picture is the mean
colour of its cells: differently coloured or differently laid out pictures are far apart. The real values
are `(p - 128) / 128`, so that black and white point in opposite directions.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

if TYPE_CHECKING:
    from pathlib import Path

SCALE = 1 / 128
TYPES = {
    "uint8": schema.TensorType.UINT8,
    "int8": schema.TensorType.INT8,
    "float32": schema.TensorType.FLOAT32,
}
ZERO_POINTS = {"uint8": 128, "int8": 0}


def tiny_model_bytes(
    dtype: str = "uint8", size: int = 32, cells: int = 4, *, convolution: bool = False
) -> bytes:
    """The model: input `(1, size, size, 3)` of `dtype`, output `(1, 3 * cells * cells)` of the same.

    `size` is a multiple of `cells`. With `convolution` a 1×1 convolution that changes nothing stands first
    (float32 only), so that the model has weights: its file is larger, its embeddings are the same.
    """
    cell = size // cells
    if cell * cells != size or (convolution and dtype != "float32"):
        raise ValueError(
            f"tiny model: cannot build {dtype} {size} px, {cells} cells, convolution={convolution}"
        )
    shape = np.array([1, 3 * cells * cells], np.int32)
    buffers = [schema.BufferT(), schema.BufferT(data=list(shape.tobytes()))]
    tensors = [
        _tensor("image", dtype, [1, size, size, 3]),
        _tensor("cells", dtype, [1, cells, cells, 3]),
        _tensor("embedding", dtype, [1, 3 * cells * cells]),
        schema.TensorT(shape=[2], type=schema.TensorType.INT32, buffer=1, name=b"shape", quantization=None),
    ]
    codes = [schema.BuiltinOperator.AVERAGE_POOL_2D, schema.BuiltinOperator.RESHAPE]
    operators = []
    pooled = 0
    if convolution:
        codes.append(schema.BuiltinOperator.CONV_2D)
        operators.append(_identity_convolution(tensors, buffers, size))
        pooled = operators[0].outputs[0]
    operators += [_average_pool(pooled, cell), _reshape(cells)]
    graph = schema.SubGraphT(tensors=tensors, inputs=[0], outputs=[2], operators=operators, name=b"main")
    model = schema.ModelT(
        version=3,
        operatorCodes=[schema.OperatorCodeT(deprecatedBuiltinCode=code, builtinCode=code) for code in codes],
        subgraphs=[graph],
        description=b"mean colour of cells",
        buffers=buffers,
    )
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())


def write_tiny_model(
    folder: Path,
    dtype: str = "uint8",
    size: int = 32,
    cells: int = 4,
    *,
    name: str = "tiny",
    convolution: bool = False,
    **changes: Any,
) -> Path:
    """Write `name.tflite` and `name.json` into `folder`; the path of the model.

    `changes` replace fields of the spec; those of its `input` are given as a dict: `input={"colour": "BGR"}`.
    """
    data = tiny_model_bytes(dtype, size, cells, convolution=convolution)
    model = folder / f"{name}.tflite"
    model.write_bytes(data)
    spec: dict[str, Any] = {
        "schema": 1,
        "name": name,
        "file": model.name,
        "sha256": hashlib.sha256(data).hexdigest(),
        "input": {
            "height": size,
            "width": size,
            "dtype": dtype,
            "colour": "RGB",
            "mean": [128.0, 128.0, 128.0],
            "std": [128.0, 128.0, 128.0],
        },
        "dimension": 3 * cells * cells,
        "provenance": "drawn by tests/support/tiny_models.py",
        "licence": "Apache-2.0",
    }
    spec["input"] |= changes.pop("input", {})
    model.with_suffix(".json").write_text(json.dumps(spec | changes, indent=2))
    return model


def _tensor(name: str, dtype: str, shape: list[int]) -> schema.TensorT:
    quantization = None
    if dtype != "float32":
        quantization = schema.QuantizationParametersT(scale=[SCALE], zeroPoint=[ZERO_POINTS[dtype]])
    return schema.TensorT(
        shape=shape, type=TYPES[dtype], buffer=0, name=name.encode(), quantization=quantization
    )


def _average_pool(source: int, cell: int) -> schema.OperatorT:
    options = schema.Pool2DOptionsT(
        padding=schema.Padding.VALID, strideW=cell, strideH=cell, filterWidth=cell, filterHeight=cell
    )
    return schema.OperatorT(
        opcodeIndex=0,
        inputs=[source],
        outputs=[1],
        builtinOptionsType=schema.BuiltinOptions.Pool2DOptions,
        builtinOptions=options,
    )


def _reshape(cells: int) -> schema.OperatorT:
    return schema.OperatorT(
        opcodeIndex=1,
        inputs=[1, 3],
        outputs=[2],
        builtinOptionsType=schema.BuiltinOptions.ReshapeOptions,
        builtinOptions=schema.ReshapeOptionsT(newShape=[1, 3 * cells * cells]),
    )


def _identity_convolution(
    tensors: list[schema.TensorT], buffers: list[schema.BufferT], size: int
) -> schema.OperatorT:
    first = len(tensors)
    buffers.append(schema.BufferT(data=list(np.eye(3, dtype=np.float32).tobytes())))
    buffers.append(schema.BufferT(data=list(np.zeros(3, np.float32).tobytes())))
    weights = _tensor("weights", "float32", [3, 1, 1, 3])
    bias = _tensor("bias", "float32", [3])
    weights.buffer, bias.buffer = len(buffers) - 2, len(buffers) - 1
    tensors += [weights, bias, _tensor("same", "float32", [1, size, size, 3])]
    return schema.OperatorT(
        opcodeIndex=2,
        inputs=[0, first, first + 1],
        outputs=[first + 2],
        builtinOptionsType=schema.BuiltinOptions.Conv2DOptions,
        builtinOptions=schema.Conv2DOptionsT(padding=schema.Padding.VALID, strideW=1, strideH=1),
    )
