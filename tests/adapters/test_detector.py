"""Detectors: what is refused before TFLite sees it, what is made of a hostile answer, and a public one."""

from __future__ import annotations

import json
from math import inf, nan
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest

from agent.adapters.detector import Detector, DetectorRegions, draft_description, load_detector
from agent.adapters.embedder.files import read_description, read_verified
from agent.core.changes import ChangeSettings
from agent.core.detector_spec import parse_detector_spec
from agent.core.errors import InputError, ModelError
from agent.core.proposals import DetectorSettings, TileSettings
from agent.core.types import Frame, Region
from agent.core.zone import Zone
from tests.support.tiny_detectors import write_tiny_detector
from tests.support.tiny_models import write_tiny_model

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from agent.core.proposals import Boxes

PICTURE = np.full((100, 200, 3), 90, np.uint8)
WHOLE = Region((0, 0, 200, 100))


def settings(model: Path, **more: object) -> DetectorSettings:
    return DetectorSettings(file=str(model), **more)  # type: ignore[arg-type]


def test_what_it_finds_is_in_pixels_of_the_picture(tmp_path: Path) -> None:
    found = load_detector(settings(write_tiny_detector(tmp_path))).detect(PICTURE, WHOLE)
    assert found.boxes.tolist() == [[50, 25, 150, 75]]
    assert found.scores.tolist() == pytest.approx([0.9])


GOOD = (0.25, 0.25, 0.75, 0.75)


@pytest.mark.parametrize(
    ("boxes", "scores", "count", "kept"),
    [
        ([(nan, 0, 1, 1), GOOD], [0.9, 0.9], 2, 1),
        ([(-inf, 0, 1, inf), GOOD], [0.9, 0.9], 2, 1),
        ([GOOD, GOOD], [nan, 0.9], 2, 1),
        ([GOOD, GOOD], [1e30, 0.9], 2, 1),
        ([GOOD, GOOD], [0.9, 0.9], 1e9, 2),
        ([GOOD, GOOD], [0.9, 0.9], nan, 0),
        ([GOOD, GOOD], [0.9, 0.9], inf, 0),
        ([GOOD, GOOD], [0.9, 0.9], -3, 0),
        ([GOOD, GOOD], [0.9, 0.9], 1, 1),
        ([(0.75, 0.75, 0.25, 0.25), GOOD], [0.9, 0.9], 2, 1),
        ([(1.5, 1.5, 2.5, 2.5), GOOD], [0.9, 0.9], 2, 1),
        ([(-1.0, -1.0, 2.0, 2.0), GOOD], [0.9, 0.9], 2, 2),
        ([(-3e38, -3e38, 3e38, 3e38), GOOD], [0.9, 0.9], 2, 2),
    ],
    ids=[
        "a box of NaN",
        "an endless box",
        "a score of NaN",
        "a score above 1",
        "a count of a billion",
        "a count of NaN",
        "an endless count",
        "a count below 0",
        "fewer than there is room for",
        "a box inside out",
        "a box outside",
        "a box that reaches beyond",
        "a box as large as numbers are",
    ],
)
def test_a_hostile_answer_is_survived(
    tmp_path: Path,
    boxes: list[tuple[float, float, float, float]],
    scores: list[float],
    count: float,
    kept: int,
) -> None:
    model = write_tiny_detector(tmp_path, boxes, scores=scores, count=count)
    found = load_detector(settings(model)).detect(PICTURE, WHOLE)
    assert len(found.boxes) == kept
    assert np.isfinite(found.boxes).all()
    assert (found.boxes >= 0).all()
    assert (found.boxes <= [200, 100, 200, 100]).all()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sha256": "0" * 64}, "expected the sha256 0000"),
        ({"file": "other.tflite"}, "file: expected 'detector.tflite', found 'other.tflite'"),
        ({"kind": "embedder"}, "kind: expected detector, found 'embedder'"),
        ({"outputs": "boxes, scores, count"}, "outputs: expected boxes, classes, scores, count"),
        ({"outputs": "scores, boxes, classes, count"}, "do its outputs come in another order?"),
        ({"dimension": 4}, "dimension: expected one of"),
    ],
    ids=[
        "another digest",
        "another file",
        "no detector",
        "an output too few",
        "another order",
        "an embedder's",
    ],
)
def test_a_description_that_does_not_fit_is_refused(
    tmp_path: Path, changes: dict[str, object], message: str
) -> None:
    model = write_tiny_detector(tmp_path, **changes)  # type: ignore[arg-type]
    with pytest.raises(ModelError) as caught:
        load_detector(settings(model))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_embedding_model_is_no_detector(tmp_path: Path) -> None:
    model = write_tiny_model(tmp_path)
    with pytest.raises(ModelError, match="dimension: expected one of kind, name"):
        load_detector(settings(model))


