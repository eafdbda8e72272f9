"""Drafts of specs, and real models against plain calls of the interpreter."""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest
from ai_edge_litert import interpreter as litert

from agent.adapters.embedder import (
    Embedder,
    EmbedderSettings,
    draft_spec,
    load_embedder,
)
from agent.core.errors import ModelError
from agent.core.types import Region
from tests.support.tiny_models import tiny_model_bytes, write_tiny_model
from tests.support.tiny_pictures import drawn_picture

if TYPE_CHECKING:
    from pathlib import Path

WHOLE = Region((0, 0, 200, 160))
DTYPES = ("uint8", "int8", "float32")


def loaded(model: Path, **more: Any) -> Embedder:
    return load_embedder(EmbedderSettings(file=str(model), **more))


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_draft_loads_and_sees_what_the_written_spec_sees(tmp_path: Path, dtype: str) -> None:
    model = write_tiny_model(tmp_path, dtype)
    written = loaded(model)
    draft = draft_spec(model.read_bytes(), model.name)
    assert (draft["provenance"], draft["licence"], draft["dimension"]) == ("", "", 48)
    model.with_suffix(".json").write_text(json.dumps(draft))
    drafted = loaded(model)
    picture = drawn_picture(4)
    similarity = float((written.embed(picture, [WHOLE]) @ drafted.embed(picture, [WHOLE]).T)[0, 0])
    assert similarity > 0.9995  # float32: mean 127.5 is a guess, 128 was written


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "expected a TFLite model ('TFL3' at byte 4), found 0 bytes b''"),
        (b"PK\x03\x04" * 50, "expected a TFLite model ('TFL3' at byte 4), found 200 bytes b'PK"),
        (tiny_model_bytes()[:300], "expected a model that"),
        (b"\x20\0\0\0TFL3" + b"\xff" * 200, "expected a model that"),
    ],
    ids=["empty", "a zip", "cut", "a head without a body"],
)
def test_a_draft_of_something_else_is_refused(data: bytes, message: str) -> None:
    with pytest.raises(ModelError) as caught:
        draft_spec(data, "x.tflite")
    assert str(caught.value).startswith("x.tflite: ")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.slow
def test_a_draft_of_damaged_models_never_takes_this_process_down() -> None:
    good = tiny_model_bytes()
    rng = random.Random(3)
    refused = 0
    for _ in range(16):
        damaged = bytearray(good)
        for _ in range(20):
            damaged[rng.randrange(8, len(damaged))] = rng.randrange(256)
        try:
            draft_spec(bytes(damaged), "x.tflite")
        except ModelError as error:
            refused += 1
            assert "\n" not in str(error)  # noqa: PT017
    assert refused


# --- real models


REAL = {
    "mobilenet_v1_0.25_128_quant": 1001,
    "mobilenet_v1_1.0_224_quant_embedding_extractor": 1024,
    "tf2_mobilenet_v2_1.0_224_ptq": 1001,
}


@pytest.mark.parametrize("name", REAL)
def test_a_real_model_gives_what_plain_calls_of_the_interpreter_give(
    shared_data: Path, tmp_path: Path, name: str
) -> None:
    data = (shared_data / "models" / f"{name}.tflite").read_bytes()
    draft = draft_spec(data, f"{name}.tflite")
    assert draft["dimension"] == REAL[name]
    (tmp_path / f"{name}.tflite").write_bytes(data)
    (tmp_path / f"{name}.json").write_text(json.dumps(draft))
    eyes = loaded(tmp_path / f"{name}.tflite")
    listed = (shared_data / "grocery" / "val.txt").read_text().splitlines()[::60]
    plain = litert.Interpreter(model_content=data, num_threads=1)
    plain.allocate_tensors()
    image, output = plain.get_input_details()[0], plain.get_output_details()[0]
    size = int(image["shape"][1])
    for line in listed:
        picture = cv2.imread(str(shared_data / "grocery" / line.split(",")[0]))
        assert picture is not None
        height, width = picture.shape[:2]
        pixels = cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)
        if min(height, width) >= 2 * size:
            pixels = cv2.resize(pixels, (width // 2, height // 2), interpolation=cv2.INTER_AREA)
        pixels = cv2.resize(pixels, (size, size), interpolation=cv2.INTER_LINEAR)
        plain.set_tensor(image["index"], pixels[None])
        plain.invoke()
        scale, zero = output["quantization"]
        raw = (plain.get_tensor(output["index"]).reshape(-1).astype(np.float32) - zero) * scale
        row = eyes.embed(picture, [Region((0, 0, width, height))])[0]
        assert float(row @ (raw / np.linalg.norm(raw))) > 0.9999


def test_a_detector_is_not_taken_for_an_embedding_model(shared_data: Path) -> None:
    data = (shared_data / "models" / "coco_ssd_mobilenet_v1_1.0_quant.tflite").read_bytes()
    with pytest.raises(ModelError, match=r"ssd\.tflite: expected one output, found 4"):
        draft_spec(data, "ssd.tflite")
