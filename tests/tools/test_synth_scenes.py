"""Shelves, belt and kiosk: the ground truth is what the pixels show, and barcodes can be read by a stranger."""

from __future__ import annotations

import json
from collections import Counter
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest
import zxingcpp

from agent.core.gs1 import check_digit
from tools.synth.barcodes import code128, draw_barcode, ean13
from tools.synth.flavours import flavour
from tools.synth.kiosk import draw_held, hold
from tools.synth.parcels import Symbology, draw_belt, load
from tools.synth.scenes import Bay
from tools.synth.sheet import main
from tools.synth.shelves import Shelf, Slot, draw_shelf, stock

BAY = Bay(rows=3, columns=4, width=960, height=540)


def shelf(seed: int, *, shopper: bool = False) -> Shelf:
    return stock(BAY, [flavour(number, 5) for number in range(12)], seed, shopper=shopper)


@pytest.mark.parametrize("text", ["4006381333931", "0000000000000", "9780143007234", "5901234123457"])
def test_an_ean_is_read_as_what_it_says(text: str) -> None:
    read = zxingcpp.read_barcodes(draw_barcode(ean13(text), 2, 60))
    assert [(found.format.name, found.text) for found in read] == [("EAN13", text)]


@pytest.mark.parametrize("text", ["00340123456789012342", "SP-001/A b~", "7", "12345", " !"])
def test_a_code_128_is_read_as_what_it_says(text: str) -> None:
    read = zxingcpp.read_barcodes(draw_barcode(code128(text), 2, 60))
    assert [(found.format.name, found.text) for found in read] == [("Code128", text)]


@pytest.mark.parametrize("digits", ["", "400638133393", "4006381333930", "40063813339३1", "400638133393x"])
def test_what_is_no_ean_is_refused(digits: str) -> None:
    with pytest.raises(ValueError, match="EAN-13: expected"):
        ean13(digits)


@pytest.mark.parametrize("text", ["", "ä", "\n"])
def test_what_code_128_cannot_say_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="Code 128: expected"):
        code128(text)


def test_over_many_shelves_every_state_of_a_slot_occurs() -> None:
    states = Counter(one.state(slot) for one in map(shelf, range(20)) for slot in BAY.slots)
    assert set(states) == set(Slot)
    assert states[Slot.STOCKED] > sum(states.values()) / 3


def test_the_state_of_a_slot_follows_from_what_is_in_it() -> None:
    for one in map(shelf, range(20)):
        truth = one.truth()
        for slot in truth["slots"]:
            there = [item for item in truth["items"] if item["slot"] == slot["name"]]
            assert slot["facings"] == len(there) <= slot["room"]
            assert (slot["state"] == "gap") == (not there)
            assert (slot["state"] == "misplaced") == any(i["product"] != slot["planned"] for i in there)
            if slot["state"] == "fallen":
                assert sum(item["fallen"] for item in there) == 1
            if slot["state"] == "stocked":
                assert slot["facings"] == slot["room"]


def test_slots_hold_several_facings_beside_each_other_and_nothing_stands_in_another_slot() -> None:
    for one in map(shelf, range(10)):
        assert max(dict(one.facings).values()) >= 3
        for item in one.items:
            x1, y1, x2, y2 = BAY.flat_box(item.slot)
            assert x1 <= item.flat[0] < item.flat[2] <= x2 + 0.01
            assert y1 <= item.flat[1] < item.flat[3] <= y2 + 0.01
        for slot in BAY.slots:
            there = sorted(item.flat for item in one.items if item.slot == slot)
            assert all(left[2] <= right[0] + 0.01 for left, right in pairwise(there))


def test_pixels_of_a_shelf_are_where_the_truth_says_that_products_are() -> None:
    one = shelf(3)
    with_products = draw_shelf(one).astype(np.int16)
    without = draw_shelf(Shelf(one.bay, one.plan, one.facings, (), None, one.who)).astype(np.int16)
    changed = np.abs(with_products - without).max(axis=2) > 30
    for item in one.truth()["items"]:
        x1, y1, x2, y2 = item["box"]
        assert changed[y1:y2, x1:x2].mean() > 0.4, item
        changed[max(0, y1 - 3) : y2 + 4, max(0, x1 - 6) : x2 + 16] = (
            False  # one in the dark behind shows beside it
        )
    assert changed.mean() < 0.001


