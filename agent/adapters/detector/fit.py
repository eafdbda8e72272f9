"""Whether an open model gives what TFLite's standard detection post-processing gives."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.adapters.embedder.fit import check_described, check_picture
from agent.core.errors import ModelError
from agent.core.proposals import MAX_BOXES

if TYPE_CHECKING:
    from agent.adapters.embedder.runtime import TensorFact
    from agent.core.detector_spec import DetectorSpec

Facts = tuple["TensorFact", ...]


def check_detector(
    inputs: Facts, outputs: Facts, spec: DetectorSpec, name: str
) -> tuple[TensorFact, dict[str, TensorFact]]:
    """The input, and the outputs by what they say.

    Raises:
        ModelError: it has others than its spec says.
    """
    image = check_picture(inputs, name)
    check_described(
        name,
        ("input height and width", (spec.input.height, spec.input.width), image.shape[1:3]),
        ("input dtype", spec.input.dtype, image.dtype),
    )
    if len(outputs) != len(spec.order):
        raise ModelError(f"{name}: expected the outputs {spec.outputs}, found {len(outputs)} outputs")
    found = dict(zip(spec.order, outputs, strict=True))
    most = found["scores"].shape[-1] if found["scores"].shape else 0
    expected = {"boxes": (1, most, 4), "classes": (1, most), "scores": (1, most), "count": (1,)}
    for what, tensor in found.items():
        if tensor.shape != expected[what] or tensor.dtype != "float32" or not 1 <= most <= MAX_BOXES:
            raise ModelError(
                f"{name}: output {what}: expected float32 of shape {expected[what]}, with 1 to {MAX_BOXES} "
                f"boxes, found {tensor.dtype} of {tensor.shape}: do its outputs come in another order?"
            )
    return image, found
