"""What is masked cannot be made out in what is kept or shown, and all else is as it was."""

from __future__ import annotations

import numpy as np
import pytest

from agent.core.errors import DeviceError
from agent.core.privacy import PeopleSettings, PrivacySettings, Veil, masked_boxes, veiled
from agent.core.types import Frame

HALF = (0.0, 0.0, 0.5, 1.0)


def drawn(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (120, 200, 3), dtype=np.uint8)


def test_outside_the_mask_nothing_changes_and_the_picture_itself_stays() -> None:
    image = drawn(1)
    before = image.copy()
    shown = veiled(image, masked_boxes((HALF,), 200, 120))
    assert (image == before).all()
    assert (shown[:, 100:] == image[:, 100:]).all()
    assert (shown[:, :100] != image[:, :100]).mean() > 0.9


def test_two_faces_look_the_same_behind_it() -> None:
    first, second = drawn(2), drawn(4)  # as alike in the large and as unlike in the small as faces are
    assert np.abs(first.astype(int) - second).max() > 100
    shown = [veiled(image, masked_boxes((HALF,), 200, 120)).astype(int) for image in (first, second)]
    assert np.abs(shown[0][:, :100] - shown[1][:, :100]).max() < 30
    row = shown[0][60, :100, 0]
    assert np.abs(np.diff(row)).max() < 10  # nothing fine is left


def test_a_mask_covers_each_pixel_that_it_touches() -> None:
    image = np.zeros((10, 10, 3), np.uint8)
    image[:, 5:] = 255
    shown = veiled(image, masked_boxes(((0.0, 0.0, 0.41, 1.0), (0.42, 0.0, 0.51, 1.0)), 10, 10))
    assert (shown[:, 5] != image[:, 5]).all()


def test_cameras_without_masks_show_what_they_see() -> None:
    veil = Veil({"a": PrivacySettings(masks=(HALF,)), "b": PrivacySettings()})
    frames = {name: Frame(name, 0, 0.0, 0.0, drawn(3)) for name in "abc"}
    assert veil.over(frames["b"]) is frames["b"]
    assert veil.over(frames["c"]) is frames["c"]
    assert veil.over(frames["a"]).image is not frames["a"].image
    veil.settle({})
    assert veil.over(frames["a"]) is frames["a"]


@pytest.mark.parametrize(
    "mask", [(0, 0, 0, 1), (0.5, 0, 0.4, 1), (0, 0, 1.5, 1), (-0.1, 0, 1, 1), (0, float("nan"), 1, 1)]
)
def test_a_mask_is_a_part_of_the_picture(mask: tuple[float, float, float, float]) -> None:
    with pytest.raises(ValueError, match=r"masks: expected \[x1, y1, x2, y2\] from 0 to 1"):
        PrivacySettings(masks=(mask,))


def frame(image: np.ndarray, at: float = 1.0) -> Frame:
    return Frame("cam", 1, at, at, image)


def test_who_is_found_is_blurred_with_a_margin_and_once_for_all_who_look() -> None:
    asked = []

    def find(image: np.ndarray) -> list[tuple[int, int, int, int]]:
        asked.append(image)
        return [(40, 40, 80, 80), (190, 100, 230, 130)]

    veil = Veil({"cam": PrivacySettings(masks=(HALF,))}, find)
    seen = frame(drawn(5), 0.0)
    shown = veil.over(seen).image
    changed = (shown != seen.image).any(axis=2)
    assert changed[:, :100].mean() > 0.9
    assert changed[95:, 185:].mean() > 0.9  # beyond the picture there is nothing to blur
    assert not changed[:60, 110:].any()
    veil.over(seen)
    assert len(asked) == 1
    veil.over(frame(drawn(5), 2.0))
    assert len(asked) == 2
    assert not (veil.masked(seen).image[:, 100:] != seen.image[:, 100:]).any()
    assert (veil.clear(seen.image)[30:90, 30:90] != seen.image[30:90, 30:90]).any(axis=2).mean() > 0.9


def test_where_nobody_can_look_all_of_it_is_blurred() -> None:
    def find(_image: np.ndarray) -> list[tuple[int, int, int, int]]:
        raise DeviceError("out of memory")

    image = drawn(6)
    shown = Veil({}, find).over(frame(image)).image
    assert (shown != image).any(axis=2).mean() > 0.9


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"faces": "yunet.tflite"}, "faces: expected a path that ends in .onnx"),
        ({"people": "ssd.onnx"}, "people: expected a path that ends in .tflite"),
        ({"faces_score": 0.0}, "faces_score: expected"),
    ],
)
def test_what_finds_people_is_named_rightly(wrong: dict[str, object], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        PeopleSettings(**wrong)  # type: ignore[arg-type]
