"""From a configuration to recognitions where regions are proposed: real model, catalogue and detector."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest

from agent.config import load_config
from agent.core.errors import ModelError
from agent.core.types import Frame
from agent.parts import load_eyes, make_pipeline
from tests.support.road import Road, picture
from tests.support.tiny_detectors import write_tiny_detector

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from agent.core.types import Recognition
    from agent.pipeline import Pipeline

SIZE = 96
BOX = (240, 80, 240 + SIZE, 80 + SIZE)


@pytest.fixture(scope="module")
def road(tmp_path_factory: pytest.TempPathFactory) -> Road:
    made = Road(tmp_path_factory.mktemp("proposing"))
    made.build()
    return made


def pipeline(road: Road, **regions: Any) -> Pipeline:
    camera = {"id": "cam", "source": "folder:/nowhere", "regions": regions}
    settings = load_config(road.configure(camera, decision={"looks": 1}))
    return make_pipeline(settings, *load_eyes(settings))


def table(product: int | None = None, shift: int = 0) -> NDArray[np.uint8]:
    """A grey table with soft spots, on it perhaps a product."""
    coarse = np.random.default_rng(5).integers(90, 150, (6, 9, 3)).astype(np.uint8)
    image = np.asarray(cv2.resize(coarse, (576, 256), interpolation=cv2.INTER_CUBIC), np.uint8)
    if product is not None:
        image[BOX[1] : BOX[3], BOX[0] + shift : BOX[2] + shift] = picture(product, 77, SIZE)
    return image


def shown(road_: Pipeline, *images: NDArray[np.uint8]) -> list[Recognition]:
    told: list[Recognition] = []
    for seq, image in enumerate(images):
        told += road_.step(Frame("cam", seq, at=seq * 0.5, utc=1.8e9 + seq * 0.5, image=image))
    return told


def test_a_product_that_is_put_on_a_table_is_recognised(road: Road) -> None:
    road_ = pipeline(road, mode="motion")
    told = shown(road_, table(), table(), *[table(4)] * 4)
    new = told[0]
    assert (new.phase.value, new.product.sku if new.product else "") == ("new", "sku-04")
    assert new.track.region.name == ""
    assert np.abs(np.subtract(new.track.region.box, BOX)).max() < 12
    assert (road_.tally.embedded, road_.tally.reused) == (1, 3), "it stands still after that"


def test_a_product_on_a_belt_is_one_track(road: Road) -> None:
    road_ = pipeline(road, mode="motion")
    told = shown(road_, table(), *[table(4, 20 * step) for step in range(6)])
    assert len({each.track.id for each in told}) == 1
    assert road_.tally.reused == 0, "what moves is looked at in each frame"


def test_what_a_detector_finds_is_recognised(road: Road, tmp_path: Path) -> None:
    share = (BOX[1] / 256, BOX[0] / 576, BOX[3] / 256, BOX[2] / 576)
    model = write_tiny_detector(tmp_path, [share])
    road_ = pipeline(road, mode="detector", detector={"file": str(model)})
    told = shown(road_, table(4), table(4), table(6))
    assert told[0].product is not None
    assert told[0].product.sku == "sku-04"
    assert told[0].track.region.box == BOX
    assert (road_.tally.embedded, road_.tally.reused) == (2, 1), "another thing in its place is looked at"


def test_a_wrong_detector_is_named_before_anything_runs(road: Road, tmp_path: Path) -> None:
    model = write_tiny_detector(tmp_path, sha256="0" * 64)
    with pytest.raises(ModelError, match=r"detector\.tflite: expected the sha256 0000"):
        pipeline(road, mode="detector", detector={"file": str(model)})
