"""Whether an open model is of the kind that Spotter runs, and whether it fits its spec."""

from __future__ import annotations

from math import isfinite, prod
from typing import TYPE_CHECKING

from agent.core.errors import ModelError, quoted

if TYPE_CHECKING:
    from agent.adapters.embedder.runtime import TensorFact
    from agent.core.model_spec import ModelSpec

DTYPES = ("uint8", "int8", "float32")


def check_kind(
    inputs: tuple[TensorFact, ...], outputs: tuple[TensorFact, ...], name: str
) -> tuple[TensorFact, TensorFact]:
    """The one input and the one output of an image model.

    Raises:
        ModelError: it has others; `name` is the file's.
    """
    for kind, found in (("input", inputs), ("output", outputs)):
        if len(found) != 1:
            raise ModelError(f"{name}: expected one {kind}, found {len(found)}")
    image, embedding = inputs[0], outputs[0]
    if len(image.shape) != 4 or image.shape[0] != 1 or image.shape[3] != 3:
        raise ModelError(f"{name}: input: expected shape (1, height, width, 3), found {image.shape}")
    if not embedding.shape or embedding.shape[0] != 1:
        raise ModelError(f"{name}: output: expected shape (1, …), found {embedding.shape}")
    _check_type("input", image, name)
    _check_type("output", embedding, name)
    return image, embedding


def _check_type(kind: str, tensor: TensorFact, name: str) -> None:
    if tensor.dtype not in DTYPES:
        raise ModelError(f"{name}: {kind}: expected one of {', '.join(DTYPES)}, found {quoted(tensor.dtype)}")
    if tensor.dtype == "float32":
        return
    one = len(tensor.scales) == 1 and len(tensor.zero_points) == 1
    if not one or not isfinite(tensor.scales[0]) or tensor.scales[0] <= 0:
        raise ModelError(
            f"{name}: {kind}: expected one scale above 0 and one zero point for {tensor.dtype}, "
            f"found {tensor.scales} and {tensor.zero_points}"
        )


def check_fit(image: TensorFact, embedding: TensorFact, spec: ModelSpec, name: str) -> None:
    """Refuse a model that is not the one its spec describes.

    Raises:
        ModelError: with the field of the spec, expected and found.
    """
    pairs = (
        ("input height and width", (spec.input.height, spec.input.width), image.shape[1:3]),
        ("input dtype", spec.input.dtype, image.dtype),
        ("output dimension", spec.dimension, prod(embedding.shape)),
    )
    for field, expected, found in pairs:
        if expected != found:
            raise ModelError(f"{name}: {field}: expected {expected} as its spec says, found {found}")
