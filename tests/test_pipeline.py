"""Frames in, recognitions out: with a real model and a real catalogue, and no clock."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from agent.adapters.barcodes import read_labels
from agent.adapters.overlay import Overlay
from agent.core.changes import ChangeSettings
from agent.core.errors import InputError
from agent.core.evidence import DecisionSettings
from agent.core.regions import FixedRegions, RegionSettings, SlotSettings
from agent.core.tracking import TrackingSettings
from agent.core.types import Frame, Phase, Recognition, Verdict
from agent.learning import Picture, Teacher
from agent.memory import DeviceMemory
from agent.parts import load_eyes_from
from agent.pipeline import Pipeline
from agent.reading import Reader
from agent.viewing import CameraPlan
from tests.support.clock import ManualClock
from tests.support.pictures import coded
from tests.support.road import Road, picture
from tools.synth.barcodes import draw_barcode, ean13

SIZE = 96


@pytest.fixture(scope="module")
def road(tmp_path_factory: pytest.TempPathFactory) -> Road:
    made = Road(tmp_path_factory.mktemp("pipeline"))
    made.build()
    return made


SLOTS = RegionSettings(
    mode="slots",
    slots=(
        SlotSettings(name="left", box=(0, 0, SIZE, SIZE)),
        SlotSettings(name="right", box=(SIZE, 0, 2 * SIZE, SIZE)),
    ),
)


def pipeline(road: Road, where: RegionSettings = SLOTS, looks: int = 2, refresh_s: float = 30.0) -> Pipeline:
    eyes, catalogue = load_eyes_from(str(road.model), str(road.catalogue))
    plan = CameraPlan(FixedRegions(where), ChangeSettings(refresh_s=refresh_s))
    return Pipeline(
        eyes, catalogue, {"cam": plan}, DecisionSettings(looks=looks, window=4), TrackingSettings()
    )


def shelf(left: int, right: int, view: int = 77) -> np.ndarray:
    return np.ascontiguousarray(np.hstack([picture(left, view, SIZE), picture(right, view, SIZE)]))


def frame(seq: int, image: np.ndarray, **more: bool) -> Frame:
    return Frame("cam", seq, at=seq * 0.5, utc=1_767_225_600 + seq * 0.5, image=image, **more)


def told(recognitions: tuple[Recognition, ...]) -> list[tuple[str, str, str]]:
    return [(r.phase.value, r.track.region.name, r.product.sku if r.product else "") for r in recognitions]


def test_each_slot_is_told_once_it_had_its_looks(road: Road) -> None:
    road_ = pipeline(road)
    assert road_.step(frame(0, shelf(3, 7))) == ()
    assert told(road_.step(frame(1, shelf(3, 7, view=78)))) == [
        ("new", "left", "sku-03"),
        ("new", "right", "sku-07"),
    ]
    assert road_.step(frame(2, shelf(3, 7, view=79))) == ()


def test_a_product_that_is_swapped_is_an_update_of_the_same_track(road: Road) -> None:
    road_ = pipeline(road)
    first = [r for n in range(3) for r in road_.step(frame(n, shelf(3, 7)))]
    later = [r for n in range(3, 12) for r in road_.step(frame(n, shelf(3, 5)))]
    assert {r.track.region.name for r in later} == {"right"}
    assert later[-1].product is not None
    assert later[-1].product.sku == "sku-05"
    assert later[-1].phase is Phase.UPDATE
    assert {r.track.id for r in later} == {first[1].track.id}
    assert [r.revision for r in later] == list(range(1, len(later) + 1))


def test_an_unchanged_picture_is_not_embedded_again_until_it_is_time(road: Road) -> None:
    road_ = pipeline(road, refresh_s=5.0)
    for seq in range(10):
        road_.step(frame(seq, shelf(1, 2)))
    assert (road_.tally.embedded, road_.tally.reused) == (4, 16), "two real looks, then none"
    road_.step(frame(11, shelf(1, 2)))
    assert road_.tally.embedded == 6, "after 5 s it looks again all the same"


def test_only_the_slot_that_changed_is_embedded(road: Road) -> None:
    road_ = pipeline(road, looks=1)
    road_.step(frame(0, shelf(1, 2)))
    road_.step(frame(1, shelf(1, 9)))
    assert (road_.tally.embedded, road_.tally.reused) == (3, 1)


def test_something_else_is_unknown_and_says_why(road: Road) -> None:
    grey = np.full((SIZE, 2 * SIZE, 3), 128, np.uint8)
    road_ = pipeline(road, looks=1)
    recognitions = road_.step(frame(0, grey))
    assert [r.verdict for r in recognitions] == [Verdict.UNKNOWN, Verdict.UNKNOWN]
    assert all(r.reason for r in recognitions)
    assert all(r.options for r in recognitions), "the nearest are named all the same"


def test_a_lost_camera_ends_what_it_saw(road: Road) -> None:
    road_ = pipeline(road)
    road_.step(frame(0, shelf(3, 7)))
    road_.step(frame(1, shelf(3, 7)))
    assert told(road_.close("cam", 1.0, 2.0)) == [("end", "left", "sku-03"), ("end", "right", "sku-07")]
    assert road_.close("cam", 1.0, 2.0) == ()


def test_a_cut_ends_what_was_before_it(road: Road) -> None:
    road_ = pipeline(road, looks=1)
    road_.step(frame(0, shelf(3, 7), cut=True))
    assert told(road_.step(frame(1, shelf(4, 7), cut=True))) == [
        ("end", "left", "sku-03"), ("end", "right", "sku-07"), ("new", "left", "sku-04"), ("new", "right", "sku-07"),
    ]  # fmt: skip


def test_another_catalogue_begins_anew_between_two_frames(road: Road, tmp_path: Path) -> None:
    other = Road(tmp_path)
    other.build(products=5)
    road_ = pipeline(road, looks=1)
    road_.step(frame(0, shelf(3, 4)))
    road_.use(*load_eyes_from(str(other.model), str(other.catalogue)))
    recognitions = road_.step(frame(1, shelf(3, 4)))
    assert [r.phase.value for r in recognitions] == ["end", "end", "new", "new"]
    assert len({r.release for r in recognitions[:2]} | {r.release for r in recognitions[2:]}) == 2
    assert road_.tally.reused == 0, "an answer of the old catalogue is not kept"


def test_the_same_frames_give_the_same_facts(road: Road) -> None:
    pictures = [shelf(n // 4, 5 + n // 3, view=n) for n in range(12)]
    runs = []
    for _ in range(2):
        road_ = pipeline(road)
        runs.append([r for n, image in enumerate(pictures) for r in road_.step(frame(n, image))])
    assert runs[0] == runs[1]
    assert len(runs[0]) > 4


def test_a_slot_outside_the_picture_is_named(road: Road) -> None:
    with pytest.raises(InputError, match="right"):
        pipeline(road).step(frame(0, shelf(1, 2)[:, :SIZE].copy()))


def test_a_picture_of_another_size_is_looked_at_anew(road: Road) -> None:
    road_ = pipeline(road, where=RegionSettings(), looks=1)
    assert told(road_.step(frame(0, picture(3, 80, 96)))) == [("new", "whole", "sku-03")]
    road_.step(frame(1, picture(3, 80, 160)))
    assert road_.tally.embedded == 2


def said_of(road: Road, image: np.ndarray, expected: dict[str, str]) -> Recognition:
    """What is told of the left slot at the first look."""
    eyes, catalogue = load_eyes_from(str(road.model), str(road.catalogue))
    plan = CameraPlan(FixedRegions(SLOTS), ChangeSettings(), expected)
    settings = DecisionSettings(looks=1, window=1)
    road_ = Pipeline(eyes, catalogue, {"cam": plan}, settings, TrackingSettings())
    return road_.step(frame(0, image))[0]


def test_what_belongs_in_a_place_helps_to_choose_and_hides_no_surprise(road: Road) -> None:
    mixed = np.asarray(cv2.addWeighted(picture(3, 77, SIZE), 0.5, picture(5, 77, SIZE), 0.5, 0))
    doubtful = np.ascontiguousarray(np.hstack([mixed, picture(7, 77, SIZE)]))
    plain, told_ = said_of(road, doubtful, {}), said_of(road, doubtful, {"left": "sku-05", "right": "sku-04"})
    before, after = ({o.sku: o for o in r.options}["sku-05"] for r in (plain, told_))
    assert after.probability > before.probability
    assert [clue.source for clue in after.clues] == ["prior:slot"]
    assert not before.clues
    other = said_of(road, shelf(3, 7), {"left": "sku-05"})
    assert other.product is not None
    assert other.product.sku == "sku-03"
    assert said_of(road, shelf(3, 7), {"left": "of no catalogue"}).product == other.product


@pytest.mark.parametrize(
    ("steady", "cut", "said"),
    [(True, False, ["prior:last"]), (False, True, []), (True, True, [])],
    ids=["on a shelf", "held up", "another scene"],
)
def test_what_stood_in_a_place_before_helps_to_choose_and_hides_no_surprise(
    road: Road, *, steady: bool, cut: bool, said: list[str]
) -> None:
    mixed = np.asarray(cv2.addWeighted(picture(3, 77, SIZE), 0.5, picture(5, 77, SIZE), 0.5, 0))
    doubtful = np.ascontiguousarray(np.hstack([mixed, picture(7, 77, SIZE)]))
    eyes, catalogue = load_eyes_from(str(road.model), str(road.catalogue))
    plan = CameraPlan(FixedRegions(SLOTS), ChangeSettings(), steady=steady)
    settings = DecisionSettings(looks=1, window=1, patience_s=0)
    road_ = Pipeline(eyes, catalogue, {"cam": plan}, settings, TrackingSettings())
    assert ("new", "left", "sku-05") in told(road_.step(frame(0, shelf(5, 7))))
    (told_,) = [
        each
        for each in road_.step(frame(1, doubtful, cut=cut))
        if each.track.region.name == "left" and each.phase is not Phase.END
    ]
    options = {o.sku: o for o in told_.options}
    assert [clue.source for clue in options["sku-05"].clues] == said
    assert not options["sku-03"].clues
    (last,) = [r for r in road_.step(frame(2, shelf(3, 7))) if r.track.region.name == "left"]
    assert last.product is not None
    assert last.product.sku == "sku-03"


def test_the_same_thing_does_not_speak_for_itself_after_another_catalogue_came(road: Road) -> None:
    eyes, catalogue = load_eyes_from(str(road.model), str(road.catalogue))
    plan = CameraPlan(FixedRegions(SLOTS), ChangeSettings(), steady=True)
    settings = DecisionSettings(looks=1, window=1)
    road_ = Pipeline(eyes, catalogue, {"cam": plan}, settings, TrackingSettings())
    road_.step(frame(0, shelf(5, 7)))
    road_.use(*load_eyes_from(str(road.model), str(road.catalogue)))
    again = [r for r in road_.step(frame(1, shelf(5, 7))) if r.phase is Phase.NEW]
    assert [r.product.sku if r.product else "" for r in again] == ["sku-05", "sku-07"]
    assert not any(option.clues for r in again for option in r.options)


def test_a_label_that_covers_a_product_does_not_hide_it(road: Road) -> None:
    """With a reader, what it read is painted over, and the product below is looked at again."""
    bars = cv2.resize(draw_barcode(ean13("4006381333931"), 2, 60), None, fx=1.5, fy=1.5)
    side = 4 * SIZE
    image = cv2.resize(picture(3, 77, SIZE), (side, side), interpolation=cv2.INTER_LINEAR)
    image[120 : 120 + bars.shape[0], 16 : 16 + bars.shape[1]] = bars
    where = RegionSettings(mode="whole")
    similarity = {}
    for name, reader in (("as it is", None), ("painted over", Reader(read_labels, 2))):
        eyes, catalogue = load_eyes_from(str(road.model), str(road.catalogue))
        plan = CameraPlan(FixedRegions(where), ChangeSettings(), reader=reader)
        road_ = Pipeline(eyes, catalogue, {"cam": plan}, DecisionSettings(window=4), TrackingSettings())
        for seq in range(4):
            noisy = np.clip(
                image.astype(int) + np.random.default_rng(seq).integers(0, 30, image.shape), 0, 255
            )
            road_.step(frame(seq, noisy.astype(np.uint8)))
        (track,) = road_.tracks("cam")
        assert all(each.clear for each in track.looks) == (reader is not None)
        similarity[name] = np.mean(
            [c.similarity for each in track.looks for c in each.candidates if c.product == 3]
        )
    assert similarity["painted over"] > similarity["as it is"] + 0.02


class Teaching:
    """The road's catalogue with an overlay beside it, which a test changes between two frames."""

    def __init__(self, road: Road, folder: Path, looks: int = 2) -> None:
        eyes, base = load_eyes_from(str(road.model), str(road.catalogue))
        memory = DeviceMemory(base, Overlay(folder), eyes.dimension, eyes.fingerprint)
        self.teacher = Teacher(Overlay(folder), eyes, memory, ManualClock())
        plan = CameraPlan(FixedRegions(SLOTS), ChangeSettings(refresh_s=30.0))
        self.pipeline = Pipeline(
            eyes, memory, {"cam": plan}, DecisionSettings(looks=looks, window=4), TrackingSettings()
        )

    def enrol(self, sku: str, *products: int) -> None:
        pictures = [Picture(f"{product}", coded(picture(product, 1), ".png")) for product in products]
        self.teacher.enrol(sku, pictures, {"name": sku})


