"""People and faces by real models: what is kept or shown is without them."""

from __future__ import annotations

import logging
from pathlib import Path

import cv2
import numpy as np
import pytest

from agent.core.errors import DeviceError, ModelError
from agent.core.privacy import PeopleSettings, Veil, nobody
from agent.people import People, clearer, make_finder
from tests.support.tiny_detectors import write_tiny_detector
from tests.support.tiny_faces import write_tiny_faces


def picture() -> np.ndarray:
    noise = np.random.default_rng(0).integers(0, 60, (240, 320, 3), dtype=np.uint8)
    noise[80:128, 160:208] = (40, 90, 230) + noise[80:128, 160:208] // 4
    return noise


def test_faces_and_people_are_found_by_their_models(tmp_path: Path) -> None:
    faces = write_tiny_faces(tmp_path)
    boxes, classes = [(0.0, 0.0, 0.5, 0.25), (0.5, 0.5, 1.0, 1.0)], [0.0, 7.0]
    people = write_tiny_detector(tmp_path, boxes, classes, [0.9, 0.9], 2.0)
    both = People(PeopleSettings(faces=str(faces), people=str(people)))
    found = both.find(picture())
    assert (0, 0, 80, 120) in found  # class 0; of class 7 nothing is believed
    assert (160, 120, 320, 240) not in found
    assert any(140 < x1 < 210 and 60 < y1 < 130 for x1, y1, _, _ in found)
    assert make_finder(PeopleSettings()) is nobody


def test_a_kept_jpeg_loses_its_faces_and_stays_as_it_is_without(tmp_path: Path) -> None:
    clear = clearer(Veil({}, make_finder(PeopleSettings(faces=str(write_tiny_faces(tmp_path))))).clear)
    _, data = cv2.imencode(".jpg", picture())
    shown = cv2.imdecode(np.frombuffer(clear(data.tobytes()), np.uint8), cv2.IMREAD_COLOR)
    fine = [image[84:124, 164:204].astype(float).std() for image in (picture(), shown)]
    assert fine[1] < fine[0] * 1.5
    assert shown[84:124, 164:204, 2].astype(int).max() < 235
    _, plain = cv2.imencode(".jpg", picture()[:70])
    assert clear(plain.tobytes()) == plain.tobytes()
    assert clear(b"") == b""


def test_a_model_that_is_not_there_is_said_before_anything_starts() -> None:
    with pytest.raises(ModelError, match="/nowhere/yunet"):
        make_finder(PeopleSettings(faces="/nowhere/yunet.onnx"))


def test_a_failure_is_logged_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    people = People(PeopleSettings(faces=str(write_tiny_faces(tmp_path))))
    no_picture = np.zeros((0, 8, 3), np.uint8)
    for _ in "12":
        with caplog.at_level(logging.INFO), pytest.raises(DeviceError):
            people.find(no_picture)
    assert len([each for each in caplog.records if "blurred as a whole" in each.message]) == 1
