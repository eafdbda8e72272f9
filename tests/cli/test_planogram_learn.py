"""`spotter planogram learn` and `empty`, on drawn bays with the model that ships."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml

from agent.cli.main import main
from agent.planograms import read_planogram
from tools.bench._shelf_device import build_catalogue, sku_of
from tools.synth.camera import noisy
from tools.synth.designs import design
from tools.synth.scenes import Bay, draw_bay, facings_of
from tools.synth.script import lit_by_shop

BAY = Bay(rows=2, columns=3, width=640, height=360, seed=3)
HOME = {slot: number for number, slot in enumerate(BAY.slots)}
MODEL = Path("models/base.tflite").resolve()


def picture(shown: dict[str, int]) -> np.ndarray:
    return noisy(lit_by_shop(draw_bay(BAY, shown)), 1)


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of a device whose camera is a folder with a picture of the bay."""
    folder = tmp_path_factory.mktemp("bay")
    catalogue = build_catalogue(folder / "shop", str(MODEL), range(len(HOME)), BAY.seed, design)
    (folder / "pictures").mkdir()
    cv2.imwrite(str(folder / "pictures" / "0.png"), picture(HOME))
    settings = {
        "site": "shop",
        "device": "dev-1",
        "state_dir": str(folder / "state"),
        "model": {"file": str(MODEL)},
        "catalogue": {"path": str(catalogue)},
        "cameras": [{"id": "bay-4", "source": f"folder:{folder / 'pictures'}", "fps": 0}],
    }
    (folder / "spotter.yaml").write_text(yaml.safe_dump(settings))
    return folder / "spotter.yaml"


def overlap(one: tuple[float, ...], other: tuple[float, ...]) -> float:
    across = min(one[2], other[2]) - max(one[0], other[0])
    down = min(one[3], other[3]) - max(one[1], other[1])
    both = max(0.0, across) * max(0.0, down)
    areas = ((box[2] - box[0]) * (box[3] - box[1]) for box in (one, other))
    return both / (sum(areas) - both)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_draft_finds_the_slots_and_what_stands_in_them(
    config: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "planogram.yaml"
    assert main(["planogram", "learn", "-c", str(config), "-o", str(out)]) == 0
    assert f"{out}: " in capfd.readouterr().err
    plan = read_planogram(out, {})
    assert plan.bay == "bay-4"
    found, named, counted = [], [], []
    for slot, number in HOME.items():
        best = max(plan.slots, key=lambda drawn: overlap(BAY.box(slot), drawn.box or (0, 0, 1, 1)))
        if overlap(BAY.box(slot), best.box or (0, 0, 1, 1)) >= 0.5:
            found.append(slot)
            named += [slot] * (best.sku == sku_of(number))
            counted += [slot] * (best.facings == facings_of(BAY, slot, number))
    assert len(found) >= 5
    assert named == found
    assert len(counted) >= 4
    assert len(plan.slots) <= 8, "nothing is taken for goods that is none"


def test_a_shelf_without_goods_of_the_catalogue_is_said_to_be_one(
    config: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    image, out = tmp_path / "wall.png", tmp_path / "planogram.yaml"
    cv2.imwrite(str(image), np.full((360, 640, 3), 180, np.uint8))
    assert main(["planogram", "learn", str(image), "-c", str(config), "-o", str(out)]) == 1
    assert f"{image}: expected goods of the catalogue on the shelf, found none" in capfd.readouterr().err
    assert not out.exists()


def test_what_still_stands_on_an_emptied_shelf_is_named(
    config: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    settings = yaml.safe_load(config.read_text())
    slots = [{"name": slot, "sku": sku_of(n), "box": list(BAY.box(slot))} for slot, n in HOME.items()]
    settings["cameras"][0]["shelf"] = {"plan": {"slots": slots}}
    with_plan, left, out = tmp_path / "spotter.yaml", tmp_path / "left.png", tmp_path / "empty.png"
    with_plan.write_text(yaml.safe_dump(settings))
    cv2.imwrite(str(left), picture({"b2": HOME["b2"]}))
    assert main(["planogram", "empty", str(left), "-c", str(with_plan), "-o", str(out)]) == 0
    said = capfd.readouterr().err
    assert f"slot b2: expected nothing in it, found {sku_of(HOME['b2'])}" in said
    assert said.count("expected nothing in it") == 1
    assert np.array_equal(cv2.imread(str(out)), cv2.imread(str(left)))


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["empty", "-o", "empty.jpg"], "-o: expected a .png file, found empty.jpg"),
        (["learn", "-o", "plan.yaml", "--camera", "other"], "--camera: expected one of bay-4, found 'other'"),
    ],
)
def test_usage(config: Path, arguments: list[str], says: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["planogram", *arguments, "-c", str(config)]) == 2
    assert says in capfd.readouterr().err
