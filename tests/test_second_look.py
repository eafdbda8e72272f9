"""Closer looks by a real catalogue of drawn flavours, whose products differ in one thing each."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from itertools import product as product_of
from pathlib import Path

import numpy as np
import pytest

from agent.adapters.barcodes import read_barcodes
from agent.adapters.catalogue import Catalogue
from agent.adapters.embedder import Embedder, EmbedderSettings
from agent.adapters.images import encode_png
from agent.adapters.overlay import Overlay
from agent.core.evidence import ONE_LOOK, decide
from agent.core.looking import looks_at
from agent.core.second_look import BARCODE_LOG_ODDS, Closer, SecondLookSettings
from agent.core.types import Look, Region
from agent.core.undecided import is_open, worth_a_second_look
from agent.core.verifying import Reference
from agent.memory import DeviceMemory
from agent.nothing import Nothing
from agent.publishing.build import BuildSettings, build_catalogue
from agent.second_look import SecondLook
from agent.sight import open_folder
from tests.support.road import ROOT
from tools.synth.barcodes import draw_barcode, ean13
from tools.synth.flavours import flavour
from tools.synth.kiosk import draw_held, hold
from tools.synth.views import studio_view

MODEL = EmbedderSettings(file=str(ROOT / "models" / "base.tflite"))
SHOP = 5
EAN = "4006381333931"
Sight = tuple[Embedder, Catalogue]


@pytest.fixture(scope="module")
def sight(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sight]:
    folder = tmp_path_factory.mktemp("flavours")
    rows = ["sku,gtin"]
    for product in range(16):
        images = folder / "shop" / "images" / f"p{product}"
        images.mkdir(parents=True)
        rows.append(f"p{product},{EAN if product == 9 else ''}")
        for view in range(3):
            (images / f"{view}.png").write_bytes(encode_png(studio_view(flavour(product, SHOP), view)))
    (folder / "shop" / "products.csv").write_text("\n".join(rows) + "\n")
    build_catalogue(folder / "shop", folder / "out", MODEL, BuildSettings(jobs=1), created_utc=0.0)
    eyes, catalogue = open_folder(folder / "out", MODEL)
    with closing(catalogue):
        yield eyes, catalogue


def held(product: int, number: int = 0) -> tuple[np.ndarray, Region]:
    shown = hold(flavour(product, SHOP), seed=number)
    return draw_held(shown), Region(shown.box)


def look(sight: Sight, image: np.ndarray, region: Region) -> Look:
    eyes, catalogue = sight
    rows = eyes.embed(image, [region])
    return looks_at(image, [region], rows, catalogue.nearest(rows))[0]


def undecided(sight: Sight, count: int) -> list[tuple[np.ndarray, Region, Look, str]]:
    found = []
    for product, number in product_of(range(16), range(3)):
        image, region = held(product, number)
        seen = look(sight, image, region)
        if len(worth_a_second_look(decide([seen], sight[1].calibration, ONE_LOOK))) >= 2:
            found.append((image, region, seen, f"p{product}"))
    assert len(found) >= count
    return found


def best(sight: Sight, seen: Look) -> str:
    return sight[1].product(decide([seen], sight[1].calibration, ONE_LOOK).options[0].product).sku


def second(settings: SecondLookSettings | None = None, step_s: float = 0.0) -> SecondLook:
    """With a clock that goes on by `step_s` whenever it is asked."""
    times = iter(np.arange(0.0, 1e6, step_s).tolist()) if step_s else None
    clock = (lambda: next(times)) if times else (lambda: 0.0)
    return SecondLook(settings or SecondLookSettings(), read_barcodes, clock)


class Watched:
    """A catalogue, and the products whose portraits were read from it."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self.calibration = catalogue.calibration
        self.weights = catalogue.weights
        self.is_portrayed = catalogue.is_portrayed
        self.by_gtin, self.has_gtins = catalogue.by_gtin, catalogue.has_gtins
        self.is_left_out = catalogue.is_left_out
        self.read: list[int] = []

    @property
    def closer(self) -> Closer:
        return self

    def portraits(self, product: int) -> tuple[Reference, ...]:
        self.read.append(product)
        return self._catalogue.portraits(product)


def test_of_products_that_look_alike_more_are_right_after_a_closer_look(sight: Sight) -> None:
    closer, before, after = second(), 0, 0
    for image, region, seen, sku in undecided(sight, 6):
        (better,) = closer.improved(image, [region], [seen], sight[1])
        assert better.candidates == seen.candidates
        before += best(sight, seen) == sku
        after += best(sight, better) == sku
    assert after > before
    assert closer.tally.taken >= 6
    assert closer.tally.skipped == 0


def test_the_same_picture_gets_the_same_clues(sight: Sight) -> None:
    image, region, seen, _ = undecided(sight, 1)[0]
    assert second().improved(image, [region], [seen], sight[1]) == second().improved(
        image, [region], [seen], sight[1]
    )


def test_a_look_that_is_sure_costs_nothing(sight: Sight) -> None:
    closer = second()
    picture = studio_view(flavour(1, SHOP), 0)
    whole = Region((0, 0, picture.shape[1], picture.shape[0]))
    seen = look(sight, picture, whole)
    sure = replace(seen, candidates=seen.candidates[:1])
    if is_open(decide([sure], sight[1].calibration, ONE_LOOK)):
        pytest.skip("this model is not sure of its own reference")
    assert closer.improved(picture, [whole], [sure], sight[1]) == [sure]
    assert closer.tally.taken == 0