def test_a_draft_of_a_detector_loads(tmp_path: Path) -> None:
    model = write_tiny_detector(tmp_path)
    model.with_suffix(".json").write_text(json.dumps(draft_description(model.read_bytes(), model.name)))
    assert len(load_detector(settings(model)).detect(PICTURE, WHOLE).boxes) == 1


def test_a_draft_of_an_embedding_model_is_what_it_was(tmp_path: Path) -> None:
    model = write_tiny_model(tmp_path)
    assert draft_description(model.read_bytes(), model.name)["dimension"] == 48


class _Counting(Detector):
    """Remembers which tiles it was shown."""

    shown: list[Region]

    def detect(self, image: NDArray[np.uint8], tile: Region) -> Boxes:
        self.shown.append(tile)
        return super().detect(image, tile)


def counting(chosen: DetectorSettings) -> _Counting:
    spec = read_description(chosen.file, parse_detector_spec)
    made = _Counting(read_verified(chosen.file, spec.sha256), spec, chosen)
    made.shown = []
    return made


def frame(seq: int, image: NDArray[np.uint8], **more: bool) -> Frame:
    return Frame("cam", seq, at=seq * 0.5, utc=seq * 0.5, image=image, **more)


def test_only_tiles_that_changed_are_shown_to_it_again(tmp_path: Path) -> None:
    chosen = settings(write_tiny_detector(tmp_path), tiles=TileSettings(rows=1, columns=2, overlap=0.0))
    detector = counting(chosen)
    proposer = DetectorRegions(detector, chosen, Zone(), ChangeSettings(refresh_s=5.0))
    first = proposer.regions(frame(0, PICTURE))
    assert len(detector.shown) == 3, "all of the picture and two tiles"
    assert proposer.regions(frame(1, PICTURE)) == first
    assert len(detector.shown) == 3, "nothing changed"
    other = PICTURE.copy()
    other[40:60, 150:170] = 250
    proposer.regions(frame(2, other))
    assert [tile.box for tile in detector.shown[3:]] == [(0, 0, 200, 100), (100, 0, 200, 100)]
    proposer.regions(frame(20, other))
    assert len(detector.shown) == 8, "after 5 s it looks again all the same"
    proposer.regions(frame(21, other, cut=True))
    assert len(detector.shown) == 11, "and after a cut"


def test_small_ones_and_those_beyond_the_limit_are_left_out(tmp_path: Path) -> None:
    boxes = [(0.0, 0.0, 0.5, 0.25), (0.5, 0.5, 1.0, 1.0), (0.0, 0.5, 0.02, 0.9)]
    chosen = settings(write_tiny_detector(tmp_path, boxes, scores=[0.8, 0.9, 0.95]))
    proposer = DetectorRegions(load_detector(chosen), chosen, Zone(min_px=10, limit=1), ChangeSettings())
    (region,) = proposer.regions(frame(0, PICTURE))
    assert region.box == (100, 50, 200, 100), "the best of those that are large enough"


def test_a_zone_outside_the_picture_is_named(tmp_path: Path) -> None:
    chosen = settings(write_tiny_detector(tmp_path))
    zone = Zone(corners=(0, 0, 300, 90))
    proposer = DetectorRegions(load_detector(chosen), chosen, zone, ChangeSettings())
    with pytest.raises(InputError, match="zone: expected a box within 200 × 100 px"):
        proposer.regions(frame(0, PICTURE))


def test_a_public_detector_finds_the_bottles(shared_data: Path, tmp_path: Path) -> None:
    name = "coco_ssd_mobilenet_v1_1.0_quant.tflite"
    model = tmp_path / name
    model.symlink_to(shared_data / "models" / name)
    model.with_suffix(".json").write_text(json.dumps(draft_description(model.read_bytes(), name)))
    video = cv2.VideoCapture(str(shared_data / "video" / "bottle-detection.mp4"))
    picture = video.read()[1]
    chosen = settings(model, score=0.4)
    proposer = DetectorRegions(load_detector(chosen), chosen, Zone(min_px=24), ChangeSettings())
    left = sorted(region.box[0] for region in proposer.regions(frame(0, picture)))
    assert left == pytest.approx([51, 282, 499], abs=12), "three bottles stand on the table"
