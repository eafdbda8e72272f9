"""A device is taught with a real model: what it takes, what it refuses, and what a release takes in."""

from __future__ import annotations

import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from agent.adapters.embedder import EmbedderSettings, load_embedder
from agent.adapters.images import decode_image
from agent.adapters.overlay import Overlay
from agent.core.errors import InputError
from agent.core.learned import Counts
from agent.learning import SIDE_PX, Picture, Teacher
from agent.memory import DeviceMemory
from agent.nothing import Nothing
from agent.parts import load_eyes_from
from tests.support.clock import ManualClock
from tests.support.pictures import coded
from tests.support.road import Road, picture, spotter
from tests.support.tiny_models import write_tiny_model


@pytest.fixture(scope="module")
def road(tmp_path_factory: pytest.TempPathFactory) -> Road:
    made = Road(tmp_path_factory.mktemp("learning"))
    made.build()
    return made


def built(road: Road, out: Path, *removed: str, **more: Path) -> Path:
    """The catalogue of a product folder from which some are removed, and to which pictures are added."""
    products = out.parent / f"{out.name}-products"
    shutil.copytree(road.folder / "products", products)
    for sku in removed:
        shutil.rmtree(products / sku)
    for sku, folder in more.items():
        shutil.copytree(folder, products / sku, dirs_exist_ok=True)
    done = spotter(
        "catalog", "build", str(products), "--model", str(road.model), "-o", str(out), "--jobs", "1"
    )
    assert done.returncode == 0, done.stderr
    return out


class Device:
    def __init__(
        self, road: Road, state: Path, catalogue: Path | None = None, model: Path | None = None
    ) -> None:
        self.store = Overlay(state / "overlay")
        model = model or road.model
        if catalogue is None:
            self.eyes, base = load_embedder(EmbedderSettings(file=str(model))), Nothing()
        else:
            self.eyes, base = load_eyes_from(str(model), str(catalogue))
        self.memory = DeviceMemory(
            base, Overlay(state / "overlay"), self.eyes.dimension, self.eyes.fingerprint
        )
        self.teacher = Teacher(self.store, self.eyes, self.memory, ManualClock())

    def names(self, image: np.ndarray) -> str:
        assert self.memory.version >= 0
        from agent.core.regions import kept_centre, propose

        regions = propose(kept_centre(self.memory.base.crop), image.shape[1], image.shape[0])
        (look,) = self.memory.nearest(self.eyes.embed(image, regions))
        return self.memory.product(look[0].product).sku if look else ""


@pytest.fixture
def device(road: Road, tmp_path: Path) -> Device:
    return Device(road, tmp_path, road.catalogue)


def shown(product: int, view: int = 50, **more: int) -> Picture:
    return Picture(f"{product}-{view}.png", coded(picture(product, view, **more), ".png"))


def test_a_product_is_taught_by_pictures_and_recognised_at_once(device: Device) -> None:
    taught = device.teacher.enrol(
        "new", [shown(70, 1), shown(70, 2)], {"name": "New", "gtin": "4006381333931"}
    )
    assert (taught.added, taught.pictures, taught.in_release, taught.warnings) == (2, 2, False, ())
    assert device.names(picture(70, 3)) == "new"
    product = device.memory.by_sku("new")
    assert product is not None
    assert product.gtin == "04006381333931"
    again = device.teacher.enrol("new", [shown(70, 1)], {})
    assert (again.added, again.pictures) == (0, 2)


def test_a_picture_is_kept_small(device: Device) -> None:
    device.teacher.enrol("new", [shown(70, size=3000)], {})
    (reference,) = device.store.learned().references
    kept = decode_image(device.store.pictures.get(reference.picture), "kept")
    assert kept.shape == (SIDE_PX, SIDE_PX, 3)


REFUSED = {
    "no picture": ("new", [], {}, "expected at least one picture, found none"),
    "no sku": ("", [shown(70)], {}, "sku: expected an sku, found none"),
    "a path for an sku": ("../x", [shown(70)], {}, "sku: expected no slash"),
    "what is no picture": ("new", [shown(70), Picture("b.txt", b"text")], {}, "b.txt: expected"),
    "a picture that is cut off": ("new", [Picture("a.png", shown(70).data[:200])], {}, "a.png: "),
    "a picture in which the model sees nothing": (
        "new", [Picture("grey.png", coded(np.full((96, 96, 3), 128, np.uint8), ".png"))], {}, "the model sees nothing",
    ),
    "a gtin with a wrong check digit": ("new", [shown(70)], {"gtin": "4006381333932"}, "gtin: expected check digit 1"),
    "a name of two lines": ("new", [shown(70)], {"name": "a\nb"}, "name: expected one line of text"),
    "a name without end": ("new", [shown(70)], {"name": "x" * 1001}, "name: expected at most 1000 characters"),
    "a field that nobody knows": ("new", [shown(70)], {"colour": "red"}, "colour: expected one of gtin, name"),
}  # fmt: skip


