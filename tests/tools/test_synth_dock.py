"""The drawn dock: its truth adds up, its labels can be read, and the same seed draws the same."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from agent.adapters.barcodes import read_labels
from agent.core.gs1 import gtin14, sscc
from tools.synth.barcodes import draw_barcode, gs1_128
from tools.synth.dock import HEIGHT, WIDTH, draw_dock, gtin_of, receive, top_of


def test_a_story_adds_up() -> None:
    story = receive(shipments=4, cartons=40, seed=2)
    assert story == receive(shipments=4, cartons=40, seed=2)
    assert [carton.shipment for carton in story.cartons] == [n // 10 for n in range(40)]
    assert any(a > b for a, b in zip(story.places, story.places[1:], strict=False)), "the belt runs back"
    for one, next_ in zip(story.shipments, story.shipments[1:], strict=False):
        assert one.opened_s < one.closed_s < next_.opened_s
    for number, shipment in enumerate(story.shipments):
        pieces = sum(sum(pair) for pair in story.received(number).values())
        assert pieces == sum(c.count for c in story.cartons if c.shipment == number)
        for unit, (gtin, _) in shipment.units.items():
            assert (sscc(unit), gtin14(gtin)) == (unit, gtin)
    torn = sum(carton.torn for carton in story.cartons)
    assert 2 <= torn <= 16


def test_a_carton_is_in_the_picture_while_its_shipment_is_received() -> None:
    story = receive(shipments=1, cartons=3, seed=2)
    shipment = story.shipments[0]
    empty = draw_dock(story, shipment.opened_s - 1.0)
    assert empty.shape == (HEIGHT, WIDTH, 3)
    moments = np.arange(shipment.opened_s, shipment.closed_s, 0.5)
    differ = [np.abs(draw_dock(story, float(t)).astype(int) - empty).mean() for t in moments]
    assert max(differ) > 10
    assert np.array_equal(draw_dock(story, 3.0), draw_dock(story, 3.0))


def test_a_label_can_be_read_unless_it_is_torn() -> None:
    carton = next(c for c in receive(seed=3).cartons if c.sscc and not c.torn)
    for torn, expected in ((False, {carton.sscc, gtin_of(carton.label)}), (True, {carton.sscc})):
        top = np.ascontiguousarray(top_of(replace(carton, torn=torn))[..., :3])
        large = np.repeat(np.repeat(top, 2, axis=0), 2, axis=1)
        said = [code.said for code in read_labels(large)]
        assert {each.sscc or each.content for each in said} == expected


def test_gs1_128_is_pairs_of_digits() -> None:
    code = draw_barcode(gs1_128("00340063810000000025"), 2, 60)
    picture = np.full((200, code.shape[1] + 80, 3), 255, np.uint8)
    picture[70:130, 40 : 40 + code.shape[1]] = code
    (found,) = read_labels(picture)
    assert found.said.sscc == "340063810000000025"
    for bad in ("123", "12a4", "", "١٢"):
        with pytest.raises(ValueError, match="expected pairs of digits"):
            gs1_128(bad)
