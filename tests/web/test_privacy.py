"""What is masked is not shown to whoever does not stand before the device."""

from __future__ import annotations

import base64
from pathlib import Path

import cv2
import numpy as np

from tests.support.road import until
from tests.support.tiny_faces import tiny_faces_bytes, write_tiny_faces
from tests.support.web import PASSWORDS, Shop, Site

ROWS, LEFT, RIGHT = slice(12, 100), slice(12, 104), slice(136, 228)
"""Within the upper two of the four quarters of a photo: one colour each, with noise."""


def noise(jpeg: bytes) -> tuple[float, float]:
    """How much of the noise is left, on the left and on the right."""
    image = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_GRAYSCALE).astype(float)
    assert image.shape == (240, 240)
    fine = image - cv2.blur(image, (5, 5))
    return float(fine[ROWS, LEFT].std()), float(fine[ROWS, RIGHT].std())


def test_a_page_far_away_shows_the_rest_of_the_picture(guarded: Site, site: Site) -> None:
    viewer = PASSWORDS["viewer"]
    until(lambda: guarded.ask("/api/cameras/cam/picture", password=viewer).status == 200, 10)
    left, right = noise(guarded.ask("/api/cameras/cam/picture", password=viewer).body)
    assert left < right / 3
    left, right = noise(site.ask("/api/cameras/cam/picture").body)
    assert left > right / 3


def test_a_snapshot_shows_the_rest_of_the_picture(guarded: Site) -> None:
    said = guarded.ask("/api/commands/snapshot", {"camera": "cam"}, password=PASSWORDS["operator"])
    left, right = noise(base64.b64decode(said.json["image"]))
    assert left < right / 3


def test_whoever_sits_before_the_device_sees_what_it_sees(shop: Shop, tmp_path: object) -> None:
    camera = {"privacy": {"masks": [[0, 0, 0.5, 1]]}}
    before = Site(shop, tmp_path, camera=camera).wait()  # type: ignore[arg-type]
    try:
        until(lambda: before.looked_at() > 0, 10)  # what nobody could look at yet is shown to nobody as it is

        def plain() -> bool:
            left, right = noise(before.ask("/api/cameras/cam/picture").body)
            return left > right / 3

        until(plain, 10)  # the picture of a moment ago may be shown once more
        assert before.ask("/api/cameras/cam/picture", x_forwarded_for="192.0.2.1").status == 401
    finally:
        before.close()


def test_faces_that_are_found_are_not_shown(shop: Shop, tmp_path: Path) -> None:
    """By a model that takes all of it for faces."""
    model = write_tiny_faces(tmp_path, tiny_faces_bytes(all_over=True))
    site = Site(shop, tmp_path / "site", more={"privacy": {"faces": str(model)}}).wait()
    try:
        until(lambda: site.looked_at() > 0, 10)
        plain = max(noise(site.ask("/api/cameras/cam/picture").body))
        said = site.ask("/api/commands/snapshot", {"camera": "cam"})
        assert max(noise(base64.b64decode(said.json["image"]))) < plain / 3
    finally:
        site.close()
