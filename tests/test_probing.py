"""A device that sees or answers otherwise than head office refuses the catalogue, and says what differs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from agent.adapters.catalogue import open_catalogue
from agent.adapters.embedder import Embedder, EmbedderSettings, load_embedder
from agent.core.errors import CatalogueError
from agent.core.probes import Probe
from agent.probing import try_probes
from tests.support.bent_catalogue import Bend, otherwise, with_first_probe
from tests.support.road import Road


@pytest.fixture(scope="module")
def road(tmp_path_factory: pytest.TempPathFactory) -> Road:
    road = Road(tmp_path_factory.mktemp("probing"))
    road.build()
    return road


@pytest.fixture(scope="module")
def eyes(road: Road) -> Embedder:
    return load_embedder(EmbedderSettings(file=str(road.model)))


def tried(folder: Path, eyes: Embedder) -> int:
    catalogue = open_catalogue(folder, eyes.fingerprint, eyes.dimension)
    try:
        return try_probes(eyes, catalogue)
    finally:
        catalogue.close()


def test_the_device_that_built_it_agrees(road: Road, eyes: Embedder) -> None:
    assert tried(road.catalogue, eyes) == 12


def test_other_kernels_agree(road: Road) -> None:
    assert tried(road.catalogue, load_embedder(EmbedderSettings(file=str(road.model)), plain=True)) == 12


def test_recognising_gets_its_turn_after_every_picture(road: Road, eyes: Embedder) -> None:
    rests: list[None] = []
    catalogue = open_catalogue(road.catalogue, eyes.fingerprint, eyes.dimension)
    try_probes(eyes, catalogue, lambda: rests.append(None))
    catalogue.close()
    assert len(rests) == 12


def _as(**changes: object) -> Bend:
    return lambda probe: replace(probe, **changes)  # type: ignore[arg-type]


BENT: dict[str, tuple[Bend, str]] = {
    "another embedding": (otherwise, "'sku-00': expected an embedding of cosine 0.98 or more"),
    "another answer": (_as(sku="sku-05"), "'sku-05': expected the similarity"),
    "a product that is not there": (_as(sku="nothing"), "'nothing': expected the similarity"),
    "another similarity": (_as(similarity=0.5), "expected the similarity 0.5 within 0.002, found 'sku-00'"),
    "no picture": (_as(picture=b"not a picture"), "probe 1 of 12: expected a JPEG, PNG, WebP or BMP picture"),
    "half a picture": (
        lambda probe: replace(probe, picture=probe.picture[: len(probe.picture) // 2]),
        "probe 1 of 12: expected a JPEG, PNG, WebP or BMP picture, found a header that stops early",
    ),
}


@pytest.mark.parametrize(("bend", "says"), BENT.values(), ids=BENT)
def test_what_differs_is_refused(road: Road, eyes: Embedder, tmp_path: Path, bend: Bend, says: str) -> None:
    folder = with_first_probe(road.catalogue, tmp_path / "bent", bend)
    with pytest.raises(CatalogueError) as error:
        tried(folder, eyes)
    assert says in str(error.value)
    assert "\n" not in str(error.value)


def test_eyes_that_take_red_for_blue_are_refused(road: Road, tmp_path: Path) -> None:
    """A runtime that decodes or prepares pictures otherwise: here the colours of the probe are swapped."""
    import cv2
    import numpy as np

    from agent.adapters.images import encode_jpeg

    def swapped(probe: Probe) -> Probe:
        pixels = cv2.imdecode(np.frombuffer(probe.picture, np.uint8), cv2.IMREAD_COLOR)
        return replace(probe, picture=encode_jpeg(np.ascontiguousarray(pixels[:, :, ::-1])))

    eyes = load_embedder(EmbedderSettings(file=str(road.model)))
    with pytest.raises(CatalogueError, match="does not see what head office saw"):
        tried(with_first_probe(road.catalogue, tmp_path / "bent", swapped), eyes)


def test_damaged_probes_are_refused(road: Road, eyes: Embedder, tmp_path: Path) -> None:
    folder = with_first_probe(road.catalogue, tmp_path / "bent", lambda probe: probe)
    catalogue = open_catalogue(folder, eyes.fingerprint, eyes.dimension)
    assert catalogue.manifest.probes is not None
    path = folder / catalogue.manifest.probes.path
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(CatalogueError, match="the file is damaged"):
        try_probes(eyes, catalogue)
    catalogue.close()