def test_a_shopper_hides_what_the_truth_says_is_hidden() -> None:
    one = shelf(1, shopper=True)
    assert one.shopper is not None
    free = Shelf(one.bay, one.plan, one.facings, one.items, None, one.who)
    difference = np.abs(draw_shelf(one).astype(np.int16) - draw_shelf(free).astype(np.int16)).max(axis=2)
    hidden = {slot["name"] for slot in one.truth()["slots"] if slot["hidden"]}
    assert 0 < len(hidden) < len(BAY.slots)
    for slot in BAY.slots:
        x1, y1, x2, y2 = BAY.box(slot)
        assert slot in hidden or difference[y1:y2, x1:x2].max() < 12


def test_a_shelf_needs_a_product_for_every_slot() -> None:
    with pytest.raises(ValueError, match="expected at least 12, found 3"):
        stock(BAY, [flavour(number) for number in range(3)])


def test_every_whole_label_on_the_belt_is_read_and_no_torn_one() -> None:
    seen: Counter[str] = Counter()
    for seed in range(6):
        belt = load(5, seed)
        for at_s in (0.0, 4.0, 8.0):
            read = {found.text for found in zxingcpp.read_barcodes(draw_belt(belt, at_s))}
            for parcel in belt.truth(at_s):
                if parcel["readable"] and parcel["whole"]:
                    assert parcel["text"] in read
                    seen[parcel["symbology"]] += 1
                elif not parcel["readable"]:
                    assert parcel["text"] not in read
                    seen["torn"] += 1
    assert set(seen) == {*Symbology, "torn"}


def test_numbers_on_labels_are_those_of_gs1() -> None:
    for parcel in load(20, 3).parcels:
        if parcel.symbology is Symbology.EAN13:
            assert len(parcel.text) == 13
        else:
            assert parcel.text.startswith("00")
            assert len(parcel.text) == 20
        assert parcel.text[-1] == check_digit(parcel.text[:-1][-17:])


def test_parcels_pass_one_after_the_other_without_touching() -> None:
    belt = load(8, 2)
    entered, last = [], 0
    for at_s in np.arange(0, 40, 0.25):
        truth = belt.truth(float(at_s))
        for one, other in pairwise(truth):
            assert other["box"][2] <= one["box"][0]
        entered += [parcel["parcel"] for parcel in truth if parcel["parcel"] not in entered]
        last = max(last, *(parcel["parcel"] for parcel in truth), 0) if truth else last
    assert entered == list(range(8))
    assert belt.truth(60.0) == []


def test_a_held_product_is_in_the_picture_and_large_enough_to_recognise() -> None:
    for number in range(12):
        held = hold(flavour(number), number)
        picture = draw_held(held)
        assert picture.shape == (held.height, held.width, 3)
        x1, y1, x2, y2 = held.box
        assert 0 <= x1 < x2 <= held.width
        assert 0 <= y1 < y2 <= held.height
        assert (x2 - x1) * (y2 - y1) > 0.04 * held.width * held.height
        assert held.truth()["product"] == number


@pytest.mark.parametrize("what", ["shelf", "belt", "kiosk"])
def test_scenes_repeat_exactly_and_their_truth_is_plain_data(what: str) -> None:
    def drawn() -> tuple[np.ndarray, object]:
        if what == "shelf":
            return draw_shelf(shelf(4, shopper=True)), shelf(4, shopper=True).truth()
        if what == "belt":
            return draw_belt(load(4, 1), 2.0), load(4, 1).truth(2.0)
        return draw_held(hold(flavour(3), 7)), hold(flavour(3), 7).truth()

    (one, truth), (two, same) = drawn(), drawn()
    assert np.array_equal(one, two)
    assert json.loads(json.dumps(truth)) == truth == same


def test_the_contact_sheet_is_one_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path / "sheet.png")]) == 0
    sheet = cv2.imread(str(tmp_path / "sheet.png"))
    assert sheet.shape[1] == 1600
    assert sheet.shape[0] > 2000
    assert main([str(tmp_path / "none" / "sheet.png")]) == 1
    assert main([str(tmp_path / "sheet.doc")]) == 1
    assert capsys.readouterr().err.count("expected a place") == 2
