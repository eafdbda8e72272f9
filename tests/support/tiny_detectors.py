"""Real TFLite detectors of a few KB that always answer the same, whatever that is, written by hand.

`write_tiny_detector(folder, …)` writes `detector.tflite` and its description. The four outputs of the standard
detection post-processing are constants, each passed through RESHAPE, so that a test can have a model say
anything: NaN, boxes outside the picture, a count of a million.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

SIDE = 16
Row = tuple[float, float, float, float]


def tiny_detector_bytes(
    boxes: Sequence[Row], classes: Sequence[float], scores: Sequence[float], count: float
) -> bytes:
    """A model with a picture of 16 × 16 in; `boxes` are top, left, bottom, right, as shares."""
    answers = [
        np.array(boxes, np.float32).reshape(1, -1, 4),
        np.array(classes, np.float32)[None],
        np.array(scores, np.float32)[None],
        np.array([count], np.float32),
    ]
    buffers = [schema.BufferT()]
    tensors = [_tensor(b"image", [1, SIDE, SIDE, 3], 0, schema.TensorType.UINT8)]
    operators = []
    for number, answer in enumerate(answers):
        shape = np.array(answer.shape, np.int32)
        buffers += [schema.BufferT(data=list(answer.tobytes())), schema.BufferT(data=list(shape.tobytes()))]
        first = len(tensors)
        tensors += [
            _tensor(b"said", list(answer.shape), len(buffers) - 2, schema.TensorType.FLOAT32),
            _tensor(b"shape", [len(shape)], len(buffers) - 1, schema.TensorType.INT32),
            _tensor(f"answer:{number}".encode(), list(answer.shape), 0, schema.TensorType.FLOAT32),
        ]
        operators.append(schema.OperatorT(opcodeIndex=0, inputs=[first, first + 1], outputs=[first + 2]))
    reshape = schema.BuiltinOperator.RESHAPE
    graph = schema.SubGraphT(
        tensors=tensors,
        inputs=[0],
        outputs=[operator.outputs[0] for operator in operators],
        operators=operators,
        name=b"main",
    )
    model = schema.ModelT(
        version=3,
        operatorCodes=[schema.OperatorCodeT(deprecatedBuiltinCode=reshape, builtinCode=reshape)],
        subgraphs=[graph],
        description=b"says the same of every picture",
        buffers=buffers,
    )
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())


def write_tiny_detector(
    folder: Path,
    boxes: Sequence[Row] = ((0.25, 0.25, 0.75, 0.75),),
    classes: Sequence[float] | None = None,
    scores: Sequence[float] | None = None,
    count: float | None = None,
    **changes: Any,
) -> Path:
    """The path of the model; what is not said is class 1, score 0.9, and as many as there are boxes."""
    data = tiny_detector_bytes(
        boxes,
        classes or [1.0] * len(boxes),
        scores or [0.9] * len(boxes),
        len(boxes) if count is None else count,
    )
    model = folder / "detector.tflite"
    model.write_bytes(data)
    spec = {
        "schema": 1,
        "kind": "detector",
        "name": "tiny-detector",
        "file": model.name,
        "sha256": hashlib.sha256(data).hexdigest(),
        "input": {
            "height": SIDE,
            "width": SIDE,
            "dtype": "uint8",
            "mean": [128.0, 128.0, 128.0],
            "std": [128.0, 128.0, 128.0],
        },
    }
    model.with_suffix(".json").write_text(json.dumps(spec | changes))
    return model


def _tensor(name: bytes, shape: list[int], buffer: int, kind: int) -> schema.TensorT:
    quantization = None
    if kind == schema.TensorType.UINT8:
        quantization = schema.QuantizationParametersT(scale=[1 / 128], zeroPoint=[128])
    return schema.TensorT(shape=shape, type=kind, buffer=buffer, name=name, quantization=quantization)
