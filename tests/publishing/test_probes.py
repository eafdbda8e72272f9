"""Which pictures of a catalogue become its probes, and that they stay."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from agent.adapters.catalogue import read_manifest, read_probes
from agent.adapters.embedder import EmbedderSettings
from agent.core.manifest import FileEntry
from agent.core.probes import Probe
from agent.publishing.build import BuildSettings, build_catalogue
from agent.publishing.probes import COUNT, LADDER
from tests.support.road import picture
from tests.support.tiny_models import write_tiny_model


class Office:
    """A product folder, and the catalogues that are built from it in one directory."""

    def __init__(self, folder: Path) -> None:
        self.products, self.out = folder / "products", folder / "catalogue"
        (folder / "model").mkdir()
        self.model = EmbedderSettings(file=str(write_tiny_model(folder / "model")))

    def draw(self, sku: str, number: int, size: int = 96) -> None:
        folder = self.products / sku
        folder.mkdir(parents=True)
        for view in range(2):
            cv2.imwrite(str(folder / f"{view}.png"), picture(number, view, size))

    def build(self, **more: Any) -> tuple[FileEntry | None, dict[str, Probe]]:
        """The file and its probes by SKU, after a build."""
        settings = BuildSettings(jobs=1, **more)
        build_catalogue(self.products, self.out, self.model, settings, created_utc=5.0)
        manifest = read_manifest(self.out)
        probes = read_probes(self.out, manifest)
        return manifest.probes, {probe.sku: probe for probe in probes.probes} if probes else {}


@pytest.fixture
def office(tmp_path: Path) -> Office:
    office = Office(tmp_path)
    for number in range(COUNT + 8):
        office.draw(f"sku-{number:02d}", number)
    return office


def test_sixteen_products_are_spread_over_the_catalogue_in_one_small_file(office: Office) -> None:
    entry, probes = office.build()
    assert len(probes) == COUNT
    assert entry is not None
    assert entry.size < 64_000
    assert max(int(sku[-2:]) for sku in probes) >= COUNT, "not simply the first"


def test_the_smallest_size_that_is_clear_is_taken(office: Office) -> None:
    _, probes = office.build()
    shapes = {
        cv2.imdecode(np.frombuffer(probe.picture, np.uint8), cv2.IMREAD_COLOR).shape
        for probe in probes.values()
    }
    assert shapes == {(LADDER[0][0], LADDER[0][0], 3)}


def test_a_new_product_changes_no_byte(office: Office) -> None:
    before, _ = office.build()
    office.draw("sku-99", 99)
    assert office.build()[0] == before


def test_the_probe_of_a_product_that_goes_goes_and_the_others_stay(office: Office) -> None:
    _, before = office.build()
    gone = sorted(before)[3]
    shutil.rmtree(office.products / gone)
    _, after = office.build()
    assert {sku: probe for sku, probe in before.items() if sku != gone} == after


def test_when_few_are_left_others_are_chosen(office: Office) -> None:
    _, before = office.build()
    for sku in sorted(before)[:10]:
        shutil.rmtree(office.products / sku)
    _, after = office.build()
    assert set(sorted(before)[10:]) < set(after)
    assert len(after) == 14, "all that there are"


def test_what_is_written_anew_is_chosen_anew(office: Office) -> None:
    first, _ = office.build()
    assert office.build(rebuild=True)[0] == first


def test_two_products_that_look_alike_are_no_probes(office: Office) -> None:
    for sku in ("twin-a", "twin-b"):
        office.draw(sku, 50)
    for number in range(4, COUNT + 8):  # so that all that are left are looked at
        shutil.rmtree(office.products / f"sku-{number:02d}")
    assert set(office.build()[1]) == {"sku-00", "sku-01", "sku-02", "sku-03"}


def test_a_catalogue_where_nothing_is_clear_has_no_probes(tmp_path: Path) -> None:
    office = Office(tmp_path)
    for sku in ("a", "b", "c"):
        office.draw(sku, 1)
    assert office.build() == (None, {})


def test_one_product_alone_is_clear(tmp_path: Path) -> None:
    office = Office(tmp_path)
    office.draw("only", 1)
    assert set(office.build()[1]) == {"only"}


def test_another_crop_looks_at_another_part(office: Office) -> None:
    whole, _ = office.build()
    centre, probes = office.build(crop=0.5)
    assert centre != whole
    assert len(probes) == COUNT


def test_a_thin_picture_is_passed_over(tmp_path: Path) -> None:
    office = Office(tmp_path)
    office.draw("good", 1)
    folder = office.products / "thin"
    folder.mkdir()
    cv2.imwrite(str(folder / "0.png"), cv2.resize(picture(2, 0), (2000, 12)))
    assert set(office.build()[1]) == {"good"}
