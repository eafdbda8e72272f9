"""A trained network becomes what ships: the int8 `.tflite` and its description."""

from __future__ import annotations

import hashlib
import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from agent.adapters.embedder import EmbedderSettings, load_embedder
from agent.core.model_spec import InputSpec, ModelSpec
from agent.core.regions import kept_centre, propose
from agent.core.tensors import Preparation
from tools.train.convert import float_model, quantised

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from tools.train.data import Group, Pixels
    from tools.train.layers import Layer
    from tools.train.network import Network
    from tools.train.recipes import Recipe

CALIBRATION = 240
"""Pictures that show the ranges of the activations."""

MEAN, STD = 128.0, 127.5
"""With scale 1 / 127.5 and zero point 0 of the input, a pixel p becomes the tensor value p - 128: none is
rounded, and the device has a fast path for it. Training has 127.5 for the mean: half a level beside."""

ATTRIBUTION = (
    "Trained by tools/train of Spotter, all layers; started from Google's MobileNetV1 {width:g} "
    "(Apache-2.0). Data: Grocery Store Dataset (MIT), clothing-dataset (CC0), TrashNet (MIT), drawn products."
)


def ship(network: Network, recipe: Recipe, groups: Sequence[Group], folder: Path) -> Path:
    """Write `<name>.tflite` and `<name>.json` into `folder`; the path of the model, opened once."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="spotter-ship-") as work:
        model = quantised(
            float_model(network, recipe.side, f"Spotter {recipe.name}"),
            calibration(groups, recipe.side),
            Path(work),
        )
    path = folder / f"{recipe.name}.tflite"
    path.write_bytes(model)
    spec = ModelSpec(
        name=f"spotter-{recipe.name}",
        file=path.name,
        sha256=hashlib.sha256(model).hexdigest(),
        input=_input(recipe.side, "int8"),
        dimension=recipe.dimension,
        provenance=ATTRIBUTION.format(width=recipe.width)
        if recipe.start
        else "a smoke run of tools/train of Spotter, on drawn products alone",
        licence="Apache-2.0",
    )
    path.with_suffix(".json").write_text(json.dumps(spec.document(), indent=2) + "\n")
    load_embedder(EmbedderSettings(file=str(path)))
    return path


def write_float(network: Network, recipe: Recipe, folder: Path) -> Path:
    """The float model beside a description, `<name>-float.tflite`: what quantisation is measured against."""
    data = float_model(network, recipe.side, f"Spotter {recipe.name}, float")
    path = folder / f"{recipe.name}-float.tflite"
    path.write_bytes(data)
    spec = ModelSpec(
        name=f"spotter-{recipe.name}-float",
        file=path.name,
        sha256=hashlib.sha256(data).hexdigest(),
        input=_input(recipe.side, "float32"),
        dimension=recipe.dimension,
    )
    path.with_suffix(".json").write_text(json.dumps(spec.document(), indent=2) + "\n")
    return path


def calibration(groups: Sequence[Group], side: int) -> list[NDArray[np.float32]]:
    """Inputs `(1, side, side, 3)`, evenly spread over the pictures, prepared as the device prepares them.

    The first pixels of each are black and white, so that the input gets the whole range and no part of it.
    """
    pictures = [picture for group in groups for picture in group.pictures]
    chosen = np.linspace(0, len(pictures) - 1, min(CALIBRATION, len(pictures))).astype(int)
    inputs = []
    for tensor in prepared([pictures[place] for place in chosen], side, 1.0):
        tensor[0, 0], tensor[0, 1] = -MEAN / STD, (255 - MEAN) / STD
        inputs.append(tensor[None])
    return inputs


def prepared(pictures: Iterable[Pixels], side: int, crop: float) -> Iterator[NDArray[np.float32]]:
    """The middle of each as an input `(side, side, 3)`, prepared as the device prepares it."""
    eyes = Preparation(_input(side, "float32"))
    for picture in pictures:
        for region in propose(kept_centre(crop), picture.shape[1], picture.shape[0]):
            tensor = np.empty((side, side, 3), np.float32)
            eyes.write(picture, region, tensor)
            yield tensor


def unchanged(network: Network, layers: Sequence[Layer]) -> list[int]:
    """Numbers of the convolutions whose weights or biases are still those that training started from."""
    same = []
    for number, (step, layer) in enumerate(zip(network.steps, layers, strict=True)):
        order = (1, 2, 3, 0) if layer.depthwise else (0, 2, 3, 1)
        weights, bias = (value.detach().numpy() for value in step.convolution.parameters())
        if np.array_equal(weights.transpose(order), layer.weights) or np.array_equal(bias, layer.bias):
            same.append(number)
    return same


def _input(side: int, dtype: str) -> InputSpec:
    return InputSpec(height=side, width=side, dtype=dtype, mean=(MEAN,) * 3, std=(STD,) * 3)  # type: ignore[arg-type]