@pytest.mark.parametrize("story", REFUSED)
def test_is_refused_and_nothing_is_learned(story: str, device: Device) -> None:
    sku, pictures, texts, says = REFUSED[story]
    with pytest.raises(InputError, match=says):
        device.teacher.enrol(sku, pictures, texts)
    assert device.store.learned().references == ()


def test_a_picture_that_looks_like_another_product_is_doubted(device: Device) -> None:
    (doubt,) = device.teacher.enrol("new", [shown(3), shown(70)], {}).warnings
    assert doubt.startswith("3-50.png: nearer to 'sku-03' (similarity ")
    (doubt,) = device.teacher.enrol("sku-05", [shown(4), shown(5)], {}).warnings
    assert doubt.startswith("4-50.png: nearer to 'sku-04' (similarity ")
    assert "than to it (similarity" in doubt


def test_what_is_forgotten_is_unknown_until_it_is_remembered(device: Device) -> None:
    dropped = device.teacher.forget("sku-03")
    assert (dropped.removed, dropped.in_release) == (0, True)
    assert device.names(picture(3, 60)) != "sku-03"
    device.teacher.remember("sku-03")
    assert device.names(picture(3, 60)) == "sku-03"
    device.teacher.enrol("new", [shown(70)], {})
    dropped = device.teacher.forget("new")
    assert (dropped.removed, dropped.in_release) == (1, False)
    for never in (lambda: device.teacher.forget("new"), lambda: device.teacher.remember("sku-03")):
        with pytest.raises(InputError, match=r"sku: expected one that (is known|was forgotten)"):
            never()


def test_a_release_takes_in_what_was_learned_and_going_back_finds_it_again(
    road: Road, tmp_path: Path
) -> None:
    first = Device(road, tmp_path, road.catalogue)
    first.teacher.enrol("new", [shown(70, 1), shown(70, 2)], {})
    first.teacher.enrol("local", [shown(71, 1)], {})
    first.teacher.forget("sku-03")
    first.teacher.forget("sku-04")
    assert not first.teacher.settle()
    photos = tmp_path / "photos"
    photos.mkdir()
    for view in (1, 2):
        cv2.imwrite(str(photos / f"{view}.png"), picture(70, view))
    release = built(road, tmp_path / "second", "sku-03", new=photos)

    second = Device(road, tmp_path, release)
    settlement = second.teacher.settle()
    assert sorted(each.sku for each in settlement.taken) == ["new", "new", "sku-03"]
    assert second.names(picture(70, 3)) == "new", "by the release"
    assert second.memory.counts == Counts(references=1, products=1, forgotten=1, taken=3)
    assert second.names(picture(71, 3)) == "local"
    assert second.names(picture(4, 60)) != "sku-04"

    back = Device(road, tmp_path, road.catalogue)
    assert back.names(picture(70, 3)) == "new", "the release before has it not"
    back.teacher.settle()
    assert back.memory.version
    assert back.memory.counts == Counts(references=3, products=2, forgotten=2)

    second.teacher.settle()
    shutil.rmtree(tmp_path / "second-products")
    third = Device(road, tmp_path, built(road, tmp_path / "third", "sku-03", "sku-05", new=photos))
    assert sorted(each.sku for each in third.teacher.settle().gone) == ["new", "new", "sku-03"]
    assert [each.sku for each in third.store.learned().references] == ["local"]


def test_pictures_are_embedded_anew_for_another_model(
    road: Road, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    first = Device(road, tmp_path)
    first.teacher.enrol("new", [shown(70, 1), shown(70, 2)], {})
    first.teacher.enrol("damaged", [shown(71)], {})
    lost = first.store.learned().references[2]
    first.store.pictures.path(lost.picture).write_bytes(b"x")
    (tmp_path / "model").mkdir()
    other = Device(road, tmp_path, model=write_tiny_model(tmp_path / "model", cells=8))
    assert other.names(picture(70, 3)) == ""
    other.teacher.settle()
    assert other.names(picture(70, 3)) == "new"
    assert "does not count" in caplog.text
    assert other.memory.counts.references == 3
