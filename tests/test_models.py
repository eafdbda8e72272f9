"""What ships in models/: every model opens, is described, small enough, licensed, and none of it is as it started."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from agent.adapters.embedder import EmbedderSettings, load_embedder, read_spec
from agent.core.types import Region
from tools.train.layers import read_layers
from tools.train.recipes import RECIPES

MODELS = Path(__file__).resolve().parent.parent / "models"
LARGEST_BYTES = {"base": 4_500_000, "small": 1_500_000}


@pytest.mark.parametrize("name", LARGEST_BYTES)
def test_it_opens_with_its_description_and_sees(name: str) -> None:
    eyes = load_embedder(EmbedderSettings(file=str(MODELS / f"{name}.tflite")))
    pictures = np.random.default_rng(0).integers(0, 256, (2, 100, 80, 3), np.uint8)
    one, other = (eyes.embed(picture, [Region((0, 0, 80, 100))])[0] for picture in pictures)
    assert np.linalg.norm(one) == pytest.approx(1.0, abs=1e-5)
    assert not np.array_equal(one, other)


@pytest.mark.parametrize("name", LARGEST_BYTES)
def test_it_is_small_licensed_and_described(name: str) -> None:
    assert (MODELS / f"{name}.tflite").stat().st_size <= LARGEST_BYTES[name]
    spec = json.loads((MODELS / f"{name}.json").read_text())
    assert spec["licence"] == "Apache-2.0"
    card = (MODELS / f"{name}.md").read_text()
    assert spec["sha256"][:16] in card, "the card speaks of another file"
    for needed in ("## Data", "## Recipe", "## Figures", "## Limits", "MobileNetV1", "seed"):
        assert needed in card, needed


@pytest.mark.parametrize("name", LARGEST_BYTES)
def test_it_says_what_its_similarities_are_worth_on_new_photos(name: str) -> None:
    spec = read_spec(EmbedderSettings(file=str(MODELS / f"{name}.tflite")))
    assert spec.calibration is not None, f"run: python -m tools.train.worth models/{name}.tflite"
    assert spec.calibration.fall > 0


@pytest.mark.parametrize("name", LARGEST_BYTES)
def test_the_pixels_go_in_without_rounding(name: str) -> None:
    """p - 128 for each pixel value p: the input's scale is that of its description."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=(MODELS / f"{name}.tflite").read_bytes())
    (given,) = interpreter.get_input_details()
    scale, zero_point = given["quantization"]
    mean, std = (
        json.loads((MODELS / f"{name}.json").read_text())["input"][key][0] for key in ("mean", "std")
    )
    pixels = np.arange(256)
    assert (np.rint((pixels - mean) / std / scale) + zero_point == pixels - 128).all()


@pytest.mark.parametrize("name", LARGEST_BYTES)
def test_no_tensor_is_what_training_started_from(name: str, shared_data: Path) -> None:
    start = RECIPES[name].start
    assert start is not None
    before = read_layers(shared_data / "models" / start.file)
    after = read_layers(MODELS / f"{name}.tflite")
    assert len(before) == len(after)
    for number, (old, new) in enumerate(zip(before, after, strict=True)):
        assert old.weights.shape == new.weights.shape
        sides = (0, 1, 2) if new.depthwise else (1, 2, 3)
        rounding = np.abs(new.weights).max(axis=sides, keepdims=True) / 127 / 2  # int8, one scale a channel
        beyond = np.mean(np.abs(old.weights - new.weights) > 1.01 * rounding)
        assert beyond > 0.1, f"convolution {number}: {100 * beyond:.1f} % of the weights moved"
        assert not np.allclose(old.bias, new.bias, atol=1e-6), f"the biases of convolution {number}"


def test_the_figures_are_those_of_the_files_that_ship() -> None:
    figures = json.loads((MODELS / "figures.json").read_text())
    for name in LARGEST_BYTES:
        assert (
            figures["models"][f"{name}.tflite"]["sha256"]
            == json.loads((MODELS / f"{name}.json").read_text())["sha256"]
        )


def test_the_notice_names_every_source() -> None:
    notice = (MODELS / "NOTICE").read_text()
    for source in ("MobileNet", "Grocery Store", "clothing-dataset", "TrashNet"):
        assert source in notice
