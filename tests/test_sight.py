"""A catalogue directory and its eyes: the device's own, those in use, or those that the directory carries."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from agent.adapters.catalogue import read_manifest, write_manifest
from agent.adapters.embedder import EmbedderSettings, load_embedder
from agent.core.errors import CatalogueError, ModelError
from agent.sight import open_folder, try_folder
from tests.support.bent_catalogue import otherwise, with_first_probe, with_model
from tests.support.road import Road, spotter
from tests.support.tiny_models import tiny_model_bytes, write_tiny_model


class Shop:
    """A catalogue of the device's own model, and one of another model that it carries."""

    def __init__(self, folder: Path) -> None:
        road = Road(folder)
        road.build()
        self.own, self.plain = EmbedderSettings(file=str(road.model)), road.catalogue
        other = write_tiny_model(folder / "model", cells=8, name="other")
        self.other = EmbedderSettings(file=str(other))
        self.carrying = folder / "carrying"
        done = spotter(
            "catalog", "build", str(folder / "products"), "--with-model",
            "--model", str(other), "-o", str(self.carrying), "--jobs", "1", "--no-cache",
        )  # fmt: skip
        assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    return Shop(tmp_path_factory.mktemp("sight"))


def test_the_own_model_looks_at_what_it_made(shop: Shop) -> None:
    eyes, catalogue = open_folder(shop.plain, shop.own)
    assert (eyes.spec.name, len(catalogue)) == ("tiny", 36)


def test_a_catalogue_brings_the_eyes_it_was_made_for(shop: Shop) -> None:
    eyes, catalogue = open_folder(shop.carrying, shop.own)
    assert (eyes.spec.name, eyes.dimension) == ("other", 192)
    assert eyes.fingerprint == catalogue.manifest.model.fingerprint
    assert try_folder(shop.carrying, shop.own, None, lambda: None) == catalogue.release


def test_what_is_carried_makes_no_difference_to_a_device_that_has_it(shop: Shop) -> None:
    eyes, _ = open_folder(shop.carrying, shop.other)
    assert eyes._name == shop.other.file


def test_eyes_in_use_are_not_loaded_again(shop: Shop) -> None:
    eyes, _ = open_folder(shop.carrying, shop.own)
    again, _ = open_folder(shop.carrying, shop.own, eyes)
    assert again is eyes
    back, _ = open_folder(shop.plain, shop.own, eyes)
    assert back.spec.name == "tiny"


def test_a_catalogue_of_another_model_that_it_does_not_carry_is_refused(shop: Shop, tmp_path: Path) -> None:
    folder = tmp_path / "without"
    shutil.copytree(shop.carrying, folder)
    write_manifest(folder, replace(read_manifest(folder), model_file=None, model_spec=None))
    for opening in (lambda: open_folder(folder, shop.own), lambda: try_folder(folder, shop.own, None, print)):
        with pytest.raises(CatalogueError, match="expected a catalogue built with the model of fingerprint"):
            opening()  # type: ignore[no-untyped-call]


def test_the_own_model_is_needed_only_where_none_is_carried(shop: Shop, tmp_path: Path) -> None:
    broken = write_tiny_model(tmp_path)
    broken.write_bytes(b"cut")
    settings = EmbedderSettings(file=str(broken))
    assert open_folder(shop.carrying, settings)[0].spec.name == "other"
    with pytest.raises(ModelError, match="expected the sha256"):
        open_folder(shop.plain, settings)


def _cut(data: bytes) -> bytes:
    return data[: len(data) // 2]


BENT: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "a text": (lambda _data: b"not a model" * 20, "expected a model that ai-edge-litert"),
    "half a model": (_cut, "expected a model that ai-edge-litert"),
    "a model of another shape": (lambda _data: tiny_model_bytes(cells=2), "output dimension: expected 192"),
}


@pytest.mark.parametrize(("bend", "says"), BENT.values(), ids=BENT)
def test_a_model_that_cannot_be_used_is_refused_in_one_sentence(
    shop: Shop, tmp_path: Path, bend: Callable[[bytes], bytes], says: str
) -> None:
    folder = with_model(shop.carrying, tmp_path / "bent", bend)
    for opening in (lambda: try_folder(folder, shop.own, None, print), lambda: open_folder(folder, shop.own)):
        with pytest.raises(CatalogueError) as error:
            opening()  # type: ignore[no-untyped-call]
        assert says in str(error.value)
        assert "\n" not in str(error.value)


def test_a_model_that_was_damaged_on_the_disk_never_reaches_the_library(shop: Shop, tmp_path: Path) -> None:
    folder = tmp_path / "damaged"
    shutil.copytree(shop.carrying, folder)
    model = next(folder.glob("model-*.tflite"))
    data = bytearray(model.read_bytes())
    data[len(data) // 2] ^= 1
    model.write_bytes(data)
    with pytest.raises(CatalogueError, match="the file is damaged"):
        open_folder(folder, shop.own)


def test_probes_are_tried_with_the_eyes_that_are_carried(shop: Shop, tmp_path: Path) -> None:
    folder = with_first_probe(shop.carrying, tmp_path / "bent", otherwise)
    with pytest.raises(CatalogueError, match="does not see what head office saw"):
        try_folder(folder, shop.own, None, lambda: None)
    in_use = load_embedder(shop.own)
    with pytest.raises(CatalogueError, match="does not see what head office saw"):
        try_folder(folder, shop.own, in_use, lambda: None)
