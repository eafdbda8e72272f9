"""Faces are found by a real file through the real OpenCV, which sees nothing that was not verified."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from agent.adapters.faces import draft_faces, load_faces
from agent.core.errors import ModelError
from tests.support.tiny_faces import tiny_faces_bytes, write_tiny_faces

RED, GREY = (40, 90, 230), 90


def scene(width: int, height: int, box: tuple[int, int, int, int]) -> np.ndarray:
    image = np.full((height, width, 3), GREY, np.uint8)
    x1, y1, x2, y2 = box
    image[y1:y2, x1:x2] = RED
    return image


@pytest.mark.parametrize(
    ("size", "box"),
    [
        ((320, 240), (160, 80, 208, 128)),
        ((1280, 720), (700, 300, 760, 360)),
        ((1080, 1920), (200, 1500, 500, 1800)),  # near the camera: whole in the small picture only
        ((64, 48), (16, 8, 40, 40)),
    ],
)
def test_a_face_is_found_where_it_is(tmp_path: Path, size: tuple[int, int], box: tuple[int, ...]) -> None:
    faces = load_faces(str(write_tiny_faces(tmp_path)), 0.5)
    found = np.array(faces.find(scene(*size, box)))  # type: ignore[arg-type]
    assert len(found)
    cell = max(1.0, max(size) / 320) * 40
    outer = [*found[:, :2].min(axis=0), *found[:, 2:].max(axis=0)]
    assert outer == pytest.approx(box, abs=cell)
    assert faces.find(np.full((size[1], size[0], 3), GREY, np.uint8)) == []


def test_a_model_that_is_another_one_never_reaches_opencv(tmp_path: Path) -> None:
    model = write_tiny_faces(tmp_path)
    model.write_bytes(model.read_bytes()[:-1] + b"x")
    with pytest.raises(ModelError, match="expected the sha256"):
        load_faces(str(model), 0.5)
    model.unlink()
    with pytest.raises(ModelError, match=r"faces.onnx: expected a model, found: No such file"):
        load_faces(str(model), 0.5)


@pytest.mark.parametrize("data", [b"no model at all", tiny_faces_bytes(without="kps_8")])
def test_a_model_that_finds_no_faces_is_refused(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(ModelError, match=r"faces.onnx: expected a YuNet"):
        load_faces(str(write_tiny_faces(tmp_path, data)), 0.5)


def test_what_is_described_as_something_else_is_refused(tmp_path: Path) -> None:
    model = write_tiny_faces(tmp_path)
    described = model.with_suffix(".json")
    described.write_text(described.read_text().replace('"faces"', '"detector"'))
    with pytest.raises(ModelError, match="kind: expected faces, found 'detector'"):
        load_faces(str(model), 0.5)


def test_a_description_is_drafted_that_it_is_opened_with(tmp_path: Path) -> None:
    model = tmp_path / "own.onnx"
    model.write_bytes(tiny_faces_bytes())
    model.with_suffix(".json").write_text(json.dumps(draft_faces(model.read_bytes(), model.name)))
    assert load_faces(str(model), 0.5).find(scene(64, 48, (16, 8, 40, 40)))
    with pytest.raises(ModelError, match=r"own.onnx: expected a YuNet"):
        draft_faces(b"something else", "own.onnx")