def test_when_the_time_of_the_frame_is_up_the_rest_is_left_and_counted(sight: Sight) -> None:
    asked = undecided(sight, 3)[:3]
    image, region, seen, _ = asked[0]
    closer = second(SecondLookSettings(budget_ms=50), step_s=0.03)
    memory = Watched(sight[1])
    sure = replace(seen, candidates=seen.candidates[:1])
    better = closer.improved(image, [region] * 4, [seen, seen, sure, seen], memory, barcodes=False)
    assert [bool(each.clues) for each in better] == [True, False, False, False]
    assert (closer.tally.taken, closer.tally.skipped) == (1, 2), "the sure one was neither"
    first = worth_a_second_look(decide([seen], sight[1].calibration, ONE_LOOK))
    assert memory.read == list(first), "no portrait is read for what there is no time for"


@pytest.mark.parametrize("settings", [SecondLookSettings(budget_ms=0)])
def test_without_time_there_are_none(sight: Sight, settings: SecondLookSettings) -> None:
    image, region, seen, _ = undecided(sight, 1)[0]
    assert second(settings).improved(image, [region], [seen], sight[1]) == [seen]


def test_without_a_catalogue_there_are_none() -> None:
    picture = np.zeros((64, 64, 3), np.uint8)
    assert second().improved(picture, [Region((0, 0, 64, 64))], [Look(())], Nothing()) == [Look(())]


@pytest.mark.parametrize("off", ["features", "colour"])
def test_what_is_switched_off_says_nothing(sight: Sight, off: str) -> None:
    image, region, seen, _ = undecided(sight, 1)[0]
    (better,) = second(replace(SecondLookSettings(), **{off: False})).improved(
        image, [region], [seen], sight[1]
    )
    assert off not in {clue.source for clue in better.clues}


def with_barcode(image: np.ndarray, region: Region) -> np.ndarray:
    x, y = region.box[:2]
    code = draw_barcode(ean13(EAN), 1, 30)
    shown = image.copy()
    shown[y : y + code.shape[0] + 20, x : x + code.shape[1] + 20] = 255
    shown[y + 10 : y + 10 + code.shape[0], x + 10 : x + 10 + code.shape[1]] = code
    return shown


def test_a_barcode_names_its_product_whatever_the_picture_looks_like(sight: Sight) -> None:
    image, region, seen, sku = undecided(sight, 1)[0]
    assert sku != "p9"
    (better,) = second().improved(with_barcode(image, region), [region], [seen], sight[1])
    assert [(clue.source, clue.log_odds) for clue in better.clues] == [("barcode", BARCODE_LOG_ODDS)]
    assert best(sight, better) == "p9"
    without = second(SecondLookSettings(barcode=False))
    (looked,) = without.improved(with_barcode(image, region), [region], [seen], sight[1])
    assert "barcode" not in {clue.source for clue in looked.clues}


def test_the_barcode_of_a_product_that_was_forgotten_names_nothing(sight: Sight, tmp_path: Path) -> None:
    eyes, catalogue = sight
    image, region, seen, _ = undecided(sight, 1)[0]
    teacher = Overlay(tmp_path)
    memory = DeviceMemory(catalogue, Overlay(tmp_path), eyes.dimension, eyes.fingerprint)
    for forgotten, sources in ((False, ["barcode"]), (True, [])):
        if forgotten:
            teacher.forget("p9", held=True, utc=0.0)
        assert memory.version
        (better,) = second().improved(with_barcode(image, region), [region], [seen], memory)
        assert [clue.source for clue in better.clues] == sources


def test_a_tiny_region_shows_neither_words_nor_bars(sight: Sight) -> None:
    image, _, seen, _ = undecided(sight, 1)[0]
    assert second().improved(image, [Region((0, 0, 31, 200))], [seen], sight[1]) == [seen]


def test_one_product_alone_is_compared_with_nobody(sight: Sight) -> None:
    singles = [
        (image, region, replace(seen, candidates=seen.candidates[:1]))
        for image, region, seen, _ in undecided(sight, 1)
    ]
    calibration = sight[1].calibration
    image, region, alone = next(each for each in singles if is_open(decide([each[2]], calibration, ONE_LOOK)))
    closer = second()
    assert closer.improved(image, [region], [alone], sight[1]) == [alone]
    assert (closer.tally.taken, closer.tally.compared) == (1, 0)  # for a barcode: the shop has one
    assert closer.improved(image, [region], [alone], sight[1], barcodes=False) == [alone]
    assert closer.tally.taken == 1


def test_the_pipeline_takes_closer_looks(sight: Sight) -> None:
    from agent.core.changes import ChangeSettings
    from agent.core.evidence import DecisionSettings
    from agent.core.regions import FixedRegions, RegionSettings, SlotSettings
    from agent.core.tracking import TrackingSettings
    from agent.core.types import Frame
    from agent.pipeline import Pipeline
    from agent.viewing import CameraPlan

    image, region, _, _ = undecided(sight, 1)[0]
    slots = RegionSettings(mode="slots", slots=(SlotSettings(name="hand", box=region.box),))
    closer = second()
    plans = {"cam": CameraPlan(FixedRegions(slots), ChangeSettings())}
    decision = DecisionSettings(looks=1, window=4, patience_s=0.0)
    road = Pipeline(*sight, plans, decision, TrackingSettings(), closer)
    told = road.step(Frame("cam", 0, 0.0, 1.7e9, image))
    told += road.step(Frame("cam", 1, 0.5, 1.7e9 + 0.5, image))
    assert closer.tally.taken >= 1
    assert any(option.clues for recognition in told for option in recognition.options)
