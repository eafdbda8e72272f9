"""Whether an open model is of the kind that Spotter runs, and whether it fits its spec."""

from __future__ import annotations

from math import isfinite, prod
from typing import TYPE_CHECKING

from agent.core.errors import ModelError, quoted
from agent.core.tensors import Preparation

if TYPE_CHECKING:
    from agent.adapters.embedder.runtime import TensorFact
    from agent.core.model_spec import InputSpec, ModelSpec

DTYPES = ("uint8", "int8", "float32")


def check_kind(
    inputs: tuple[TensorFact, ...], outputs: tuple[TensorFact, ...], name: str
) -> tuple[TensorFact, TensorFact]:
    """The one input and the one output of an image model.

    Raises:
        ModelError: it has others; `name` is the file's.
    """
    image = check_picture(inputs, name)
    if len(outputs) != 1:
        raise ModelError(f"{name}: expected one output, found {len(outputs)}")
    embedding = outputs[0]
    if not embedding.shape or embedding.shape[0] != 1:
        raise ModelError(f"{name}: output: expected shape (1, …), found {embedding.shape}")
    _check_type("output", embedding, name)
    return image, embedding


def check_picture(inputs: tuple[TensorFact, ...], name: str) -> TensorFact:
    """The one input of a model that is shown a picture. Raises as `check_kind`."""
    if len(inputs) != 1:
        raise ModelError(f"{name}: expected one input, found {len(inputs)}")
    image = inputs[0]
    if len(image.shape) != 4 or image.shape[0] != 1 or image.shape[3] != 3:
        raise ModelError(f"{name}: input: expected shape (1, height, width, 3), found {image.shape}")
    _check_type("input", image, name)
    return image


def preparation_for(image: TensorFact, spec: InputSpec, name: str) -> Preparation:
    """What writes regions into the input of a model that is described by `spec`.

    Raises:
        ModelError: mean and std cannot be those of this model.
    """
    try:
        scale, zero = (image.scales[0], image.zero_points[0]) if image.scales else (1.0, 0)
        return Preparation(spec, scale, zero)
    except ValueError as error:
        raise ModelError(f"{name}: {error}") from error


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
    check_described(
        name,
        ("input height and width", (spec.input.height, spec.input.width), image.shape[1:3]),
        ("input dtype", spec.input.dtype, image.dtype),
        ("output dimension", spec.dimension, prod(embedding.shape)),
    )


def check_described(name: str, *facts: tuple[str, object, object]) -> None:
    """Refuse a model of which a fact, as (what, expected, found), is not what its spec says.

    Raises:
        ModelError: with the first that is not.
    """
    for field, expected, found in facts:
        if expected != found:
            raise ModelError(f"{name}: {field}: expected {expected} as its spec says, found {found}")
