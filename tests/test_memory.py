"""A release, what was learned beside it, and what is forgotten: with a real catalogue and a real overlay."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest

from agent.adapters.catalogue import Catalogue, open_catalogue
from agent.adapters.overlay import Overlay
from agent.core.errors import CatalogueError
from agent.core.learned import Counts, Settlement
from agent.memory import DeviceMemory
from agent.nothing import Nothing
from tests.support.head_office import DIMENSION, FINGERPRINT, draw_catalogue
from tests.support.pictures import coded, scene

SIGHT = f"{FINGERPRINT} 1"


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory: pytest.TempPathFactory) -> Catalogue:
    folder = draw_catalogue(tmp_path_factory.mktemp("memory") / "catalogue")
    return open_catalogue(folder, FINGERPRINT, DIMENSION)


class Device:
    """A writer, as the command line would be, and the memory of a daemon beside it."""

    def __init__(self, folder: Path, base: Catalogue | Nothing) -> None:
        self.folder = folder
        self.writer = Overlay(folder)
        self.memory = self.start(base)

    def start(self, base: Catalogue | Nothing) -> DeviceMemory:
        return DeviceMemory(base, Overlay(self.folder), DIMENSION, FINGERPRINT)

    def enrol(self, sku: str, row: np.ndarray, number: int = 0, **texts: str) -> None:
        self.writer.enrol(sku, texts, [(coded(scene(number)), row)], SIGHT, 5.0)

    def forget(self, sku: str, *, held: bool = True) -> None:
        self.writer.forget(sku, held=held, utc=6.0)

    def found(self, row: np.ndarray) -> list[str]:
        assert self.memory.version
        (look,) = self.memory.nearest(row[None], limit=3)
        return [self.memory.product(candidate.product).sku for candidate in look]


@pytest.fixture
def device(tmp_path: Path, catalogue: Catalogue) -> Device:
    return Device(tmp_path, catalogue)


def near(product: int) -> np.ndarray:
    """Near the pictures of a product of `draw_catalogue`."""
    row = np.random.default_rng(product).normal(size=(4, DIMENSION))[0]
    return (row / np.linalg.norm(row)).astype(np.float32)


def far(seed: int) -> np.ndarray:
    return near(1000 + seed)


def test_without_anything_learned_the_answers_are_those_of_the_release(
    device: Device, catalogue: Catalogue
) -> None:
    rows = np.stack([near(product) for product in range(1, 9)])
    assert device.memory.nearest(rows) == catalogue.nearest(rows)
    assert DeviceMemory(catalogue, None, DIMENSION, FINGERPRINT).nearest(rows) == catalogue.nearest(rows)
    assert device.memory.counts == Counts()


def test_a_new_product_is_found_at_once_and_so_is_its_absence(device: Device) -> None:
    before = device.memory.version
    device.enrol("new", far(1), name="New", gtin="04006381333931")
    assert device.found(far(1))[0] == "new"
    assert device.memory.version != before
    (look,) = device.memory.nearest(far(1)[None])
    assert look[0].similarity == pytest.approx(1.0, abs=1e-6)
    assert device.memory.product(look[0].product).name == "New"
    assert device.memory.reference(look[0].key).startswith("images/new/learned-")
    device.forget("new", held=False)
    assert "new" not in device.found(far(1))
    assert device.memory.product(look[0].product).sku == "new", "a track may still hold it"
    assert device.memory.reference(look[0].key).startswith("images/new/")


def test_a_picture_of_a_product_of_the_release_is_one_more_view_of_it(
    device: Device, catalogue: Catalogue
) -> None:
    device.enrol("sku-3", far(2), name="another name")
    assert device.found(far(2))[0] == "sku-3"
    (look,) = device.memory.nearest(far(2)[None])
    assert look[0].product == 3
    assert device.memory.product(3) == catalogue.product(3), "the release's own name stays"


def test_a_forgotten_product_is_found_no_longer_until_it_is_taught_anew(device: Device) -> None:
    assert device.found(near(3))[0] == "sku-3"
    device.forget("sku-3")
    assert "sku-3" not in device.found(near(3))
    assert device.memory.counts == Counts(forgotten=1)
    device.enrol("sku-3", far(3))
    assert "sku-3" not in device.found(near(3))[:2], "its old pictures stay out"
    assert device.found(far(3))[0] == "sku-3"
    device.writer.remember("sku-3")
    assert device.found(near(3))[0] == "sku-3"


def test_without_a_release_there_is_what_was_learned(tmp_path: Path) -> None:
    device = Device(tmp_path, Nothing())
    assert device.memory.nearest(far(1)[None]) == [()]
    device.enrol("new", far(1))
    assert device.found(far(1)) == ["new"]
    assert device.memory.by_sku("new") is not None
    assert device.memory.by_sku("sku-1") is None
    with pytest.raises(CatalogueError, match="found none yet"):
        device.memory.product(5)
    with pytest.raises(CatalogueError, match="found none yet"):
        device.memory.reference(5)


def test_it_survives_a_restart_and_another_release(device: Device, tmp_path: Path) -> None:
    device.enrol("new", far(1))
    device.enrol("sku-9", far(2))
    device.forget("sku-3")
    folder = draw_catalogue(tmp_path / "other", seed=5, products=9)
    device.memory = device.start(open_catalogue(folder, FINGERPRINT, DIMENSION))
    assert device.found(far(1))[0] == "new"
    (look,) = device.memory.nearest(far(2)[None])
    assert look[0].product == 9, "the new release has this one"
    assert "sku-3" not in device.found(near(3))


def test_what_the_release_has_taken_in_does_not_count_beside_it(device: Device, catalogue: Catalogue) -> None:
    device.enrol("new", far(1))
    device.forget("sku-3")
    learned = device.writer.learned()
    device.writer.settle(Settlement(taken=(*learned.references, *learned.forgotten)), catalogue.release)
    assert device.found(far(1))[0] != "new"
    assert device.found(near(3))[0] == "sku-3"
    assert device.memory.counts == Counts(taken=2)
    assert device.start(Nothing()).nearest(far(1)[None])[0], "it does beside another"


def test_an_embedding_of_another_model_waits_until_it_is_made_anew(device: Device) -> None:
    device.writer.enrol("new", {}, [(coded(scene(1)), far(1))], "other eyes", 5.0)
    assert device.found(far(1))[0] != "new"
    device.writer.refit([(1, far(1))], SIGHT)
    assert device.found(far(1))[0] == "new"


def test_a_store_that_fails_is_said_once_and_what_was_read_goes_on_to_count(
    device: Device, caplog: pytest.LogCaptureFixture
) -> None:
    device.enrol("new", far(1))
    assert device.found(far(1))[0] == "new"
    device.writer.close()
    (device.folder / "overlay.db-wal").unlink(missing_ok=True)
    (device.folder / "overlay.db").unlink()
    (device.folder / "overlay.db").mkdir()
    for _ in range(3):
        assert device.found(far(1))[0] == "new"
    assert "overlay.db" in device.memory.problem
    assert [record.levelname for record in caplog.records if "what was learned" in record.message] == [
        "ERROR"
    ]
    (device.folder / "overlay.db").rmdir()
    assert device.memory.version
    assert device.memory.problem == ""


def test_threads_that_search_see_whole_snapshots(device: Device) -> None:
    """Two pictures come and go together; whoever asks sees both or none."""
    stop, halves, errors = threading.Event(), [], []
    rows = np.stack([far(1), far(2)])

    def search() -> None:
        while not stop.is_set():
            try:
                assert device.memory.version
                looks = device.memory.nearest(rows)
                best = [device.memory.product(look[0].product).sku == "pair" for look in looks]
            except Exception as error:
                errors.append(error)
                raise
            if len(set(best)) > 1:
                halves.append(best)

    threads = [threading.Thread(target=search) for _ in range(3)]
    for thread in threads:
        thread.start()
    for _ in range(40):
        device.writer.enrol("pair", {}, [(coded(scene(n)), row) for n, row in enumerate(rows)], SIGHT, 1.0)
        device.forget("pair", held=False)
    stop.set()
    for thread in threads:
        thread.join()
    assert errors == []
    assert halves == []
