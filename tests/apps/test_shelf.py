"""The shelf application with real eyes on drawn shelves, in time that is passed in."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from agent.apps.shelf import Shelf
from agent.core.scene import Scene
from tests.support.road import Road
from tests.support.shelf import SLOTS, Shown, planogram
from tools.bench._shelf_device import BEGAN_UTC, CAMERA, ShelfDevice

QUICK = {"dwell_s": 3, "restock_s": 1, "blocked_after_s": 1, "alert_after_s": 60}


class Shop:
    """A shelf and its device, one frame each half second."""

    def __init__(self, road: Road, folder: Path, plan: dict[str, Any] | None = None, **shelf: Any) -> None:
        folder.mkdir(exist_ok=True)
        self.device = ShelfDevice(folder, str(road.model), road.catalogue, plan or planogram(), QUICK | shelf)
        self.shown = Shown()
        self.at = 0.0

    def see(self, seconds: float) -> None:
        for _ in range(round(seconds * 2)):
            self.at += 0.5
            self.device.see(self.at, self.shown.draw(round(self.at * 2)))

    def states(self) -> dict[str, str]:
        return {slot: self.slot(slot)["state"] for slot in SLOTS}

    def slot(self, name: str) -> dict[str, Any]:
        return self.device.states[f"shelf/{name}"]

    def bay(self) -> dict[str, Any]:
        return self.device.states["shelf"]

    def events(self) -> list[tuple[str, str]]:
        return [
            (fact["event"], fact.get("slot", ""))
            for _, fact in self.device.facts()
            if fact["event"] != "compliance"
        ]

    @property
    def app(self) -> Shelf:
        app = self.device.apps[CAMERA]
        assert isinstance(app, Shelf)
        return app


ALL_RIGHT = dict.fromkeys(SLOTS, "correct")


@pytest.fixture(scope="module")
def road(tmp_path_factory: pytest.TempPathFactory) -> Road:
    made = Road(tmp_path_factory.mktemp("shelf"))
    made.build()
    return made


@pytest.fixture
def shop(road: Road, tmp_path: Path) -> Shop:
    made = Shop(road, tmp_path / "device")
    made.see(4)
    assert made.states() == ALL_RIGHT
    return made


def story(shop: Shop) -> None:
    """Something of everything."""
    shown = shop.shown
    shown.products["a2"] = None
    shop.see(12)
    shown.products |= {"a2": 1, "b3": 2}
    shop.see(8)
    shown.person = True
    shop.see(5)
    shown.gain = 0.5
    shown.person = False
    shop.see(5)
    shown.shift = (80, 10)
    shop.see(6)
    shop.device.lose(shop.at)
    shown.gain, shown.shift = 1.0, (0, 0)
    shop.see(6)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_same_frames_give_the_same_bytes(road: Road, tmp_path: Path) -> None:
    shops = [Shop(road, tmp_path / name) for name in ("one", "other")]
    for each in shops:
        each.see(4)
        story(each)
    one, other = ([message for _, message in each.device.messages] for each in shops)
    assert len(one) > 40
    assert one == other


@pytest.mark.timeout(900)
def test_what_happens_is_told_in_its_order(shop: Shop) -> None:
    story(shop)
    assert shop.events() == [
        ("out_of_stock", "a2"),
        ("restocked", "a2"),
        ("misplaced", "b3"),
        ("camera_moved", ""),
        ("camera_back", ""),
    ]
    assert shop.states() == ALL_RIGHT | {"b3": "wrong"}
    assert shop.slot("b3")["found"] == {"sku": "sku-02", "name": None}
    assert shop.bay()["misplaced"] == [{"slot": "b3", "sku": "sku-06", "found": "sku-02"}]
    assert shop.bay()["share_correct"] == 0.875


def test_with_a_picture_of_the_empty_shelf_a_slot_is_known_to_be_empty_at_once(
    road: Road, tmp_path: Path
) -> None:
    import cv2

    bare = Shown(products=dict.fromkeys(SLOTS))
    cv2.imwrite(str(tmp_path / "empty.png"), bare.draw(0))
    shop = Shop(road, tmp_path / "device", empty=[str(tmp_path / "empty.png")])
    shop.shown = bare
    shop.see(4)
    assert set(shop.states().values()) == {"empty"}
    assert shop.slot("a1")["probability"] > 0.95
    shop.shown = Shown()
    shop.see(4)
    assert shop.states() == ALL_RIGHT


def test_without_one_it_takes_twice_as_long_and_is_learned(shop: Shop) -> None:
    shop.shown.products["a2"] = None
    shop.see(5)
    assert shop.slot("a2")["state"] == "correct"
    shop.see(5)
    assert shop.slot("a2")["state"] == "empty"
    assert shop.slot("a2")["probability"] == 0.75
    shop.see(40)
    shop.shown.products["a2"] = 1
    shop.see(4)
    shop.shown.products["a2"] = None
    shop.see(4)
    assert shop.slot("a2")["state"] == "empty"
    assert shop.slot("a2")["probability"] > 0.95


@pytest.mark.timeout(900)
def test_the_light_and_a_shopper_change_nothing(shop: Shop) -> None:
    before = shop.events()
    for gain in (0.4, 0.7, 1.0):
        shop.shown.gain = gain
        shop.see(5)
        shop.shown.person = True
        shop.see(12)
        assert shop.slot("a3")["state"] == "blocked"
        assert shop.slot("a3")["standing"] == "correct"
        shop.shown.person = False
        shop.see(2)
        assert shop.states() == ALL_RIGHT
    assert shop.events() == before


def test_a_nudge_is_followed(shop: Shop) -> None:
    shop.shown.shift = (7, 3)
    shop.see(6)
    assert shop.states() == ALL_RIGHT
    assert shop.events() == []
    shop.shown.products["b2"] = None
    shop.see(9)
    assert shop.slot("b2")["state"] == "empty"


def test_a_lost_camera_says_nothing_of_the_shelf(shop: Shop) -> None:
    shop.shown.products["a2"] = None
    shop.see(10)
    out_s = shop.slot("a2")["out_of_stock_s"]
    shop.device.lose(shop.at)
    assert set(shop.states().values()) == {"unknown"}
    assert shop.slot("a1")["reason"] == "no pictures come from the camera"
    assert shop.bay()["share_correct"] is None
    shop.at += 3600
    shop.see(2)
    assert shop.states() == ALL_RIGHT | {"a2": "empty"}
    assert shop.slot("a2")["out_of_stock_s"] < out_s + 10


def test_it_goes_on_after_a_restart(shop: Shop, road: Road, tmp_path: Path) -> None:
    shop.shown.products["a2"] = None
    shop.see(10)
    kept = json.loads(json.dumps(shop.app.kept()))
    again = Shop(road, tmp_path / "again")
    settings = again.device.settings.cameras[0].shelf
    assert settings is not None
    assert settings.plan is not None
    app = Shelf(CAMERA, settings, settings.plan, kept=kept)
    again.device.apps[CAMERA] = app
    again.shown.products["a2"] = None
    again.at = 500.0
    again.see(3)
    assert again.events() == []
    assert again.slot("a2")["state"] == "empty"
    assert again.slot("a2")["first_seen_empty"] == shop.slot("a2")["first_seen_empty"]
    again.shown.shift = (80, 10)
    again.see(4)
    assert again.events() == [("camera_moved", "")], "the view of before the restart counts"


@pytest.mark.parametrize(
    "kept",
    [
        {"cells": {"a1": {}}, "slots": {"a1": {"sku": 1}}, "view": {"points": "?"}, "drawn": "x"},
        {"cells": {"a1": {"quad": [], "empty": 3, "named": {}}}, "slots": {"zz": None}},
        {"cells": None, "slots": None, "view": None},
    ],
)
def test_what_was_left_and_cannot_be_read_is_passed_over(road: Road, tmp_path: Path, kept: Any) -> None:
    shop = Shop(road, tmp_path / "device")
    settings = shop.device.settings.cameras[0].shelf
    assert settings is not None
    assert settings.plan is not None
    shop.device.apps[CAMERA] = Shelf(CAMERA, settings, settings.plan, kept=kept)
    shop.see(4)
    assert shop.states() == ALL_RIGHT


def test_facings_are_counted(road: Road, tmp_path: Path) -> None:
    plan = planogram()
    plan["slots"][0] |= {"facings": 2, "minimum": 2, "box": [40, 20, 310, 150]}
    del plan["slots"][1]
    shop = Shop(road, tmp_path / "device", plan)
    shop.shown.products["a2"] = 0
    shop.see(4)
    assert shop.slot("a1")["facings"] == {"seen": 2, "planned": 2, "minimum": 2}
    shop.shown.products["a2"] = None
    shop.see(10)
    state = shop.slot("a1")
    assert (state["state"], state["facings"]["seen"], state["low"]) == ("correct", 1, True)
    assert shop.bay()["low"] == ["a1"]
    shop.shown.products["a1"] = None
    shop.see(10)
    assert shop.slot("a1")["state"] == "empty"


def test_a_planogram_that_does_not_fit_the_picture_is_refused_with_the_slot(
    road: Road, tmp_path: Path
) -> None:
    from agent.core.errors import InputError

    plan = planogram()
    plan["slots"][0]["box"] = [40, 20, 700, 150]
    del plan["slots"][1:4]
    with pytest.raises(InputError, match="shelf: slots: slot 'a1': expected x from 0 to 640"):
        Shop(road, tmp_path / "device", plan).see(1)


def test_scenes_without_a_frame_before_the_first_are_borne(road: Road, tmp_path: Path) -> None:
    shop = Shop(road, tmp_path / "device")
    events = shop.app.update(Scene(CAMERA, 0.0, BEGAN_UTC))
    assert {event.kind for event in events} == {"shelf", "shelf_slot"}