def test_a_product_that_is_taught_is_named_on_the_track_that_shows_it(road: Road, tmp_path: Path) -> None:
    teaching = Teaching(road, tmp_path)
    step = teaching.pipeline.step
    image = shelf(3, 70)
    before = [r for n in range(4) for r in step(frame(n, image))]
    assert [(r.track.region.name, r.verdict) for r in before] == [
        ("left", Verdict.KNOWN), ("right", Verdict.UNKNOWN),
    ]  # fmt: skip
    teaching.enrol("new", 70)
    assert step(frame(4, image)) == (), "one new look is not enough"
    after = [r for n in range(5, 8) for r in step(frame(n, image))]
    assert told(tuple(after)) == [("update", "right", "new")], "the pixels never changed"
    assert after[0].track.id == before[1].track.id


def test_a_product_that_is_forgotten_is_named_no_longer(road: Road, tmp_path: Path) -> None:
    teaching = Teaching(road, tmp_path)
    step = teaching.pipeline.step
    teaching.enrol("new", 70)
    image = shelf(3, 70)
    before = [r for n in range(8) for r in step(frame(n, image))]
    assert told(tuple(before)) == [("new", "left", "sku-03"), ("new", "right", "new")]
    teaching.teacher.forget("new")
    teaching.teacher.forget("sku-03")
    after = [r for n in range(8, 12) for r in step(frame(n, image))]
    assert [(r.phase, r.verdict) for r in after] == [(Phase.UPDATE, Verdict.UNKNOWN)] * 2
    assert {option.sku for r in after for option in r.options}.isdisjoint({"new", "sku-03"})


def test_a_track_that_ends_before_it_was_looked_at_again_ends_as_what_it_was(
    road: Road, tmp_path: Path
) -> None:
    teaching = Teaching(road, tmp_path)
    teaching.enrol("new", 70)
    for number in range(3):
        teaching.pipeline.step(frame(number, shelf(3, 70)))
    teaching.teacher.forget("new")
    assert told(teaching.pipeline.close("cam", 9.0, 9.0)) == [
        ("end", "left", "sku-03"),
        ("end", "right", "new"),
    ]
