"""What the eyes answer: the numbers of the model, to every thread its own."""

from __future__ import annotations

import hashlib
import threading
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest

from agent.adapters.embedder import (
    Embedder,
    EmbedderSettings,
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
def test_no_regions_give_no_rows(tmp_path: Path, dtype: str) -> None:
    rows = loaded(write_tiny_model(tmp_path, dtype)).embed(drawn_picture(1), [])
    assert (rows.shape, rows.dtype) == ((0, 48), np.float32)


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_embedding_is_what_the_model_computes_by_hand(tmp_path: Path, dtype: str) -> None:
    eyes = loaded(write_tiny_model(tmp_path, dtype))
    picture = drawn_picture(2)
    regions = [WHOLE, Region((10, 20, 110, 100)), WHOLE]
    rows = eyes.embed(picture, regions)
    for row, region in zip(rows, regions, strict=True):
        x1, y1, x2, y2 = region.box
        small = cv2.resize(picture[y1:y2, x1:x2], (32, 32), interpolation=cv2.INTER_AREA)[..., ::-1]
        cells = small.reshape(4, 8, 4, 8, 3).mean(axis=(1, 3)).reshape(-1) - 128
        assert float(row @ (cells / np.linalg.norm(cells))) > 0.998
    assert np.array_equal(rows[0], rows[2])
    assert np.linalg.norm(rows, axis=1) == pytest.approx(np.ones(3), abs=1e-5)
    assert (rows.shape, rows.dtype) == ((3, 48), np.float32)


@pytest.mark.parametrize("dtype", DTYPES)
def test_what_was_prepared_before_gives_the_same_bits(tmp_path: Path, dtype: str) -> None:
    eyes = loaded(write_tiny_model(tmp_path, dtype))
    pictures = [drawn_picture(seed) for seed in range(3)]
    regions = [WHOLE, Region((10, 20, 110, 100))]
    shown = [eyes.prepare(picture, regions) for picture in pictures]
    for picture, tensors in zip(pictures, shown, strict=True):
        assert eyes.embed_prepared(tensors).tobytes() == eyes.embed(picture, regions).tobytes()
    assert eyes.embed_prepared(eyes.prepare(pictures[0], [])).shape == (0, 48)


def test_what_was_prepared_for_another_model_is_refused(tmp_path: Path) -> None:
    eyes = loaded(write_tiny_model(tmp_path, "uint8"))
    for wrong in (np.zeros((1, 32, 31, 3), np.uint8), np.zeros((1, 32, 32, 3), np.int8)):
        with pytest.raises(ValueError, match=r"prepared: expected \(N, 32, 32, 3\) uint8, found"):
            eyes.embed_prepared(wrong)


def test_all_types_of_models_see_the_same(tmp_path: Path) -> None:
    rows = [
        loaded(write_tiny_model(tmp_path, dtype, name=dtype)).embed(drawn_picture(2), [WHOLE])[0]
        for dtype in DTYPES
    ]
    assert np.array_equal(rows[0], rows[1])
    assert float(rows[0] @ rows[2]) > 0.999


def test_a_model_with_weights_works_too(tmp_path: Path) -> None:
    plain = loaded(write_tiny_model(tmp_path, "float32", name="plain"))
    weights = loaded(write_tiny_model(tmp_path, "float32", name="weights", convolution=True))
    picture = drawn_picture(2)
    assert np.allclose(plain.embed(picture, [WHOLE]), weights.embed(picture, [WHOLE]), atol=1e-6)


def test_pictures_of_other_colours_are_far_apart_and_copies_are_near(tmp_path: Path) -> None:
    eyes = loaded(write_tiny_model(tmp_path))
    first = eyes.embed(drawn_picture(1), [WHOLE])[0]
    darker = np.clip(drawn_picture(1) * 0.97, 0, 255).astype(np.uint8)
    assert float(first @ eyes.embed(darker, [WHOLE])[0]) > 0.97
    assert all(float(first @ eyes.embed(drawn_picture(n), [WHOLE])[0]) < 0.7 for n in range(2, 10))


def test_a_picture_of_which_the_model_sees_nothing_is_similar_to_nothing(tmp_path: Path) -> None:
    rows = loaded(write_tiny_model(tmp_path)).embed(np.full((160, 200, 3), 128, np.uint8), [WHOLE])
    assert not rows.any()


def test_a_model_that_answers_nan_is_refused(tmp_path: Path) -> None:
    weights, broken = np.eye(3, dtype=np.float32).tobytes(), np.full((3, 3), np.nan, np.float32).tobytes()
    data = tiny_model_bytes("float32", convolution=True).replace(weights, broken)
    model = write_tiny_model(tmp_path, "float32", sha256=hashlib.sha256(data).hexdigest())
    model.write_bytes(data)
    with pytest.raises(ModelError, match="raw output: expected finite numbers, found NaN or infinity"):
        loaded(model).embed(drawn_picture(1), [WHOLE])


def test_after_a_wrong_region_the_eyes_still_work(tmp_path: Path) -> None:
    eyes = loaded(write_tiny_model(tmp_path))
    before = eyes.embed(drawn_picture(1), [WHOLE])
    kept = []
    for _ in range(3):
        with pytest.raises(ValueError, match="region 'far': expected a box within 200 × 160 px") as caught:
            eyes.embed(drawn_picture(1), [WHOLE, Region((500, 0, 600, 50), "far")])
        kept.append(caught.value)  # its traceback keeps every local of the failed call alive
    assert np.array_equal(eyes.embed(drawn_picture(1), [WHOLE]), before)


@pytest.mark.parametrize(
    "image",
    [np.zeros((9, 9), np.uint8), np.zeros((9, 9, 4), np.uint8), np.zeros((9, 9, 3), np.float32)],
    ids=["grey", "with alpha", "float"],
)
def test_a_picture_of_another_kind_is_refused(tmp_path: Path, image: Any) -> None:
    with pytest.raises(ValueError, match=r"image: expected \(H, W, 3\) uint8, found"):
        loaded(write_tiny_model(tmp_path)).embed(image, [])


def test_rows_belong_to_the_caller(tmp_path: Path) -> None:
    eyes = loaded(write_tiny_model(tmp_path))
    first = eyes.embed(drawn_picture(1), [WHOLE])
    copy = first.copy()
    eyes.embed(drawn_picture(2), [WHOLE])
    eyes.invoke_once()
    assert np.array_equal(first, copy)


def test_threads_that_share_the_eyes_get_their_own_answers(tmp_path: Path) -> None:
    eyes = loaded(write_tiny_model(tmp_path, "float32", size=64, cells=8, convolution=True))
    expected = [eyes.embed(drawn_picture(n), [WHOLE]) for n in range(4)]
    wrong: list[int] = []

    def look(number: int) -> None:
        for _ in range(200):
            if not np.array_equal(eyes.embed(drawn_picture(number), [WHOLE]), expected[number]):
                wrong.append(number)

    threads = [threading.Thread(target=look, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_what_the_eyes_say_of_themselves(tmp_path: Path) -> None:
    eyes = loaded(write_tiny_model(tmp_path))
    other = loaded(write_tiny_model(tmp_path, name="bgr", input={"colour": "BGR"}))
    assert eyes.runtime.startswith("ai-edge-litert ")
    assert eyes.dimension == 48
    assert eyes.spec.name == "tiny"
    assert eyes.fingerprint == eyes.spec.fingerprint != other.fingerprint
