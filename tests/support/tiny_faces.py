"""A real ONNX file in the shape of YuNet that takes what is red for a face, written by hand.

`write_tiny_faces(folder)` writes `faces.onnx` and its description. Of each cell of 8, 16 and 32 pixels it says
`cls_*` and `obj_*` (a sigmoid of red less blue), `bbox_*` (twice as wide and high as the cell) and `kps_*`
(nothing), as `cv2.FaceDetectorYN` expects them. Protocol buffers by their wire format: fields of numbers and of
bytes are all that an ONNX file is made of.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

STRIDES = (8, 16, 32)
GAIN, LEAST = 0.2, 20.0
"""A cell is a face where red is more than 100 levels above blue."""


def tiny_faces_bytes(*, without: str = "", all_over: bool = False) -> bytes:
    """The file. `without`: an output that it shall not have, such as `kps_8`. With `all_over` every part of 64 px
    is one.
    """
    nodes, constants, outputs = [], [], []
    for side in STRIDES:
        red = np.zeros((1, 3, side, side), np.float32)
        least = (-LEAST if side == STRIDES[-1] else 10 * LEAST) if all_over else LEAST
        red[0, 2], red[0, 0] = GAIN / side**2, -GAIN / side**2
        constants += [
            _constant(f"red_{side}", red),
            _constant(f"least_{side}", np.array([-least], np.float32)),
            _constant(f"none_{side}", np.zeros((4, 3, side, side), np.float32)),
            _constant(f"size_{side}", np.log(np.array([1, 1, 2, 2], np.float32))),
            _constant(f"points_{side}", np.zeros((10, 3, side, side), np.float32)),
        ]
        cell = {"kernel_shape": [side, side], "strides": [side, side]}
        nodes += [
            _node("Conv", ["input", f"red_{side}", f"least_{side}"], f"level_{side}", **cell),
            _node("Sigmoid", [f"level_{side}"], f"score_{side}"),
            _node("Conv", ["input", f"none_{side}", f"size_{side}"], f"box_{side}", **cell),
            _node("Conv", ["input", f"points_{side}"], f"marks_{side}", **cell),
        ]
        for source, what, depth in (
            ("score", "cls", 1),
            ("score", "obj", 1),
            ("box", "bbox", 4),
            ("marks", "kps", 10),
        ):
            name = f"{what}_{side}"
            if name != without:
                constants.append(_constant(f"shape_{name}", np.array([1, -1, depth], np.int64)))
                nodes.append(_node("Transpose", [f"{source}_{side}"], f"last_{name}", perm=[0, 2, 3, 1]))
                nodes.append(_node("Reshape", [f"last_{name}", f"shape_{name}"], name))
                outputs.append((name, (1, (640 // side) ** 2, depth)))
    graph = b"".join(_bytes(1, each) for each in nodes) + _bytes(2, b"faces")
    graph += b"".join(_bytes(5, each) for each in constants) + _bytes(11, _tensor("input", (1, 3, 640, 640)))
    graph += b"".join(_bytes(12, _tensor(*each)) for each in outputs)
    return _number(1, 8) + _bytes(7, graph) + _bytes(8, _bytes(1, b"") + _number(2, 11))


def write_tiny_faces(folder: Path, data: bytes | None = None) -> Path:
    """Into a folder, with a description; the path of the model."""
    model = folder / "faces.onnx"
    model.write_bytes(tiny_faces_bytes() if data is None else data)
    digest = hashlib.sha256(model.read_bytes()).hexdigest()
    spec = {"schema": 1, "kind": "faces", "name": "red", "file": model.name, "sha256": digest}
    model.with_suffix(".json").write_text(json.dumps(spec))
    return model


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _bytes(field: int, value: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(value)) + value


def _varint(value: int) -> bytes:
    found = bytearray()
    while value > 127:
        found.append(value & 127 | 128)
        value >>= 7
    return bytes([*found, value])


def _constant(name: str, values: NDArray[np.float32] | NDArray[np.int64]) -> bytes:
    kind = 1 if values.dtype == np.float32 else 7
    shape = b"".join(_number(1, side) for side in values.shape)
    return shape + _number(2, kind) + _bytes(8, name.encode()) + _bytes(9, values.tobytes())


def _node(kind: str, inputs: list[str], output: str, **attributes: list[int]) -> bytes:
    found = b"".join(_bytes(1, each.encode()) for each in inputs) + _bytes(2, output.encode())
    found += _bytes(3, output.encode()) + _bytes(4, kind.encode())
    for name, values in attributes.items():
        listed = b"".join(_number(8, each) for each in values)
        found += _bytes(5, _bytes(1, name.encode()) + listed + _number(20, 7))
    return found


def _tensor(name: str, shape: tuple[int, ...]) -> bytes:
    sides = b"".join(_bytes(1, _number(1, side)) for side in shape)
    return _bytes(1, name.encode()) + _bytes(2, _bytes(1, _number(1, 1) + _bytes(2, sides)))
